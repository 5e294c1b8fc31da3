"""Unknown, unsure and sets over HTTP: those that ``predict`` gives, with status 200, in rows and as tensors."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.fake_served import FakeServed, client_of, describe, in_base64, picture
from tests.serving.conftest import ENGINE, SETTINGS, known_of, run
from tests.serving.test_inference_protocol import get, infer, outputs_of
from tests.serving.test_openapi import described
from tests.serving.test_rows import ask, image, post
from tests.small_decisions import MIXED, images_in, with_yardstick

from resnetkit.classifier.classifier import load_classifier
from resnetkit.classifier.decision import Decision, Sets, Sure, Unknown, familiarity
from resnetkit.classifier.demanding import demanding
from resnetkit.errors import ResnetkitError
from resnetkit.inference.predictors import open_predictor
from resnetkit.recipes.demands import Demands
from resnetkit.serving.opening import ToServe
from resnetkit.serving.served_set import open_served
from resnetkit.terminal import json_text

PICTURES = [picture(i) for i in range(12)]
FILES = {"name": "image", "datatype": "BYTES", "shape": [12], "data": [in_base64(content) for content in PICTURES]}
NEW_OUTPUTS = [
    {"name": "unknown", "datatype": "BOOL", "shape": [-1]},
    {"name": "unsure", "datatype": "BOOL", "shape": [-1]},
    {"name": "in_set", "datatype": "BOOL", "shape": [-1, 3]},
]


def decided() -> FakeServed:
    """One whose thresholds lie among its answers for the pictures."""
    served = FakeServed()
    answers = asyncio.run(served.answer_files(PICTURES, deadline_seconds=9))
    known = sorted(familiarity(np.stack([each.logits for each in answers if each.logits is not None])).tolist())
    shares = np.sort([each.probabilities for each in answers], axis=1)
    decision = Decision(
        unknown=Unknown(known[3], 0.25),
        sure=Sure(float(np.median(shares[:, -1])), 0.9),
        sets=Sets("lac", float(1 - np.median(shares[:, -2])), 0.9),
    )
    served.description = replace(served.description, decision=decision)
    return served


def test_rows_are_those_of_predict_and_no_image_is_refused() -> None:
    served = decided()
    predicted = [replace(row, source=str(i)) for i, row in enumerate(served.predictor.predict(PICTURES, top=2))]
    rows = [json_text(row.as_row()) for row in predicted]
    counted = Counter(row.status for row in predicted)
    assert set(counted) == {"ok", "unsure", "unknown"}
    assert len({len(row.classes or ()) for row in predicted}) > 1
    items = {"images": [in_base64(content) for content in PICTURES], "top": 2}
    requests = [image(content, "/predict?top=2") for content in PICTURES]
    lines, *alone, metrics = ask(
        client_of(served), post(json=items, headers={"Accept": "application/x-ndjson"}), *requests, get("/metrics")
    )
    assert lines.text == "".join(f"{row}\n" for row in rows)
    assert {answer.status_code for answer in alone} == {200}
    assert [{**answer.json(), "path": str(i)} for i, answer in enumerate(alone)] == [json.loads(row) for row in rows]
    for status, number in counted.items():
        assert f'resnetkit_images_total{{model="shapes",status="{status}"}} {2.0 * number}' in metrics.text


def test_tensors_of_statuses_and_sets_are_there_where_the_decision_makes_them() -> None:
    served = decided()
    answers = asyncio.run(served.answer_files(PICTURES, deadline_seconds=9))
    binary = {"inputs": [FILES], "parameters": {"binary_data_output": True}}
    metadata, in_json, in_binary, some = ask(
        client_of(served),
        get("/v2/models/shapes"),
        infer({"inputs": [FILES]}),
        infer(binary),
        infer({"inputs": [FILES], "outputs": [{"name": "in_set"}]}),
    )
    assert metadata.json()["outputs"][3:] == NEW_OUTPUTS
    for answer in (in_json, in_binary):
        found = outputs_of(answer)
        assert list(found) == ["probabilities", "logits", "class", "unknown", "unsure", "in_set"]
        for name in ("unknown", "unsure"):
            assert found[name].tolist() == [each.status == name for each in answers]
            assert 0 < found[name].sum() < len(answers)
        assert found["in_set"].tolist() == [each.in_set.tolist() for each in answers if each.in_set is not None]
    assert list(outputs_of(some)) == ["in_set"]


def test_without_thresholds_nothing_is_said_of_them() -> None:
    metadata, refused = ask(
        client_of(), get("/v2/models/shapes"), infer({"inputs": [FILES], "outputs": [{"name": "in_set"}]})
    )
    assert [output["name"] for output in metadata.json()["outputs"]] == ["probabilities", "logits", "class"]
    assert (refused.status_code, "there is no output 'in_set'" in refused.text) == (400, True)


def test_sets_of_a_version_that_has_just_gone_are_asked_for_again() -> None:
    served = decided()
    served.gate = asyncio.Event()

    async def work() -> httpx.Response:
        async with client_of(served) as client:
            asking = asyncio.create_task(infer({"inputs": [FILES], "outputs": [{"name": "in_set"}]})(client))
            while not served.num_waiting:
                await asyncio.sleep(0.01)
            served.description = describe()
            served.gate.set()
            return await asking

    answer = run(work)
    assert (answer.status_code, "makes no sets" in answer.text) == (503, True)


def test_rows_with_sets_are_as_the_api_says() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    api = described()
    (answer,) = ask(client_of(decided()), post(json={"images": [in_base64(content) for content in PICTURES]}))
    jsonschema.Draft202012Validator({**api["components"]["schemas"]["Rows"], "components": api["components"]}).validate(
        answer.json()
    )
    assert all("set" in row for row in answer.json()["rows"])


def test_a_worker_decides_by_what_is_demanded_and_by_what_its_file_says(file: Path, tmp_path: Path) -> None:
    judged, bare = tmp_path / "judged.safetensors", tmp_path / "bare.safetensors"
    classifier = with_yardstick(load_classifier(file))
    classifier.save(judged)
    demanding(classifier, MIXED).save(bare)
    known_of(judged), known_of(bare)  # their engines are remembered, so that no worker loads torch
    files = [path.read_bytes() for path in images_in(tmp_path / "images", classifier)] + [b"broken"]
    own, other = MIXED, Demands(unknown_at=0.5, coverage=0)
    to_serve = [
        ToServe("demanded", str(judged), engine=ENGINE, demands=own),
        ToServe("own", str(bare), engine=ENGINE),
        ToServe("other", str(bare), engine=ENGINE, demands=other),
    ]

    async def work() -> dict[str, list[tuple[str, list[bool] | None]]]:
        async with open_served(to_serve, SETTINGS) as opened:
            found = {}
            for name, served in opened.items():
                answers = await served.answer_files(files, deadline_seconds=60)
                sets = [None if each.in_set is None else each.in_set.tolist() for each in answers]
                found[name] = list(zip([each.status for each in answers], sets, strict=True))
            return found

    found = run(work)
    assert found["demanded"] == found["own"]
    predicted = open_predictor(judged, engine=ENGINE, demands=own, tell=lambda _: None).predict(files)
    assert [status for status, _ in found["own"]] == [row.status for row in predicted]
    assert [None if one is None else sum(one) for _, one in found["own"]] == [
        None if row.classes is None else len(row.classes) for row in predicted
    ]
    assert len({row.status for row in predicted}) == 4
    assert {status for status, _ in found["other"]} >= {"unknown", "unsure", "error"}
    assert all(one is None for _, one in found["other"])


def test_demands_that_the_file_cannot_meet_are_told_when_it_is_opened(file: Path) -> None:
    async def work() -> None:
        async with open_served([ToServe("small", str(file), engine=ENGINE, demands=MIXED)], SETTINGS):
            pass

    with pytest.raises(ResnetkitError, match="resnetkit calibrate"):
        run(work)
