"""Run folders on the disk: each found once, by whatever ways it is reached, and nothing taken for one that is none."""

import os
from pathlib import Path

import pytest

from resnetkit.runs.finding import find_runs
from resnetkit.runs.folder import RunFolder


def a_run(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "recipe.json").write_text("{}")
    return folder


def found(parent: Path) -> list[str]:
    return [str(run.path.relative_to(parent)) for run in find_runs(parent).runs]


def test_runs_behind_links_are_found_each_once_and_without_an_end(tmp_path: Path) -> None:
    runs, disk = tmp_path / "runs", tmp_path / "disk"
    own = a_run(runs / "0002-own")
    a_run(disk / "0001-far" / "0001-repeat")
    (disk / "0001-far" / "repeats.json").write_text("{}")
    (runs / "0001-best").symlink_to(own)
    (runs / "archive").symlink_to(disk)
    (runs / "archive-again").symlink_to(disk / "0001-far")
    (disk / "back").symlink_to(runs)
    (runs / "circle").symlink_to(runs / "circle")
    (runs / "notes").symlink_to(own / "recipe.json")
    told = find_runs(runs)
    assert found(runs) == ["0002-own", "archive/0001-far/0001-repeat"], "under its own name what lies below"
    assert told.runs[1].repeats == runs / "archive" / "0001-far"
    assert [text.split(" (")[0] for text in told.unread] == [str(runs / "circle")]
    (tmp_path / "link").symlink_to(runs)
    assert found(tmp_path / "link") == found(runs)


def test_what_cannot_be_read_is_named_and_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_run(tmp_path / "b" / "0001-a")
    a_run(tmp_path / "c")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    scan = os.scandir

    def refused(folder: Path) -> object:
        if folder == tmp_path / "b":
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refused)
    told = find_runs(tmp_path)
    assert [run.path.name for run in told.runs] == ["c"]
    assert told.unread == (
        f"{tmp_path / 'b'} (Permission denied)",
        f"{tmp_path / 'gone'} (No such file or directory)",
    )


def test_only_what_begins_as_a_run_is_one(tmp_path: Path) -> None:
    (tmp_path / "server" / "checkpoints").mkdir(parents=True)
    (tmp_path / "server" / "log.txt").write_text("started\n")
    (tmp_path / "server" / "images.json").write_text("{}")
    a_run(tmp_path / "server" / "0001-a")
    for name, events in (("other", '{"step": 1, "loss": 2.0}\n'), ("torn", '{"event": "sta'), ("list", "[1]\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.jsonl").write_text(events)
    lost = tmp_path / "0002-lost"
    lost.mkdir()
    RunFolder(lost).record("start", step=0)
    a_run(tmp_path / ".hidden" / "0001-a")
    assert found(tmp_path) == ["0002-lost", "server/0001-a"]


def test_those_in_the_folder_itself(tmp_path: Path) -> None:
    own = a_run(tmp_path / "0001-a")
    a_run(tmp_path / "more" / "0001-b")
    (tmp_path / "again").symlink_to(own)
    assert [run.path for run in find_runs(tmp_path, is_deep=False).runs] == [own]
