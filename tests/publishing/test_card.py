"""A model card says what the run measured, in a form that the hub reads, and nothing of the machine."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resnetkit.classifier.decision import Decision, Sets, Unknown
from resnetkit.classifier.file import read_description
from resnetkit.evaluation.decision_scores import DecisionScores, SureScores
from resnetkit.evaluation.metrics import Accuracy
from resnetkit.publishing.card import model_card
from resnetkit.publishing.subject import Subject
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.result import finished_result


@pytest.fixture
def subject(run: RunFolder) -> Subject:
    result = finished_result(run)
    assert result is not None
    description = read_description(run.classifier_file)
    return Subject("me/digits", run.read_record(), result, description, "mit", None, "it has no such network")


def test_the_hub_reads_its_scores(subject: Subject) -> None:
    repocard = pytest.importorskip("huggingface_hub.repocard")
    card = repocard.ModelCard(model_card(subject), ignore_metadata_errors=False)
    assert (card.data.license, card.data.library_name) == ("mit", "resnetkit")
    assert card.data.pipeline_tag == "image-classification"
    assert "resnetkit" in card.data.tags
    by_split = {(one.dataset_split, one.metric_type): one for one in card.data.eval_results}
    top1 = subject.result.scores["test"].top1
    found = by_split["test", "accuracy"]
    assert found.metric_value == top1.value
    ends = f"{100 * top1.low:.2f} to {100 * top1.high:.2f}, n = {top1.num_images:,}"
    assert found.metric_name == f"top-1 accuracy (95 % interval {ends})"
    assert found.dataset_name == "digits"
    assert ("val", "accuracy") in by_split


def test_its_tables_have_every_score_and_class_with_intervals(subject: Subject) -> None:
    text = model_card(subject)
    scores = subject.result.scores["test"]
    assert f"| test | {scores.top1} | {scores.top5} | {scores.macro_f1:.4f}" in text
    for one in scores.classes:
        assert one.recall is not None
        ends = f"{100 * one.recall_low:.2f} to {100 * one.recall_high:.2f}"
        assert f"| {one.name} | {one.num_images:,} | {100 * one.recall:.2f} % ({ends}) |" in text
    assert subject.record.data.fingerprint in text
    assert "| optimizer.learning\\_rate | " in text
    assert "$ resnetkit predict hf://me/digits photo.jpg" in text
    assert "timm cannot read it: it has no such network" in text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epochs": 9}, "Validation images chose the epoch, too."),
        ({"epochs": 9, "keep": "last"}, "Validation images were watched in training, and chose nothing of it."),
    ],
)
def test_it_says_that_validation_chose_only_where_it_did(
    run: RunFolder, subject: Subject, settings: dict[str, Any], words: str
) -> None:
    record = replace(subject.record, recipe=replace(subject.record.recipe, **settings))
    run.write_record(record)
    result = finished_result(run)
    assert result is not None
    assert words in model_card(replace(subject, record=record, result=result))


def test_it_tells_the_epochs_that_ran_and_the_one_that_is_kept(subject: Subject) -> None:
    assert " 1 epoch, batches of " in model_card(subject)
    record = replace(subject.record, recipe=replace(subject.record.recipe, epochs=40, early_stopping_epochs=3))
    made = replace(subject.description, provenance={**subject.description.provenance, "epochs": 9, "kept_epoch": 6})
    told = "9 epochs of 40, where validation stopped it, of which the weights of epoch 6 are kept, batches of "
    assert told in model_card(replace(subject, record=record, description=made))


@pytest.mark.parametrize(("check", "what"), [("first", "names, classes and contents"), ("lazy", "names and classes:")])
def test_it_says_what_the_fingerprint_is_of(subject: Subject, check: Any, what: str) -> None:
    recipe = subject.record.recipe
    record = replace(subject.record, recipe=replace(recipe, data=replace(recipe.data, check=check)))
    assert f"SHA-256 over their {what}" in model_card(replace(subject, record=record))


def test_a_card_names_no_license_that_was_not_given_and_no_base_that_is_not_on_the_hub(subject: Subject) -> None:
    text = model_card(replace(subject, license=None))
    front = text.split("---")[1]
    assert "license" not in front
    assert "base_model" not in front
    tuned = replace(subject.record.recipe.fine_tuning, weights="hf://timm/resnet18.a1_in1k@v1/model.safetensors")
    record = replace(subject.record, recipe=replace(subject.record.recipe, fine_tuning=tuned))
    tuned_card = model_card(replace(subject, record=record))
    assert 'base_model: "timm/resnet18.a1_in1k"' in tuned_card
    assert "From the weights of hf://timm/resnet18.a1\\_in1k@v1/model.safetensors, " in tuned_card


def test_no_path_of_the_machine_is_in_it(subject: Subject, tmp_path: Path) -> None:
    recipe = subject.record.recipe
    secret = str(tmp_path / "anna" / "birds")
    data = replace(recipe.data, source=secret, data_dir="anna/photos", cache=secret)
    tuned = replace(recipe.fine_tuning, weights=f"{secret}/start.safetensors")
    record = replace(
        subject.record,
        recipe=replace(recipe, data=data, fine_tuning=tuned),
        command=f"resnetkit train {secret}",
        data=replace(subject.record.data, name=None),
        warnings=(f"odd files in {secret}",),
    )
    text = model_card(replace(subject, record=record))
    assert str(tmp_path) not in text.replace("\\", "")
    assert "anna" not in text
    assert "birds: " in text
    assert "the weights of start.safetensors" in text


def test_names_of_classes_and_data_are_text_and_no_markup(subject: Subject) -> None:
    names = ("---\nlicense: x", "<script>", "a|b", "[a](b)", 'q"uote', "ö😀", "\u202eabc", "_e_", "\x7f", "`x`")
    scores = subject.result.scores["test"]
    classes = tuple(replace(one, name=name) for one, name in zip(scores.classes, names, strict=True))
    result = replace(subject.result, scores={"test": replace(scores, classes=classes)})
    description = replace(subject.description, class_names=names)
    record = replace(subject.record, data=replace(subject.record.data, name='da"ta\n---\x7f😀'))
    text = model_card(replace(subject, result=result, description=description, record=record))
    repocard = pytest.importorskip("huggingface_hub.repocard")
    card = repocard.ModelCard(text, ignore_metadata_errors=False)
    assert card.data.license == "mit"
    assert card.data.eval_results[0].dataset_name == 'da"ta\\n---\\x7f😀'
    assert not re.search(r"(?<!\\)<script", text)
    assert "| a\\|b | " in text
    assert "\u202e" not in text
    assert [line for line in text.splitlines() if line == "---"] == ["---", "---"]


def test_many_classes_are_listed_and_not_tabled(subject: Subject) -> None:
    names = tuple(f"class{i}" for i in range(1000))
    text = model_card(replace(subject, description=replace(subject.description, class_names=names)))
    assert "class99 … (1,000)" in text
    assert "class100" not in text


def test_it_says_how_the_classifier_decides(subject: Subject) -> None:
    plain = replace(subject, description=replace(subject.description, decision=Decision()))
    assert "Every image is given one of the" in model_card(plain)
    judged = replace(subject.description, decision=Decision(1.5, Unknown(1.0, 0.05), sets=Sets("lac", 0.9, 0.95)))
    card = model_card(replace(subject, description=judged))
    assert "Every image is given one of the" not in card
    for told in (
        "- Temperature: 1.5.",
        "5 % of images of its classes may be called so",
        "true class of 95 % of images",
    ):
        assert told in card


def test_it_says_what_the_thresholds_come_to_on_test(subject: Subject) -> None:
    sure = SureScores(0.99, Accuracy.of(90, 90), Accuracy.of(90, 100))
    decided = DecisionScores(0.01, None, sure, None, None)
    card = model_card(replace(subject, result=replace(subject.result, decided=decided)))
    assert "- Sure and right: 100.00 % (95 % interval 95.91 to 100.00, n = 90), set for 99 %" in card
    assert "Sure and right" not in model_card(subject)
