"""Exports to the web as a whole: proved in a browser, or said to be not."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.exporting.small_page import browser_path, runtime
from tests.small_classifiers import SMALL

from resnetkit.classifier.classifier import Classifier
from resnetkit.errors import ResnetkitError
from resnetkit.exporting import web_answers, web_files
from resnetkit.exporting.export_folder import Exported, export
from resnetkit.exporting.precision import ExportPrecision
from resnetkit.exporting.proof_images import open_proof_images
from resnetkit.exporting.subject import Subject
from resnetkit.exporting.targets import find_target
from resnetkit.exporting.web_runtime import DIGESTS
from resnetkit.sources.locate import Located

__all__ = ["browser_path", "runtime"]
Make = Callable[..., Classifier]


@pytest.fixture
def some_runtime(tmp_path: Path) -> Path:
    """Files of the runtime's names, where no browser is to run them."""
    folder = tmp_path / "runtime"
    folder.mkdir()
    for name in DIGESTS:
        (folder / name).write_bytes(name.encode())
    return folder


def export_page(
    classifier: Classifier, images: Path, out: Path, runtime: Path, *, calibration: np.ndarray | None = None
) -> Exported:
    precision: ExportPrecision = "fp32" if calibration is None else "int8"
    subject = Subject(classifier, "small", precision, calibration, runtime)
    with open_proof_images(Located("small", "weights"), classifier, str(images)) as found:
        return export(subject, find_target("web", precision), found, out, max_loss=1.0 if precision == "fp32" else 100)


@pytest.mark.slow
def test_a_page_in_int8_is_smaller_and_answers_nearly_alike(
    make: Make,
    noise: Callable[..., np.ndarray],
    folder_of_images: Path,
    tmp_path: Path,
    runtime: dict[str, bytes],
    browser_path: str,
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    for name in DIGESTS:
        (given / name).write_bytes(runtime[name])
    classifier = make(replace(SMALL, widths=(64, 128)), 20)
    pages = [
        export_page(classifier, folder_of_images, tmp_path / str(number), given, calibration=calibration)
        for number, calibration in enumerate((None, noise(classifier, 40)))
    ]
    whole, small = pages
    assert small.num_bytes["model.onnx"] < 0.4 * whole.num_bytes["model.onnx"]
    assert 1e-5 < small.proof.max_difference < 0.15
    assert "opened in a browser" in small.proof.answered_by


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"fit": "crop"}, {"fit": "pad", "average_mirrored": True}])
def test_a_page_is_proved_in_a_browser(
    make: Make,
    folder_of_images: Path,
    tmp_path: Path,
    runtime: dict[str, bytes],
    browser_path: str,
    settings: dict[str, object],
) -> None:
    given, out = tmp_path / "given", tmp_path / "out"
    given.mkdir()
    for name in DIGESTS:
        (given / name).write_bytes(runtime[name])
    (folder_of_images / "damaged.jpg").write_bytes(b"these are words")
    exported = export_page(make(SMALL, 16, **settings), folder_of_images, out, given)
    proof = json.loads((out / "proof.json").read_text())
    assert proof["num_changed"] == 0
    assert proof["max_difference"] <= 4e-7
    assert proof["num_unreadable"] == 1
    assert "opened in a browser" in proof["answered_by"]
    assert "Chrome" in proof["versions"]["browser"]
    assert set(exported.num_bytes) == {
        path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()
    } >= {"index.html", "serve.py", "model.onnx", "page/worker.js", "runtime/LICENSE", "README.md"}  # fmt: skip
    described = json.loads((out / "classifier.json").read_text())
    assert described["files"]["page/worker.js"]["bytes"] == (out / "page/worker.js").stat().st_size
    assert not (out / "predict.py").exists()


def test_without_a_browser_the_model_is_proved_and_the_page_said_to_be_not(
    make: Make, folder_of_images: Path, tmp_path: Path, some_runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_answers, "find_browser", lambda: None)
    out = tmp_path / "out"
    exported = export_page(make(SMALL, 16, average_mirrored=True), folder_of_images, out, some_runtime)
    assert exported.proof.num_changed == 0
    assert exported.proof.max_difference <= 4e-7
    for file in ("proof.json", "proof.html", "README.md"):
        assert "the page itself is not proved" in (out / file).read_text()
    assert "python serve.py" in (out / "README.md").read_text()


def test_a_model_that_answers_otherwise_is_not_left_behind(
    make: Make, folder_of_images: Path, tmp_path: Path, some_runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_answers, "find_browser", lambda: None)
    other = make(SMALL, 16, fit="squeeze").preprocessing
    image_model = web_files.image_model
    monkeypatch.setattr(web_files, "image_model", lambda graph, _, decision: image_model(graph, other, decision))
    with pytest.raises(ResnetkitError):
        export_page(make(SMALL, 16, fit="pad"), folder_of_images, tmp_path / "out", some_runtime)
    assert not (tmp_path / "out").exists()


def test_what_no_page_can_resize_is_refused_before_anything_is_fetched(
    make: Make, folder_of_images: Path, tmp_path: Path
) -> None:
    with pytest.raises(ResnetkitError, match="nearest"):
        export_page(make(SMALL, 16, interpolation="nearest"), folder_of_images, tmp_path / "out", tmp_path / "none")


def test_a_folder_without_the_runtime_is_refused(make: Make, folder_of_images: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ResnetkitError) as caught:
        export_page(make(SMALL, 16), folder_of_images, tmp_path / "out", tmp_path / "empty")
    assert "ort.wasm.min.mjs" in caught.value.what
    assert not (tmp_path / "out").exists()
