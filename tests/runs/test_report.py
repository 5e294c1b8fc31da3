"""The page: self-contained, complete, safe against whatever names hold, and true to the numbers."""

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.html_page import HOSTILE, Page

from resnetkit.data.types import DataAudit
from resnetkit.evaluation.metrics import Scores, score
from resnetkit.evaluation.mistakes import Mistake
from resnetkit.runs.report import Report, Why, render_report, write_report
from resnetkit.runs.report_curves import learning_curves

SECTIONS = ["result", "curves", "confusion", "classes", "mistakes", "network", "recipe", "environment", "repeat"]


def scores_of(class_names: Sequence[str], num_images: int = 200, skill: float = 3.0) -> Scores:
    rng = np.random.default_rng(len(class_names))
    labels = rng.integers(0, len(class_names), num_images)
    logits = rng.normal(size=(num_images, len(class_names))) + skill * np.eye(len(class_names))[labels]
    return score(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), labels, class_names)


def epoch(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "epoch": number,
        "train_loss": 1 / number,
        "train_top1": 1 - 0.5 / number,
        "val_loss": 1.1 / number,
        "val_top1": 1 - 0.6 / number,
        "learning_rate": 0.1,
        "images_per_second": 1000.0,
        "elapsed_seconds": 2.0 * number,
    } | changes


def full_report(class_names: Sequence[str] = ("cat", "dog", "fish"), **changes: Any) -> Report:
    pixels = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)
    parts = {
        "title": "resnet20 on pets",
        "command": "resnetkit train pets --set 'a.b=\"c\"'",
        "summary": [("Data", "200 pets")],
        "history": [epoch(1), epoch(2), epoch(3, val_top1=0.123)],
        "scores": {"val": scores_of(class_names, 100), "test": scores_of(class_names)},
        "judged": "test",
        "mistakes": [Mistake("pets/1.png", pixels, class_names[0], class_names[1], 0.97, 0.02)],
        "parts": [
            {
                "name": "stem",
                "output_shape": (16, 8, 8),
                "blocks": "",
                "layers": "3×3",
                "parameters": 1432,
                "multiply_adds": 9216,
            }
        ],
        "recipe": {"epochs": 3, "optimizer": {"kind": "sgd", "momentum": 0.9}},
        "environment": {"torch": "2.13.0"},
        "notes": ["2 images were left out."],
    }
    return Report(**(parts | changes))


def test_every_section_is_there_and_says_its_figures() -> None:
    report = full_report()
    page = Page(render_report(report))
    assert page.sections == SECTIONS
    assert not page.open, "every tag is closed"
    top1 = report.scores["test"].top1
    for said in (
        f"{100 * top1.value:.2f} % test top-1",
        f"95 % interval {100 * top1.low:.2f} to {100 * top1.high:.2f} %",
        f"On the validation images: {report.scores['val'].top1}",
        "highest in epoch 2: 70.00 %",
        "3 epochs took 6.0 s, at 1,000 images per second",
        "2 images were left out.",
        "97.0 % sure true class 2.0 %",
        "stem 16 × 8 × 8 3×3 1,432 9,216",
        "optimizer.momentum 0.9",
        "torch 2.13.0",
        report.command,
    ):
        assert said in page.text


@pytest.mark.parametrize("class_names", [("cat", "dog"), tuple(f"class {i}" for i in range(100))])
def test_it_requests_nothing(class_names: Sequence[str]) -> None:
    html = render_report(full_report(class_names))
    page = Page(html)
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster", "style"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, attributes)
    assert "@import" not in html
    assert "url(" not in html
    policies = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policies[0].startswith("default-src 'none'"), "and the browser would refuse, should it try"


def test_hostile_strings_stay_text_everywhere() -> None:
    harmless = Page(render_report(full_report(("a", "b"))))
    pixels = np.zeros((3, 8, 8), np.uint8)
    hostile = Page(
        render_report(
            full_report(
                (HOSTILE, HOSTILE + "2"),
                title=HOSTILE,
                command=HOSTILE,
                summary=[(HOSTILE, HOSTILE)],
                mistakes=[Mistake(HOSTILE, pixels, HOSTILE, HOSTILE, 0.9, 0.1)],
                recipe={HOSTILE: {HOSTILE: [HOSTILE]}},
                environment={HOSTILE: HOSTILE},
                notes=[HOSTILE],
            )
        )
    )
    for tag in ("script", "img", "style", "link"):
        assert len(hostile.all(tag)) == len(harmless.all(tag)), tag
    assert not [attributes for _, attributes in hostile.elements if any(name.startswith("on") for name in attributes)]
    assert not hostile.open
    assert HOSTILE in hostile.text, "braces are not evaluated either"


@pytest.mark.parametrize("val_chose", [True, False])
def test_without_test_images_it_says_so_and_what_validation_did(val_chose: bool) -> None:
    scores = {"val": scores_of(["a", "b"])}
    page = Page(render_report(full_report(scores=scores, judged="val", val_chose=val_chose)))
    assert "validation top-1" in page.text
    assert "No test images were scored." in page.text
    assert ("The validation images also chose the epoch" in page.text) == val_chose
    assert ("were watched during training, but chose nothing of it" in page.text) != val_chose


def test_without_any_scores_it_says_so_and_keeps_the_rest() -> None:
    page = Page(render_report(full_report(scores={}, judged=None)))
    assert "Not measured" in page.text
    assert page.sections == ["result", "curves", "mistakes", "network", "recipe", "environment", "repeat"]


def test_the_least_report_has_a_result_and_a_command() -> None:
    page = Page(render_report(Report(title="run", command="resnetkit train digits")))
    assert page.sections == ["result", "repeat"]
    assert not page.open


def test_a_single_epoch_without_validation_is_drawn() -> None:
    history = [epoch(1, val_loss=None, val_top1=float("nan"), images_per_second=None)]
    page = Page(render_report(full_report(history=history)))
    labels = [svg["aria-label"] for svg in page.all("svg") if svg["class"] == "lines"]
    assert list(dict.fromkeys(labels)) == [
        "Loss by epoch: train from 1 to 1",
        "Top-1 by epoch: train from 50\N{NO-BREAK SPACE}% to 50\N{NO-BREAK SPACE}%",
        "Learning rate by epoch: rate from 0.1 to 0.1",
    ]
    assert "1 epoch took 2.0 s." in page.text
    assert "highest in epoch" not in page.text


def test_epochs_without_a_validation_leave_no_gap_in_its_line() -> None:
    history = [epoch(number) for number in range(1, 7)]
    for row in history[::2]:
        del row["val_loss"], row["val_top1"]
    charts = [Page(chart) for chart in learning_curves(history)]
    lines = [path["d"] for chart in charts for path in chart.all("path") if path.get("class") == "series-0"]
    # Validation in the first two charts, the learning rate in the third: each one line through all its points.
    assert [line.count("L") + 1 for line in lines if "L" in line] == [3, 3, 6]


def test_history_keys_may_be_missing() -> None:
    history = [{"epoch": 1, "train_loss": 2.0}, {"epoch": 2, "train_loss": 1.0}]
    page = Page(render_report(full_report(history=history)))
    assert [svg["aria-label"] for svg in page.all("svg") if svg["class"] == "lines"] == [
        "Loss by epoch: train from 2 to 1",  # and on a log scale
        "Loss by epoch: train from 2 to 1",
    ]


@pytest.mark.parametrize(("loss", "num_charts"), [(0.1, 2), (0.0, 1)])
def test_a_log_scale_only_of_what_has_logarithms(loss: float, num_charts: int) -> None:
    page = Page(render_report(full_report(history=[{"epoch": 1, "train_loss": 1.0}, {"epoch": 2, "train_loss": loss}])))
    assert len([svg for svg in page.all("svg") if svg["class"] == "lines"]) == num_charts


def test_a_run_that_has_not_finished_says_so_and_shows_its_curves() -> None:
    page = Page(render_report(full_report(is_finished=False, scores={}, judged=None, mistakes=[])))
    assert "Not finished" in page.text
    assert "its curves are those of 3 epochs" in page.text
    assert page.sections == ["result", "curves", "network", "recipe", "environment", "repeat"]


@pytest.mark.parametrize(("num_classes", "is_drawn"), [(2, True), (30, True), (31, False), (100, False)])
def test_a_heat_map_only_while_its_cells_are_readable(num_classes: int, is_drawn: bool) -> None:
    page = Page(render_report(full_report([f"class {i}" for i in range(num_classes)])))
    assert ("heat" in [svg["class"] for svg in page.all("svg")]) == is_drawn
    assert "The most frequent mistakes" in page.text


def test_perfect_answers_have_no_confused_pairs() -> None:
    page = Page(render_report(full_report(scores={"test": scores_of(["a", "b"], skill=99.0)}, mistakes=[])))
    assert "all test images were classified correctly" in page.text
    assert "mistakes" not in page.sections


def test_an_undefined_score_is_a_dash_that_sorts_last() -> None:
    perfect = score(np.eye(3)[[0, 0]], np.array([0, 1]), ["a", "b", "c"])
    page = Page(render_report(full_report(scores={"test": perfect})))
    cells = [cell["data-value"] for cell in page.all("td") if "data-value" in cell]
    assert cells[4:8] == ["1", "", "0.0", "0.0"], "class b: images, precision, F1, recall"
    assert cells[8:] == ["0", "", "", ""]
    assert "nan" not in page.text.lower()


@pytest.mark.parametrize(
    ("shape", "mode", "size", "kind"),
    [
        ((1, 8, 8), "L", (8, 8), "pixelated"),
        ((3, 8, 12), "RGB", (12, 8), "pixelated"),
        ((2, 8, 8), "L", (8, 8), "pixelated"),
        ((3, 224, 224), "RGB", (160, 160), "smooth"),
    ],
)
def test_thumbnails_show_the_image(shape: tuple[int, ...], mode: str, size: tuple[int, int], kind: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    page = Page(render_report(full_report(mistakes=[Mistake("x", pixels, "a", "b", 0.9, 0.1)])))
    (image,) = page.all("img")
    png = Image.open(io.BytesIO(base64.b64decode(image["src"].split(",")[1])))
    assert (png.mode, png.size, image["class"], image["alt"]) == (mode, size, kind, "x")
    if kind == "pixelated":
        shown = np.asarray(png) if mode == "RGB" else np.asarray(png)[:, :, None]
        np.testing.assert_array_equal(shown.transpose(2, 0, 1), pixels[: shown.shape[2]])


def test_maps_of_a_mistake_stand_beside_it() -> None:
    why = Why(np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 255, np.uint8))
    page = Page(render_report(full_report((HOSTILE, "dog"), why=[why])))
    names = ["pets/1.png", f"Grad-CAM for {HOSTILE}", "Grad-CAM for dog"]
    assert [image["alt"] for image in page.all("img")] == names
    assert f"for {HOSTILE} for dog {HOSTILE} → dog" in page.text
    assert "both have one scale" in page.text
    assert not page.open
    assert "Grad-CAM" not in Page(render_report(full_report())).text


def test_a_file_name_that_is_not_utf8_does_not_stop_the_report(tmp_path: Path) -> None:
    path = tmp_path / "run" / "report.html"
    write_report(path, full_report(notes=["left out: caf\udce9.png"]))
    assert r"left out: caf\udce9.png" in path.read_text("utf-8")
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_the_images_themselves_are_told_of_as_far_as_the_run_looked() -> None:
    audit = DataAudit(2, 1, 0, {"train": (30, 10), "test": (4, 5)})
    report = replace(full_report(("cat", "dog")), audit=audit, class_names=("cat", "dog"))
    report = replace(report, look_closer="resnetkit audit pets")
    page = Page(render_report(report))
    assert "data" in page.sections
    for said in (
        "2 images are in an earlier split too: the score is too good by them.",
        "1 picture is under several classes",
        "No image is there twice.",
        "resnetkit audit pets",
        "cat 30 4 75.0 %",
        "dog 10 5 25.0 %",
    ):
        assert said in page.text
    assert "data" not in Page(render_report(replace(report, audit=None))).sections
    named_by_a_program = Page(render_report(replace(report, look_closer="")))
    assert "resnetkit audit" not in named_by_a_program.text
