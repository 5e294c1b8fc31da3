"""All runs below a folder: each in its state, what differs, in any order, none hidden."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resnetkit.config import to_dict
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.evaluation.metrics import score
from resnetkit.images.spec import Preprocessing
from resnetkit.models.catalog import CATALOG
from resnetkit.recipes.recipe import Recipe
from resnetkit.runs.differences import differing_records
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.listing import COLUMNS, list_runs
from resnetkit.runs.record import DataRecord, Record
from resnetkit.runs.repeats import Repeats, write_repeats

RECIPE = Recipe("small", "resnet20", CATALOG["resnet20"].spec, DataSpec("cifar10"), Preprocessing(32, 32))
EPOCH = {"step": 4, "train_loss": 1.0, "train_top1": 0.5, "elapsed_seconds": 7.0}


def record_of(recipe: Recipe, **changes: Any) -> Record:
    data = DataRecord(
        name="CIFAR-10", fingerprint="f", class_names=("a", "b"), num_images={}, ignored_files=0, bad_images=()
    )
    return replace(Record(recipe=recipe, command="", warnings=(), data=data, environment={"torch": "2"}), **changes)


MakeRun = Callable[..., RunFolder]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    def make(name: str, recipe: Recipe = RECIPE, *, epochs: int = 1, correct: int | None = None) -> RunFolder:
        folder = RunFolder(tmp_path / name)
        folder.path.mkdir(parents=True)
        folder.write_record(record_of(recipe))
        folder.record("start", step=0)
        for epoch in range(epochs):
            folder.record("epoch", epoch=epoch + 1, **EPOCH)
        if correct is not None:
            labels = np.zeros(10, np.int64)
            scores = score(np.eye(2)[[0] * correct + [1] * (10 - correct)], labels, ("a", "b"))
            folder.record("end", step=4, seconds=9.0, scores={"test": to_dict(scores)}, num_trained_on={})
        return folder

    return make


def test_each_run_is_in_its_state(make_run: MakeRun, tmp_path: Path) -> None:
    make_run("1", correct=8)
    make_run("2", epochs=3)
    make_run("3").record("diverged", step=5, quantity="train loss", learning_rate=9.0)
    make_run("4").recipe_file.write_text("{")
    make_run("5").recipe_file.unlink()
    torn = make_run("6", correct=8)
    torn.metrics_file.write_text(torn.metrics_file.read_text().replace('"top1"', '"top_1"'))
    cut = make_run("8", epochs=2)
    with open(cut.metrics_file, "a") as file:
        file.write('{"event": "epo')
    held = make_run("7")
    (tmp_path / "photos" / "cats").mkdir(parents=True)
    with held.locked():
        rows = list_runs(tmp_path).rows
    assert [(row.run.name, row.status, row.epoch) for row in rows] == [
        ("1", "finished", 1),
        ("2", "interrupted", 3),
        ("3", "diverged", 1),
        ("4", "damaged", None),
        ("5", "damaged", None),
        ("6", "damaged", None),
        ("7", "running", 1),
        ("8", "interrupted", 2),
    ]
    assert "no recipe.json" in rows[4].reason
    assert "damaged" in rows[3].reason
    best, stopped = rows[0], rows[1]
    assert best.top1 is not None
    assert (best.top1.value, best.split, best.seconds, best.data) == (0.8, "test", 9.0, "CIFAR-10")
    assert (stopped.top1, stopped.seconds) == (None, 7.0)
    assert not any(RunFolder(row.run).is_running for row in rows)


def test_a_run_before_its_record_is_running_while_it_is_locked(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run("1")
    folder.recipe_file.unlink()
    with folder.locked():
        assert [row.status for row in list_runs(tmp_path).rows] == ["running"]


def test_what_most_runs_have_is_not_told(make_run: MakeRun, tmp_path: Path) -> None:
    for seed in (0, 1, 0):
        make_run(f"a{len(list(tmp_path.iterdir()))}", replace(RECIPE, seed=seed))
    make_run("b", replace(RECIPE, model=replace(RECIPE.model, depths=(1, 1, 1))))
    make_run("c", replace(RECIPE, model_name="resnet32", model=CATALOG["resnet32"].spec))
    make_run("d", replace(RECIPE, epochs=99, data=DataSpec("digits")))
    told = {row.run.name: dict(row.differs) for row in list_runs(tmp_path).rows}
    assert told == {"a0": {}, "a1": {"seed": "1"}, "a2": {}, "b": {"model.depths": "[1, 1, 1]"}, "c": {}, "d": {}}


def test_any_column_sorts_and_what_lacks_it_comes_last(make_run: MakeRun, tmp_path: Path) -> None:
    make_run("1", correct=7)
    make_run("2")
    make_run("3", replace(RECIPE, model_name="resnet8"), correct=9)
    assert [row.run.name for row in list_runs(tmp_path, sort="test_top1").rows] == ["3", "1", "2"]
    assert [row.run.name for row in list_runs(tmp_path, sort="network").rows] == ["1", "2", "3"]
    assert [row.run.name for row in list_runs(tmp_path, sort="test_top1", most=1).rows] == ["3"]
    for column in COLUMNS:
        assert len(list_runs(tmp_path, sort=column).rows) == 3
    with pytest.raises(ResnetkitError, match="no column") as caught:
        list_runs(tmp_path, sort="test_top")
    assert "test_top1" in caught.value.fix


def test_repeats_and_studies_are_looked_into_and_runs_are_not(make_run: MakeRun, tmp_path: Path) -> None:
    make_run("runs/0001-seeds/0001-a")
    make_run("runs/0001-seeds/0001-a/checkpoints/odd")
    write_repeats(tmp_path / "runs" / "0001-seeds", Repeats(by="seeds", runs=("0001-a",)))
    make_run("studies/x/arm-seed-0/0001-a")
    make_run(".hidden/0001-a")
    rows = list_runs(tmp_path).rows
    assert [str(row.run.relative_to(tmp_path)) for row in rows] == [
        "runs/0001-seeds/0001-a",
        "studies/x/arm-seed-0/0001-a",
    ]
    assert [row.repeats for row in rows] == [tmp_path / "runs" / "0001-seeds", None]


def test_only_the_end_of_the_events_is_read(make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_run("1", epochs=3)
    with open(folder.metrics_file, "a") as file:
        file.write(json.dumps({"event": "note", "text": "x" * 200_000}) + "\n")
    folder.record("epoch", epoch=4, **EPOCH)
    (found,) = list_runs(tmp_path).rows
    assert found.epoch == 4
    shutil.rmtree(folder.path)
    folder = make_run("1", correct=8)
    monkeypatch.setattr(RunFolder, "events", None)
    (found,) = list_runs(tmp_path).rows
    assert found.status == "finished"


def test_only_what_differs_is_told() -> None:
    one = record_of(RECIPE)
    assert differing_records(one, one).is_empty
    other = record_of(replace(RECIPE, seed=4), environment={"torch": "3"}, command="other", warnings=("w",))
    found = differing_records(one, replace(other, data=replace(one.data, fingerprint="g")))
    assert [(d.field, d.a, d.b) for d in found.recipe] == [("seed", "0", "4")]
    assert [(d.field, d.a, d.b) for d in found.environment] == [("torch", "2", "3")]
    assert [(d.field, d.a, d.b) for d in found.data] == [("fingerprint", "f", "g")]
    assert found.weights == ()
