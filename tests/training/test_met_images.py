"""Runs whose images are checked when they are first needed: the same runs, and honest about what they have met."""

from pathlib import Path

import numpy as np
import pytest
from tests.cats_and_dogs import BROKEN, broken, write_images

from resnetkit.classifier.classifier import load_classifier
from resnetkit.data.batches import Shard
from resnetkit.data.loading import BadImagesError, open_data
from resnetkit.data.seen import SeenImages, unpack_digests
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.images.spec import Preprocessing
from resnetkit.runs.events import Listener
from resnetkit.runs.folder import RunFolder
from resnetkit.training import met_images
from resnetkit.training.met_images import MetImages
from resnetkit.training.run import train


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
    met.write(is_gathered=False)
    seen = folder_of_run.read_seen()
    assert seen is not None
    digests = loads[0].splits["train"].digests
    assert unpack_digests(seen.train).tolist() == sorted(digests[:6].tolist())
    assert (seen.val, seen.test, seen.is_complete) == ("", before.test, False)

    both = [{name: split.digests for name, split in loaded.splits.items()} for loaded in loads]
    monkeypatch.setattr(met_images, "from_all_ranks", lambda own, _: both)
    met.gather()
    met.write(is_gathered=True)
    seen = folder_of_run.read_seen()
    assert seen is not None
    assert len(unpack_digests(seen.train)) == 11
    assert seen.is_complete
