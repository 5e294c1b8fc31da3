"""ResNetClassifier keeps scikit-learn's conventions, and trains an ordinary run honestly."""

import copy
import pickle
import signal
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from tests.small_estimators import SETTINGS, digits

import resnetkit
from resnetkit import ResNetClassifier, ResnetkitError
from resnetkit.estimators import image_classifier
from resnetkit.models.catalog import find_entry
from resnetkit.runs.folder import RunFolder
from resnetkit.training.interruption import Interrupted

pytestmark = pytest.mark.filterwarnings("ignore:a run of", "ignore:class", "ignore:train has", "ignore:batches")
IMAGES, NUMBERS = digits()


def tiny(**parameters: Any) -> ResNetClassifier:
    settings = SETTINGS | parameters.pop("settings", {})
    return ResNetClassifier("resnet20", epochs=2, settings=settings, random_state=0, **parameters)


@pytest.fixture(scope="module")
def fitted() -> ResNetClassifier:
    return tiny().fit(IMAGES, NUMBERS)


def test_nothing_is_done_before_fitting() -> None:
    given = {"no": "such setting"}
    estimator = ResNetClassifier("no such network", weights="none.pth", settings=given, epochs=-1)
    assert estimator.settings is given
    assert estimator.get_params()["network"] == "no such network"
    assert clone(estimator).get_params() == estimator.get_params()
    for ask in (estimator.predict, estimator.predict_proba, estimator.save):
        with pytest.raises(NotFittedError):
            ask(IMAGES)


def test_it_learns_and_answers_in_the_labels_of_y(fitted: ResNetClassifier) -> None:
    probabilities = fitted.predict_proba(IMAGES)
    assert probabilities.shape == (90, 3)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)
    assert fitted.classes_.tolist() == [0, 1, 2]
    answers = fitted.predict(IMAGES)
    assert answers.dtype == NUMBERS.dtype
    np.testing.assert_array_equal(answers, probabilities.argmax(1))
    assert fitted.score(IMAGES, NUMBERS) > 0.8


def test_some_of_the_images_choose_the_epoch_and_none_are_kept_for_a_test(fitted: ResNetClassifier) -> None:
    assert {name: scores.top1.num_images for name, scores in fitted.scores_.items()} == {"val": 9}
    assert fitted.classifier_.seen is not None
    assert fitted.run_ is None


def test_without_validation_all_images_are_trained_on(tmp_path: Path) -> None:
    estimator = tiny(validation_fraction=0, out=tmp_path).fit(IMAGES, NUMBERS)
    assert estimator.scores_ == {}
    assert estimator.run_ is not None
    record = RunFolder(estimator.run_).read_record()
    assert record.data.num_images == {"train": 90}
    assert estimator.classifier_.provenance["kept_epoch"] == 2
    assert (record.recipe.epochs, record.recipe.seed, record.recipe.model_name) == (2, 0, "resnet20")


def test_a_test_is_held_back_where_it_is_asked_for() -> None:
    scores = tiny(settings={"data.test_fraction": 0.2}).fit(IMAGES, NUMBERS).scores_
    assert {name: each.top1.num_images for name, each in scores.items()} == {"val": 9, "test": 18}


@pytest.mark.parametrize(
    "names", [["a", "b", "c"], [True, False, True], [10, 9, -1], [2.0, 1.0, 1.0], ["", "a\nb", "日本"]], ids=str
)
def test_labels_come_back_as_they_were(names: list[Any]) -> None:
    labels = np.array(names)[NUMBERS]
    estimator = ResNetClassifier("resnet20", epochs=1, settings=SETTINGS, random_state=0).fit(IMAGES, labels)
    np.testing.assert_array_equal(estimator.classes_, np.unique(labels))
    assert estimator.predict(IMAGES[:5]).dtype == labels.dtype
    assert estimator.classifier_.class_names == tuple(map(str, np.unique(labels).tolist()))


def test_a_seed_decides_all() -> None:
    first, same, other = (
        ResNetClassifier("resnet20", epochs=1, settings=SETTINGS, random_state=seed)
        .fit(IMAGES, NUMBERS)
        .predict_proba(IMAGES)
        for seed in (5, np.int64(5), np.random.RandomState(5))
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_images_in_any_form_give_the_same_answers(fitted: ResNetClassifier, tmp_path: Path) -> None:
    pixels = np.rint(IMAGES[:4] * 255).astype(np.uint8)
    files = [tmp_path / f"{number}.png" for number in range(4)]
    for file, image in zip(files, pixels, strict=True):
        Image.fromarray(image).save(file)
    expected = fitted.predict_proba(pixels)
    for form in (pixels[..., None], pixels / 255, files, list(map(str, files)), list(pixels), np.array(files, str)):
        np.testing.assert_array_equal(fitted.predict_proba(form), expected)
    np.testing.assert_array_equal(fitted.predict_proba([Image.open(file) for file in files]), expected)
    np.testing.assert_array_equal(fitted.predict_proba(np.empty((0, 8, 8))), np.empty((0, 3)))


def test_files_are_trained_on_as_arrays_are(fitted: ResNetClassifier) -> None:
    files = []
    for image in np.rint(IMAGES * 255).astype(np.uint8):
        file = BytesIO()
        Image.fromarray(image).save(file, "PNG")
        files.append(file.getvalue())
    np.testing.assert_array_equal(tiny().fit(files, NUMBERS).predict_proba(IMAGES), fitted.predict_proba(IMAGES))


def test_a_fitted_one_can_be_pickled_and_copied(fitted: ResNetClassifier) -> None:
    expected = fitted.predict_proba(IMAGES[:5])
    for copied in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        np.testing.assert_array_equal(copied.predict_proba(IMAGES[:5]), expected)
        np.testing.assert_array_equal(copied.classes_, fitted.classes_)
    assert not hasattr(clone(fitted), "classes_")


def test_a_saved_one_is_an_ordinary_classifier(fitted: ResNetClassifier, tmp_path: Path) -> None:
    fitted.save(tmp_path / "digits.safetensors")
    opened = resnetkit.open_predictor(tmp_path / "digits.safetensors", engine="torch")
    assert opened.class_names == ("0", "1", "2")
    pixels = list(np.rint(IMAGES[:5] * 255).astype(np.uint8))
    np.testing.assert_allclose(opened.predict_proba(pixels), fitted.predict_proba(IMAGES[:5]), atol=1e-5)


def test_weights_are_started_from_with_a_head_for_these_classes(fitted: ResNetClassifier, tmp_path: Path) -> None:
    fitted.save(tmp_path / "digits.safetensors")
    images, numbers = digits(40, classes=2)
    frozen = SETTINGS | {"fine_tuning.freeze": "stage3"}
    del frozen["model.depths"]
    tuned = ResNetClassifier(weights=tmp_path / "digits.safetensors", epochs=1, settings=frozen).fit(images, numbers)
    assert tuned.classifier_.class_names == ("0", "1")
    before, after = (each.classifier_.network.layer3[0].conv1.weight for each in (fitted, tuned))
    assert before.equal(after)


def test_a_network_may_be_a_value() -> None:
    spec = find_entry("resnet20").spec
    estimator = ResNetClassifier(spec, epochs=1, settings=SETTINGS).fit(IMAGES, NUMBERS)
    assert estimator.classifier_.network.spec.depths == (1, 1, 1)


def test_warnings_of_a_run_are_pythons() -> None:
    with pytest.warns(UserWarning, match="schedule.milestones has no effect") as told:
        tiny(settings={"schedule.milestones": [0.1]}).fit(IMAGES, NUMBERS)
    assert {Path(each.filename) for each in told} == {Path(__file__)}


@pytest.mark.parametrize("path", ["epochs", "seed", "data.validation_fraction", "fine_tuning.weights"])
def test_a_setting_that_is_a_parameter_is_refused(path: str) -> None:
    with pytest.raises(ResnetkitError, match=f"{path} stands in settings"):
        tiny(settings={path: 1}).fit(IMAGES, NUMBERS)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (NUMBERS[:-1], "inconsistent numbers of samples"),
        (NUMBERS + 0.5, "Unknown label type"),
        (None, "y should be a 1d array"),
        (np.array(["a", 1, "b"], object)[NUMBERS], "all texts or all numbers"),
        (np.array(["a", None, "b"], object)[NUMBERS], "none missing"),
    ],
)
def test_what_are_no_classes_is_refused(labels: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        tiny().fit(IMAGES, labels)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"network": 50}, "network must be str or ResNetSpec, got int"),
        ({"weights": b"file"}, "weights must be str or PathLike, got bytes"),
        ({"settings": ["epochs"]}, "settings must be Mapping, got list"),
    ],
    ids=str,
)
def test_parameters_of_another_kind_are_refused(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(ResnetkitError, match=said):
        ResNetClassifier(**parameters).fit(IMAGES, NUMBERS)


def test_one_image_is_too_few() -> None:
    with pytest.raises(ResnetkitError, match="one training image is too few"):
        tiny().fit(IMAGES[:1], NUMBERS[:1])


@pytest.mark.parametrize(("number", "ends"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_stop_is_no_failed_fit(number: int, ends: type, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object, **settings: object) -> None:
        raise Interrupted(number)

    monkeypatch.setattr(image_classifier, "train", interrupted)
    with pytest.raises(ends):
        cross_val_score(tiny(), IMAGES, NUMBERS, cv=2)


def test_a_failed_refit_leaves_what_was_fitted(fitted: ResNetClassifier) -> None:
    again = copy.deepcopy(fitted)
    with pytest.raises(ResnetkitError):
        again.fit(IMAGES * 16, NUMBERS == 0)
    np.testing.assert_array_equal(again.classes_, fitted.classes_)
    np.testing.assert_array_equal(again.predict(IMAGES), fitted.predict(IMAGES))


@pytest.mark.slow
def test_it_works_in_cross_validation_side_by_side() -> None:
    scores = cross_val_score(tiny(), IMAGES, NUMBERS, cv=2, n_jobs=2)
    assert scores.min() > 0.6


@pytest.mark.slow
def test_it_works_in_a_search_within_a_pipeline() -> None:
    pipeline = Pipeline([("invert", FunctionTransformer(lambda images: 1 - images)), ("network", tiny())])
    search = GridSearchCV(pipeline, {"network__epochs": [1, 3]}, cv=2).fit(IMAGES, NUMBERS)
    assert search.best_params_ == {"network__epochs": 3}
    assert search.score(IMAGES, NUMBERS) > 0.8
    assert search.classes_.tolist() == [0, 1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("ensemble", [True, False])
def test_it_can_be_calibrated(ensemble: bool) -> None:
    calibrated = CalibratedClassifierCV(tiny(), method="temperature", cv=2, ensemble=ensemble).fit(IMAGES, NUMBERS)
    np.testing.assert_allclose(calibrated.predict_proba(IMAGES).sum(1), 1, atol=1e-6)
    assert calibrated.score(IMAGES, NUMBERS) > 0.7
