"""What a text names, and two runs side by side."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.comparing.test_answers import answers_of

from resnetkit.classifier.classifier import Classifier
from resnetkit.comparing.anything import compare, compare_runs
from resnetkit.comparing.sides import Answered, Side
from resnetkit.comparing.subject import Run, Subject, find_subject
from resnetkit.data.spec import DataSpec
from resnetkit.errors import Code, ResnetkitError
from resnetkit.evaluation.metrics import score
from resnetkit.images.spec import Preprocessing
from resnetkit.models.catalog import CATALOG
from resnetkit.models.resnet import create_model
from resnetkit.recipes.recipe import Recipe
from resnetkit.runs.answer_files import write_answers
from resnetkit.runs.record import DataRecord, Record
from resnetkit.runs.result import Result

PREPROCESSING = Preprocessing(32, 32)
RECIPE = Recipe("small", "resnet20", CATALOG["resnet20"].spec, DataSpec("cifar10"), PREPROCESSING)


def a_run(recipe: Recipe, *, fingerprint: str = "same", correct: int = 3) -> Run:
    labels = torch.zeros(4, dtype=torch.int64).numpy()
    probabilities = torch.eye(2)[torch.tensor([0] * correct + [1] * (4 - correct))].numpy()
    data = DataRecord(fingerprint=fingerprint, class_names=("a", "b"), num_images={}, ignored_files=0, bad_images=())
    record = Record(recipe=recipe, command="", warnings=(), data=data, environment={})
    return Run(record, Result(Path("run"), {"test": score(probabilities, labels, ("a", "b"))}, 12.0))


def test_names_and_variations_are_networks() -> None:
    subject = find_subject("resnet20[join=shortcut_gate]")
    assert subject.spec is not None
    assert subject.spec.block.join.kind == "gated_add"
    assert (subject.image_size_px, subject.tensors, subject.run) == (32, None, None)
    assert find_subject("resnet20", image_size_px=64).image_size_px == 64


def test_files_are_what_they_hold(tmp_path: Path) -> None:
    network = create_model("resnet20", num_classes=2)
    Classifier(network, PREPROCESSING, ("a", "b")).save(tmp_path / "c.safetensors")
    torch.save(network.state_dict(), tmp_path / "w.pt")
    classifier, weights = find_subject(str(tmp_path / "c.safetensors")), find_subject(str(tmp_path / "w.pt"))
    assert classifier.classifier is not None
    assert (weights.classifier, weights.spec) == (None, None)
    together = compare(classifier, weights)
    assert together.networks is None
    assert together.tensors is not None
    assert {part.largest for part in together.tensors.distances} == {0.0}


def test_an_unfinished_run_says_so(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(ResnetkitError, match="no classifier") as caught:
        find_subject(str(tmp_path))
    assert caught.value.code is Code.WEIGHTS


def test_runs_tell_every_value_that_differs() -> None:
    other = replace(RECIPE, epochs=5, optimizer=replace(RECIPE.optimizer, learning_rate=0.05))
    compared = compare_runs(a_run(RECIPE), a_run(other, correct=4))
    assert {(d.field, d.a, d.b) for d in compared.recipe} == {
        ("epochs", "10", "5"),
        ("optimizer.learning_rate", "0.1", "0.05"),
    }
    assert compared.same_images
    assert [side.value for side in compared.scores["test"]] == [0.75, 1.0]
    assert compared.seconds == (12.0, 12.0)


def test_other_images_are_told_by_the_fingerprint_alone() -> None:
    assert not compare_runs(a_run(RECIPE), a_run(RECIPE, fingerprint="other")).same_images
    split_alike = a_run(replace(RECIPE, data=replace(RECIPE.data, split_seed=7)))
    assert compare_runs(a_run(RECIPE), split_alike).same_images, "splits that the data came with ask for no seed"


def test_a_run_without_scores_still_has_a_recipe() -> None:
    compared = compare_runs(a_run(RECIPE), replace(a_run(replace(RECIPE, seed=3)), result=None))
    assert [d.field for d in compared.recipe] == ["seed"]
    assert (compared.scores, compared.seconds) == ({}, None)


def test_of_two_that_have_nothing_in_common_it_says_what_each_is(tmp_path: Path) -> None:
    write_answers(tmp_path / "answers.npz", [answers_of([0], [0])])
    with pytest.raises(ResnetkitError, match="is a file of answers, resnet20 is a network without weights"):
        compare(tmp_path / "answers.npz", "resnet20")
    runs = Answered("five", "seeds", (Side("five/1", answers_of([0], [0])),), (tmp_path,))
    repeats = Subject("five", CATALOG["resnet20"].spec, 32, answered=runs)
    with pytest.raises(ResnetkitError, match=r"five is a folder of repeats, w\.pt is weights of an unknown network"):
        compare(repeats, Subject("w.pt", tensors={}))
