"""Explanations of images that are unknown or unsure: they say so, and explain the most probable class all the same."""

from collections.abc import Callable
from pathlib import Path

from tests.small_decisions import MIXED, images_in, with_yardstick

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.demanding import demanding
from resnetkit.explanation.explaining import iter_explanations
from resnetkit.explanation.explanation import Asked
from resnetkit.explanation.page import Heading, render_page
from resnetkit.inference.torch_engines import plain_predictor
from resnetkit.notebook.values import html_of
from resnetkit.serving.explained import explained


def test_the_status_is_that_of_predict_and_is_told_wherever_the_answer_is(
    make: Callable[..., Classifier], tmp_path: Path
) -> None:
    classifier = demanding(with_yardstick(make()), MIXED)
    files = images_in(tmp_path, classifier, 12)
    rows = plain_predictor(classifier).predict(files)
    found = list(iter_explanations(classifier, files, Asked(), engine="torch"))
    assert [each.status for each in found] == [row.status for row in rows]
    assert {row.status for row in rows} == {"ok", "unsure", "unknown"}
    for each, row in zip(found, rows, strict=True):
        assert each.maps[0].class_name == row.top[0][0]
        page = "".join(render_page(Heading("a", ("grad_cam",), "command"), [each]))
        values, _ = explained(each)
        for text in (page, html_of(each), " ".join([*values["words"], "sure" if row.status == "ok" else ""])):
            assert ("it is like none of the classes" in text) == (row.status == "unknown")
            assert ("no class is probable enough to be named" in text) == (row.status == "unsure")
            assert " sure" in text or row.status != "ok"
