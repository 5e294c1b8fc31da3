"""Values in a notebook: each kind is shown, whole, small, escaped, and without a word to what is around it."""

import ast
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.html_page import HOSTILE, Page
from tests.small_decisions import MIXED, with_yardstick

import resnetkit
from resnetkit.anatomy.table import describe
from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.demanding import demanding
from resnetkit.classifier.prediction import Prediction, Predictions, Predictor
from resnetkit.comparing.anything import Comparison, compare
from resnetkit.evaluation.decision_scores import DecisionScores, SureScores
from resnetkit.evaluation.metrics import Accuracy, Scores, score
from resnetkit.evaluation.scoring import Evaluation
from resnetkit.explanation.explanation import Explanation, Explanations, HeatMap
from resnetkit.images.preprocessing import Window
from resnetkit.images.types import BadImage
from resnetkit.models.catalog import CATALOG
from resnetkit.notebook.values import MAX_EXPLANATIONS, MAX_MAP_CLASSES, MAX_PREDICTIONS, SHOWN
from resnetkit.pages.templates import fill_template
from resnetkit.runs.result import Result

SOURCE = Path(resnetkit.__file__).parent
MAX_BYTES = 120_000


def scores(num_classes: int = 3, names: list[str] | None = None) -> Scores:
    labels = np.arange(60) % num_classes
    given = (labels + (np.arange(60) % 7 == 0)) % num_classes
    probabilities = np.full((60, num_classes), 0.1 / (num_classes - 1))
    probabilities[np.arange(60), given] = 0.9
    return score(probabilities, labels, names or [f"class {i}" for i in range(num_classes)])


def prediction(source: str = "a.png") -> Prediction:
    return Prediction(source, "ok", top=((HOSTILE, 0.75), ("cat", 0.25)), note="has colour")


def explanation(side_px: int = 600) -> Explanation:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (side_px, side_px, 3), np.uint8)
    heat = HeatMap("grad_cam", "stage3", HOSTILE, None, random.random((8, 8), np.float32), grid=8)
    shares = np.array([0.75, 0.25], np.float32)
    return Explanation("a.png", "ok", "", image, Window(0, 0, side_px, side_px), shares, (HOSTILE, "cat"), (heat,))


def evaluation(of: Scores | None) -> Evaluation:
    bad = (BadImage("bad.png", HOSTILE),)
    return Evaluation("test", (), (), of, scores(), num_chose=4, bad_images=bad, warnings=(HOSTILE,))


@pytest.fixture
def values(make: Callable[..., Classifier]) -> dict[str, Any]:
    classifier = replace(make(), class_names=(HOSTILE, "cat", "dog"), provenance={"data": HOSTILE, "val_top1": 0.5})
    named = scores(names=[HOSTILE, "cat", "dog"])

    class Engine:
        name = "torch"

    return {
        "Description": describe(CATALOG["resnet50"].spec, 224),
        "Classifier": classifier,
        "Predictor": Predictor.of(classifier, Engine()),  # type: ignore[arg-type]
        "Prediction": prediction(HOSTILE),
        "Predictions": Predictions([prediction(), Prediction("no.png", "error", HOSTILE)]),
        "Evaluation": evaluation(named),
        "Result": Result(Path("gone"), {"val": named, "test": named}, 75.0, (BadImage("bad.png", HOSTILE),)),
        "Explanation": explanation(),
        "Explanations": Explanations([explanation(), Explanation("no.png", "error", HOSTILE)]),
        "Comparison": compare("resnet20", "resnet20[depths=[1,1,1]]"),
    }


def test_every_kind_is_shown_whole_small_and_escaped(values: dict[str, Any]) -> None:
    assert {name.rpartition(".")[2] for name in SHOWN} == set(values)
    for kind, value in values.items():
        html = value._repr_html_()
        assert len(html) < MAX_BYTES * (2 if "Explanation" in kind else 1), kind
        page = Page(html)
        assert page.open == []
        assert not page.all("script")
        assert all(image["src"].startswith("data:") for image in page.all("img")), kind
        assert "href" not in html
        assert "evil" not in html or "&lt;img src=&#34;https://evil" in html, kind


def test_who_has_html_is_in_the_table() -> None:
    found = set()
    for path in SOURCE.rglob("*.py"):
        source = path.read_text()
        for node in ast.walk(ast.parse(source)) if "def _repr_html_" in source else ():
            if isinstance(node, ast.ClassDef) and "_repr_html_" in {getattr(inner, "name", "") for inner in node.body}:
                found.add(".".join(("resnetkit", *path.relative_to(SOURCE).with_suffix("").parts, node.name)))
    assert found == set(SHOWN)


def test_rules_hold_for_the_value_alone_and_in_both_themes() -> None:
    css = fill_template("pages/value.css.jinja")
    depth, heads, start = 0, [], 0
    for place, letter in enumerate(css):
        if letter == "{" and depth == 0:
            heads.append(css[start:place].strip())
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "}" and depth == 0:
            start = place + 1
    assert depth == 0
    assert all(re.fullmatch(r"(:is\(.+\) )?\.resnetkit\.resnetkit", head) for head in heads)
    page = fill_template("pages/style.css.jinja")
    light, dark = page.split("prefers-color-scheme: dark")
    for name, one, other in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", css):
        assert f"--{name}: {one};" in light
        assert f"--{name}: {other};" in dark


def text_of(value: Any) -> str:
    return Page(value._repr_html_()).text


def test_a_result_tells_its_scores_with_intervals_though_its_folder_is_gone() -> None:
    text = text_of(Result(Path("gone"), {"test": scores()}, 75.0))
    one = scores().top1
    assert f"{100 * one.value:.2f} % top-1 on 60 test images" in text
    assert f"95 % interval {100 * one.low:.2f} to {100 * one.high:.2f} %" in text
    assert "training 1 min 15 s" in text
    assert text_of(Result(Path("gone"), {}, 1.0)).startswith("Not measured:")
    decided = DecisionScores(0.01, None, SureScores(0.99, Accuracy.of(90, 90), Accuracy.of(90, 100)), None, None)
    promised = text_of(Result(Path("gone"), {"test": scores()}, 75.0, decided=decided))
    assert "sure and right 100.00 % (95 % interval 95.91 to 100.00, n = 90), set for 99 %" in promised


@pytest.mark.parametrize("val_chose", [True, False])
def test_a_validation_score_is_said_to_have_chosen_the_epoch_where_it_has(val_chose: bool) -> None:
    text = text_of(Result(Path("gone"), {"val": scores()}, 1.0, val_chose=val_chose))
    assert ("which also chose the epoch" in text) == val_chose
    assert ("which were watched during training, but chose nothing of it" in text) != val_chose


def test_an_evaluation_of_nothing_but_known_images_measures_nothing() -> None:
    text = text_of(evaluation(None))
    assert text.startswith("Not measured:")
    assert "trained on, no measure" in text


def test_what_is_confused_is_drawn_for_few_classes_and_listed_for_many() -> None:
    few, many = (evaluation(scores(count)) for count in (MAX_MAP_CLASSES, MAX_MAP_CLASSES + 1))
    assert 'class="heat"' in few._repr_html_()
    assert 'class="heat"' not in many._repr_html_()
    assert "class 0 class 1" in text_of(many)


def test_an_image_without_an_answer_is_a_row_with_the_reason() -> None:
    text = text_of(Predictions([prediction(), Prediction("no.png", "error", "does not exist")]))
    assert "no.png no answer: it does not exist" in text
    assert "75.0 %" in text


def test_many_rows_are_cut_and_that_is_said() -> None:
    predictions = Predictions(prediction(f"{i}.png") for i in range(MAX_PREDICTIONS + 5))
    page = Page(predictions._repr_html_())
    assert len(page.all("tr")) == MAX_PREDICTIONS + 1
    assert page.text.endswith(f"The first {MAX_PREDICTIONS} of {MAX_PREDICTIONS + 5} images.")
    many = Explanations([explanation(8)] * (MAX_EXPLANATIONS + 1))
    assert f"The first {MAX_EXPLANATIONS} of {MAX_EXPLANATIONS + 1} images." in text_of(many)


def test_files_have_small_pictures_and_what_is_no_file_has_none(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((900, 1200, 3), np.uint8)).save(tmp_path / "large.jpg")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "tiny.png")
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    sources = [str(tmp_path / name) for name in ("large.jpg", "tiny.png", "broken.jpg")] + ["7"]
    images = Page(Predictions(map(prediction, sources))._repr_html_()).all("img")
    assert [image["class"] for image in images] == ["thumbnail smooth", "thumbnail pixelated"]
    assert all(len(image["src"]) < 3_000 for image in images)


def test_a_list_of_answers_is_a_list() -> None:
    assert Predictions([prediction()]) == [prediction()]
    assert Predictions([prediction()])[0] == prediction()


def test_two_equal_networks_are_said_to_be_the_same() -> None:
    assert "The networks are the same: 269,722 parameters." in text_of(compare("resnet20", "resnet20"))
    told: Comparison = compare("resnet20", "plain20")
    assert all(difference.why in text_of(told) for difference in told.networks.differences)  # type: ignore[union-attr]


def test_doubts_and_sets_are_told_in_place_of_a_class(make: Callable[..., Classifier]) -> None:
    top = ((HOSTILE, 0.75), ("cat", 0.25))
    rows = [
        Prediction("a.png", "unknown", top=top, classes=(HOSTILE,)),
        Prediction("b.png", "unsure", top=top, classes=(HOSTILE, "cat")),
        Prediction("c.png", "error", "is empty"),
    ]
    page = SHOWN["resnetkit.classifier.prediction.Predictions"](Predictions(rows))
    assert page.count("<b>unknown</b>") == page.count("<b>unsure</b>") == 1
    assert HOSTILE not in page
    assert page.count("<td>") > 0
    assert ">set</th>" in page
    assert ">set</th>" not in SHOWN["resnetkit.classifier.prediction.Prediction"](prediction())
    judged = demanding(with_yardstick(make()), MIXED)
    assert "hold the true class of 70 % of images" in SHOWN["resnetkit.classifier.classifier.Classifier"](judged)
