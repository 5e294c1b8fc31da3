"""Every scored image on a report's page: in an order worth reading, with pictures as long as there is room for them."""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.html_page import HOSTILE, Page
from tests.small_reports import answers_of, report_of, split_of

from resnetkit.pages.templates import for_script
from resnetkit.runs import report_images
from resnetkit.runs.report import render_report
from resnetkit.runs.report_images import ScoredImages, by_interest, draw_pictures, margins, root_of

NAMES = ("cat", "dog", "fish")


def test_wrong_answers_come_first_the_surest_at_the_top_then_the_least_sure_right_ones() -> None:
    answers = answers_of(NAMES, 60)
    rows = by_interest(answers)
    right, sure = answers.is_right[rows], answers.confidences[rows]
    num_wrong = int((~right).sum())
    assert 0 < num_wrong < 60
    assert sorted(rows.tolist()) == list(range(60))
    assert not right[:num_wrong].any()
    assert sure[:num_wrong].tolist() == sorted(sure[:num_wrong].tolist(), reverse=True)
    assert sure[num_wrong:].tolist() == sorted(sure[num_wrong:].tolist())


def test_images_that_were_trained_on_are_not_listed() -> None:
    answers = replace(answers_of(NAMES, 10), trained_on=np.arange(10) < 4)
    assert sorted(by_interest(answers).tolist()) == [4, 5, 6, 7, 8, 9]
    assert ScoredImages.of(answers, {}, None).num_images == 6


def test_columns_are_those_of_the_answers_and_the_margin_is_to_the_next_class() -> None:
    answers = answers_of(NAMES, 20)
    values = ScoredImages.of(answers, {}, "/data").as_values()
    for place, row in enumerate(by_interest(answers).tolist()):
        highest, second, _ = sorted(answers.probabilities[row].tolist(), reverse=True)
        assert values["image"][place] == answers.identifiers[row]
        assert (values["true"][place], values["answer"][place]) == (answers.labels[row], answers.predicted[row])
        assert values["probability"][place] == round(highest, 6)
        assert values["margin"][place] == pytest.approx(highest - second, abs=1e-6)
        assert values["true_probability"][place] == round(float(answers.true_probabilities[row]), 6)
    alone = answers_of(("all",), 3)
    assert margins(alone).tolist() == [1, 1, 1]


def test_pictures_are_of_the_images_that_most_deserve_a_look_while_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = answers_of(NAMES, 30)
    rows, split = np.arange(30), split_of(answers)
    pictures = draw_pictures(answers, split, rows)
    assert sorted(pictures) == list(range(30))
    for row, code in pictures.items():
        assert (np.asarray(Image.open(io.BytesIO(base64.b64decode(code)))) == row).all(), "its own pixels, exactly"
    first = by_interest(answers)[:7].tolist()
    monkeypatch.setattr(report_images, "PICTURE_CHARACTERS", sum(len(pictures[row]) for row in first))
    monkeypatch.setattr(report_images, "ROWS_TOGETHER", 4)
    assert draw_pictures(answers, split, rows) == {row: pictures[row] for row in first}
    shown = ScoredImages.of(answers, draw_pictures(answers, split, rows), None)
    assert shown.num_pictures == 7
    assert "pictures of 7 of 30" in Page(render_report(replace(report_of(answers), images=shown))).text


def test_pictures_of_what_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = answers_of(NAMES, 12)
    rows = np.array([9, 2, 5])  # the others are gone
    pictures = draw_pictures(answers, split_of(answers).select(rows), rows)
    assert sorted(pictures) == [2, 5, 9]
    assert all(
        np.asarray(Image.open(io.BytesIO(base64.b64decode(code))))[0, 0, 0] == row for row, code in pictures.items()
    )


def test_of_too_many_images_those_that_most_deserve_a_look_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_images, "MAX_ROWS", 5)
    answers = answers_of(NAMES, 30)
    page = Page(render_report(report_of(answers)))
    assert "Listed are the first 5 of 30; all are in predictions.csv" in page.text
    paths = [identifier for identifier in answers.identifiers if identifier in page.text]
    assert set(paths) == {answers.identifiers[row] for row in by_interest(answers)[:5]}


def test_without_scripts_the_page_lists_the_first_images() -> None:
    page = Page(render_report(report_of(answers_of(NAMES, 300), has_pictures=False)))
    assert "The first 100 of 300." in page.text
    assert "The page holds no pictures of them." in page.text
    hidden = [attributes for _, attributes in page.elements if "data-script" in attributes]
    assert hidden
    assert all("hidden" in attributes for attributes in hidden), "nothing shows that does nothing"


def test_no_two_elements_have_one_id() -> None:
    page = Page(render_report(report_of(answers_of(NAMES, 40))))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert sorted(set(ids)) == sorted(ids)


def test_names_cannot_leave_the_data_of_the_script() -> None:
    hostile = answers_of((HOSTILE, "\u202egnp.exe"), 8)
    html = render_report(report_of(hostile, root=f"/data/{HOSTILE}"))
    data = html.split('<script type="application/json" id="embedded">')[1].split("</script>")[0]
    assert json.loads(data)["images"]["root"] == f"/data/{HOSTILE}"
    assert json.loads(data)["classes"] == list(hostile.class_names)
    assert "<" not in data
    assert data.isascii()
    assert len(Page(html).all("script")) == 2
    for text in ("http://a:b@c", "x" * 40 + "://y@z"):
        assert json.loads(for_script([text, "@"])) == [text, "@"]


@pytest.mark.parametrize("name", ["digits", "nowhere/at/all"])
def test_images_that_are_no_files_have_no_folder(name: str) -> None:
    assert root_of(name) is None


def test_the_folder_of_images_is_told_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "list.csv").touch()
    monkeypatch.chdir(tmp_path)
    assert root_of("photos") == str(tmp_path / "photos")
    assert root_of("list.csv") == str(tmp_path), "names in a list are relative to it"
