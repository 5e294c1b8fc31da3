"""Parquet and Arrow tables of the Hugging Face hub: the same guarantees as folders of files have."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from resnetkit.data.loading import open_data
from resnetkit.data.prepared_images import FolderImages
from resnetkit.data.source import BadImagesError
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.images import image_rows
from resnetkit.images.decoding import decode
from resnetkit.images.opening import read_content
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.images.types import UnreadableImage

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

NAMES = ("zebra", "ant", "bee")
SMALL = Preprocessing(8, 8)
Row = tuple[bytes | None, int]


def png(seed: int, side: int = 10) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def rows(count: int, first: int = 0) -> list[Row]:
    return [(png(first + i), i % 3) for i in range(count)]


def table(content: Sequence[Row], names: Sequence[str] | None = NAMES, **more: list[Any]) -> Any:
    images = [None if image is None else {"bytes": image, "path": f"{i}.png"} for i, (image, _) in enumerate(content)]
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    made = pa.table({"image": pa.array(images, struct), "label": [label for _, label in content], **more})
    features: dict[str, Any] = {"image": {"_type": "Image"}}
    features["label"] = {"_type": "Value"} if names is None else {"names": list(names), "_type": "ClassLabel"}
    return made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(content, path, row_group_size=4)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, content.schema) as writer:
            writer.write_table(content, max_chunksize=4)


def write_bytes(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)


def spec(root: Path, **more: Any) -> DataSpec:
    return DataSpec(str(root), cache="off", **more)


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    root = tmp_path / "birds"
    write(root / "data" / "train-00000-of-00002.parquet", table(rows(18)))
    write(root / "data" / "train-00001-of-00002.parquet", table(rows(12, 100)))
    write(root / "data" / "validation-00000-of-00001.parquet", table(rows(6, 200)))
    write(root / "data" / "test-00000-of-00001.parquet", table(rows(9, 300)))
    (root / "README.md").write_text("a card")
    return root


@pytest.fixture
def arrow(tmp_path: Path) -> Path:
    root = tmp_path / "saved"
    write(root / "train" / "data-00000-of-00001.arrow", table(rows(30)))
    write(root / "train" / "cache-0123.arrow", table(rows(1)))
    write(root / "test" / "data-00000-of-00001.arrow", table(rows(9, 300)))
    (root / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    return root


def test_splits_classes_and_pixels_are_those_of_the_tables(parquet: Path) -> None:
    source = open_data(spec(parquet))
    assert source.name == "birds"
    assert source.class_names == NAMES, "in the order that the table gives them"
    assert source.split_sizes == {"train": 30, "val": 6, "test": 9}
    assert source.channels == 3
    assert source.told() == ("3 classes: zebra, ant, bee (train 30, val 6, test 9)", "4 tables of the Hugging Face hub")
    test = source.load(["test"], SMALL, whole=()).splits["test"]
    assert test.labels.tolist() == [0, 1, 2] * 3
    assert test.identifiers[4] == "data/test-00000-of-00001.parquet/4"
    decoded = np.array(decode(png(304), Limits(), 3).resize((8, 8), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    assert (test.images.read(np.array([4]))[0] == decoded).all()


def test_a_saved_folder_of_arrow_tables_is_read_without_its_caches(arrow: Path) -> None:
    source = open_data(spec(arrow))
    assert source.class_names == NAMES
    sizes = source.split_sizes
    assert (sizes["train"] + sizes["val"], sizes["test"]) == (30, 9), "val is held back from train"
    loaded = source.load(["train", "val", "test"], SMALL)
    assert [len(split) for split in loaded.splits.values()] == [sizes["train"], sizes["val"], 9]


def test_images_have_the_digests_that_they_have_as_files(parquet: Path, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    for i, (image, label) in enumerate(rows(9, 300)):
        (folder / NAMES[label]).mkdir(parents=True, exist_ok=True)
        (folder / NAMES[label] / f"{i}.png").write_bytes(image or b"")
    whole = {"validation_fraction": 0.0, "test_fraction": 0.0}
    files = open_data(spec(folder, **whole)).load(["train"], SMALL).splits["train"]
    there = open_data(spec(parquet)).load(["test"], SMALL).splits["test"]
    assert sorted(files.digests) == sorted(there.digests)


def test_beyond_memory_the_same_images_are_read_again_in_any_order(parquet: Path) -> None:
    kept, streamed = (
        open_data(spec(parquet, max_memory_bytes=most)).load(["train"], SMALL).splits["train"] for most in (10**9, 0)
    )
    assert isinstance(streamed.images, FolderImages)
    order = np.random.default_rng(0).permutation(30)
    assert (streamed.images.read(order) == kept.images.read(order)).all()
    assert (streamed.digests == kept.digests).all()


def test_few_groups_of_rows_are_in_memory_and_each_is_read_once_in_turn(
    parquet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[int, int]] = []
    real = image_rows.Table.images

    def noted(self: image_rows.Table, group: int) -> Any:
        read.append((id(self), group))
        return real(self, group)

    source = open_data(spec(parquet))
    monkeypatch.setattr(image_rows.Table, "images", noted)
    image_rows._group.cache_clear()
    source.load(["train"], SMALL)
    assert len(read) == len(set(read)) == 5 + 3, "of four rows each"
    assert image_rows._group.cache_info().currsize <= image_rows.KEPT_GROUPS


def test_images_that_cannot_be_read_are_told_with_their_rows(tmp_path: Path) -> None:
    content = rows(30)
    content[3] = (None, 0)
    content[7] = (png(7)[:100], 1)
    content[11] = (b"", 2)
    write(tmp_path / "train.parquet", table(content))
    with pytest.raises(BadImagesError) as raised:
        open_data(spec(tmp_path)).load(["train", "val", "test"], SMALL)
    told = {bad.path.removeprefix(f"{tmp_path}/"): bad.reason for bad in raised.value.bad_images}
    assert told.keys() == {"train.parquet/3", "train.parquet/7", "train.parquet/11"}
    assert told["train.parquet/3"] == "has no bytes in its table, only a path at most (save_to_disk writes them)"
    assert told["train.parquet/11"] == "is empty (0 bytes)"
    loaded = open_data(spec(tmp_path, on_bad_image="skip")).load(["train", "val", "test"], SMALL)
    assert sum(map(len, loaded.splits.values())) == 27
    assert any("3 of 30 image files are left out" in text for text in loaded.warnings)


def test_limits_hold_for_rows(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", table([(png(0, 100), 0)]))
    path = f"{tmp_path}/train.parquet/0"
    with pytest.raises(UnreadableImage, match="10,000 pixels, more than the limit of 99"):
        decode(path, Limits(max_pixels=99), 3)
    with pytest.raises(UnreadableImage, match="bytes, more than the limit of 9"):
        read_content(path, Limits(max_file_bytes=9))
    with pytest.raises(UnreadableImage, match=r"cannot be opened \(the table has 1 rows\)"):
        read_content(f"{tmp_path}/train.parquet/1", Limits())
    (tmp_path / "file").write_text("")
    with pytest.raises(UnreadableImage, match="Not a directory"):
        read_content(tmp_path / "file" / "0", Limits())


def test_the_cache_knows_a_table_that_was_written_anew(tmp_path: Path) -> None:
    root, cached = tmp_path / "data", DataSpec(str(tmp_path / "data"), cache=str(tmp_path / "cache"))
    write(root / "train.parquet", table(rows(30)))
    first = open_data(cached).load(["train"], SMALL)
    assert open_data(cached).load(["train"], SMALL).fingerprint == first.fingerprint
    write(root / "train.parquet", table(rows(30, 500)))
    second = open_data(cached).load(["train"], SMALL)
    assert second.fingerprint != first.fingerprint
    plain = open_data(spec(root)).load(["train"], SMALL)
    assert second.fingerprint == plain.fingerprint
    assert (second.splits["train"].images.read(np.arange(5)) == plain.splits["train"].images.read(np.arange(5))).all()


def test_labels_without_names_are_told_by_their_texts(tmp_path: Path) -> None:
    content = table(rows(30), names=None)
    texts = pa.array([["zebra", "ant", "b10"][i % 3] for i in range(30)])
    write(tmp_path / "train.parquet", content.set_column(1, "label", texts).replace_schema_metadata({}))
    assert open_data(spec(tmp_path)).class_names == ("ant", "b10", "zebra")


def test_a_split_without_labels_is_left_aside_and_said(tmp_path: Path) -> None:
    write(tmp_path / "data" / "train-00000-of-00001.parquet", table(rows(30)))
    write(tmp_path / "data" / "test-00000-of-00001.parquet", table([(png(i), -1) for i in range(4)]))
    source = open_data(spec(tmp_path))
    assert "4 images of test have no label and are left aside" in source.notes
    assert "images for test are held back from train" in source.notes
    assert sum(source.split_sizes.values()) == 30


def with_two_labels() -> Any:
    made = table(rows(30), fine=[i % 2 for i in range(30)])
    features = {
        "label": {"names": list(NAMES), "_type": "ClassLabel"},
        "fine": {"names": ["x", "y"], "_type": "ClassLabel"},
    }
    made = made.rename_columns(["image", "coarse", "fine"])
    features["coarse"] = features.pop("label")
    return made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def test_of_several_columns_of_labels_one_is_asked_for_or_found_by_known_classes(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", with_two_labels())
    with pytest.raises(ResnetkitError, match="has several columns of labels") as raised:
        open_data(spec(tmp_path))
    assert raised.value.fix == "say which: --set data.label_column=coarse"
    assert open_data(spec(tmp_path, label_column="fine")).class_names == ("x", "y")
    assert open_data(spec(tmp_path), known=["y", "x"]).class_names == ("x", "y")
    with pytest.raises(ResnetkitError, match="has no column other of labels"):
        open_data(spec(tmp_path, label_column="other"))


def test_answers_beside_labels_are_not_taken_for_them(tmp_path: Path) -> None:
    features = {
        name: {"names": list(names), "_type": "ClassLabel"} for name, names in (("label", "ab"), ("answer", "ac"))
    }
    made = table([(png(i), i % 2) for i in range(30)], answer=[i % 2 for i in range(30)])
    made = made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    write(tmp_path / "train.parquet", made)
    assert open_data(spec(tmp_path), known=["a", "c"]).class_names == ("a", "b")
    assert open_data(spec(tmp_path), known=["c"]).class_names == ("a", "c"), "label has none of them"


def test_a_column_of_groups_keeps_rows_together(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", table([*rows(29), (None, -1)], animal=[i // 3 for i in range(30)]))
    listings = open_data(spec(tmp_path, group_by="animal")).listings
    for listing in listings.values():
        assert listing.groups == [str(int(name.rpartition("/")[2]) // 3) for name in listing.identifiers]
    assert sum(len(set(listing.groups or ())) for listing in listings.values()) == 10
    write(tmp_path / "train.parquet", table(rows(30), animal=[None, *range(29)]))
    with pytest.raises(ResnetkitError, match=r"1 rows of tables in .* have no group in the column animal"):
        open_data(spec(tmp_path, group_by="animal"))


def test_a_column_of_labels_without_a_table_is_warned_about(tmp_path: Path) -> None:
    for i, name in enumerate(("ant", "bee")):
        (tmp_path / name).mkdir()
        for j in range(4):
            (tmp_path / name / f"{j}.png").write_bytes(png(10 * i + j))
    (warning,) = open_data(spec(tmp_path, label_column="fine")).warnings
    assert warning.startswith("data.label_column has no effect")


def two_columns_of_images() -> Any:
    return table(rows(6), other=[png(i) for i in range(6)]).rename_columns(["a", "label", "b"])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (lambda: table(rows(6)).drop_columns(["label"]), "has no column of labels"),
        (lambda: table([(png(0), 7), (png(1), 0)]), "cannot read the table"),
        (lambda: table(rows(1)), "only one class"),
        (two_columns_of_images, "several columns of images"),
        (lambda: table(rows(6)).drop_columns(["image"]), "cannot read the table"),
    ],
)  # fmt: skip
def test_what_is_no_data_set_of_images_is_refused(content: Any, what: str, tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", content())
    with pytest.raises(ResnetkitError, match=what):
        open_data(spec(tmp_path))


def test_a_damaged_table_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(ResnetkitError, match="cannot read the table") as raised:
        open_data(spec(tmp_path))
    assert "train.parquet" in raised.value.what


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_whatever_is_damaged_in_a_table_is_told_as_an_error_of_ours(suffix: str, tmp_path: Path) -> None:
    write(tmp_path / f"whole{suffix}", table(rows(12)))
    whole, told = (tmp_path / f"whole{suffix}").read_bytes(), 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        content = bytearray(whole)
        for place in random.integers(1, len(whole), 8):
            content[-place] = random.integers(256)
        root = tmp_path / str(seed)
        write_bytes(root / f"train{suffix}", bytes(content))
        try:
            open_data(spec(root, on_bad_image="skip")).load(["train", "val", "test"], SMALL)
        except ResnetkitError:
            told += 1
    assert told


def test_classes_of_test_that_train_lacks_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "data" / "train-00000-of-00001.parquet", table([(png(i), i % 2) for i in range(8)]))
    write(tmp_path / "data" / "test-00000-of-00001.parquet", table(rows(6, 50)))
    with pytest.raises(ResnetkitError, match="the classes of test and train differ"):
        open_data(spec(tmp_path))


def test_a_table_beside_folders_of_images_is_what_it_was_a_file_beside_them(tmp_path: Path) -> None:
    write(tmp_path / "embeddings.parquet", table(rows(6)))
    for i, name in enumerate(("ant", "bee")):
        (tmp_path / name).mkdir()
        for j in range(4):
            (tmp_path / name / f"{j}.png").write_bytes(png(10 * i + j))
    assert open_data(spec(tmp_path)).class_names == ("ant", "bee")


def test_without_pyarrow_the_extra_is_named(parquet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    image_rows._table.cache_clear()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ResnetkitError, match="need pyarrow") as raised:
        open_data(spec(parquet))
    assert raised.value.fix == "pip install 'resnetkit[datasets]'"


@pytest.mark.slow
def test_what_the_hubs_own_library_writes_is_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(NAMES))})
    made = datasets.Dataset.from_dict(
        {"image": [{"bytes": image, "path": None} for image, _ in rows(30)], "label": [label for _, label in rows(30)]},
        features=features,
    )
    both = datasets.DatasetDict({"train": made, "test": made.select(range(9))})
    both.save_to_disk(str(tmp_path / "saved"))
    made.save_to_disk(str(tmp_path / "one"))
    (tmp_path / "parquet" / "data").mkdir(parents=True)
    made.to_parquet(str(tmp_path / "parquet" / "data" / "train-00000-of-00001.parquet"))
    digests = []
    for name in ("saved", "one", "parquet"):
        source = open_data(spec(tmp_path / name, test_fraction=0.0, validation_fraction=0.0))
        assert source.class_names == NAMES
        digests.append(source.load(["train"], SMALL).splits["train"].digests.tolist())
    assert digests[0] == digests[1] == digests[2]
