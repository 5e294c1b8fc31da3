"""resnetkit runs, as a user calls it."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., object]


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """Two finished runs that differ in their seed, and one that was interrupted."""
    for name in ("0001-a", "0002-b", "0003-c"):
        shutil.copytree(trained, tmp_path / "runs" / name)
    record = tmp_path / "runs" / "0002-b" / "recipe.json"
    content = json.loads(record.read_text())
    content["recipe"]["seed"] = 7
    record.write_text(json.dumps(content))
    metrics = tmp_path / "runs" / "0003-c" / "metrics.jsonl"
    metrics.write_text("".join(metrics.read_text().splitlines(keepends=True)[:4]))
    return tmp_path / "runs"


def test_the_usual_folder_is_listed_without_a_word(
    cli: Cli, folder: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    done = cli("runs")
    assert done.code == 0
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines] == ["run", "0001-a", "0002-b", "0003-c"]
    assert "seed=7" in lines[2]
    assert "seed" not in lines[1]
    assert lines[3].endswith("interrupted, epoch 3 of 6")
    end = json.loads((trained / "metrics.jsonl").read_text().splitlines()[-1])
    assert f"{100 * end['scores']['test']['top1']['value']:.2f} %" in lines[1]
    assert cli("runs", str(folder), "--sort", "test_top1", "--top", "1").out.splitlines()[1].startswith("0001-a")
    assert cli("runs", "--sort", "status").code == 0


def test_programs_get_all_columns(cli: Cli, folder: Path) -> None:
    rows = json.loads(cli("runs", str(folder), "--json").out)
    table = list(csv.DictReader(io.StringIO(cli("runs", str(folder), "--csv").out)))
    assert [row["run"] for row in rows] == [row["run"] for row in table] == sorted(map(str, folder.iterdir()))
    assert list(rows[0]) == list(table[0])
    assert rows[1]["differs"] == {"seed": "7"}
    assert table[1]["differs"] == "seed=7"
    assert float(table[0]["test_top1"]) == rows[0]["test_top1"]
    assert (rows[2]["top1"], table[2]["top1"]) == (None, "")
    assert cli("runs", str(folder), "--csv", "--json").code == 2


def test_what_cannot_be_looked_into_is_told_in_one_line(cli: Cli, folder: Path) -> None:
    (folder / "disk").symlink_to(folder / "nowhere")
    for form in ("--json", "--csv"):
        told = cli("runs", str(folder), form)
        assert told.err == f"warning: not looked into: {folder / 'disk'} (No such file or directory)\n"
        assert "nowhere" not in told.out


def test_an_empty_or_absent_folder_says_what_to_type(cli: Cli, empty_folder: Path) -> None:
    absent = cli("runs")
    assert absent.code == 3
    assert "resnetkit train DATA" in absent.err
    (empty_folder / "runs").mkdir()
    empty = cli("runs")
    assert empty.code == 0
    assert "no runs below runs" in empty.out
    assert "train DATA" in empty.out
    assert json.loads(cli("runs", "--json").out) == []
    unknown = cli("runs", ".", "--sort", "test_top")
    assert (unknown.code, "test_top1" in unknown.err) == (2, True)


def test_diff_tells_what_differs_and_a_folder_of_that_name_can_be_listed(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = folder / "0001-a", folder / "0002-b"
    told = cli("runs", "diff", str(a), str(b))
    assert [line.split() for line in told.out.splitlines()] == [["recipe", str(a), str(b)], ["seed", "0", "7"]]
    values = json.loads(cli("runs", "diff", str(a), str(b), "--json").out)
    assert values["recipe"] == [{"field": "seed", "a": "0", "b": "7"}]
    assert (values["data"], values["weights"], values["environment"]) == ([], [], [])
    assert "nothing differs" in cli("runs", "diff", str(a), str(a)).out
    assert cli("runs", "diff", str(a), str(folder)).code == 4
    monkeypatch.chdir(folder.parent)
    folder.rename("diff")
    assert "0001-a" in cli("runs", "./diff").out
    assert cli("runs", "diff").code == 2


def test_help_is_the_groups(cli: Cli) -> None:
    told = cli("runs", "--help").out
    assert "diff" in told
    assert "list" in told
