"""A classifier's scores on data: every image once, classes by name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.prediction import Predictor
from resnetkit.data.seen import SeenImages
from resnetkit.data.spec import DataSpec
from resnetkit.errors import Code, ResnetkitError
from resnetkit.evaluation.scoring import evaluate, match_classes
from resnetkit.images.spec import Preprocessing
from resnetkit.inference.torch_engines import plain_predictor
from resnetkit.models.resnet import create_model
from resnetkit.training.validation import quick_scores

PREPROCESSING = Preprocessing(8, 8, channels=1, mean=(0.3,), std=(0.4,), average_mirrored=True)


@pytest.fixture
def classifier() -> Classifier:
    network = create_model("resnet20", depths=[1, 1, 1], in_channels=1)
    return Classifier(network, PREPROCESSING, tuple("0123456789"))


@pytest.fixture
def predictor(classifier: Classifier) -> Predictor:
    return plain_predictor(classifier)


def test_all_splits_together_hold_every_image_once(predictor: Predictor) -> None:
    parts = [evaluate(predictor, "digits", split=split).scores for split in ("train", "val", "test")]
    whole = evaluate(predictor, "digits", split="all")
    assert whole.scores.top1.num_images == sum(part.top1.num_images for part in parts) == 1797
    assert whole.scores.top1.correct == sum(part.top1.correct for part in parts)
    assert [split.name for split in whole.splits] == ["train", "val", "test"]


def test_what_training_watches_is_what_evaluate_says(classifier: Classifier, predictor: Predictor) -> None:
    evaluation = evaluate(predictor, "digits", split="val")
    (split,) = evaluation.splits
    quick = quick_scores(classifier.network, PREPROCESSING, split)
    assert quick["val_top1"] == pytest.approx(evaluation.scores.top1.value)
    assert quick["val_loss"] == pytest.approx(evaluation.scores.log_loss, rel=1e-5)


def test_labels_follow_the_classifiers_order_of_names(classifier: Classifier, predictor: Predictor) -> None:
    straight = evaluate(predictor, "digits")
    reordered = Classifier(classifier.network, PREPROCESSING, tuple("9876543210"))
    swapped = evaluate(plain_predictor(reordered), "digits")
    (one,), (other,) = straight.answers, swapped.answers
    assert np.array_equal(other.labels, 9 - one.labels)
    assert np.array_equal(other.probabilities, one.probabilities)


@pytest.mark.parametrize(
    ("names", "known", "words"),
    [
        (["cat", "cow"], ["cat", "dog"], "does not know 'cow'; it knows 'cat', 'dog'"),
        (["Cat", "dog"], ["cat", "dog"], "does not know 'Cat'; alike are 'Cat' and 'cat'"),
        (["cat\u200b"], ["cat"], r"does not know 'cat\\u200b'; alike are 'cat\\u200b' and 'cat'"),
        (list("abcdefgh"), ["a"], "'f' and 2 more"),
    ],
)
def test_classes_that_the_classifier_does_not_know_are_refused(names: list[str], known: list[str], words: str) -> None:
    with pytest.raises(ResnetkitError, match=words) as caught:
        match_classes(names, known)
    assert caught.value.code == Code.DATA


def test_the_data_may_lack_classes_and_write_accents_in_another_way() -> None:
    assert match_classes(["cafe\u0301", "dog"], ["dog", "cat", "caf\u00e9"]).tolist() == [2, 0]
    assert match_classes(["caf\u00e9"], ["dog", "cafe\u0301"]).tolist() == [1]


def test_data_that_lack_classes_are_scored_over_the_others_and_it_is_said(predictor: Predictor, tmp_path: Path) -> None:
    whole = evaluate(predictor, "digits", split="all")
    for name in ("7", "3"):
        (tmp_path / name).mkdir()
    pixels = np.concatenate([split.images.read(np.arange(len(split))) for split in whole.splits])
    labels = np.concatenate([answers.labels for answers in whole.answers])
    chosen = [index for index, label in enumerate(labels) if label == 3]
    chosen += [index for index, label in enumerate(labels) if label == 7][:5]
    for index in chosen:
        Image.fromarray(pixels[index, 0]).save(tmp_path / str(labels[index]) / f"{index}.png")
    (tmp_path / "5").mkdir()
    part = evaluate(predictor, DataSpec(str(tmp_path), validation_fraction=0, test_fraction=0), split="all")
    assert part.scores.top1.num_images == len(chosen)
    is_right = np.concatenate([answers.is_right for answers in whole.answers])
    assert part.scores.top1.correct == is_right[chosen].sum()
    assert [entry.name for entry in part.scores.classes if entry.num_images] == ["3", "7"]
    assert part.scores.classes[5].recall is None
    told = "no images of '0', '1', '2', '4', '5' and 3 more: scored over the other 2 classes"
    assert part.warnings == (told,), "neither an empty class folder nor few images to train on"


def test_a_folder_without_splits_is_scored_whole_unless_a_split_is_asked_for(
    predictor: Predictor, tmp_path: Path
) -> None:
    for index in range(20):
        (tmp_path / str(index % 2)).mkdir(exist_ok=True)
        pixels = np.random.default_rng(index).integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / str(index % 2) / f"{index}.png")
    whole = evaluate(predictor, str(tmp_path))
    assert (whole.split, whole.num_images) == ("all", 20)
    assert evaluate(predictor, str(tmp_path), split="val").num_images < 20


def test_an_unknown_split_is_refused(predictor: Predictor) -> None:
    with pytest.raises(ResnetkitError, match="no tset split"):
        evaluate(predictor, "digits", split="tset")
    of_a_run = replace(predictor, seen=SeenImages(train="", val="", test=""))
    with pytest.raises(ResnetkitError, match="no tset split") as raised:
        evaluate(of_a_run, "digits", split="tset", num_recorded=1797)
    assert raised.value.fix == "did you mean 'test'?"
