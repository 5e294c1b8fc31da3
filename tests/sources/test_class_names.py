"""Class names from files and data sets."""

import codecs
import json
from pathlib import Path

import pytest

from resnetkit.data.datasets import CIFAR100_NAMES
from resnetkit.errors import ResnetkitError
from resnetkit.sources.class_names import read_class_names


def test_names_of_a_data_set() -> None:
    assert read_class_names("cifar100") == CIFAR100_NAMES


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("names.txt", "cat\n\n dog \nbird\n"),
        ("names.json", json.dumps(["cat", "dog", "bird"])),
        ("id2label.json", json.dumps({"2": "bird", "0": "cat", "1": "dog"})),
        ("index.json", json.dumps({"0": ["n1", "cat"], "1": ["n2", "dog"], "2": ["n3", "bird"]})),
    ],
)
def test_names_of_a_file(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    assert read_class_names(str(tmp_path / file)) == ("cat", "dog", "bird")


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfcat\r\ndog\r\nbird\r\n\r\n",
        "cat\ndog\nbird".encode("utf-16"),
        codecs.BOM_UTF16_BE + "cat\r\ndog\r\nbird\r\n".encode("utf-16-be"),
        "cat\ndog\nbird\n".encode("utf-32"),
        b'\xef\xbb\xbf["cat", "dog", "bird"]',
        b'{"bird": 2, "cat": 0, "dog": 1}',
        b"n01440764 cat\nn01443537 dog\nn01484850\tbird\n",
        b'{\n"0": ["n1", "cat"], "1": ["n2", "dog"], "2": ["n3", "bird"]}',
    ],
    ids=["BOM, CRLF", "UTF-16", "UTF-16 BE", "UTF-32", "JSON, BOM", "class_to_idx", "synsets", "Keras"],
)
@pytest.mark.parametrize("file", ["names.txt", "names"])
def test_lists_as_the_world_has_them(tmp_path: Path, file: str, content: bytes) -> None:
    (tmp_path / file).write_bytes(content)
    assert read_class_names(str(tmp_path / file)) == ("cat", "dog", "bird")


def test_a_line_is_a_whole_name_unless_all_lines_are_synsets(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("n01440764 tench, Tinca tinca\nn 7 great white shark\n")
    assert read_class_names(str(tmp_path / "names.txt")) == ("n01440764 tench, Tinca tinca", "n 7 great white shark")


def test_names_that_are_there_twice_get_their_positions(tmp_path: Path) -> None:
    index = {str(i): [f"n{i}", name] for i, name in enumerate(["crane", "maillot", "cat", "crane", "maillot"])}
    (tmp_path / "imagenet_class_index.json").write_text(json.dumps(index))
    (tmp_path / "imagenet_classes.txt").write_text("crane\nmaillot\ncat\ncrane\nmaillot\n")
    for file in ("imagenet_class_index.json", "imagenet_classes.txt"):
        expected = ("crane (0)", "maillot (1)", "cat", "crane (3)", "maillot (4)")
        assert read_class_names(str(tmp_path / file)) == expected


@pytest.mark.parametrize(
    ("file", "content", "why"),
    [
        ("names.txt", b"\n\n", "empty"),
        ("names.txt", b"\xff\xfe", "empty"),
        ("names.txt", b"\xff\xfea", "not in UTF-16"),
        ("names.txt", b"caf\xe9\n", "not in UTF-8 (byte 3"),
        ("names.txt", "cat\n".encode("utf-16-le"), "an encoding that it does not say"),
        ("names.json", b"{", "no JSON"),
        ("names.json", b"[" * 100_000, "nested too deep"),
        ("names.json", b'{"0": "cat", "2": "dog"}', "one is 2"),
        ("names.json", b'{"cat": 0, "dog": 0}', "there twice"),
        ("names.json", b'{"cat": 0, "dog": "1"}', "one is 'cat'"),
        ("names.json", b'{"cat\\u200b": "a", "1": "b"}', "one is 'cat\\u200b'"),
        ("names.json", b'"cat"', "neither a list"),
        ("names.json", b"[1, 2]", "something else than names: 1"),
        ("names.json", b'["cat", null]', "something else than names: None"),
        ("names.json", b'["cat", ""]', "something else than names: ''"),
        ("names.json", b"[]", "empty"),
        ("names.json", b"{}", "empty"),
    ],
)
def test_what_holds_no_names_is_refused(tmp_path: Path, file: str, content: bytes, why: str) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ResnetkitError, match="holds no class names") as raised:
        read_class_names(str(tmp_path / file))
    assert why in raised.value.why
    assert "one name a line" in raised.value.fix


def test_a_mistyped_data_set_is_told_the_nearest() -> None:
    with pytest.raises(ResnetkitError, match="no file of class names at cifar11") as raised:
        read_class_names("cifar11")
    assert "did you mean 'cifar10" in raised.value.fix
