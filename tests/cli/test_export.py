"""``resnetkit export``: what it writes, what it refuses before any work."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Outcome
from tests.small_classifiers import SMALL, make  # noqa: F401 - a fixture

from resnetkit.classifier.classifier import Classifier
from resnetkit.files import sha256_of

Cli = Callable[..., Outcome]


@pytest.fixture
def file(make: Callable[..., Classifier], tmp_path: Path) -> Path:  # noqa: F811
    path = tmp_path / "small.safetensors"
    make(SMALL, 16).save(path)
    return path


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--precision", "bf16"], "ONNX Runtime computes no bfloat16"),
        (["--precision", "int8"], "int8 needs images to calibrate on"),
        (["--calibrate", "photos"], "--calibrate is about int8"),
        (["--max-loss", "2"], "fp32 may lose nothing"),
        ([], "--images FOLDER"),
        (["--images", "nowhere"], "there is no folder or list nowhere"),
        (["--images", ".", "--max-images", "0"], "--max-images must be at least 1"),
        (["--runtime", "folder"], "leave it out, or use --to web"),
        (["--out", "taken"], "taken is there already"),
    ],
)
def test_it_says_what_is_wrong_and_how_to_go_on(
    cli: Cli, file: Path, options: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine").write_text("")
    outcome = cli("export", str(file), "--to", "onnx", *options)
    assert outcome.code != 0
    assert told in outcome.err
    assert "fix:" in outcome.err
    assert not (tmp_path / "exports").exists()


def test_it_says_what_is_not_installed(cli: Cli, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resnetkit.exporting.targets.find_spec", lambda name: None)
    outcome = cli("export", str(file), "--to", "onnx")
    assert outcome.code == 2
    assert "pip install 'resnetkit[onnxruntime]'" in outcome.err


@pytest.mark.slow
def test_a_run_is_exported_and_proved_on_its_validation_images(
    cli: Cli, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = cli("export", str(trained), "--to", "onnx", "--json", "--max-images", "50")
    assert outcome.code == 0, outcome.err
    said = json.loads(outcome.out)
    folder = Path(said["folder"])
    assert folder == Path("exports") / f"{trained.name}-onnx"
    assert set(said["num_bytes"]) == {file.name for file in folder.iterdir()}
    kept = json.loads((folder / "proof.json").read_text())
    assert kept == {**said["proof"], "classifier.json": sha256_of(folder / "classifier.json")}
    assert said["proof"]["num_labelled"] == 50
    assert "split val" in said["proof"]["images"]
    assert said["proof"]["num_changed"] == 0
    assert cli("export", str(trained), "--to", "onnx").code == 2


@pytest.mark.slow
def test_a_wrong_export_exits_with_1_and_is_not_there(
    cli: Cli, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onnx import TensorProto

    from resnetkit.exporting import onnx_files

    monkeypatch.chdir(tmp_path)
    images = tmp_path / "class 1"
    images.mkdir()
    for number in range(3):
        values = np.random.default_rng(number).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(values).save(images / f"{number}.png")
    whole = onnx_files.image_model

    def without_last_bias(*given: object) -> object:
        model = whole(*given)
        floats = [tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT]
        bias = [tensor for tensor in floats if tuple(tensor.dims) == (3,)][-1]
        bias.raw_data = np.array([3, 0, 0], np.float32).tobytes()
        return model

    monkeypatch.setattr(onnx_files, "image_model", without_last_bias)
    outcome = cli("export", str(file), "--to", "onnx", "--images", str(images))
    assert outcome.code == 1
    assert "does not answer as the classifier does: nothing is written" in outcome.err
    assert not (tmp_path / "exports").exists()


def exported_in_a_process(before: str, *arguments: str) -> subprocess.Popen[str]:
    """The command in a process of its own, where ``before`` has been run."""
    code = f"import sys\n{before}\nfrom resnetkit.cli.app import main\nmain()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "export", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


NO_ROOM = "import resource, torch\nresource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
HANGING = """
import time
from resnetkit.exporting import export_folder
def prove(folder, *_, **__):
    print("proving", flush=True)
    time.sleep(600)
export_folder.prove = prove
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / "photos" / "one.png")
    return tmp_path / "photos"


@pytest.mark.slow
@pytest.mark.parametrize("target", ["onnx", "openvino", "torch"])
def test_a_disk_without_room_is_told_and_nothing_stays(file: Path, photos: Path, tmp_path: Path, target: str) -> None:
    out = tmp_path / "deep" / "out"
    process = exported_in_a_process(NO_ROOM, str(file), "--to", target, "--images", str(photos), "--out", str(out))
    _, told = process.communicate()
    assert process.returncode == 7, told
    assert f"cannot write {out}" in told
    assert not out.parent.exists()


@pytest.mark.slow
def test_an_export_that_is_terminated_leaves_nothing(
    file: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, place = tmp_path / "deep" / "out", tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    process = exported_in_a_process(HANGING, str(file), "--to", "onnx", "--images", str(photos), "--out", str(out))
    assert process.stdout is not None
    assert process.stdout.readline() == "proving\n"
    assert any(out.parent.iterdir())
    process.terminate()
    _, told = process.communicate()
    assert process.returncode == 143, told
    assert not out.parent.exists()
    assert not list(place.glob("resnetkit-*"))
