"""Runs whose images are checked when they are first needed: the same runs, and honest about what they have met."""

import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.cats_and_dogs import BROKEN, broken, write_images

from resnetkit.classifier.classifier import load_classifier
from resnetkit.data.batches import Shard
from resnetkit.data.loading import open_data
from resnetkit.data.seen import SeenImages, unpack_digests
from resnetkit.data.source import BadImagesError
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.images.spec import Preprocessing
from resnetkit.runs.events import Listener, StepReport
from resnetkit.runs.folder import RunFolder
from resnetkit.training import met_images
from resnetkit.training.interruption import Interrupted
from resnetkit.training.loop import Loop
from resnetkit.training.met_images import MetImages
from resnetkit.training.run import resume, train


class Noted(Listener):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_images(tmp_path / "photos")


def run(
    folder: Path, out: Path, settings: dict[str, object], listener: Listener | None = None, **fields: str
) -> RunFolder:
    own = settings | {"batch_size": 6, "epochs": 2, "preprocessing.image_size_px": 8, "preprocessing.resize_px": 8}
    spec = DataSpec(str(folder), cache="off", **fields)  # type: ignore[arg-type]
    return train(spec, model="resnet20_b", settings=own, out=out, listener=listener).folder


def test_the_run_is_the_same(folder: Path, tmp_path: Path, tiny_settings: dict[str, object]) -> None:
    first = run(folder, tmp_path / "first", tiny_settings)
    lazy = run(folder, tmp_path / "lazy", tiny_settings, check="lazy")
    one, other = (load_classifier(each.path) for each in (first, lazy))
    for name, value in one.network.state_dict().items():
        assert value.equal(other.network.state_dict()[name]), name
    assert other.seen == one.seen == lazy.read_seen() == first.read_seen()
    assert lazy.read_answers()["test"].is_right.tolist() == first.read_answers()["test"].is_right.tolist()
    assert lazy.read_record().data.num_images == first.read_record().data.num_images


def test_a_bad_image_is_left_out_where_it_is_met(
    folder: Path, tmp_path: Path, tiny_settings: dict[str, object]
) -> None:
    noted = Noted()
    kept = run(broken(folder), tmp_path, tiny_settings, noted, check="lazy", on_bad_image="skip").read_record().data
    assert [bad.path for bad in kept.bad_images] == [f"{folder}/{BROKEN}"]
    assert sum(kept.num_images.values()) == 23
    assert [text for text in noted.warnings if text.startswith(f"left out: {folder}/{BROKEN} ")] == noted.warnings[-1:]


def test_a_bad_image_ends_the_run_where_it_is_not_to_be_left_out(
    folder: Path, tmp_path: Path, tiny_settings: dict[str, object]
) -> None:
    with pytest.raises(BadImagesError):
        run(broken(folder), tmp_path, tiny_settings, check="lazy")


def test_batches_that_may_shrink_are_not_cut_into_parts(
    folder: Path, tmp_path: Path, tiny_settings: dict[str, object]
) -> None:
    with pytest.raises(ResnetkitError, match="2 uneven parts of a batch"):
        run(folder, tmp_path, tiny_settings | {"accumulate_steps": 2}, check="lazy", on_bad_image="skip")


def test_what_was_met_is_written_down_and_shared(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_data(DataSpec(str(folder), cache="off"))
    loads = [source.load(["train", "val"], Preprocessing(8, 8), lazily=True) for _ in range(2)]
    for rank, loaded in enumerate(loads):
        loaded.splits["train"].images.read(np.arange(6) + 5 * rank)
    (tmp_path / "run").mkdir()
    folder_of_run, before = RunFolder(tmp_path / "run"), SeenImages(test="AQAAAAAAAAA=")
    met = MetImages(folder_of_run, before, loads[0], Shard(0, 2), Listener())
    both = [{name: split.digests for name, split in loaded.splits.items()} for loaded in loads]
    monkeypatch.setattr(met_images, "from_all_ranks", lambda own, _: both)
    met.gather()
    met.write()
    seen = folder_of_run.read_seen()
    assert seen is not None
    assert len(unpack_digests(seen.train)) == 11
    assert (seen.val, seen.test, seen.is_complete) == ("", before.test, True)


class Stopping(Noted):
    """Interrupts the run after an update."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.steps_left = step

    def step_ended(self, report: StepReport) -> None:
        self.steps_left -= 1
        if not self.steps_left:
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("step", [1, 5])
def test_what_was_left_out_before_a_stop_is_still_known(
    folder: Path, tmp_path: Path, tiny_settings: dict[str, object], step: int
) -> None:
    """Also where it has been repaired since, or moved: the run is the one that was not stopped."""
    name = str(open_data(DataSpec(str(folder), cache="off")).listings["train"].identifiers[0])
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-40])
    fields = {"check": "lazy", "on_bad_image": "skip"}
    whole = run(folder, tmp_path / "whole", tiny_settings, **fields)
    stopping, noted = Stopping(step), Noted()
    with pytest.raises(Interrupted):
        run(folder, tmp_path / "stopped", tiny_settings, stopping, **fields)
    was_met = any("left out" in text for text in stopping.warnings)
    assert was_met or step == 1
    if was_met:
        (folder / name).write_bytes(content)
    (stopped,) = (tmp_path / "stopped").iterdir()
    resumed = resume(stopped, data=folder.rename(tmp_path / "moved"), listener=noted).folder
    (told,) = (text for text in stopping.warnings + noted.warnings if text.startswith("left out"))
    (bad,) = resumed.read_record().data.bad_images
    assert bad.path == str(tmp_path / "moved" / name)
    assert f"{name} {bad.reason}" in told
    assert resumed.read_record().data.num_images == whole.read_record().data.num_images
    assert resumed.read_seen() == whole.read_seen()
    one, other = (load_classifier(each.path).network.state_dict() for each in (resumed, whole))
    assert all(value.equal(other[key]) for key, value in one.items())


def test_all_is_told_before_it_is_written_down(
    folder: Path, tmp_path: Path, tiny_settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By each process to the others, for each checkpoint; what is scored at the end, the first alone has met."""
    calls: list[str] = []
    monkeypatch.setattr(MetImages, "gather", lambda _: calls.append("gather"))
    monkeypatch.setattr(MetImages, "write", lambda _: calls.append("write"))
    run(folder, tmp_path, tiny_settings | {"checkpoint_seconds": 0}, check="lazy")
    assert calls == ["gather", "write"] * 8 + ["write"]


def test_all_processes_write_a_checkpoint_where_one_finds_it_due() -> None:
    recipe = SimpleNamespace(checkpoint_seconds=3600.0)
    steps = SimpleNamespace(recipe=recipe, state=None, data=None, shard=Shard(1, 2))
    loop = Loop(steps, None, Listener(), {}, None)  # type: ignore[arg-type]
    assert loop._votes() == [0, 0, 0]
    loop._agree([0, 0, 1])
    assert (loop._is_due, loop._stop.agreed) == (True, 0)
    loop._agree([0, 1, 0])
    assert (loop._is_due, loop._stop.agreed) == (False, signal.SIGTERM)
