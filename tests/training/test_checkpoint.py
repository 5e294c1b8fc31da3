"""Checkpoints are whole or absent, and a damaged one is found out."""

import resource
import shutil
from pathlib import Path

import pytest
import torch

from resnetkit.errors import Code, ResnetkitError
from resnetkit.training import checkpoint as module
from resnetkit.training.checkpoint import Checkpoint, newest_checkpoint, remove_leftovers, save_checkpoint


def checkpoint(step: int, epoch: int = 0) -> Checkpoint:
    return Checkpoint(step, epoch, {"weights": {"w": torch.full((3,), float(step))}, "best": {}}, {"note": step})


def test_round_trip_is_exact(tmp_path: Path) -> None:
    value = torch.randn(4, 5)[:, ::2]  # not contiguous
    save_checkpoint(tmp_path, Checkpoint(7, 1, {"weights": {"w": value}, "best": {}}, {"x": 0.1 + 0.2}))
    loaded, damaged = newest_checkpoint(tmp_path)
    assert loaded is not None
    assert damaged == []
    assert (loaded.step, loaded.epoch, loaded.state) == (7, 1, {"x": 0.1 + 0.2})
    assert torch.equal(loaded.tensors["weights"]["w"], value)
    assert loaded.tensors["best"] == {}


def test_only_the_newest_two_are_kept(tmp_path: Path) -> None:
    for step in (9, 10, 100):
        save_checkpoint(tmp_path, checkpoint(step))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-00000010-epoch-0000",
        "step-00000100-epoch-0000",
    ]


def test_the_end_of_an_epoch_is_newer_than_its_last_step(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, checkpoint(5, epoch=0))
    save_checkpoint(tmp_path, checkpoint(5, epoch=1))
    loaded, _ = newest_checkpoint(tmp_path)
    assert loaded is not None
    assert loaded.epoch == 1


@pytest.mark.parametrize("damage", ["flip a bit", "cut a file", "remove a file", "empty manifest", "remove manifest"])
def test_a_damaged_checkpoint_is_passed_over_with_its_reason(tmp_path: Path, damage: str) -> None:
    save_checkpoint(tmp_path, checkpoint(1))
    newest = save_checkpoint(tmp_path, checkpoint(2))
    weights, manifest = newest / "weights.safetensors", newest / "manifest.json"
    content = bytearray(weights.read_bytes())
    match damage:
        case "flip a bit":
            content[-1] ^= 1
            weights.write_bytes(content)
        case "cut a file":
            weights.write_bytes(content[:-3])
        case "remove a file":
            weights.unlink()
        case "empty manifest":
            manifest.write_text("")
        case "remove manifest":
            manifest.unlink()
    loaded, damaged = newest_checkpoint(tmp_path)
    assert loaded is not None
    assert loaded.step == 1
    assert len(damaged) == 1
    assert damaged[0].startswith("step-00000002")


@pytest.mark.parametrize("function", ["sha256_of", "load_file"])
def test_a_checkpoint_that_cannot_be_read_is_not_taken_for_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    for step in (1, 2):
        save_checkpoint(tmp_path, checkpoint(step))

    def refuse(file: Path) -> None:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(module, function, refuse)
    with pytest.raises(ResnetkitError, match=r"cannot read the checkpoint .*step-00000002") as caught:
        newest_checkpoint(tmp_path)
    assert caught.value.code == Code.IO
    assert "Permission denied" in caught.value.why
    assert "make it readable, or remove that folder" in caught.value.fix


def test_a_damaged_checkpoint_is_replaced_when_its_step_is_reached_again(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, checkpoint(3))
    (path / "manifest.json").unlink()
    save_checkpoint(tmp_path, checkpoint(3))
    loaded, damaged = newest_checkpoint(tmp_path)
    assert loaded is not None
    assert damaged == []


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, checkpoint(1))
    bad = Checkpoint(2, 0, {"weights": {"w": torch.zeros(1)}}, {"not json": object()})
    with pytest.raises(TypeError):
        save_checkpoint(tmp_path, bad)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001-epoch-0000"]


def test_a_disk_that_takes_no_more_is_a_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    large = Checkpoint(1, 0, {"weights": {"w": torch.zeros(2**20)}}, {})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, before[1]))  # files beyond it are refused, as on a full disk
    try:
        with pytest.raises(ResnetkitError, match=r"cannot write .*step-00000001") as caught:
            save_checkpoint(tmp_path, large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.code == Code.IO
    assert list(tmp_path.iterdir()) == []


def test_who_may_read_a_folder_may_read_all_of_its_checkpoints(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    path = save_checkpoint(tmp_path, checkpoint(1))
    assert {file.stat().st_mode for file in path.iterdir()} == {usual.stat().st_mode}


def test_leftovers_of_a_killed_write_are_removed_and_never_loaded(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, checkpoint(1))
    shutil.copytree(path, tmp_path / ".step-00000002-epoch-0000.abc")
    loaded, _ = newest_checkpoint(tmp_path)
    assert loaded is not None
    assert loaded.step == 1
    remove_leftovers(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_no_folder_is_no_checkpoint(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path / "none") == (None, [])


def test_damaged_checkpoints_of_later_steps_do_not_crowd_out_new_ones(tmp_path: Path) -> None:
    for step in (8, 9):
        (save_checkpoint(tmp_path, checkpoint(step)) / "manifest.json").unlink()
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, checkpoint(step))
        loaded, damaged = newest_checkpoint(tmp_path)
        assert loaded is not None
        assert (loaded.step, damaged) == (step, [])
    assert len(list(tmp_path.iterdir())) == 2
