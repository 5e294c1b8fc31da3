"""Runs that go on after their files have moved: to the same bytes, or not at all."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import resnetkit
from resnetkit.errors import Code, ResnetkitError
from resnetkit.runs.folder import RunFolder
from resnetkit.training import loop
from resnetkit.training.checkpoint import Checkpoint, save_checkpoint
from resnetkit.training.run import resume

SETTINGS = {
    "model.depths": [1, 1, 1],
    "epochs": 2,
    "batch_size": 8,
    "checkpoint_seconds": 0,
    "runtime.threads": 1,
    "data.cache": "off",
}


class Killed(Exception):  # noqa: N818 - as sudden as a signal
    """In place of a kill."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for seed in range(40):
        path = tmp_path / "photos" / "ab"[seed % 2] / f"{seed:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


def train(photos: Path, out: Path, **settings: object) -> Path:
    model = None if "fine_tuning.weights" in settings else "resnet20_b"
    return resnetkit.train(str(photos), model=model, settings=SETTINGS | settings, out=out).run


def killed(photos: Path, out: Path, step: int, **settings: object) -> Path:
    """A run that was killed after the checkpoint of a step, or before its first one (0)."""

    def save_and_die(folder: Path, checkpoint: Checkpoint) -> Path:
        if step == 0:
            raise Killed
        path = save_checkpoint(folder, checkpoint)
        if checkpoint.step >= step:
            raise Killed
        return path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "save_checkpoint", save_and_die)
        with pytest.raises(Killed):
            train(photos, out, **settings)
    (run,) = out.iterdir()
    return run


def content(run: Path) -> bytes:
    return (run / "classifier.safetensors").read_bytes()


@pytest.mark.parametrize("step", [0, 3])
def test_a_run_goes_on_with_moved_data_to_the_same_bytes(photos: Path, tmp_path: Path, step: int) -> None:
    whole = train(photos, tmp_path / "whole")
    run = killed(photos, tmp_path / "killed", step)
    recorded = (run / "recipe.json").read_bytes()
    photos.rename(tmp_path / "elsewhere")
    with pytest.raises(ResnetkitError, match="are not in") as raised:
        resume(run)
    assert raised.value.code is Code.DATA
    assert f"--resume {run} --data NEW/PATH" in raised.value.fix
    assert resume(run, data=tmp_path / "elsewhere").run == run
    assert content(run) == content(whole)
    assert (run / "recipe.json").read_bytes() == recorded
    folder = RunFolder(run)
    assert folder.place_of_data(folder.read_record().recipe) == str(tmp_path / "elsewhere")


def test_where_the_data_are_is_remembered_for_the_next_time(photos: Path, tmp_path: Path) -> None:
    run = killed(photos, tmp_path / "killed", 2)
    (tmp_path / "link").symlink_to(photos)

    def die(_: loop.Loop) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Loop, "run_all", die)
        with pytest.raises(Killed):
            resume(run, data=tmp_path / "link")
    photos.rename(tmp_path / "elsewhere")
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert resume(run).run == run


def test_other_data_are_refused_and_the_difference_is_counted(photos: Path, tmp_path: Path) -> None:
    run = killed(photos, tmp_path / "killed", 2)
    other = tmp_path / "other"
    shutil.copytree(photos, other)
    (other / "a" / "00.png").rename(other / "a" / "zero.png")
    with pytest.raises(ResnetkitError, match="the images are the same, but files or classes have other names"):
        resume(run, data=other)
    for name in ("02", "04"):
        shutil.copy(photos / "b" / "01.png", other / "a" / f"{name}.png")
    Image.new("L", (8, 8)).save(other / "b" / "new.png")
    with pytest.raises(ResnetkitError, match="missing or changed: 2; new or changed ones: 1") as raised:
        resume(run, data=other)
    assert raised.value.code is Code.DATA
    assert not RunFolder(run).events("moved")


@pytest.fixture
def a_list(photos: Path) -> Path:
    file = photos.parent / "photos.v2.csv"
    file.write_text(
        "path,label\n" + "".join(f"photos/{p.parent.name}/{p.name},{p.parent.name}\n" for p in images(photos))
    )
    return file


def images(photos: Path) -> list[Path]:
    return sorted(photos.rglob("*.png"))


def test_a_run_on_a_list_is_the_run_on_its_folder_and_goes_on_where_the_list_has_moved(
    photos: Path, a_list: Path, tmp_path: Path
) -> None:
    whole, run = train(a_list, tmp_path / "whole"), killed(a_list, tmp_path / "killed", 3)
    assert run.name == "0001-resnet20_b-photos.v2"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    photos.rename(elsewhere / "photos")
    a_list.rename(elsewhere / "list.csv")
    with pytest.raises(ResnetkitError, match="are not in"):
        resume(run)
    assert resume(run, data=elsewhere / "list.csv").run == run
    assert content(run) == content(whole)


def test_a_list_that_was_edited_is_refused_as_changed_data_are(a_list: Path, tmp_path: Path) -> None:
    run, text = killed(a_list, tmp_path / "killed", 2), a_list.read_text()
    a_list.write_text(text.replace("photos/a/00.png,a", "photos/a/00.png,b"))
    with pytest.raises(ResnetkitError, match="have changed since") as raised:
        resume(run)
    assert raised.value.fix == "put the images, or their list, back as they were; or start a new run"
    a_list.write_text(text.replace("photos/a/00.png,a\n", ""))
    with pytest.raises(ResnetkitError, match="missing or changed: 1"):
        resume(run)
    a_list.write_text(text.replace("\n", "\r\n"))  # the same rows
    assert resume(run).run == run


def test_moved_weights_are_found_where_they_are_said_to_be(photos: Path, tmp_path: Path) -> None:
    weights = tmp_path / "start.safetensors"
    shutil.copy(train(photos, tmp_path / "first") / "classifier.safetensors", weights)
    settings = {"fine_tuning.weights": str(weights)}
    whole = train(photos, tmp_path / "whole", **settings)
    run = killed(photos, tmp_path / "killed", 0, **settings)
    weights.rename(tmp_path / "moved.safetensors")
    with pytest.raises(ResnetkitError, match="are gone") as raised:
        resume(run)
    assert "--weights" in raised.value.fix
    with pytest.raises(ResnetkitError, match="have changed"):
        resume(run, weights=whole)
    assert content(resume(run, weights=tmp_path / "moved.safetensors").run) == content(whole)


@pytest.mark.parametrize("step", [0, 3])
def test_weights_are_refused_for_a_run_that_started_from_none(photos: Path, tmp_path: Path, step: int) -> None:
    others = train(photos, tmp_path / "others")
    run = killed(photos, tmp_path / "killed", step)
    with pytest.raises(ResnetkitError, match="does not start from weights"):
        resume(run, weights=others)
