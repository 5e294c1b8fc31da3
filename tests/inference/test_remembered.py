"""What is kept about a choice: found again only where everything it depends on is the same."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from resnetkit.errors import ResnetkitError
from resnetkit.graphs.agreement import Agreement
from resnetkit.inference import remembered as cache_module
from resnetkit.inference.engines import ENGINES
from resnetkit.inference.remembered import Cache, Record, make_key, user_folder
from resnetkit.inference.trials import Trial

KINDS = tuple(ENGINES.values())
RECORD = Record(
    "onnxruntime", (Trial("onnxruntime", Agreement(1e-6, 1e-7, 0, 8), 0.01), Trial("torch", problem="no")), b"graph"
)
DIGEST = hashlib.sha256(b"").hexdigest()  # of the file below


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run" / "classifier.safetensors"
    path.parent.mkdir()
    path.touch()
    return path


@pytest.fixture
def key() -> dict[str, Any]:
    return make_key(KINDS, batch_size=8, num_threads=2)


def test_a_choice_is_kept_beside_the_classifier(file: Path, key: dict[str, Any], cache_folder: Path) -> None:
    Cache(DIGEST, file).write(key, RECORD)
    assert Cache(DIGEST, file).read(key) == RECORD
    assert (file.parent / ".classifier.safetensors.engines" / DIGEST[:16] / "graph.onnx").read_bytes() == b"graph"
    assert not cache_folder.exists()


def test_without_a_file_it_is_kept_in_the_users_cache(key: dict[str, Any], cache_folder: Path) -> None:
    Cache(DIGEST).write(key, Record("torch", ()))
    assert Cache(DIGEST).read(key) == Record("torch", ())
    assert user_folder().is_relative_to(cache_folder)


def test_a_folder_that_cannot_be_written_gives_way_to_the_users_cache(file: Path, key: dict[str, Any]) -> None:
    # A file where the folder should be: refused to every user, the superuser too.
    (file.parent / ".classifier.safetensors.engines").touch()
    Cache(DIGEST, file).write(key, RECORD)
    assert Cache(DIGEST, file).read(key) == RECORD
    assert (user_folder() / DIGEST[:16] / "graph.onnx").is_file()


def test_where_nothing_can_be_written_that_is_an_error(file: Path, key: dict[str, Any], cache_folder: Path) -> None:
    (file.parent / ".classifier.safetensors.engines").touch()
    cache_folder.touch()
    with pytest.raises(ResnetkitError, match="cannot write"):
        Cache(DIGEST, file).write(key, RECORD)
    assert Cache(DIGEST, file).read(key) is None


@pytest.mark.parametrize(
    "changed", ["engines", "batch_size", "num_threads", "precision", "processor", "num_cores", "versions"]
)
def test_a_choice_holds_for_its_key_only(changed: str, file: Path, key: dict[str, Any]) -> None:
    Cache(DIGEST, file).write(key, RECORD)
    assert Cache(DIGEST, file).read({**key, changed: "another"}) is None


def test_a_choice_holds_for_its_classifier_only(file: Path, key: dict[str, Any]) -> None:
    Cache(DIGEST, file).write(key, RECORD)
    assert Cache("b" * 64, file).read(key) is None
    assert Cache(DIGEST[:-1] + "b", file).read(key) is None  # the same folder, another classifier


def test_each_precision_and_device_has_its_own_choice(key: dict[str, Any]) -> None:
    assert make_key(KINDS, batch_size=8, num_threads=2, precision="bf16") == {**key, "precision": "bf16"} != key
    assert make_key(KINDS, batch_size=8, num_threads=2, device="H100") == {**key, "device": "H100"} != key


def test_settings_of_the_instruction_set_are_part_of_the_key(
    key: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert make_key(KINDS, batch_size=8, num_threads=2) != key


DAMAGES = {
    "cut": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "a list": lambda content: b"[]",
    "too deep": lambda content: b"[" * 100_000,
    "not text": lambda content: b"\xff" * 10,
    "an earlier format": lambda content: content.replace(b"choice 2", b"choice 1"),  # its graph gave probabilities
    "an engine that was not asked": lambda content: content.replace(b'"onnxruntime",\n "graph', b'"x",\n "graph'),
    "trials of another kind": lambda content: content.replace(b"max_difference", b"min_difference"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_as_if_it_were_not_there(damage: str, file: Path, key: dict[str, Any]) -> None:
    cache = Cache(DIGEST, file)
    cache.write(key, RECORD)
    (record,) = file.parent.rglob("*.json")
    content = record.read_bytes()
    assert DAMAGES[damage](content) != content
    record.write_bytes(DAMAGES[damage](content))
    assert cache.read(key) is None
    cache.write(key, RECORD)
    assert cache.read(key) == RECORD


def test_a_damaged_or_missing_graph_is_as_if_there_were_no_choice(file: Path, key: dict[str, Any]) -> None:
    cache = Cache(DIGEST, file)
    cache.write(key, RECORD)
    (graph,) = file.parent.rglob("graph.onnx")
    graph.write_bytes(b"grapH")
    assert cache.read(key) is None
    graph.unlink()
    assert cache.read(key) is None


def test_beside_a_file_only_its_newest_content_is_remembered(file: Path, key: dict[str, Any]) -> None:
    for content in (b"a", b"b"):
        file.write_bytes(content)
        Cache.beside(file).write(key, RECORD)
    folder = file.parent / ".classifier.safetensors.engines"
    assert [path.name for path in folder.iterdir()] == [hashlib.sha256(b"b").hexdigest()[:16]]


def test_nothing_is_kept_of_a_classifier_that_was_replaced_meanwhile(file: Path, key: dict[str, Any]) -> None:
    before = Cache.beside(file)
    file.write_bytes(b"another")
    before.write(key, RECORD)
    assert before.read(key) is None
    file.unlink()
    before.write(key, RECORD)
    assert before.read(key) is None


def test_the_users_cache_does_not_grow_without_end(key: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "NUM_KEPT", 2)
    other = user_folder() / "not ours"
    other.mkdir(parents=True)
    for number, letter in enumerate("abcd"):
        Cache(letter * 64).write(key, RECORD)
        os.utime(user_folder() / (letter * 16), (number, number))
    assert {path.name for path in user_folder().iterdir()} == {"c" * 16, "d" * 16, "not ours"}
    assert Cache("c" * 64).read(key) == RECORD  # used now, so it outlives the other
    Cache("e" * 64).write(key, RECORD)
    assert {path.name for path in user_folder().iterdir()} == {"c" * 16, "e" * 16, "not ours"}
