"""What every alternative of a network's spec has to keep, over all there are (:mod:`tests.models.alternatives`).

Who adds a member to a union, a word to a ``Literal`` or another activation order finds here what is still missing.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache, reduce
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from tests.models.alternatives import EVERY_SPEC, PROJECTIONS, SMALL, legal_orders
from tests.models.measured import measure_cost
from torch import Tensor, nn

from resnetkit.anatomy.block_picture import draw_blocks
from resnetkit.anatomy.cost import count_cost
from resnetkit.anatomy.memory import measure_memory
from resnetkit.anatomy.network_picture import draw_network
from resnetkit.anatomy.receptive_field import Window, see_through
from resnetkit.anatomy.spec_words import MEANINGS
from resnetkit.anatomy.text_picture import block_text, network_text
from resnetkit.anatomy.wiring import BlockWiring, DrawnStep, NetworkWiring, wire
from resnetkit.classifier.classifier import Classifier, load_classifier
from resnetkit.classifier.prediction import Predictor
from resnetkit.config import from_dict, to_dict
from resnetkit.graphs.folding import fold
from resnetkit.images.spec import Preprocessing
from resnetkit.inference.engines import ENGINES, open_kind
from resnetkit.inference.torch_engines import plain_predictor
from resnetkit.models.block import Joiner, ResidualBlock
from resnetkit.models.layers import Subsample, ZeroPad
from resnetkit.models.plan import plan_network
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import BatchNorm, GroupNorm, Initialization, ProjectionStep, ResNetSpec
from resnetkit.models.steps import Attend, GlobalPool
from resnetkit.weights import load_weights, read_weights, to_native

SIZE = 21  # odd on the way down, where paddings differ


def structure(spec: ResNetSpec) -> ResNetSpec:
    """The spec without what changes no layer and no shape: how weights start, the norm's numbers."""
    norm = BatchNorm() if isinstance(spec.norm, BatchNorm) else spec.norm
    return replace(spec, initialization=Initialization(), norm=norm)


def label(specs: Mapping[ResNetSpec, str]) -> list[str]:
    """The names under which the tests of specs appear: which choice it is, and a number."""
    return [f"{path}-{number}" for number, path in enumerate(specs.values())]


STRUCTURES = {spec: path for spec, path in EVERY_SPEC.items() if spec == structure(spec)}
ONE_BY_ONE = {spec: path for spec, path in STRUCTURES.items() if not path.startswith(("preactivated", "order and"))}
every_spec = pytest.mark.parametrize("spec", EVERY_SPEC, ids=label(EVERY_SPEC))
every_structure = pytest.mark.parametrize("spec", STRUCTURES, ids=label(STRUCTURES))


@cache
def build(spec: ResNetSpec) -> ResNet:
    """The network with weights, gates and statistics that are neither 0 nor 1, in use."""
    random = torch.Generator().manual_seed(0)
    network = ResNet(spec).eval()
    for name, parameter in network.named_parameters():
        if parameter.ndim == 1:
            low, high = (-0.2, 0.2) if name.endswith("bias") else (0.5, 1.5)
            parameter.data.uniform_(low, high, generator=random)
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.3, generator=random)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 2, generator=random)
    if isinstance(network.fc, nn.Linear):
        with torch.no_grad():  # no answer is sure, however large the layers make noise
            network.fc.weight /= network(images_for(spec)).std().clamp(min=1)
    return network


@cache
def cached_wiring(spec: ResNetSpec) -> NetworkWiring:
    return wire(spec, SIZE)


def images_for(spec: ResNetSpec) -> Tensor:
    return torch.randn(4, spec.in_channels, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def test_the_walk_finds_what_is_there() -> None:
    assert len(legal_orders()) >= 6
    assert {step for projection in PROJECTIONS for step in projection.steps} == set(get_args(ProjectionStep))


@every_spec
def test_json_gives_the_same_network(spec: ResNetSpec) -> None:
    assert from_dict(ResNetSpec, json.loads(json.dumps(to_dict(spec)))) == spec


@every_structure
def test_the_counted_cost_is_that_of_the_built_network(spec: ResNetSpec) -> None:
    assert count_cost(spec, SIZE) == measure_cost(spec, SIZE)


@pytest.mark.parametrize("spec", ONE_BY_ONE, ids=label(ONE_BY_ONE))
def test_memory_is_counted(spec: ResNetSpec) -> None:
    memory = measure_memory(spec, SIZE)
    assert 0 < memory.peak_bytes < memory.kept_bytes
    assert memory.parameter_bytes == 4 * sum(parameter.numel() for parameter in build(spec).parameters())


def named(steps: Iterable[DrawnStep], prefix: str = "") -> list[tuple[str, tuple[int, ...]]]:
    """Layers by name, with the shapes they hand on."""
    return [(prefix + step.name, step.output_shape) for step in steps if step.name]


def named_in_block(block: BlockWiring) -> list[tuple[str, tuple[int, ...]]]:
    """Layers in the order of their calls: those of the join run when branch and skip have ended."""
    ((stage, position),) = block.places
    before = itertools.chain(block.preact, block.branch, block.skip, block.gate)
    in_order = [*sorted(before, key=lambda step: step.name.startswith("joiner.")), *block.after_add]
    return named(in_order, f"layer{stage}.{position - 1}.")


def steps_of(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The layers of a network but for those that do nothing; what a gate is made of is one step."""
    match module:
        case nn.Identity() | Subsample(stride=1) | ZeroPad(extra_channels=0):
            return
        case ResNet() | ResidualBlock() | Joiner() | nn.Sequential():
            for name, child in module.named_children():
                yield from steps_of(child, f"{prefix}{name}.")
        case _:
            yield prefix[:-1], module


@every_structure
def test_the_wiring_is_the_calls_of_a_forward_pass(spec: ResNetSpec) -> None:
    wiring = cached_wiring(spec)
    told = [
        *named(wiring.stem),
        *(layer for stage in wiring.stages for block in stage for layer in named_in_block(block)),
        *named(wiring.tail),
    ]
    called: list[tuple[str, tuple[int, ...]]] = []
    network = ResNet(spec).eval()
    for name, module in steps_of(network):
        module.register_forward_hook(lambda _, __, output, name=name: called.append((name, tuple(output.shape[1:]))))
    network(images_for(spec))
    assert told == called


@every_structure
def test_pictures_are_drawn(spec: ResNetSpec) -> None:
    wiring = cached_wiring(spec)
    kinds = wiring.block_kinds()
    for picture in (draw_network("name", wiring), draw_blocks("name", kinds)):
        assert ElementTree.fromstring(picture).tag.endswith("svg")
    text = network_text(wiring) + "".join(block_text(kind.drawn) for kind in kinds)
    steps = [step for kind in kinds for path in kind.drawn.paths for step in path]
    assert all(step.words in text for step in steps)


def reads_whole_map(spec: ResNetSpec) -> bool:
    paths = [path for part in plan_network(spec) for path in part.iter_paths()]
    gates = [layer for layer in (step.layer for path in paths for step in path) if isinstance(layer, Attend)]
    is_pooled = any(isinstance(step.layer, GlobalPool) for gate in gates for step in gate.steps)
    return is_pooled or spec.conv != "plain" or isinstance(spec.norm, GroupNorm)


@every_structure
def test_a_pixel_sees_what_changes_it(spec: ResNetSpec) -> None:
    """All weights positive, the image even but for a column: what is seen moves the output, its neighbour does not."""
    size = 97
    spec = replace(spec, num_classes=None, pooling="none")
    network = ResNet(spec).double().eval()
    window = reduce(see_through, plan_network(spec), Window(size))
    if reads_whole_map(spec):  # there the number is of what neighbours hand on
        assert 1 < window.size_px < size
        return
    for name, parameter in network.named_parameters():
        parameter.data.fill_(0.0 if name.endswith("bias") else 0.1 if parameter.ndim > 1 else 1.0)
    middle = window.map_px // 2
    low, high = (middle * window.jump + end for end in (window.low, window.high))
    images = torch.full((5, spec.in_channels, 17, size), 1e-6, dtype=torch.float64)
    for image, column in zip(images[1:], (low - 1, low, high, high + 1), strict=True):
        image[:, :, column] = 1e-4
    with torch.no_grad():
        even, *moved = network(images)[:, :, :, middle]
    assert [not torch.equal(even, other) for other in moved] == [False, True, True, False]


@every_structure
def test_folding_changes_nothing(spec: ResNetSpec) -> None:
    network = build(spec)
    with torch.no_grad():
        images = images_for(spec)
        torch.testing.assert_close(fold(network)(images), network(images), rtol=1e-4, atol=1e-4)


@every_spec
def test_a_classifier_is_read_back(spec: ResNetSpec, tmp_path: Path) -> None:
    if spec.num_classes is not None:
        classifier = classifier_of(spec)
        classifier.save(tmp_path / "classifier.safetensors")
        again = load_classifier(tmp_path / "classifier.safetensors")
        assert again.network.spec == spec
        same_tensors(again.network, classifier.network)


@every_structure
def test_a_state_dict_is_read_back(spec: ResNetSpec, tmp_path: Path) -> None:
    network, fresh = build(spec), ResNet(spec)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    load_weights(fresh, to_native(read_weights(tmp_path / "weights.pth")).tensors, source="weights.pth")
    same_tensors(fresh, network)


def same_tensors(a: nn.Module, b: nn.Module) -> None:
    tensors, others = a.state_dict(), b.state_dict()
    assert tensors.keys() == others.keys()
    assert [name for name in tensors if not torch.equal(tensors[name], others[name])] == []


def classifier_of(spec: ResNetSpec) -> Classifier:
    mean, std = (0.4,) * spec.in_channels, (0.25,) * spec.in_channels
    classes = tuple(f"class {i}" for i in range(spec.num_classes or 0))
    return Classifier(build(spec), Preprocessing(SIZE, SIZE, spec.in_channels, mean, std), classes)


@every_spec
def test_the_onnx_graph_answers_as_the_network(spec: ResNetSpec) -> None:
    pytest.importorskip("onnx", reason="the extras onnxruntime and openvino install it")
    from resnetkit.graphs.onnx import write_graph

    if ENGINES["onnxruntime"].missing:
        pytest.skip(ENGINES["onnxruntime"].missing)
    if spec.num_classes is None:
        return  # no classifier has such a network
    classifier = classifier_of(spec)
    pixels = np.random.default_rng(0).integers(0, 256, (4, spec.in_channels, SIZE, SIZE), dtype=np.uint8)
    expected = plain_predictor(classifier).probabilities(pixels)
    assert np.ptp(expected, axis=0).max() > 1e-4  # the images do not all get one answer
    graph, shape = write_graph(classifier), pixels.shape[1:]
    engine = open_kind(ENGINES["onnxruntime"], graph, image_shape=shape, batch_size=4, num_threads=1)
    np.testing.assert_allclose(Predictor.of(classifier, engine).probabilities(pixels), expected, atol=1e-5)


@pytest.mark.parametrize("meaning", MEANINGS, ids=lambda meaning: meaning.name)
def test_every_choice_has_words_of_its_own(meaning: Any) -> None:
    told: dict[str, str] = {}
    for spec in EVERY_SPEC:
        tree = to_dict(spec)
        choice = json.dumps([value_at(tree, path) for path in meaning.fields])
        words = meaning.words(spec)
        assert words
        assert told.setdefault(words, choice) == choice, words


def value_at(tree: Any, path: str) -> Any:
    for name in path.split("."):
        tree = tree[name]
    return tree


def test_words_are_told_of_every_alternative() -> None:
    """No alternative is left out of the choices above: each differs in the fields of some meaning."""
    own = to_dict(SMALL)
    for spec in EVERY_SPEC:
        tree = to_dict(spec)
        paths = [path for meaning in MEANINGS for path in meaning.fields]
        assert spec == SMALL or any(value_at(tree, path) != value_at(own, path) for path in paths)
