"""Pictures of why a prepared image is taken for one class or another; and a run's mistakes, which never stop it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tests.small_classifiers import SMALL

from resnetkit.classifier.classifier import Classifier
from resnetkit.evaluation.mistakes import Mistake
from resnetkit.explanation import prepared
from resnetkit.explanation.exhibits import explain_mistakes
from resnetkit.explanation.methods import METHODS
from resnetkit.explanation.prepared import iter_pictures
from resnetkit.inference.torch_engines import open_plain
from resnetkit.runs.report import THUMBNAIL_PX

Make = Callable[..., Classifier]
NAMES = ("class 0", "class 2")


def mistake(classifier: Classifier) -> Mistake:
    pixels = np.random.default_rng(0).integers(0, 256, classifier.preprocessing.image_shape, np.uint8)
    return Mistake("a.png", pixels, *NAMES, 0.6, 0.1)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_for_each_class_the_same_each_time(channels: int, make: Make) -> None:
    classifier = make(replace(SMALL, in_channels=channels))
    engine, asked = open_plain(classifier, batch_size=1), [(mistake(classifier).pixels, NAMES)] * 2
    first, second = iter_pictures(classifier, engine, asked, side_px=48)
    assert [picture.shape for picture in first] == [(48, 48, 3)] * 2
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert (first[0] != first[1]).any()


def test_the_pictures_of_an_image_have_one_scale(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = make()
    engine, pixels = open_plain(classifier, batch_size=1), mistake(classifier).pixels
    heats = iter([np.full((16, 16), value, np.float32) for value in (0.1, 1, 1)])
    grad_cam = METHODS["grad_cam"]
    monkeypatch.setattr(type(grad_cam), "compute", lambda *_: next(heats))
    ((pale, strong), (alone,)) = iter_pictures(classifier, engine, [(pixels, NAMES), (pixels, NAMES[:1])], side_px=48)
    assert (strong == alone).all()
    assert np.ptp(pale.astype(int), axis=2).mean() < np.ptp(strong.astype(int), axis=2).mean() / 2


def test_mistakes_are_explained_for_the_true_and_the_predicted_class(make: Make) -> None:
    classifier = make()
    heard: list[str] = []
    (why,) = explain_mistakes(classifier, [mistake(classifier)], heard.append)
    asked = [(mistake(classifier).pixels, NAMES)]
    (pictures,) = iter_pictures(classifier, open_plain(classifier, batch_size=1), asked, side_px=THUMBNAIL_PX)
    assert (why.true == pictures[0]).all()
    assert (why.predicted == pictures[1]).all()
    assert heard == []


def test_a_failure_is_told_and_is_no_end(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = make()
    heard: list[str] = []
    monkeypatch.setattr(prepared, "strongest", lambda _: 1 / 0)
    assert explain_mistakes(classifier, [mistake(classifier)], heard.append) == []
    assert heard == ["the report shows no heat maps of mistakes: ZeroDivisionError: division by zero"]
