"""The file that says which runs belong together: read as it was written, or refused with a reason."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from resnetkit.errors import Code, ResnetkitError
from resnetkit.runs.finding import REPEATS_NAME, has_repeats
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.repeats import Repeats, read_repeats, write_repeats

TWO = Repeats(by="seeds", runs=("0001-resnet20-digits", "0002-resnet20-digits"))


def test_it_is_read_as_it_was_written_whatever_later_versions_add(tmp_path: Path) -> None:
    write_repeats(tmp_path, TWO)
    assert has_repeats(tmp_path)
    assert read_repeats(tmp_path) == TWO
    assert [run.path for run in TWO.folders(tmp_path)] == [tmp_path / name for name in TWO.runs]
    content = json.loads((tmp_path / REPEATS_NAME).read_text())
    assert content.items() >= {"format": "resnetkit repeats 1", "by": "seeds"}.items()
    assert content["runs"] == list(TWO.runs)
    (tmp_path / REPEATS_NAME).write_text(json.dumps(content | {"new": 1}))
    assert read_repeats(tmp_path) == TWO


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"format": "resnetkit repeats 2", "by": "seeds", "runs": []}',
        '{"by": "moons", "runs": []}',
        '{"by": "seeds", "runs": ["../elsewhere"]}',
        '{"by": "seeds", "runs": [".."]}',
        '{"by": "seeds", "runs": ["/etc"]}',
        '{"by": "seeds", "runs": ["a", "a"]}',
        '{"by": "seeds"}',
    ],
)
def test_a_damaged_one_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / REPEATS_NAME).write_text(content)
    with pytest.raises(ResnetkitError, match="damaged") as caught:
        read_repeats(tmp_path)
    assert caught.value.code is Code.WEIGHTS


def test_a_folder_without_one_says_what_to_give(tmp_path: Path) -> None:
    assert not has_repeats(tmp_path)
    with pytest.raises(ResnetkitError, match=r"no repeats\.json") as caught:
        read_repeats(tmp_path)
    assert "--seeds" in caught.value.fix


def test_a_name_that_is_no_utf8_is_kept_as_it_is(tmp_path: Path) -> None:
    write_repeats(tmp_path, replace(TWO, runs=("0001-caf\udce9",)))
    assert read_repeats(tmp_path).runs == ("0001-caf\udce9",)


def test_where_one_run_is_asked_for_those_in_the_folder_are_named(tmp_path: Path) -> None:
    write_repeats(tmp_path, TWO)
    with pytest.raises(ResnetkitError, match="is no run folder") as caught:
        RunFolder(tmp_path).read_record()
    assert caught.value.fix.startswith(f"give one of the runs in it, e.g. {tmp_path}")
