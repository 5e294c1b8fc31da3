"""scikit-learn's own checks, counted.

They hand over tables. An estimator that takes none is asked one thing, and passes; so here rows become images of one
line.
"""

import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import torch
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted, validate_data
from tests.small_estimators import SETTINGS

from resnetkit import Classifier, ResNetClassifier, ResNetFeatures
from resnetkit.estimators.conventions import iter_pixels, on_device, warn
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.models.resnet import create_model


def test_a_network_is_moved_as_a_copy_and_stays_where_it_is_if_it_is_there() -> None:
    network = create_model("resnet20", num_classes=2, in_channels=1)
    assert on_device(network, torch.device("cpu")) is network
    moved = on_device(network, torch.device("meta"))
    assert {tensor.device.type for tensor in moved.state_dict().values()} == {"meta"}
    assert {tensor.device.type for tensor in network.state_dict().values()} == {"cpu"}


def as_images(rows: np.ndarray) -> np.ndarray:
    """Images ``(N, 1, F)``, each of one row alone, whatever its values."""
    return 1 / (1 + np.exp(-rows.astype(np.float64)[:, None, :]))


class OfRows:
    """Takes tables, validated by scikit-learn, in place of images."""

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803
        return super().fit(as_images(validate_data(self, X)), y)  # type: ignore[misc, no-any-return]

    def seen(self, rows: Any) -> np.ndarray:
        check_is_fitted(self)
        return as_images(validate_data(self, rows, reset=False))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.two_d_array, tags.input_tags.three_d_array, tags.input_tags.string = True, False, False
        return tags


class ClassifierOfRows(OfRows, ResNetClassifier):
    def predict_proba(self, X: Any) -> Any:  # noqa: N803
        return super().predict_proba(self.seen(X))


class FeaturesOfRows(OfRows, ResNetFeatures):
    def transform(self, X: Any) -> Any:  # noqa: N803
        return super().transform(self.seen(X))


def checks_of(estimator: Any, expected: Mapping[str, str] | None = None) -> Counter[str]:
    """How many checks ended how; those that fail though they are not expected to are told, and so are the others."""
    with warnings.catch_warnings(action="ignore"):
        results = check_estimator(estimator, expected_failed_checks=dict(expected or {}), on_fail=None, on_skip=None)
    failed = {each["check_name"]: str(each["exception"]) for each in results if each["status"] == "failed"}
    assert not failed
    assert {each["check_name"] for each in results if each["status"] == "xfail"} == set(expected or {})
    return Counter(each["status"] for each in results)


@pytest.mark.parametrize("estimator", [ResNetClassifier(), ResNetFeatures()], ids=lambda each: type(each).__name__)
def test_as_they_are_one_check_is_all_there_is(estimator: Any) -> None:
    assert checks_of(estimator) == {"passed": 1}
    tags = estimator.__sklearn_tags__().input_tags
    assert (tags.one_d_array, tags.two_d_array, tags.three_d_array, tags.string) == (False, False, True, True)


def test_features_of_rows_pass(tmp_path: Path) -> None:
    network = create_model("resnet20[depth=8]", num_classes=2, in_channels=1)
    Classifier(network, Preprocessing(8, 8, 1, (0.5,), (0.5,)), ("a", "b")).save(tmp_path / "classifier.safetensors")
    counted = checks_of(FeaturesOfRows(weights=tmp_path / "classifier.safetensors"))
    assert counted["passed"] >= 40, counted


def test_what_a_network_does_not_see_is_warned_of_once_and_where_it_was_asked() -> None:
    photos = np.zeros((70, 8, 8, 3), np.uint8)
    photos[::2, ..., 0] = 255
    grey = Preprocessing(8, 8, 1, (0.5,), (0.5,))
    with pytest.warns(UserWarning, match="has colour") as told:
        batches = list(iter_pixels(photos, grey, Limits(), batch_size=32))
    assert [batch.shape for batch in batches] == [(32, 1, 8, 8), (32, 1, 8, 8), (6, 1, 8, 8)]
    assert [(str(each.message), Path(each.filename)) for each in told] == [
        ("35 of 70 images: each has colour, which the classifier does not see", Path(__file__))
    ]
    with warnings.catch_warnings(action="error"):
        list(iter_pixels(photos[1::2], grey, Limits(), batch_size=32))


def test_warnings_point_past_the_packages_between() -> None:
    with pytest.warns(UserWarning, match="told") as told:
        FunctionTransformer(warn).transform("told")
    assert [Path(each.filename) for each in told] == [Path(__file__)]


@pytest.mark.slow
def test_a_classifier_of_rows_passes() -> None:
    settings = SETTINGS | {"augmentation.pad_px": 0, "preprocessing.image_size_px": 8}
    expected = {"check_fit2d_1sample": "one image cannot be trained on: refused by ResnetkitError, as all is here"}
    counted = checks_of(ClassifierOfRows("resnet20", epochs=1, settings=settings), expected)
    assert counted["passed"] >= 50, counted
