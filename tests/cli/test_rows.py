"""``predict --out`` and ``evaluate --out``: rows that are those of the command without it, and of nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from safetensors.torch import save_file
from sklearn.datasets import load_digits

from resnetkit.models.resnet import create_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Digits in class folders."""
    digits = load_digits()
    for number in range(20):
        path = tmp_path / "photos" / str(digits.target[number]) / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((digits.images[number] * 15.9).astype(np.uint8)).save(path)
    return tmp_path / "photos"


def rows_in(out: Path) -> dict[str, dict[str, Any]]:
    rows = pq.read_table(out).to_pylist()
    found = {row["path"]: row for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize("limit", ["--max-pixels", "--max-file-bytes"])
def test_rows_within_other_limits_are_not_gone_on_with(
    cli: Callable[..., Any], trained: Path, folder: Path, command: str, limit: str
) -> None:
    words = [command, str(trained), str(folder), "--engine", "torch", "--out", str(folder.parent / "rows")]
    assert cli(*words).code == 0
    refused = cli(*words, limit, "9000000")
    assert refused.code == 2
    assert "they differ in limits" in refused.err
    assert "9000000} now" in refused.err or '"max_pixels": 9000000' in refused.err
    assert cli(*words).code == 0


def test_files_have_one_row_each_however_they_are_named(
    cli: Callable[..., Any], trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("here", 0), ("there", 255)):
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((8, 8), value, np.uint8)).save(tmp_path / name / "a.png")
    (tmp_path / "link").symlink_to(tmp_path / "here")
    out = tmp_path / "rows"
    words = ("--engine", "torch", "--out", str(out))
    monkeypatch.chdir(tmp_path / "here")
    names = ("a.png", "./a.png", "../here/a.png", "../link/a.png", str(tmp_path / "here" / "a.png"))
    assert cli("predict", str(trained), *names, *words).code == 0
    assert list(rows_in(out)) == [str(tmp_path / "here" / "a.png")]
    monkeypatch.chdir(tmp_path / "there")
    assert cli("predict", str(trained), "a.png", *words).out == f"2 rows in {out}\n"
    here, there = (rows_in(out)[str(tmp_path / name / "a.png")] for name in ("here", "there"))
    assert here["probability"] != there["probability"]


def test_what_is_lost_of_images_is_told_of_rows_too(cli: Callable[..., Any], trained: Path, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    pages = [Image.fromarray(draw.integers(0, 256, (9, 9, 3), np.uint8)) for _ in range(2)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "colours.png")
    (tmp_path / "broken.png").write_bytes(b"")
    words = ["predict", str(trained), *(str(tmp_path / name) for name in ("pages.tif", "colours.png", "broken.png"))]
    plain = cli(*words, "--engine", "torch")
    for _ in range(2):  # the second time from rows that are there
        kept = cli(*words, "--engine", "torch", "--out", str(tmp_path / "rows"))
        assert kept.code == plain.code == 1
        assert plain.err.splitlines() == kept.err.splitlines()[-3:]
    assert [row["note"] != "" for row in rows_in(tmp_path / "rows").values()] == [True, True, False]


def test_a_file_is_counted_only_where_it_was_asked_for(
    cli: Callable[..., Any], trained: Path, folder: Path, tmp_path: Path
) -> None:
    words = ("--engine", "torch", "--out", str(tmp_path / "rows"))
    gone = cli("predict", str(trained), str(tmp_path / "gone.png"), *words)
    assert (gone.code, gone.err) == (1, "1 of 1 files could not be read or answered\n")
    assert cli("predict", str(trained), str(folder), *words).code == 0


def test_rows_of_weights_are_known_wherever_they_are_named_from(
    cli: Callable[..., Any], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file(create_model("resnet20").state_dict(), tmp_path / "weights.safetensors")
    words = (str(folder), "--model", "resnet20", "--engine", "torch", "--out", str(tmp_path / "rows"))
    assert cli("predict", str(tmp_path / "weights.safetensors"), *words).code == 0
    monkeypatch.chdir(tmp_path)
    again = cli("predict", "weights.safetensors", *words)
    assert (again.code, "has rows for 20 of 20" in again.err) == (0, True)
    others = cli("predict", "weights.safetensors", *words, "--preprocess", "average_mirrored=true")
    assert "they differ in classifier" in others.err
