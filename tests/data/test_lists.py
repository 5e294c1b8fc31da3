"""A list of images where data are asked for: opened, divided, kept, scored, answered and gone on with."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnetkit.data.cache import cache_file
from resnetkit.data.loading import open_data
from resnetkit.data.source import DataSource
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.images.prepared_pixels import prepare_seen
from resnetkit.images.spec import Preprocessing

PREPROCESSING = Preprocessing(8, 8)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Two classes of 20 images as folders, and a list of the same images in a folder beside them."""
    rows = ["path,label,dog"]
    for number in range(40):
        name, file = ("cat", "dog")[number % 2], tmp_path / "photos" / ("cat", "dog")[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(number).integers(0, 256, (9, 9, 3), np.uint8)
        Image.fromarray(values).save(file)
        rows.append(f"{name}/{number}.png,{name},{number // 4}")
    (tmp_path / "photos" / "list.csv").write_text("\n".join(rows))
    return tmp_path / "photos"


def opened(file: Path, **settings: object) -> DataSource:
    return open_data(replace(DataSpec(str(file), cache="off"), **settings))


def test_a_list_of_a_folder_is_the_folder(place: Path) -> None:
    by_list, by_folder = opened(place / "list.csv", label_column="label"), opened(place)
    assert by_list.name == "list"
    for name, listing in by_folder.listings.items():
        assert sorted(by_list.listings[name].identifiers) == sorted(listing.identifiers)
    names = ("train", "val", "test")
    ours, theirs = (source.load(names, PREPROCESSING) for source in (by_list, by_folder))
    for name in names:
        order = np.argsort(ours.splits[name].identifiers), np.argsort(theirs.splits[name].identifiers)
        for what in ("labels", "digests"):
            one, other = getattr(ours.splits[name], what)[order[0]], getattr(theirs.splits[name], what)[order[1]]
            assert (one == other).all()
        pixels = (
            split.images.read(rows) for split, rows in zip((ours.splits[name], theirs.splits[name]), order, strict=True)
        )
        assert np.array_equal(*pixels)


def test_files_elsewhere_are_read_also_when_memory_is_short(place: Path, tmp_path: Path) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    rows = (place / "list.csv").read_text().split("\n")
    moved = [f"{place}/{row}" if number % 2 else f"../photos/{row}" for number, row in enumerate(rows[1:])]
    (lists / "list.csv").write_text("\n".join([rows[0], *moved]))
    source = opened(lists / "list.csv", label_column="label", max_memory_bytes=0)
    loaded = source.load(["test"], PREPROCESSING)
    assert loaded.splits["test"].images.read(np.arange(6)).shape == (6, 3, 8, 8)
    (place / "cat" / "0.png").write_bytes(b"none")
    with pytest.raises(ResnetkitError, match="1 of 40 image files cannot be used") as raised:
        source.load(["train", "val", "test"], PREPROCESSING)
    assert raised.value.why.startswith(f"{lists}/../photos/cat/0.png ")


def test_groups_of_a_list_are_those_of_its_column_or_of_a_pattern(place: Path) -> None:
    source = opened(place / "list.csv", label_column="label", group_by="dog")
    groups = [set(listing.groups or ()) for listing in source.listings.values()]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 10
    assert all(groups)
    by_pattern = opened(place / "list.csv", label_column="label", group_by=r"(\d)\.png")
    assert {group for one in by_pattern.listings.values() for group in one.groups or ()} == set("0123456789")


def test_what_does_nothing_for_a_list_is_told(place: Path) -> None:
    assert opened(place / "list.csv", label_column="label", layout="classes").warnings == (
        "data.layout has no effect: 'list.csv' is a list",
    )


def test_lists_in_one_folder_do_not_share_a_cache(place: Path, tmp_path: Path) -> None:
    shutil.copy(place / "list.csv", place / "other.csv")
    files = set()
    for source in (place / "list.csv", place / "other.csv", place):
        spec = DataSpec(str(source), label_column=None if source == place else "label", cache=str(tmp_path / "cache"))
        originals = open_data(spec).listings["train"].prepared(prepare_seen, PREPROCESSING)
        files.add(cache_file(spec, "train", originals, (3, 8, 8)))
    assert len(files) == 3


def test_a_hundred_thousand_rows_are_read_without_a_second_look_at_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from resnetkit.folders import image_list, listed_files

    looks = {"files": 0, "folders": 0}

    def look(path: str) -> bool:
        looks["files"] += 1
        return path.endswith(".png")

    def names(folder: str) -> list[str]:
        looks["folders"] += 1
        return []

    monkeypatch.setattr(listed_files.os.path, "isfile", look)
    monkeypatch.setattr(listed_files.os, "listdir", names)
    rows = [f"{number % 100}/{number}.png,{number % 100},{number // 5}" for number in range(100_000)]
    (tmp_path / "list.csv").write_text("\n".join(["path,label,group", *rows]))
    found = image_list.scan_list(tmp_path / "list.csv")
    assert len(found.splits["all"].paths) == 100_000
    assert looks["files"] < 100_100
    assert looks["folders"] == 0


def test_a_file_that_is_no_list_is_refused_with_what_would_be(place: Path) -> None:
    (place / "list.txt").write_text("")
    with pytest.raises(ResnetkitError, match="neither a data set nor a folder, nor a list") as raised:
        opened(place / "list.txt")
    assert raised.value.why == "it is a file, but no .csv, .tsv, .jsonl, .ndjson"
