"""An exported page with a model so small that it loads at once, and what is needed to look at it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from resnetkit.errors import ResnetkitError
from resnetkit.exporting.browser import find_browser
from resnetkit.exporting.web_page import write_page
from resnetkit.exporting.web_runtime import read_runtime

CLASS_NAMES = ("<img src=x onerror=\"document.title='broken'\">", "daisy", "猫", "one more", "and another")
SIDE = 8


def small_model(channels: int = 3) -> bytes:
    """A linear model of an image of any size, resized to 8 × 8: each pixel counts."""
    weights = np.random.default_rng(0).normal(0, 0.001, (SIDE * SIDE * channels, len(CLASS_NAMES))).astype(np.float32)
    constants = [
        numpy_helper.from_array(np.array([1, channels, SIDE, SIDE]), "size"),
        numpy_helper.from_array(np.array([0]), "first"),
        numpy_helper.from_array(weights, "weights"),
    ]
    nodes = [
        helper.make_node("Transpose", ["image"], ["planes"], perm=[2, 0, 1]),
        helper.make_node("Unsqueeze", ["planes", "first"], ["batch"]),
        helper.make_node("Resize", ["batch", "", "", "size"], ["small"], mode="linear", antialias=1, exclude_outside=1),
        helper.make_node("Cast", ["small"], ["values"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Flatten", ["values"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
        helper.make_node("Unsqueeze", ["scores", "first"], ["logits"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    given = helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, ["H", "W", channels])
    answers = [
        helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, [1, len(CLASS_NAMES)]),
        helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, [1, 1, len(CLASS_NAMES)]),
    ]
    graph = helper.make_graph(nodes, "small", [given], answers, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


NO_THRESHOLDS = {"temperature": 1, "unknown": None, "sure": None, "sets": None, "rounding": 1e-5}


def small_description(channels: int = 3, decision: dict[str, object] = NO_THRESHOLDS, **preprocessing: object) -> str:
    return json.dumps(
        {
            "name": "small <b>page</b>",
            "class_names": CLASS_NAMES,
            "preprocessing": {"channels": channels, "image_size_px": SIDE, "white_16bit": 65535, **preprocessing},
            "decision": decision,
            "limits": {"max_pixels": 2_000_000, "max_file_bytes": 8 * 2**20},
        }
    )


@pytest.fixture(scope="session")
def runtime() -> dict[str, bytes]:
    try:
        return read_runtime()
    except ResnetkitError as error:
        pytest.skip(error.what)


@pytest.fixture(scope="session")
def browser_path() -> str:
    path = find_browser()
    if path is None:
        pytest.skip("no browser on this machine")
    return path


@pytest.fixture(scope="session")
def page_folder(runtime: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    (folder / "model.onnx").write_bytes(small_model())
    (folder / "classifier.json").write_text(small_description())
    write_page(folder, runtime)
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def served(folder: Path, handler: type[SimpleHTTPRequestHandler] = Quiet) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()
