"""Class names from files and data sets."""

import json
from pathlib import Path

import pytest

from resnetkit.data.datasets import CIFAR100_NAMES
from resnetkit.errors import ResnetkitError
from resnetkit.pretrained.class_names import read_class_names


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
    ("file", "content", "message"),
    [
        ("names.txt", b"cat\ndog\ncat\n", "a name twice: cat"),
        ("names.txt", b"\n\n", "no names"),
        ("names.txt", b"\xff\xfe", "holds no class names"),
        ("names.json", b"{", "holds no class names"),
        ("names.json", b'{"0": "cat", "2": "dog"}', "holds no class names"),
        ("names.json", b'"cat"', "holds no class names"),
        ("names.json", b"[1, 2]", "holds no class names"),
    ],
)
def test_what_holds_no_names_is_refused(tmp_path: Path, file: str, content: bytes, message: str) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ResnetkitError, match=message):
        read_class_names(str(tmp_path / file))


def test_a_mistyped_data_set_is_told_the_nearest() -> None:
    with pytest.raises(ResnetkitError, match="no file of class names at cifar11") as raised:
        read_class_names("cifar11")
    assert "did you mean 'cifar10" in raised.value.fix
