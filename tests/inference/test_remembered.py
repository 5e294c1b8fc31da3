"""What is kept about a choice: found again only where everything it depends on is the same."""

import hashlib
import os
from dataclasses import fields, replace
from pathlib import Path

import pytest

from resnetkit.errors import ResnetkitError
from resnetkit.graphs.agreement import Agreement
from resnetkit.inference import remembered as cache_module
from resnetkit.inference.conditions import Conditions, find_conditions
from resnetkit.inference.engines import ENGINES
from resnetkit.inference.remembered import Cache, Record, user_folder
from resnetkit.inference.trials import Trial

RECORD = Record(
    "onnxruntime", (Trial("onnxruntime", Agreement(1e-6, 1e-7, 0, 8), 0.01), Trial("torch", problem="no")), b"graph"
)
GRAPH = f"graph-{hashlib.sha256(b'graph').hexdigest()[:16]}.onnx"
DIGEST = hashlib.sha256(b"").hexdigest()  # of the file below


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run" / "classifier.safetensors"
    path.parent.mkdir()
    path.touch()
    return path


@pytest.fixture
def conditions() -> Conditions:
    return replace(find_conditions(batch_size=8, device="cpu"), engines=tuple(ENGINES))


def test_a_choice_is_kept_beside_the_classifier(file: Path, conditions: Conditions, cache_folder: Path) -> None:
    Cache(DIGEST, file).write(conditions, RECORD)
    assert Cache(DIGEST, file).read(conditions) == RECORD
    assert (file.parent / ".classifier.safetensors.engines" / DIGEST[:16] / GRAPH).read_bytes() == b"graph"
    assert not cache_folder.exists()


def test_without_a_file_it_is_kept_in_the_users_cache(conditions: Conditions, cache_folder: Path) -> None:
    Cache(DIGEST).write(conditions, Record("torch", ()))
    assert Cache(DIGEST).read(conditions) == Record("torch", ())
    assert user_folder().is_relative_to(cache_folder)


def test_a_folder_that_cannot_be_written_gives_way_to_the_users_cache(file: Path, conditions: Conditions) -> None:
    # A file where the folder should be: refused to every user, the superuser too.
    (file.parent / ".classifier.safetensors.engines").touch()
    Cache(DIGEST, file).write(conditions, RECORD)
    assert Cache(DIGEST, file).read(conditions) == RECORD
    assert (user_folder() / DIGEST[:16] / GRAPH).is_file()


def test_where_nothing_can_be_written_that_is_an_error(file: Path, conditions: Conditions, cache_folder: Path) -> None:
    (file.parent / ".classifier.safetensors.engines").touch()
    cache_folder.touch()
    with pytest.raises(ResnetkitError, match="cannot write"):
        Cache(DIGEST, file).write(conditions, RECORD)
    assert Cache(DIGEST, file).read(conditions) is None


OTHERS = {
    "engines": ("onnxruntime", "torch"),
    "precision": "bf16",
    "calibrate": "/photos",
    "batch_size": 4,
    "num_threads": 1_000,
    "device": "cuda:0",
    "device_name": "H100",
    "processor": "another",
    "num_cores": 1_000,
    "variables": {"OMP_WAIT_POLICY": "another"},
    "versions": {"torch": "1.0"},
}


@pytest.mark.parametrize("changed", [field.name for field in fields(Conditions)])
def test_a_choice_holds_for_its_conditions_only(changed: str, file: Path, conditions: Conditions) -> None:
    Cache(DIGEST, file).write(conditions, RECORD)
    other = replace(conditions, **{changed: OTHERS[changed]})
    assert other.digest() != conditions.digest()
    assert Cache(DIGEST, file).read(other) is None


def test_a_choice_holds_for_its_classifier_only(file: Path, conditions: Conditions) -> None:
    Cache(DIGEST, file).write(conditions, RECORD)
    assert Cache("b" * 64, file).read(conditions) is None
    assert Cache(DIGEST[:-1] + "b", file).read(conditions) is None  # the same folder, another classifier


def test_settings_of_the_instruction_set_are_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    before = find_conditions(device="cpu")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    after = find_conditions(device="cpu")
    assert dict(after.variables) == {**before.variables, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    assert after.digest() != before.digest()


DAMAGES = {
    "cut": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "a list": lambda content: b"[]",
    "too deep": lambda content: b"[" * 100_000,
    "not text": lambda content: b"\xff" * 10,
    "an earlier format": lambda content: content.replace(b"choice 3", b"choice 2"),  # graphs had one name
    "an engine that was not asked": lambda content: content.replace(b'"onnxruntime",\n "graph', b'"x",\n "graph'),
    "trials of another kind": lambda content: content.replace(b"max_difference", b"min_difference"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_as_if_it_were_not_there(damage: str, file: Path, conditions: Conditions) -> None:
    cache = Cache(DIGEST, file)
    cache.write(conditions, RECORD)
    (record,) = file.parent.rglob("*.json")
    content = record.read_bytes()
    assert DAMAGES[damage](content) != content
    record.write_bytes(DAMAGES[damage](content))
    assert cache.read(conditions) is None
    cache.write(conditions, RECORD)
    assert cache.read(conditions) == RECORD


def test_a_damaged_or_missing_graph_is_as_if_there_were_no_choice(file: Path, conditions: Conditions) -> None:
    cache = Cache(DIGEST, file)
    cache.write(conditions, RECORD)
    (graph,) = file.parent.rglob(GRAPH)
    graph.write_bytes(b"grapH")
    assert cache.read(conditions) is None
    graph.unlink()
    assert cache.read(conditions) is None


def test_beside_a_file_only_its_newest_content_is_remembered(file: Path, conditions: Conditions) -> None:
    for content in (b"a", b"b"):
        file.write_bytes(content)
        Cache.beside(file).write(conditions, RECORD)
    folder = file.parent / ".classifier.safetensors.engines"
    assert [path.name for path in folder.iterdir()] == [hashlib.sha256(b"b").hexdigest()[:16]]


def test_nothing_is_kept_of_a_classifier_that_was_replaced_meanwhile(file: Path, conditions: Conditions) -> None:
    before = Cache.beside(file)
    file.write_bytes(b"another")
    before.write(conditions, RECORD)
    assert before.read(conditions) is None
    file.unlink()
    before.write(conditions, RECORD)
    assert before.read(conditions) is None


def test_the_users_cache_does_not_grow_without_end(conditions: Conditions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "NUM_KEPT", 2)
    other = user_folder() / "not ours"
    other.mkdir(parents=True)
    for number, letter in enumerate("abcd"):
        Cache(letter * 64).write(conditions, RECORD)
        os.utime(user_folder() / (letter * 16), (number, number))
    assert {path.name for path in user_folder().iterdir()} == {"c" * 16, "d" * 16, "not ours"}
    assert Cache("c" * 64).read(conditions) == RECORD  # used now, so it outlives the other
    Cache("e" * 64).write(conditions, RECORD)
    assert {path.name for path in user_folder().iterdir()} == {"c" * 16, "e" * 16, "not ours"}
