"""A classifier's file proves that its network answers as when it was made, and holds no image of anybody."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from resnetkit.classifier.classifier import Classifier, load_classifier
from resnetkit.classifier.file import read_description
from resnetkit.classifier.reference_check import MAX_PX, check_reference, make_reference
from resnetkit.errors import Code, ResnetkitError
from resnetkit.images.synthetic import check_images
from resnetkit.inference.conditions import find_conditions
from resnetkit.inference.engine_choice import open_engine
from resnetkit.inference.torch_engines import open_plain

Make = Callable[..., Classifier]


def with_reference(classifier: Classifier) -> Classifier:
    return replace(classifier, reference=make_reference(classifier.network, classifier.preprocessing))


@pytest.mark.parametrize("average_mirrored", [False, True])
def test_it_holds_the_logits_of_the_check_images_and_holds_once_loaded(
    make: Make, tmp_path: Path, average_mirrored: bool
) -> None:
    classifier = with_reference(make(average_mirrored=average_mirrored))
    assert classifier.reference is not None
    expected = open_plain(classifier).logits(check_images(classifier.preprocessing))
    np.testing.assert_array_equal(classifier.reference.values(), expected)
    assert expected.shape == (8, 1 + average_mirrored, 3)
    classifier.save(tmp_path / "c.safetensors")
    loaded = load_classifier(tmp_path / "c.safetensors")
    assert loaded.reference == classifier.reference
    assert loaded.to_bytes() == classifier.to_bytes()
    check = check_reference(loaded)
    assert check is not None
    assert check.holds
    assert "are those of when it was made" in str(check)
    with safe_open(tmp_path / "c.safetensors", framework="pt") as opened:
        assert set(opened.keys()) == set(classifier.network.state_dict()), "others load it strictly"


def test_other_weights_under_the_same_description_are_told(make: Make, tmp_path: Path) -> None:
    file = tmp_path / "c.safetensors"
    with_reference(make()).save(file)
    with safe_open(file, framework="pt") as opened:
        metadata = opened.metadata()
    tensors = load_file(file)
    tensors["layer1.0.conv1.weight"] = tensors["layer1.0.conv1.weight"] * 1.05
    save_file(tensors, file, metadata)
    check = check_reference(load_classifier(file))
    assert check is not None
    assert not check.holds
    assert "differ from those of when it was made" in str(check)


def test_choosing_an_engine_tells_of_it_each_time(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    told: list[str] = []
    conditions = find_conditions("torch", precision="bf16", device="cpu")
    classifier = with_reference(make())
    open_engine(classifier, conditions, tell=told.append)
    assert not any("when it was made" in text for text in told)
    with torch.no_grad():
        classifier.network.fc.bias += torch.tensor([3.0, 0.0, 0.0])
    for times in (1, 2):  # such a choice is not remembered
        open_engine(classifier, conditions, tell=told.append)
        assert sum(text.startswith("warning: its logits for the check images differ") for text in told) == times


def test_logits_of_other_images_are_not_compared(make: Make) -> None:
    classifier = with_reference(make())
    for changes in ({"mean": (0.1, 0.2, 0.3)}, {"image_size_px": 12}, {"average_mirrored": True}):
        assert check_reference(replace(classifier, preprocessing=replace(classifier.preprocessing, **changes))) is None
    wider = replace(classifier.preprocessing, resize_px=40)  # no matter to what the network is shown
    assert check_reference(replace(classifier, preprocessing=wider)) is not None
    assert check_reference(make()) is None
    large = replace(classifier.preprocessing, image_size_px=MAX_PX + 1, resize_px=MAX_PX + 1)
    assert make_reference(classifier.network, large) is None
    assert check_reference(replace(classifier, preprocessing=large)) is None


def test_whole_numbers_in_the_preprocessing_are_the_same_once_loaded(make: Make, tmp_path: Path) -> None:
    classifier = make()
    whole = replace(classifier.preprocessing, mean=(0, 0, 0), std=(1, 1, 1))
    with_reference(replace(classifier, preprocessing=whole)).save(tmp_path / "c.safetensors")
    assert check_reference(load_classifier(tmp_path / "c.safetensors")) is not None


def test_it_leaves_the_network_as_it_was(make: Make) -> None:
    classifier = make()
    classifier.network.train()
    before = {name: tensor.clone() for name, tensor in classifier.network.state_dict().items()}
    make_reference(classifier.network, classifier.preprocessing)
    assert classifier.network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in classifier.network.state_dict().items())


@pytest.mark.parametrize(
    "changes",
    [
        {"logits": "AAAA"},
        {"logits": "?"},
        {"shape": [8, 1, 10**12]},
        {"shape": [0, 1, 3], "logits": ""},
        {"shape": [-8, -1, 3]},
        {"shape": [4, 1, 6]},
        {"shape": [8, 3]},
        {"images": 3},
    ],
)
def test_a_damaged_one_is_refused(make: Make, tmp_path: Path, changes: dict[str, object]) -> None:
    file = tmp_path / "c.safetensors"
    with_reference(make()).save(file)
    with safe_open(file, framework="pt") as opened:
        description = json.loads(opened.metadata()["resnetkit"])
    description["reference"] |= changes
    save_file(load_file(file), file, {"resnetkit": json.dumps(description)})
    with pytest.raises(ResnetkitError) as raised:
        load_classifier(file)
    assert raised.value.code is Code.WEIGHTS


def test_a_trained_classifier_has_one(pretrained: Path) -> None:
    description = read_description(pretrained / "classifier.safetensors")
    assert description.reference is not None
    assert description.reference.shape == (8, 1, 10)
    check = check_reference(load_classifier(description))
    assert check is not None
    assert check.holds
