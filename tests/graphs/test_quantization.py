"""Quantized graphs: int8 kernels run in both runtimes, and the answers stay near the network's."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.graphs.test_onnx import SMALL, VARIANTS, reduced

from resnetkit.classifier.classifier import Classifier
from resnetkit.errors import Code, ResnetkitError
from resnetkit.graphs.runtimes import import_onnxruntime, import_openvino
from resnetkit.images.synthetic import check_images
from resnetkit.inference.engines import ENGINES, open_kind
from resnetkit.inference.torch_engines import open_plain
from resnetkit.models.catalog import CATALOG
from resnetkit.models.spec import BASIC_PREACT, BOTTLENECK, ZERO_PAD, ResNetSpec

pytest.importorskip("onnx", reason="the extra int8 installs it")
import onnx

from resnetkit.graphs import quantization
from resnetkit.graphs.onnx import write_graph
from resnetkit.graphs.quantization import find_multiplications, quantize

pytestmark = pytest.mark.skipif(
    bool(ENGINES["onnxruntime"].missing), reason=ENGINES["onnxruntime"].missing or "installed"
)
# Stride on the first 1×1, as in the paper: all readers of a map are strided 1×1 convs.
V1 = replace(SMALL, block=replace(BOTTLENECK, strided_conv=0))
RUNTIMES = ("onnxruntime", "openvino")


def kernels_of_onnxruntime(graph: bytes, folder: Path) -> Counter[str]:
    """Kinds of the nodes that are run."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)


def precisions_of_openvino(graph: bytes) -> Counter[str]:
    """What the convs that are run compute in."""
    core = import_openvino().Core()
    compiled = core.compile_model(core.read_model(graph), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    nodes = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    convs = [node for node in nodes if node["layerType"].astype(str) == "Convolution"]
    return Counter(node["runtimePrecision"].astype(str) for node in convs)


def check(classifier: Classifier, *, within: float) -> None:
    """Check that both runtimes' logits differ from the network's by a share of their spread over different images."""
    pixels = check_images(classifier.preprocessing)
    expected = open_plain(classifier).logits(pixels)
    graph = quantize(write_graph(classifier), pixels)
    for engine in RUNTIMES:
        if ENGINES[engine].missing:
            continue
        shape = classifier.preprocessing.image_shape
        logits = open_kind(ENGINES[engine], graph, image_shape=shape, batch_size=8, num_threads=1).logits(pixels)
        assert np.abs(logits - expected).max() > 0  # not the float32 graph
        assert np.sqrt(((logits - expected) ** 2).mean()) < within * expected.std(axis=0).mean(), engine


@pytest.mark.parametrize("spec", [SMALL, V1], ids=["v1.5", "v1"])
def test_all_convs_run_in_int8_kernels(
    spec: ResNetSpec, tmp_path: Path, make: Callable[..., Any], noise: Callable[..., Any]
) -> None:
    classifier = make(spec, size=32)
    plain = write_graph(classifier)
    quantized = quantize(plain, noise(classifier))
    num_convs = kernels_of_onnxruntime(plain, tmp_path)["Conv"]
    assert num_convs >= 10 or spec is SMALL
    kernels = kernels_of_onnxruntime(quantized, tmp_path)
    assert kernels["QLinearConv"] == num_convs
    assert not kernels.keys() & {"Conv", "FusedConv", "Gemm", "MatMul"}
    found = find_multiplications(onnx.load_from_string(quantized))
    assert (len(found.quantized), found.floating) == (num_convs + 1, ())
    assert not find_multiplications(onnx.load_from_string(plain)).quantized


@pytest.mark.skipif(bool(ENGINES["openvino"].missing), reason="openvino is not installed")
@pytest.mark.parametrize("spec", [SMALL, V1], ids=["v1.5", "v1"])
def test_openvino_runs_the_same_file_in_int8(
    spec: ResNetSpec, make: Callable[..., Any], noise: Callable[..., Any]
) -> None:
    classifier = make(spec, size=32)
    plain = write_graph(classifier)
    (precision,) = precisions_of_openvino(quantize(plain, noise(classifier)))
    assert precision in ("u8", "i8")
    assert set(precisions_of_openvino(plain)) == {"f32"}


@pytest.mark.parametrize("variant", ["full pre-activation", "option A", "squeeze and excitation", "blurred"])
def test_quantized_networks_answer_nearly_the_same(variant: str, make: Callable[..., Any]) -> None:
    check(make(replace(SMALL, **VARIANTS[variant]), size=23), within=0.12)


def test_a_skip_that_is_padded_before_an_activation(make: Callable[..., Any]) -> None:
    """OpenVINO takes no pair of QDQ between the pool and the padding."""
    check(make(replace(SMALL, block=replace(BASIC_PREACT, projection=ZERO_PAD)), size=23), within=0.12)


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_axis(variant: str, make: Callable[..., Any]) -> None:
    check(make(replace(SMALL, **VARIANTS[variant]), size=23), within=0.25)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["preact_resnet20", "resnet20", "resnet50_v1", "resnet50_gn", "resnetblur18"])
def test_structures_of_the_catalog(name: str, make: Callable[..., Any]) -> None:
    check(make(reduced(CATALOG[name].spec), size=45), within=0.6)


def test_a_quarter_of_the_size(make: Callable[..., Any], noise: Callable[..., Any]) -> None:
    classifier = make(CATALOG["resnet18"].spec, size=32)
    plain = write_graph(classifier)
    assert len(quantize(plain, noise(classifier)[:1])) < 0.26 * len(plain)


def test_the_same_images_give_the_same_graph(make: Callable[..., Any], noise: Callable[..., Any]) -> None:
    classifier = make()
    plain, pixels = write_graph(classifier), noise(classifier)
    assert quantize(plain, pixels) == quantize(plain, pixels)
    assert quantize(plain, pixels) != quantize(plain, pixels // 2)


def test_a_conv_that_stays_in_float32_is_an_error(
    make: Callable[..., Any], noise: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    to_quantize = quantization._to_quantize
    monkeypatch.setattr(quantization, "_to_quantize", lambda *model: to_quantize(*model)[2:])
    classifier = make()
    with pytest.raises(ResnetkitError, match="1 convs or matrix products stayed in float32") as caught:
        quantize(write_graph(classifier), noise(classifier))
    assert caught.value.code == Code.CHECK_FAILED
    monkeypatch.setattr(quantization, "_to_quantize", lambda *model: ["no such name"])
    with pytest.raises(ResnetkitError, match="stayed in float32"):
        quantize(write_graph(classifier), noise(classifier))


def test_images_of_another_shape_are_refused(make: Callable[..., Any], noise: Callable[..., Any]) -> None:
    classifier = make()
    graph, pixels = write_graph(classifier), noise(classifier)
    with pytest.raises(ResnetkitError, match="no images to calibrate on"):
        quantize(graph, pixels[:0])
    for wrong in (pixels[:, :, 1:], pixels.astype(np.float32)):
        with pytest.raises(ResnetkitError, match=r"must be uint8 \(N, 3, "):
            quantize(graph, wrong)


def test_logging_is_left_as_it_was(
    make: Callable[..., Any], noise: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    classifier = make()
    quantize(write_graph(classifier), noise(classifier))
    assert logging.root.manager.disable == logging.NOTSET
    assert capfd.readouterr() == ("", "")
