"""The table of engines, and each of them against the network."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest

from resnetkit.classifier.prediction import Predictor
from resnetkit.errors import Code, ResnetkitError
from resnetkit.inference import engines, graph_engines
from resnetkit.inference.engines import ENGINES, NAMES, find_kinds, open_kind
from resnetkit.inference.torch_engines import plain_predictor

COMPILED = pytest.param("torch_compile", marks=pytest.mark.slow)


@pytest.mark.parametrize("name", [COMPILED if name == "torch_compile" else name for name in ENGINES])
@pytest.mark.parametrize("batch_size", [1, 2])
def test_every_engine_agrees_with_the_network_for_any_number_of_images(
    name: str, batch_size: int, make: Callable[..., Any], noise: Callable[..., Any]
) -> None:
    kind = ENGINES[name]
    if kind.missing:
        pytest.skip(kind.missing)
    if name == "torch_compile" and batch_size == 1:
        pytest.skip("compiling takes long; the other batch size does it")
    classifier = make(average_mirrored=True, channel_order="bgr")
    subject = classifier
    if kind.reads == "graph":
        from resnetkit.graphs.onnx import write_graph

        subject = write_graph(classifier)
    engine = open_kind(
        kind, subject, image_shape=classifier.preprocessing.image_shape, batch_size=batch_size, num_threads=1
    )
    assert engine.name == name
    for number in (1, 2, 5):
        pixels = noise(classifier, number)
        logits = engine.logits(pixels)
        assert (logits.dtype, logits.shape) == (np.float32, (number, 2, 3))
        answer, expected = Predictor.of(classifier, engine), plain_predictor(classifier)
        np.testing.assert_allclose(logits, expected.engine.logits(pixels), atol=2e-5)
        np.testing.assert_allclose(answer.probabilities(pixels), expected.probabilities(pixels), atol=2e-6)
        again = engine.logits(noise(classifier, 3))  # an answer is the caller's, not a buffer that the next overwrites
        assert np.array_equal(engine.logits(noise(classifier, 3)), again)


@pytest.mark.parametrize("name", ["openvino", "torch"])
def test_in_bfloat16_an_engine_agrees_less_exactly(
    name: str, make: Callable[..., Any], noise: Callable[..., Any]
) -> None:
    kind = ENGINES[name]
    if kind.missing:
        pytest.skip(kind.missing)
    classifier = make(average_mirrored=True, channel_order="bgr")
    subject = classifier
    if kind.reads == "graph":
        from resnetkit.graphs.onnx import write_graph

        subject = write_graph(classifier)
    try:
        engine = open_kind(
            kind,
            subject,
            image_shape=classifier.preprocessing.image_shape,
            batch_size=2,
            num_threads=1,
            precision="bf16",
        )
    except RuntimeError as error:
        pytest.skip(str(error))
    pixels = noise(classifier, 5)
    answer, expected = (
        Predictor.of(classifier, engine).probabilities(pixels),
        plain_predictor(classifier).probabilities(pixels),
    )
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, expected, atol=0.02)
    assert np.abs(answer - expected).max() > 1e-5  # it is not float32 after all


@pytest.mark.parametrize(
    "variation",
    [
        "resnetv2_50",
        "resnet50_gn",
        "seresnet18",
        "ecaresnet26t",
        "resnetblur18",
        "resnet34_a",
        "resnet20[join=shortcut_gate]",
    ],
)
def test_every_layer_computes_in_bfloat16(variation: str) -> None:
    import torch

    from resnetkit.classifier.classifier import Classifier
    from resnetkit.images.spec import Preprocessing
    from resnetkit.models.resnet import create_model

    torch.manual_seed(0)
    network = create_model(variation, num_classes=10)
    classifier = Classifier(network, Preprocessing(32, 32), tuple("0123456789"))
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 32, 32), dtype=np.uint8)
    engine = open_kind(
        ENGINES["torch"],
        classifier,
        image_shape=classifier.preprocessing.image_shape,
        batch_size=1,
        num_threads=1,
        precision="bf16",
    )
    # Logits but for a constant, because fresh weights make all classes about as probable.
    answer, expected = (
        logits - logits.mean() for logits in (engine.logits(pixels), plain_predictor(classifier).engine.logits(pixels))
    )
    assert np.abs(answer - expected).max() < 0.2 * np.abs(expected).max()


def test_openvino_is_refused_where_it_computes_in_another_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    openvino = MagicMock()
    openvino.Core().read_model().input().get_partial_shape.return_value = (1, 3, 16, 16)
    openvino.Core().compile_model().get_property().get_type_name.return_value = "f32"
    monkeypatch.setattr(graph_engines, "import_openvino", lambda: openvino)
    with pytest.raises(RuntimeError, match="computes in f32 on this processor"):
        graph_engines.open_openvino(b"", batch_size=1, num_threads=1, precision="bf16")
    graph_engines.open_openvino(b"", batch_size=1, num_threads=1, precision="fp32")


def test_kernels_are_tried_out_for_a_gpu_only() -> None:
    import torch

    from resnetkit.inference.torch_engines import compile_options

    assert compile_options(torch.device("cpu")) == {"freezing": True}
    assert compile_options(torch.device("cuda", 0)).items() > {"freezing": True, "max_autotune": True}.items()
    known = torch._inductor.list_options()
    assert set(compile_options(torch.device("cuda", 0))) <= set(known)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(("batch_size", "num_threads"), [(1, 2), (2, 2), (4, 2), (5, 3), (2, 5)])
def test_images_divided_among_threads_keep_their_order(
    name: str, batch_size: int, num_threads: int, make: Callable[..., Any], noise: Callable[..., Any]
) -> None:
    if ENGINES[name].missing:
        pytest.skip(ENGINES[name].missing)
    from resnetkit.graphs.onnx import write_graph

    classifier = make()
    engine = open_kind(
        ENGINES[name],
        write_graph(classifier),
        image_shape=classifier.preprocessing.image_shape,
        batch_size=batch_size,
        num_threads=num_threads,
    )
    pixels = noise(classifier, 23)
    np.testing.assert_allclose(
        Predictor.of(classifier, engine).probabilities(pixels),
        plain_predictor(classifier).probabilities(pixels),
        atol=2e-6,
    )


def test_an_answer_is_not_overwritten_by_the_next(make: Callable[..., Any], noise: Callable[..., Any]) -> None:
    if ENGINES["openvino"].missing:
        pytest.skip(ENGINES["openvino"].missing)
    from resnetkit.graphs.onnx import write_graph

    classifier = make()
    engine = open_kind(
        ENGINES["openvino"],
        write_graph(classifier),
        image_shape=classifier.preprocessing.image_shape,
        batch_size=1,
        num_threads=1,
    )
    first = engine.logits(noise(classifier, 1))
    kept = first.copy()
    engine.logits(255 - noise(classifier, 1))
    assert np.array_equal(first, kept)


IMPORT = """
import socket, sys
def refuse(*arguments):
    raise SystemExit("a connection was asked for")
socket.socket.connect = socket.getaddrinfo = refuse
from resnetkit.inference import graph_engines
getattr(graph_engines, f"import_{sys.argv[1]}")()
print([name for name in sys.modules if name.startswith("openvino_telemetry")])
"""


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_engines_report_nothing_about_their_user(name: str, tmp_path: Path) -> None:
    if ENGINES[name].missing:
        pytest.skip(ENGINES[name].missing)
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    finished = subprocess.run(
        [sys.executable, "-c", IMPORT, name], env=environment, capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == "[]"
    # Both would keep an identifier of the user here: ~/intel, .cache/Microsoft.
    assert not list(tmp_path.iterdir())


def test_auto_stands_for_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name == "openvino" else object())
    assert [kind.name for kind in find_kinds("auto")] == ["onnxruntime", "torch"]
    assert [kind.name for kind in find_kinds("auto", "bf16")] == ["torch"]
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    assert [kind.name for kind in find_kinds("auto")] == ["torch"]
    assert [kind.name for kind in find_kinds("auto", on_cpu=False)] == ["torch"]


def test_an_engine_without_bfloat16_is_left_out_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: object())
    assert [kind.name for kind in find_kinds("auto", "bf16")] == ["openvino", "torch"]
    assert find_kinds("openvino", "bf16") == (ENGINES["openvino"],)
    with pytest.raises(ResnetkitError, match="the engine onnxruntime does not compute in bf16") as raised:
        find_kinds("onnxruntime", "bf16")
    assert raised.value.why == "it has fp32 and int8 only; openvino, torch, torch_compile can"
    assert raised.value.code is Code.USAGE
    with pytest.raises(ResnetkitError, match="unknown precision 'fp16'"):
        find_kinds("auto", "fp16")  # type: ignore[arg-type]


def test_an_engine_that_is_not_installed_is_an_error_that_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(ResnetkitError, match="the engine openvino cannot run here") as raised:
        find_kinds("openvino")
    assert raised.value.why == "openvino and onnx are not installed (pip install 'resnetkit[openvino]')"
    assert raised.value.code is Code.USAGE


@pytest.mark.slow
def test_a_compiled_network_has_its_weights_as_constants(make: Callable[..., Any], noise: Callable[..., Any]) -> None:
    if ENGINES["torch_compile"].missing:
        pytest.skip(ENGINES["torch_compile"].missing)
    classifier = make()
    engine = open_kind(
        ENGINES["torch_compile"],
        classifier,
        image_shape=classifier.preprocessing.image_shape,
        batch_size=2,
        num_threads=1,
    )
    pixels = noise(classifier, 2)
    before = engine.logits(pixels)
    for parameter in engine.network._orig_mod.parameters():
        parameter.data.zero_()
    assert np.array_equal(engine.logits(pixels), before)


def test_without_a_compiler_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ResnetkitError, match="the engine torch_compile cannot run here") as raised:
        find_kinds("torch_compile")
    assert "no C++ compiler" in raised.value.why


def test_names_are_checked() -> None:
    with pytest.raises(ResnetkitError, match="unknown engine 'onnx'") as raised:
        find_kinds("onnx")
    assert raised.value.fix.startswith(("did you mean", "choose one of: auto"))
    assert set(NAMES) == {"auto", *ENGINES}


def test_a_graph_is_not_run_for_a_classifier_on_a_gpu() -> None:
    with pytest.raises(ResnetkitError, match="computes on the CPU"):
        find_kinds("onnxruntime", on_cpu=False)


@pytest.mark.parametrize(
    ("fills", "sizes"), [(False, {1: [1], 2: [1, 1], 5: [2, 3], 8: [4, 4], 9: [1, 4, 4]}), (True, {2: [4], 5: [4, 4]})]
)
def test_few_images_are_divided_among_all_streams_where_none_is_filled_up(
    fills: bool, sizes: dict[int, list[int]]
) -> None:
    asked: list[int] = []

    def compute(pixels: np.ndarray) -> np.ndarray:
        asked.append(len(pixels))
        return pixels[:, :1, 0, 0].astype(np.float32)[..., None]

    engine = graph_engines.GraphEngine("known", [compute, compute], 4, fills=fills)
    for number, expected in sizes.items():
        asked.clear()
        pixels = np.arange(number, dtype=np.uint8)[:, None, None, None].repeat(3, 1)
        assert np.array_equal(engine.logits(pixels)[:, 0, 0], np.arange(number))
        assert sorted(asked) == expected
