"""What people are told of a classifier, and thumbnails of its run's images: of these alone, whatever is asked for."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.fake_served import FakeServed, client_of, describe, picture
from tests.serving.test_rows import ask

from resnetkit.classifier.decision import Decision, Sure, Unknown
from resnetkit.config import to_dict
from resnetkit.data.seen import SeenImages
from resnetkit.evaluation.answers import Answers, score_answers
from resnetkit.runs.folder import RunFolder

GOLDEN = Path(__file__).parents[1] / "golden" / "earlier_recipe.json"
CLASSES = ("ant", "<b>bee</b>")
IDENTIFIERS = (
    *("ant/0.png", "ant/1.png", "bee/größe.png", "bee/gone.png", "bee/damaged.png"),
    *("../outside.png", "/etc/hostname", "bee/../../outside.png", ""),
)


def get(path: str) -> Any:
    return lambda client: client.get(path)


def answers_of(identifiers: tuple[str, ...], *, trained_on: int = -1) -> Answers:
    size = len(identifiers)
    shares = np.linspace(0.1, 0.9, size, dtype=np.float32)
    return Answers(
        "test",
        CLASSES,
        identifiers,
        np.arange(size).astype(np.uint64),
        np.arange(size) % 2,
        np.arange(size) == trained_on,
        np.stack([shares, 1 - shares], axis=1),
    )


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run on a folder of images, beside which lies another."""
    photos = tmp_path / "photos"
    for number, name in enumerate(IDENTIFIERS[:3]):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(picture(number, (200, 300)))
    (photos / "bee/damaged.png").write_bytes(picture()[:80])
    (tmp_path / "outside.png").write_bytes(picture())
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    tree = json.loads(GOLDEN.read_text())
    tree["recipe"]["data"]["source"] = str(photos)
    run.recipe_file.write_text(json.dumps(tree))
    answers = answers_of(IDENTIFIERS, trained_on=1)
    run.write_answers([answers])
    scores = score_answers(answers)
    run.record("end", scores={"test": to_dict(scores)}, seconds=12.0)
    return run


def client_for(run: RunFolder) -> Any:
    return client_of(FakeServed(source=str(run.path)))


def test_all_that_is_known_is_told_but_digests(run: RunFolder) -> None:
    served = FakeServed(source=str(run.path))
    served.description = replace(describe(model="small"), seen=SeenImages(train="AAAA"))
    listed, told = ask(client_of(served), get("/models"), get("/models/shapes"))
    in_short = {"name": "shapes", "version": "0123456789ab", "state": "ready", "num_classes": 3, "network": "small"}
    in_short["problem"] = ""
    assert listed.json() == {"models": [in_short]}
    about = told.json()
    assert in_short.items() <= about.items()
    assert not {"seen", "reference", "file"} & set(about["description"])
    assert about["description"]["class_names"] == list(served.description.class_names)
    assert about["description"]["preprocessing"]["image_size_px"] == 16
    assert "</svg>" in about["network_svg"]
    assert about["num_parameters"] > 0
    assert about["multiply_adds"] > 0
    assert set(about["scores"]) == {"test"}
    top1 = about["scores"]["test"]["top1"]
    assert top1["low"] <= top1["value"] <= top1["high"]
    assert top1["num_images"] == len(IDENTIFIERS) - 1
    assert about["training"]["num_images"] == {"train": 1293, "val": 145, "test": 359}
    assert "grad_cam" in about["methods"]
    assert about["limits"]["max_request_images"] == 256
    assert about["has_results"]


def test_one_that_is_no_run_has_no_results() -> None:
    about, results, picture = ask(
        client_of(), get("/models/shapes"), get("/models/shapes/results"), get("/models/shapes/results/images/0")
    )
    assert [about.json()[name] for name in ("scores", "training", "has_results")] == [None, None, False]
    assert [results.status_code, picture.status_code] == [404, 404]


def test_passwords_of_addresses_are_not_told() -> None:
    (told,) = ask(client_of(FakeServed(source="http://ada:secret@host/x")), get("/models/shapes"))
    assert "secret" not in told.text


def test_rows_are_those_that_the_scores_are_of(run: RunFolder) -> None:
    results = ask(client_for(run), get("/models/shapes/results"))[0].json()
    answers = run.read_answers()["test"]
    assert (results["split"], results["class_names"], results["num_images"]) == ("test", list(CLASSES), 8)
    assert [row["index"] for row in results["rows"]] == [0, 2, 3, 4, 5, 6, 7, 8]
    for row in results["rows"]:
        index = row["index"]
        assert row == {
            "index": index,
            "path": IDENTIFIERS[index],
            "true": CLASSES[answers.labels[index]],
            "answer": CLASSES[answers.predicted[index]],
            "status": "ok",
            "probability": float(answers.confidences[index]),
            "true_probability": float(answers.true_probabilities[index]),
        }
    right = sum(row["true"] == row["answer"] for row in results["rows"])
    assert right == answers.is_right[~answers.trained_on].sum()


@pytest.mark.parametrize("is_kept", [True, False])
def test_rows_have_the_statuses_that_the_server_would_give(run: RunFolder, is_kept: bool) -> None:
    familiar = np.arange(len(IDENTIFIERS), dtype=np.float32)
    run.write_answers([replace(answers_of(IDENTIFIERS), familiarity=familiar if is_kept else None)])
    served = FakeServed(source=str(run.path))
    decision = Decision(unknown=Unknown(2.0, 0.1), sure=Sure(0.75, 0.9))
    served.description = replace(served.description, decision=decision)
    rows = ask(client_of(served), get("/models/shapes/results"))[0].json()["rows"]
    expected = ["unknown", "unknown", "unsure", "unsure", "unsure", "unsure", "unsure", "ok", "ok"]
    assert [row["status"] for row in rows] == (expected if is_kept else [None] * len(IDENTIFIERS))


def test_results_are_read_again_when_they_have_changed(run: RunFolder) -> None:
    (before,) = ask(client_for(run), get("/models/shapes/results"))
    run.write_answers([answers_of(IDENTIFIERS[:2])])
    (after,) = ask(client_for(run), get("/models/shapes/results"))
    assert [before.json()["num_images"], after.json()["num_images"]] == [8, 2]


def test_thumbnails_of_a_list_start_from_its_folder_and_stay_in_it(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "photos" / "list.csv").write_text("path,label\nant/0.png,ant\n")
    tree = json.loads(run.recipe_file.read_text())
    tree["recipe"]["data"]["source"] = str(tmp_path / "photos" / "list.csv")
    run.recipe_file.write_text(json.dumps(tree))
    codes = [
        ask(client_for(run), get(f"/models/shapes/results/images/{row}?size=64"))[0].status_code for row in (0, 5, 6, 7)
    ]
    assert codes == [200, 404, 404, 404]


def test_thumbnails_are_small_and_of_the_images_of_the_rows_alone(run: RunFolder) -> None:
    images = "/models/shapes/results/images/"
    numbers = [*range(len(IDENTIFIERS)), len(IDENTIFIERS), "-1", "x", "0%2F..", "9" * 5000, "٠"]
    found = ask(client_for(run), *(get(f"{images}{number}?size=64") for number in numbers))
    assert [answer.status_code for answer in found] == [200] * 3 + [404] * (len(numbers) - 3)
    for answer in found[:3]:
        assert answer.headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(answer.content)).size == (64, 43)


@pytest.mark.parametrize("size", ["0", "-1", "15", "1025", "x", "", "9" * 30])
def test_sizes_are_bounded(run: RunFolder, size: str) -> None:
    assert ask(client_for(run), get(f"/models/shapes/results/images/0?size={size}"))[0].status_code == 400


def test_images_of_a_named_set_are_shown_as_squares(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.recipe_file.write_bytes(GOLDEN.read_bytes())
    others = ("digits/train/999999", "digits/../3", "digits/train/x", "cifar10/test/1")
    run.write_answers([answers_of(("digits/train/3", *others))])
    found = ask(client_for(run), *(get(f"/models/shapes/results/images/{i}?size=100") for i in range(5)))
    assert [answer.status_code for answer in found] == [200, 404, 404, 404, 404]
    assert Image.open(io.BytesIO(found[0].content)).size == (96, 96)


def test_damaged_answers_are_an_error_of_the_server(run: RunFolder) -> None:
    run.answers_file.write_bytes(run.answers_file.read_bytes()[:500])
    (answer,) = ask(client_for(run), get("/models/shapes/results"))
    assert answer.status_code == 500
    assert "damaged" in answer.json()["error"]["what"]
