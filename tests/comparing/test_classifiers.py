"""Two classifiers or weight files: distances of tensors by hand."""

import math
from dataclasses import replace

import torch

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.decision import Decision
from resnetkit.comparing.classifiers import (
    compare_classifiers,
    compare_tensors,
    part_of,
)
from resnetkit.images.spec import Preprocessing
from resnetkit.models.resnet import create_model

GREY = Preprocessing(8, 8, 1, (0.5,), (0.5,))


def test_counters_are_no_weights() -> None:
    weights = create_model("resnet20_b").state_dict()
    bare = {name: tensor for name, tensor in weights.items() if not name.endswith("num_batches_tracked")}
    for a, b in ((weights, bare), (bare, weights)):
        compared = compare_tensors(a, b)
        assert (compared.only_a, compared.only_b, compared.other_shape) == ((), (), ())
        assert compared.is_telling
    headless = {name: tensor for name, tensor in bare.items() if not name.startswith("fc.")}
    compared = compare_tensors(weights, headless)
    assert compared.only_a == ("fc.weight", "fc.bias")
    assert compared.is_telling
    for other in ("resnet56_b", "resnet50"):
        assert not compare_tensors(weights, create_model(other).state_dict()).is_telling


def test_tensors_by_hand() -> None:
    a = {"conv1.weight": torch.tensor([3.0, 4.0]), "fc.bias": torch.tensor([1.0]), "bn1.count": torch.tensor(3)}
    b = {"conv1.weight": torch.tensor([3.0, 4.5]), "fc.bias": torch.tensor([1.0]), "bn1.count": torch.tensor(9)}
    stem, head = compare_tensors(a, b).distances
    assert (stem.part, stem.num_tensors, stem.num_equal, stem.largest, stem.relative) == ("stem", 1, 0, 0.5, 0.1)
    assert (head.part, head.num_equal, head.largest, head.relative) == ("head", 1, 0.0, 0.0)


def test_what_cannot_be_compared_is_named() -> None:
    a = {"layer1.0.conv1.weight": torch.ones(2), "x": torch.ones(2), "y": torch.ones(3)}
    b = {"layer1.0.conv1.weight": torch.full((2,), math.nan), "x": torch.ones(4), "z": torch.ones(3)}
    compared = compare_tensors(a, b)
    assert (compared.only_a, compared.only_b, compared.other_shape) == (("y",), ("z",), ("x",))
    (stage,) = compared.distances
    assert (stage.largest, stage.relative, stage.num_equal) == (None, None, 0)


def test_from_zero_there_is_no_relative_distance() -> None:
    (part,) = compare_tensors({"w": torch.zeros(2)}, {"w": torch.ones(2)}).distances
    assert (part.largest, part.relative) == (1.0, None)


def test_every_tensor_of_a_network_has_a_part() -> None:
    parts = {part_of(name) for name in create_model("keras_resnet50v2").state_dict()}
    assert parts == {"stem", "stage 1", "stage 2", "stage 3", "stage 4", "tail", "head"}


def test_classifiers_differ_in_preprocessing_and_classes() -> None:
    network = create_model("resnet20", num_classes=2, in_channels=1)
    first = Classifier(network, GREY, ("cat", "dog"))
    assert compare_classifiers(first, first).same_order
    second = Classifier(network, replace(GREY, mean=(0.4,)), ("dog", "fox"), decision=Decision(2.0))
    compared = compare_classifiers(first, second)
    assert [(d.field, d.a, d.b) for d in compared.preprocessing] == [("mean", "[0.5]", "[0.4]")]
    assert [(d.field, d.a, d.b) for d in compared.decision] == [("temperature", "1.0", "2.0")]
    assert (compared.only_a, compared.only_b, compared.same_order) == (("cat",), ("fox",), False)
    turned = compare_classifiers(first, Classifier(network, GREY, ("dog", "cat")))
    assert (turned.only_a, turned.only_b, turned.same_order) == ((), (), False)
