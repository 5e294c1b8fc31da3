"""Predictors opened for whatever is named, as people who write Python do."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.small_decisions import MIXED, images_in, with_yardstick

import resnetkit
from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.demanding import demanding
from resnetkit.errors import Code, ResnetkitError
from resnetkit.inference import predictors
from resnetkit.inference.predictors import open_predictor, predict
from resnetkit.inference.torch_engines import plain_predictor

IMAGES = [np.random.default_rng(i).integers(0, 256, (20, 30, 3), dtype=np.uint8) for i in range(3)]


def test_a_run_its_file_and_the_classifier_itself_answer_alike(make: Callable[..., Classifier], tmp_path: Path) -> None:
    classifier = make()
    (tmp_path / "recipe.json").write_text("{}")
    classifier.save(tmp_path / "classifier.safetensors")
    expected = plain_predictor(classifier).predict_proba(IMAGES)
    for source in (tmp_path, str(tmp_path / "classifier.safetensors"), classifier):
        predictor = resnetkit.open_predictor(source, engine="torch")
        np.testing.assert_allclose(predictor.predict_proba(IMAGES), expected, atol=2e-6)
        assert (predictor.class_names, predictor.limits) == (classifier.class_names, classifier.limits)


def test_what_had_to_be_assumed_of_weights_is_told(
    make: Callable[..., Classifier], monkeypatch: pytest.MonkeyPatch
) -> None:
    assumed = replace(make(), provenance={"warnings": ["its classes have no names"]})
    monkeypatch.setattr(predictors, "open_described", lambda source, device: assumed)
    told: list[str] = []
    open_predictor("weights.pth", engine="torch", device="cpu", tell=told.append)
    assert told == ["warning: its classes have no names"]


def test_a_classifier_computes_where_it_is(make: Callable[..., Classifier]) -> None:
    with pytest.raises(ResnetkitError, match="a classifier computes where its network is") as raised:
        open_predictor(make(), device="cpu")
    assert raised.value.code is Code.USAGE


def test_predict_opens_what_it_is_given_for_as_many_images(
    make: Callable[..., Classifier], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = plain_predictor(make())
    asked: list[tuple[object, int]] = []

    def opened(source: object, *, batch_size: int) -> resnetkit.Predictor:
        asked.append((source, batch_size))
        return predictor

    monkeypatch.setattr(predictors, "open_predictor", opened)
    expected = predictor.predict(IMAGES, top=2)
    assert predict("run", IMAGES, top=2) == resnetkit.predict(predictor, IMAGES, top=2) == expected
    assert predict("run", iter(IMAGES), top=2) == expected
    assert predict("run", []) == []
    with pytest.raises(ResnetkitError, match="one image was given"):
        predict("run", "photo.jpg")
    assert asked == [("run", 3), ("run", 64), ("run", 1)]


def test_demands_take_the_place_of_a_classifiers_thresholds(make: Callable[..., Classifier], tmp_path: Path) -> None:
    classifier = with_yardstick(make())
    classifier.save(tmp_path / "classifier.safetensors")
    images = images_in(tmp_path / "images", classifier)
    expected = plain_predictor(demanding(classifier, MIXED)).predict(images)
    assert {row.status for row in expected} == {"ok", "unsure", "unknown"}
    for source in (tmp_path / "classifier.safetensors", classifier):
        found = open_predictor(source, engine="torch", demands=MIXED).predict(images)
        assert [(row.status, row.classes) for row in found] == [(row.status, row.classes) for row in expected]
    with pytest.raises(ResnetkitError, match="resnetkit calibrate"):
        open_predictor(make(), demands=MIXED)
