"""Claim: prediction is as fast here as the fastest engine at hand, and no slower than what a user would run instead.

    .venv/bin/python benchmarks/inference.py --write benchmarks/inference.md

Needs ``pip install -e '.[bench]'`` and the extras ``onnxruntime`` and ``openvino``. Ours gets uint8 pixels and does all
that a classifier does (normalisation and softmax included); the peers get normalised float32 and give logits. Weights
are random: they change no speed. Every engine computes in float32 unless its name or the text says otherwise.
"""

import tempfile
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from interleaved import Comparison, Contestant, Round, main

from resnetkit.machine.threads import find_num_threads

SIZE = 224
IMAGES_A_ROUND = 16
NUM_CALIBRATED = 32


def pixels(batch_size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (batch_size, 3, SIZE, SIZE), dtype=np.uint8)


def floats(batch_size: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((batch_size, 3, SIZE, SIZE), dtype=np.float32)


def rounds(run: Any, batch_size: int) -> Round:
    """A round of some runs, after the first ones, which make plans and fill caches."""
    for _ in range(3):
        run()
    number = max(1, IMAGES_A_ROUND // batch_size)

    def do_round() -> float:
        for _ in range(number):
            run()
        return number * batch_size

    return do_round


# --- ours ---


def classifier(model: str) -> Any:
    import torch

    from resnetkit.classifier.classifier import Classifier
    from resnetkit.images.spec import Preprocessing
    from resnetkit.models.resnet import create_model

    torch.manual_seed(0)
    network = create_model(model)
    return Classifier(network, Preprocessing(SIZE, 256), tuple(map(str, range(network.spec.num_classes or 0))))


def ours(model: str, batch_size: int, engine: str, precision: str = "fp32") -> Round:
    """An engine by name, opened in a folder of its own, so that ``auto`` measures."""
    from resnetkit.inference.predictors import open_predictor

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "classifier.safetensors"
        classifier(model).save(file)
        predictor = open_predictor(file, engine=engine, precision=precision, batch_size=batch_size, device="cpu")
    given = pixels(batch_size)
    return rounds(lambda: predictor.probabilities(given), batch_size)


def calibration_images(folder: str) -> None:
    """A few images with shapes in them; which ones changes no speed."""
    from PIL import Image

    random = np.random.default_rng(0)
    for number in range(NUM_CALIBRATED):
        coarse = Image.fromarray(random.integers(0, 256, (7, 7, 3), dtype=np.uint8))
        coarse.resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(Path(folder) / f"{number}.png")


def ours_int8(model: str, batch_size: int, engine: str) -> Round:
    """As ``--precision int8 --calibrate``; what is said of its answers is printed."""
    from resnetkit.inference.predictors import open_predictor

    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as images:
        calibration_images(images)
        file = Path(folder) / "classifier.safetensors"
        classifier(model).save(file)
        predictor = open_predictor(
            file, engine=engine, precision="int8", calibrate=images, batch_size=batch_size, device="cpu"
        )
    given = pixels(batch_size)
    return rounds(lambda: predictor.probabilities(given), batch_size)


# --- peers, as a user would run them ---


def torch_eager(model: str, batch_size: int, *, channels_last: bool = False, compiled: bool = False) -> Round:
    import torch

    network: Any = classifier(model).network
    images = torch.from_numpy(floats(batch_size))
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    if compiled:
        import torch._inductor.config

        torch._inductor.config.freezing = True  # as an option of torch.compile it comes too late, and freezes nothing
        network = torch.compile(network)

    def run() -> Any:
        with torch.no_grad():
            return network(images)

    return rounds(run, batch_size)


def exported(model: str, folder: str) -> str:
    """The network through ``torch.onnx.export``."""
    import torch

    path = str(Path(folder) / "model.onnx")
    given = (torch.from_numpy(floats(2)),)
    program: Any = torch.onnx.export(classifier(model).network, given, dynamo=True, dynamic_shapes=({0: "batch"},))
    program.save(path)
    return path


def onnxruntime_session(model: str, batch_size: int) -> Round:
    from resnetkit.graphs.runtimes import import_onnxruntime

    onnxruntime = import_onnxruntime()
    with tempfile.TemporaryDirectory() as folder:
        session = onnxruntime.InferenceSession(exported(model, folder))
    name, images = session.get_inputs()[0].name, floats(batch_size)
    return rounds(lambda: session.run(None, {name: images}), batch_size)


def openvino_model(model: str, batch_size: int, **settings: str) -> Round:
    import torch

    from resnetkit.graphs.runtimes import import_openvino

    openvino = import_openvino()
    converted = openvino.convert_model(classifier(model).network, example_input=torch.from_numpy(floats(1)))
    compiled, images = openvino.compile_model(converted, "CPU", settings), floats(batch_size)
    return rounds(lambda: compiled(images), batch_size)


def nncf_openvino(model: str, batch_size: int) -> Round:
    """The network quantized by NNCF with its defaults, as OpenVINO's documentation has it, and the shape fixed."""
    import torch

    from resnetkit.graphs.runtimes import import_openvino

    openvino = import_openvino()
    import nncf

    converted = openvino.convert_model(classifier(model).network, example_input=torch.from_numpy(floats(1)))
    converted.reshape([batch_size, 3, SIZE, SIZE])
    samples = floats(NUM_CALIBRATED)[:, None].repeat(batch_size, axis=1)
    quantized = nncf.quantize(converted, nncf.Dataset(list(samples)), subset_size=NUM_CALIBRATED)
    hint = "LATENCY" if batch_size == 1 else "THROUGHPUT"
    compiled, images = openvino.compile_model(quantized, "CPU", {"PERFORMANCE_HINT": hint}), floats(batch_size)
    return rounds(lambda: compiled(images), batch_size)


def mnn_module(model: str, batch_size: int) -> Round:
    import _tools  # of the package MNN, whose own command for it reports over the network what it converted
    import MNN

    with tempfile.TemporaryDirectory() as folder:
        graph, path = exported(model, folder), str(Path(folder) / "model.mnn")
        _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", graph, "--MNNModel", path])
        manager = MNN.nn.create_runtime_manager(
            ({"backend": "CPU", "precision": "high", "numThread": find_num_threads()},)
        )
        module = MNN.nn.load_module_from_file(path, ["images"], ["linear"], runtime_manager=manager)
    images = floats(batch_size)

    def run() -> Any:
        given = MNN.expr.placeholder(list(images.shape), MNN.expr.NCHW)
        given.write(images)
        return np.array(module.forward([given])[0].read())

    return rounds(run, batch_size)


def ncnn_net(model: str, batch_size: int) -> Round:
    """One image after the other: it knows no batches."""
    import ncnn
    import pnnx
    import torch

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.pt")
        pnnx.export(classifier(model).network, path, torch.from_numpy(floats(1)), fp16=False)
        net = ncnn.Net()
        net.opt.num_threads = find_num_threads()
        net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
        net.load_param(path.replace(".pt", ".ncnn.param"))
        net.load_model(path.replace(".pt", ".ncnn.bin"))
    images = floats(batch_size)

    def run() -> Any:
        answers = []
        for image in images:
            with net.create_extractor() as extractor:
                extractor.input("in0", ncnn.Mat(image).clone())
                answers.append(np.array(extractor.extract("out0")[1]))
        return np.stack(answers)

    return rounds(run, batch_size)


def comparison(name: str, title: str, model: str, batch_size: int) -> Comparison:
    at = (model, batch_size)
    return Comparison(
        name,
        title,
        f"`{model}` at {SIZE} px, {batch_size} at a time. `auto` is what `predict` and `evaluate` use. Below it our "
        "engines one by one; then the peers: torch as it comes, in channels-last memory, and compiled with freezing; "
        "`torch.onnx.export` with a plain `InferenceSession`; `openvino.convert_model` with a plain `compile_model`, "
        "which computes in bfloat16 where the processor has units for it, and the same held to float32; MNN at its "
        "precision `high`; ncnn held to float32, one image at a time. Ours in bf16 is `--precision bf16`.",
        (
            Contestant("resnetkit, auto", partial(ours, *at, "auto"), ("torch", "onnxruntime", "openvino")),
            *(Contestant(f"resnetkit, {e}", partial(ours, *at, e)) for e in ("onnxruntime", "openvino", "torch")),
            Contestant("resnetkit, auto, bf16", partial(ours, *at, "auto", "bf16"), isas=("native",)),
            Contestant("torch", partial(torch_eager, *at)),
            Contestant("torch, channels last", partial(torch_eager, *at, channels_last=True)),
            Contestant("torch.compile, freezing", partial(torch_eager, *at, channels_last=True, compiled=True)),
            Contestant("ONNX Runtime", partial(onnxruntime_session, *at), ("onnxscript",)),
            Contestant("OpenVINO", partial(openvino_model, *at)),
            Contestant("OpenVINO, float32", partial(openvino_model, *at, INFERENCE_PRECISION_HINT="f32")),
            Contestant("MNN", partial(mnn_module, *at), ("MNN",)),
            Contestant("ncnn", partial(ncnn_net, *at), ("ncnn", "pnnx")),
        ),
    )


def int8_comparison(name: str, title: str, model: str, batch_size: int) -> Comparison:
    at = (model, batch_size)
    return Comparison(
        name,
        title,
        f"`{model}` at {SIZE} px, {batch_size} at a time. `auto` is what `--precision int8` takes. "
        "Below it our engines in int8 one by one, which read one quantized file; then the peers: OpenVINO with the "
        "network quantized by NNCF; `torch.onnx.export` with a plain `InferenceSession`, in float32.",
        (
            Contestant("resnetkit, auto, int8", partial(ours_int8, *at, "auto"), isas=("native",)),
            *(
                Contestant(f"resnetkit, {e}, int8", partial(ours_int8, *at, e), isas=("native",))
                for e in ("onnxruntime", "openvino")
            ),
            Contestant("OpenVINO, NNCF", partial(nncf_openvino, *at), ("nncf",), isas=("native",)),
            Contestant("ONNX Runtime", partial(onnxruntime_session, *at), ("onnxscript",)),
        ),
    )


COMPARISONS = (
    comparison("resnet18", "ResNet-18, one image", "resnet18", 1),
    comparison("resnet50", "ResNet-50, one image", "resnet50", 1),
    comparison("resnet18_batch", "ResNet-18, batches of 8", "resnet18", 8),
    int8_comparison("resnet18_int8", "ResNet-18 in int8, one image", "resnet18", 1),
    int8_comparison("resnet50_int8", "ResNet-50 in int8, one image", "resnet50", 1),
    int8_comparison("resnet18_int8_batch", "ResNet-18 in int8, batches of 8", "resnet18", 8),
)

if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main(__file__, COMPARISONS)
