"""Exports as a whole: what is in the folder, that it answers alike, and that a wrong one is not there."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image
from tests.exporting.conftest import Script, smooth
from tests.small_classifiers import SMALL

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.decision import Decision, Sets, Sure, Unknown
from resnetkit.errors import Code, ResnetkitError
from resnetkit.exporting import proving, runner
from resnetkit.exporting.decided_alike import Statuses
from resnetkit.exporting.export_folder import Exported, export, predict_script
from resnetkit.exporting.exported_answers import ExportedAnswers
from resnetkit.exporting.proof_images import open_proof_images
from resnetkit.exporting.subject import Subject
from resnetkit.exporting.targets import TARGETS, Target, find_target
from resnetkit.files import sha256_of
from resnetkit.images.spec import Fit, Preprocessing
from resnetkit.inference.torch_engines import plain_predictor
from resnetkit.sources.locate import Located

Make = Callable[..., Classifier]


def export_to(classifier: Classifier, target: str, images: Path, out: Path, precision: str = "fp32") -> Exported:
    subject = Subject(classifier, "small", precision)  # type: ignore[arg-type]
    with open_proof_images(Located("small", "weights"), classifier, str(images)) as found:
        return export(subject, find_target(target, precision), found, out, max_loss=100.0)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The export answers here, with nothing hidden from it: a process takes seconds to start."""

    def run(target: Target, folder: Path, paths: list[str], silence_seconds: float) -> object:
        place = tmp_path_factory.mktemp("proof")
        asked, answers = place / "asked.json", place / "answers.npz"
        asked.write_text(json.dumps({"paths": paths, "absent": []}))
        runner.main(folder, asked, answers)
        with np.load(answers) as arrays:
            said = json.loads(arrays["said"].tobytes())
            return ExportedAnswers(
                arrays["positions"],
                arrays["logits"],
                arrays["probabilities"],
                Statuses(arrays["statuses"].tolist(), arrays["in_set"] if said["makes_sets"] else None),
                said["refused"],
                said["versions"],
                "here",
            )

    monkeypatch.setattr(proving, "answer_by_script", run)


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"average_mirrored": True, "channel_order": "bgr"},
        {"fit": "pad", "interpolation": "bicubic"},
        {"fit": "squeeze", "interpolation": "nearest"},
        {"jpeg_scaling": "reduced"},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())) or "usual",
)
@pytest.mark.parametrize("target", ["onnx", "openvino", pytest.param("torch", marks=pytest.mark.slow)])
def test_an_export_answers_as_its_classifier(
    make: Make, target: str, settings: dict[str, object], folder_of_images: Path, tmp_path: Path
) -> None:
    classifier = replace(make(SMALL, 20, **settings), decision=Decision(temperature=1.5))
    smooth(333, 500).save(folder_of_images / "large.jpg")
    found = export_to(classifier, target, folder_of_images, tmp_path / "out")
    proof = found.proof
    assert (proof.num_images, proof.num_unreadable, proof.refused) == (12, 0, ())
    assert proof.max_difference < 1e-5
    assert proof.num_labelled == 8
    said = json.loads((found.folder / "classifier.json").read_text())
    assert said["class_names"] == list(classifier.class_names)
    for name, file in said["files"].items():
        assert sha256_of(found.folder / name) == file["sha256"]
    assert {"README.md", "proof.json", "proof.html", "predict.py", "classifier.json"} <= set(os.listdir(found.folder))


@pytest.mark.slow
@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("target", ["openvino", "torch"])
def test_bfloat16_answers_nearly_alike(make: Make, target: str, folder_of_images: Path, tmp_path: Path) -> None:
    proof = export_to(make(SMALL, 20), target, folder_of_images, tmp_path / "out", "bf16").proof
    assert 1e-5 < proof.max_difference < 0.1  # it does compute in another precision


@pytest.mark.slow
@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("target", ["onnx", "openvino"])
def test_int8_is_smaller_and_answers_nearly_alike(
    make: Make, noise: Callable[..., np.ndarray], target: str, folder_of_images: Path, tmp_path: Path
) -> None:
    classifier = make(replace(SMALL, widths=(64, 128)), 20)
    subject = Subject(classifier, "small", "int8", noise(classifier, 40))
    with open_proof_images(Located("small", "weights"), classifier, str(folder_of_images)) as images:
        found = export(subject, find_target(target, "int8"), images, tmp_path / "int8", max_loss=100.0)
    whole = export_to(classifier, target, folder_of_images, tmp_path / "fp32")
    weights = {"onnx": "weights.bin", "openvino": "prepared.bin"}[target]
    assert found.num_bytes[weights] < 0.4 * whole.num_bytes[weights]
    assert 1e-5 < found.proof.max_difference < 0.15


@pytest.mark.usefixtures("in_this_process")
def test_a_refusal_without_known_classes_asks_for_them_and_for_no_larger_loss(
    make: Make, folder_of_images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resnetkit.exporting.proof.LEAST_SAME", 1.1)  # more than all answers
    with nothing_left(tmp_path), pytest.raises(ResnetkitError, match=r"100.0 % of the answers") as refused:
        export_to(make(SMALL, 20), "openvino", folder_of_images / "others", tmp_path / "out", "bf16")
    assert "classes are known" in refused.value.fix
    assert "--max-loss" not in refused.value.fix


@pytest.mark.usefixtures("in_this_process")
def test_grey_images_and_those_of_16_bits_are_read_alike(make: Make, tmp_path: Path) -> None:
    classifier = make(replace(SMALL, in_channels=1), 20, white_16bit=4095)
    images = tmp_path / "images"
    images.mkdir()
    smooth(30, 40).save(images / "colour.png")
    smooth(30, 40).convert("P").save(images / "palette.gif")
    Image.fromarray(np.random.default_rng(0).integers(0, 4096, (30, 40), dtype=np.uint16)).save(images / "deep.png")
    Image.fromarray(np.full((30, 40), 4097, np.uint16)).save(images / "beyond.png")
    found = export_to(classifier, "onnx", images, tmp_path / "out")
    assert (found.proof.num_images, found.proof.num_unreadable) == (3, 1)
    assert found.proof.max_difference < 1e-5


@contextmanager
def nothing_left(place: Path) -> Iterator[None]:
    before = sorted(place.rglob("*"))
    yield
    assert sorted(place.rglob("*")) == before


TAMPERINGS: dict[str, Callable[[Classifier], Classifier]] = {
    "wrong mean": lambda one: replace(one, preprocessing=replace(one.preprocessing, mean=(0.1, 0.2, 0.3))),
    "wrong order": lambda one: replace(one, preprocessing=replace(one.preprocessing, channel_order="bgr")),
    "wrong filter": lambda one: replace(one, preprocessing=replace(one.preprocessing, interpolation="lanczos")),
    "wrong cut": lambda one: replace(one, preprocessing=replace(one.preprocessing, resize_px=22)),
    "wrong temperature": lambda one: replace(one, decision=Decision(temperature=1.2)),
}


def with_another_model(monkeypatch: pytest.MonkeyPatch, tamper: Callable[[Classifier], Classifier]) -> None:
    """Exports write the model of a classifier that is not quite the one they are of."""
    whole = type(TARGETS["onnx"]).write
    monkeypatch.setattr(
        type(TARGETS["onnx"]),
        "write",
        lambda self, subject, folder: whole(self, replace(subject, classifier=tamper(subject.classifier)), folder),
    )


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_a_model_that_answers_otherwise_is_refused_and_leaves_nothing(
    make: Make, tampering: str, folder_of_images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier, place = make(SMALL, 20), tmp_path / "place"
    place.mkdir()
    with_another_model(monkeypatch, TAMPERINGS[tampering])
    with nothing_left(place), pytest.raises(ResnetkitError, match="does not answer as the classifier") as error:
        export_to(classifier, "onnx", folder_of_images, place / "deep" / "out")
    assert error.value.code == Code.CHECK_FAILED


def test_a_folder_that_holds_something_is_refused_before_any_work(make: Make, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("keep")
    with pytest.raises(ResnetkitError, match="is there already"):
        export(Subject(make(), "small"), TARGETS["onnx"], None, tmp_path / "out", max_loss=1)  # type: ignore[arg-type]


def all_scripts() -> Iterator[tuple[str, str]]:
    """The ``predict.py`` of each kind of classifier, with what it needs beside numpy and Pillow."""
    thresholds = product((None, Unknown(2.5, 0.05)), (None, Sure(0.9, 0.99)), (None, *RULES))
    decisions = [Decision(unknown=unknown, sure=sure, sets=sets) for unknown, sure, sets in thresholds]
    images = product(get_args(Fit), ("bilinear", "nearest"), ("full", "reduced"))
    ways = [Preprocessing(16, 16, fit=fit, interpolation=way, jpeg_scaling=scaling) for fit, way, scaling in images]  # type: ignore[arg-type]
    for target, way, decision in product(TARGETS.values(), ways, decisions):
        if target.runtime is not None:
            yield predict_script(target, way, decision), target.needs


RULES = (Sets("lac", 0.9, 0.95), Sets("aps", 0.9, 0.95))
SCRIPTS = sorted(set(all_scripts()))


def test_predict_is_short_and_holds_to_its_word() -> None:
    assert len(SCRIPTS) > 100
    for text, needs in SCRIPTS:
        assert text.count("\n") < 120
        assert "{" + "%" not in text
        assert ("def decide" in text) == ("decide(" in text)
        assert ("def prepare" in text) == ("prepare(" in text)
        compile(text, needs, "exec")
        imported = {line.split()[1].partition(".")[0] for line in text.splitlines() if "import " in line[:11]}
        assert imported <= {"json", "os", "sys", "pathlib", "numpy", "PIL", needs}


def test_predict_is_written_as_its_formatter_would_write_it(tmp_path: Path) -> None:
    ruff = pytest.importorskip("ruff").find_ruff_bin()
    for number, (text, _) in enumerate(SCRIPTS):
        (tmp_path / f"{number}.py").write_text(text)
    settings = ["--isolated", "--no-cache", "--line-length", "120"]
    for command in (["format", "--diff"], ["check", "--select", "E,F,W,I,B,RET"]):
        done = subprocess.run([ruff, *command, *settings, tmp_path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_what_predict_cannot_read_it_refuses_and_says_why(
    make: Make, script_of: Callable[..., Script], tmp_path: Path
) -> None:
    classifier = make()
    said = {"preprocessing": {"channels": 3, "least_decoded_px": 0, "white_16bit": 65535}}
    limits = {"max_pixels": 10_000, "max_file_bytes": 100_000}
    (tmp_path / "classifier.json").write_text(json.dumps({**said, "limits": limits}))
    script = script_of(classifier, folder=tmp_path)
    cases = {
        "text.jpg": lambda path: path.write_text("no image"),
        "cut.png": lambda path: (smooth(50, 50).save(path), path.write_bytes(path.read_bytes()[:90])),
        "wide.png": lambda path: Image.new("L", (200, 51)).save(path),
        "long.bmp": lambda path: path.write_bytes(b"BM" + bytes(200_000)),
        "float.tiff": lambda path: Image.new("F", (5, 5)).save(path),
    }
    for name, write in cases.items():
        write(tmp_path / name)
        with pytest.raises((ValueError, OSError)):
            script.read_image(tmp_path / name)
    assert script.read_image(Path(_saved(smooth(40, 30), tmp_path / "good.png"))).shape == (40, 30, 3)


def _saved(image: Image.Image, path: Path) -> str:
    image.save(path)
    return str(path)


@pytest.mark.slow
def test_in_a_process_of_its_own_it_knows_nothing_of_this_package(
    make: Make, folder_of_images: Path, tmp_path: Path
) -> None:
    classifier = make(SMALL, 20)
    found = export_to(classifier, "onnx", folder_of_images, tmp_path / "out")
    assert set(found.proof.versions) == {"python", "numpy", "PIL", "onnxruntime"}
    files = sorted(folder_of_images.rglob("*.*"))
    (tmp_path / "broken.jpg").write_text("no image")
    done = subprocess.run(
        [sys.executable, "-I", str(found.folder / "predict.py"), str(folder_of_images), str(tmp_path / "broken.jpg")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    *lines, last = done.stdout.splitlines()
    assert "broken.jpg: cannot be read" in last
    expected = plain_predictor(classifier).predict(files, top=3)
    assert len(lines) == len(expected)
    for line, row in zip(lines, expected, strict=True):
        path, said = line.split(": ", 1)
        assert path == row.source
        assert said.startswith(f"{row.class_name} ")
        assert float(said.split()[2]) == pytest.approx(row.probability, abs=1e-4)


@pytest.mark.parametrize(
    ("error", "told"), [("MemoryError()", "MemoryError"), ("OSError('of two\\nlines')", "of two lines")]
)
def test_an_image_is_refused_with_a_reason_on_one_line(error: str, told: str, tmp_path: Path) -> None:
    script = f"""
def open_model():
    return lambda image: ([1.0, 0.0], [[1.0, 0.0]])
def read_image(path):
    if path == "bad.png":
        raise {error}
"""
    (tmp_path / "predict.py").write_text(script)
    (tmp_path / "asked.json").write_text(json.dumps({"paths": ["good.png", "bad.png"], "absent": []}))
    runner.main(tmp_path, tmp_path / "asked.json", tmp_path / "answers.npz")
    with np.load(tmp_path / "answers.npz") as arrays:
        assert json.loads(arrays["said"].tobytes())["refused"] == {"1": f"cannot be read ({told})"}


@pytest.mark.slow
def test_names_that_a_stream_cannot_write_end_nothing(make: Make, folder_of_images: Path, tmp_path: Path) -> None:
    classifier = replace(make(SMALL, 20), class_names=("猫", "chien", "two\nlines {% raw %}"))
    found = export_to(classifier, "onnx", folder_of_images, tmp_path / "out")
    command = [sys.executable, str(found.folder / "predict.py"), str(folder_of_images)]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 11
    assert all("\\u732b 0." in line and "two\\nlines {% raw %} 0." in line for line in done.stdout.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("import resnetkit", "import of resnetkit halted"),
        ("raise SystemExit(3)", "exit code 3"),
        ("import time; time.sleep(60)", "has not answered for 2 s"),
        ("os.abort()", "crashes (SIGABRT)"),
    ],
)
def test_an_export_that_does_not_run_is_refused(
    make: Make, fault: str, told: str, folder_of_images: Path, tmp_path: Path
) -> None:
    (tmp_path / "predict.py").write_text(f"import os\ndef open_model():\n    {fault}\n")
    classifier = make(SMALL, 20)
    with (
        open_proof_images(Located("small", "weights"), classifier, str(folder_of_images)) as images,
        pytest.raises(ResnetkitError) as error,
    ):
        proving.prove(
            tmp_path,
            classifier,
            images,
            proving.Asked("onnx"),
            target=TARGETS["onnx"],
            silence_seconds=2 if "sleep" in fault else 60,
        )
    assert told in f"{error.value}"
