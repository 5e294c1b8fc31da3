"""The Open Inference Protocol as its text says it, JSON and binary data."""

import asyncio
import json
import struct
from typing import Any

import httpx
import numpy as np
import pytest
from tests.fake_served import CLASSES, FakeServed, client_of, in_base64, picture
from tests.serving.test_rows import ask, post

PICTURES = [picture(i) for i in range(3)]
HEADER = "Inference-Header-Content-Length"
BINARY = {"FP32": "<f4", "BOOL": "?"}
INFER = "/v2/models/shapes/infer"
FILES = {"name": "image", "datatype": "BYTES", "shape": [3], "data": [in_base64(content) for content in PICTURES]}
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16), dtype=np.uint8)
PREPARED = {"name": "pixels", "datatype": "UINT8", "shape": [2, 3, 16, 16]}


def get(path: str) -> Any:
    return lambda client: client.get(path)


def infer(tree: Any, data: bytes = b"", path: str = INFER, header: str | None = None) -> Any:
    text = json.dumps(tree).encode()
    headers = {HEADER: str(len(text)) if header is None else header} if data or header is not None else {}
    return post(path, content=text + data, headers={"Content-Type": "application/octet-stream", **headers})


def without(tree: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in tree.items() if key != name}


def expected() -> tuple[Any, Any]:
    """Probabilities and logits of the pictures."""
    answers = asyncio.run(FakeServed().answer_files(PICTURES, deadline_seconds=9))
    return np.stack([a.probabilities for a in answers]), np.stack([a.logits for a in answers])


def outputs_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    length = answer.headers.get(HEADER)
    tree = json.loads(answer.content if length is None else answer.content[: int(length)])
    types = {**BINARY, "BYTES": object}
    rest, found = b"" if length is None else answer.content[int(length) :], {}
    for output in tree["outputs"]:
        if "data" in output:
            values = np.array(output["data"], types[output["datatype"]])
        else:
            size = output["parameters"]["binary_data_size"]
            own, rest = rest[:size], rest[size:]
            if output["datatype"] in BINARY:
                values = np.frombuffer(own, BINARY[output["datatype"]])
            else:
                values = []
                while own:
                    (count,) = struct.unpack("<I", own[:4])
                    values.append(own[4 : 4 + count].decode())
                    own = own[4 + count :]
                values = np.array(values, object)
        found[output["name"]] = values.reshape(output["shape"])
    assert rest == b""
    return found


def test_the_server_says_what_it_is() -> None:
    live, ready, server, model, versioned, model_ready = ask(
        client_of(),
        get("/v2/health/live"),
        get("/v2/health/ready"),
        get("/v2"),
        get("/v2/models/shapes"),
        get("/v2/models/shapes/versions/0123456789ab"),
        get("/v2/models/shapes/versions/0123456789ab/ready"),
    )
    assert (live.status_code, live.json()) == (200, {"live": True})
    assert (ready.status_code, ready.json()) == (200, {"ready": True})
    assert server.json()["name"] == "resnetkit"
    assert server.json()["extensions"] == ["binary_tensor_data"]
    assert server.json()["models"] == ["shapes"]
    assert model.json() == versioned.json()
    assert model.json() == {
        "name": "shapes",
        "versions": ["0123456789ab"],
        "platform": "resnetkit",
        "inputs": [
            {"name": "image", "datatype": "BYTES", "shape": [-1]},
            {"name": "pixels", "datatype": "UINT8", "shape": [-1, 3, 16, 16]},
        ],
        "outputs": [
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
            {"name": "logits", "datatype": "FP32", "shape": [-1, 2, 3]},
            {"name": "class", "datatype": "BYTES", "shape": [-1]},
        ],
    }
    assert (model_ready.status_code, model_ready.json()) == (200, {"name": "shapes", "ready": True})


@pytest.mark.parametrize("state", ["starting", "restarting", "failed", "stopped"])
def test_one_that_is_not_ready_is_told_by_status(state: Any) -> None:
    served, other = FakeServed(), FakeServed("other")
    served.state = state
    all_ready, own, others = ask(
        client_of(served, other),
        get("/v2/health/ready"),
        get("/v2/models/shapes/ready"),
        get("/v2/models/other/ready"),
    )
    assert [all_ready.status_code, own.status_code, others.status_code] == [503, 503, 200]
    assert all_ready.json() == {"ready": False}


def test_files_and_pixels_in_json_and_binary_give_the_same_numbers() -> None:
    probabilities, logits = expected()
    packed = b"".join(struct.pack("<I", len(content)) + content for content in PICTURES)
    in_json, binary, all_binary = ask(
        client_of(),
        infer({"id": "7", "inputs": [FILES]}),
        infer({"inputs": [without({**FILES, "parameters": {"binary_data_size": len(packed)}}, "data")]}, packed),
        infer({"inputs": [FILES], "parameters": {"binary_data_output": True}}),
    )
    for answer in (in_json, binary, all_binary):
        outputs = outputs_of(answer)
        np.testing.assert_array_equal(outputs["probabilities"], probabilities)
        np.testing.assert_array_equal(outputs["logits"], logits)
        assert list(outputs["class"]) == [CLASSES[i] for i in probabilities.argmax(1)]
    tree = in_json.json()
    assert (tree["id"], tree["model_name"], tree["model_version"]) == ("7", "shapes", "0123456789ab")
    assert in_json.headers["content-type"] == "application/json"
    assert HEADER not in in_json.headers
    assert all_binary.headers["content-type"] == "application/octet-stream"


def test_prepared_pixels_in_both_forms() -> None:
    answers = ask(
        client_of(),
        infer({"inputs": [{**PREPARED, "data": PIXELS.tolist()}]}),
        infer({"inputs": [{**PREPARED, "data": PIXELS.ravel().tolist()}]}),
        infer({"inputs": [{**PREPARED, "parameters": {"binary_data_size": PIXELS.size}}]}, PIXELS.tobytes()),
    )
    predictor = FakeServed().predictor
    for answer in answers:
        np.testing.assert_array_equal(outputs_of(answer)["probabilities"], predictor.probabilities(PIXELS))


def test_only_outputs_that_are_asked_for_are_sent_each_in_its_form() -> None:
    chosen = [{"name": "logits", "parameters": {"binary_data": True}}, {"name": "class"}]
    answer, overridden = ask(
        client_of(),
        infer({"inputs": [FILES], "outputs": chosen}),
        infer(
            {
                "inputs": [FILES],
                "outputs": [{"name": "class", "parameters": {"binary_data": False}}],
                "parameters": {"binary_data_output": True},
            }
        ),
    )
    assert list(outputs_of(answer)) == ["logits", "class"]
    head = json.loads(answer.content[: int(answer.headers[HEADER])])
    assert [set(output) - {"name", "datatype", "shape"} for output in head["outputs"]] == [{"parameters"}, {"data"}]
    assert overridden.headers["content-type"] == "application/json"


def test_the_timeout_is_in_microseconds() -> None:
    served = FakeServed()
    ask(client_of(served), infer({"inputs": [FILES], "parameters": {"timeout": 1_500_000}}))
    assert [round(seconds, 2) for seconds in served.deadlines] == [1.5]


PACKED = struct.pack("<I", len(PICTURES[0])) + PICTURES[0]
ONE = {"name": "image", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(PACKED)}}
FEW = {"parameters": {"binary_data_size": 4}}
WRONG = {
    "no JSON": (post(INFER, content=b"{"), 400),
    "deep JSON": (post(INFER, content=b"[" * 3000), 400),
    "no inputs": (infer({}), 400),
    "no tensor": (infer({"inputs": []}), 400),
    "two inputs": (infer({"inputs": [FILES, FILES]}), 400),
    "input that is a text": (infer({"inputs": ["image"]}), 400),
    "unknown input": (infer({"inputs": [{**FILES, "name": "images"}]}), 400),
    "other datatype": (infer({"inputs": [{**FILES, "datatype": "UINT8"}]}), 400),
    "no datatype": (infer({"inputs": [without(FILES, "datatype")]}), 400),
    "no shape": (infer({"inputs": [without(FILES, "shape")]}), 400),
    "shape of truth": (infer({"inputs": [{**FILES, "shape": [True]}]}), 400),
    "negative shape": (infer({"inputs": [{**FILES, "shape": [-1]}]}), 400),
    "other shape": (infer({"inputs": [{**FILES, "shape": [2]}]}), 400),
    "two axes": (infer({"inputs": [{**FILES, "shape": [3, 1]}]}), 400),
    "no image": (infer({"inputs": [{**FILES, "shape": [0], "data": []}]}), 400),
    "no data": (infer({"inputs": [without(FILES, "data")]}), 400),
    "data that are no list": (infer({"inputs": [{**FILES, "data": "aaaa"}]}), 400),
    "data that are no base64": (infer({"inputs": [{**FILES, "data": ["?"] * 3}]}), 400),
    "both forms": (infer({"inputs": [{**FILES, "parameters": {"binary_data_size": 4}}]}, b"abcd"), 400),
    "size beyond the body": (infer({"inputs": [without({**FILES, **FEW}, "data")]}, b"abc"), 400),
    "bytes left over": (infer({"inputs": [ONE]}, PACKED + b"x"), 400),
    "element cut short": (
        infer({"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], **FEW}]}, b"\x05\0\0\0"),
        400,
    ),
    "too many elements": (
        infer(
            {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 8}}]},
            bytes(8),
        ),
        400,
    ),
    "header beyond the body": (infer({"inputs": [FILES]}, header="99999999"), 400),
    "header that is no number": (infer({"inputs": [FILES]}, header="-1"), 400),
    "parameters that are a list": (infer({"inputs": [FILES], "parameters": []}), 400),
    "id that is a number": (infer({"inputs": [FILES], "id": 1}), 400),
    "unknown output": (infer({"inputs": [FILES], "outputs": [{"name": "probs"}]}), 400),
    "outputs that are texts": (infer({"inputs": [FILES], "outputs": ["class"]}), 400),
    "classification": (
        infer({"inputs": [FILES], "outputs": [{"name": "class", "parameters": {"classification": 3}}]}),
        400,
    ),
    "flag that is a number": (infer({"inputs": [FILES], "parameters": {"binary_data_output": 1}}), 400),
    "timeout of nothing": (infer({"inputs": [FILES], "parameters": {"timeout": 0}}), 400),
    "pixels beyond 255": (infer({"inputs": [{**PREPARED, "data": [256] * PIXELS.size}]}), 400),
    "pixels below 0": (infer({"inputs": [{**PREPARED, "data": [-1] * PIXELS.size}]}), 400),
    "pixels that are fractions": (infer({"inputs": [{**PREPARED, "data": [0.5] * PIXELS.size}]}), 400),
    "pixels that are ragged": (infer({"inputs": [{**PREPARED, "data": [[1], [1, 2]]}]}), 400),
    "too few pixels": (infer({"inputs": [{**PREPARED, "data": [1]}]}), 400),
    "too many images": (infer({"inputs": [{**FILES, "shape": [9], "data": ["aaaa"] * 9}]}), 413),
    "unreadable image": (infer({"inputs": [{**FILES, "shape": [1], "data": ["aaaa"]}]}), 422),
    "unknown model": (infer({"inputs": [FILES]}, path="/v2/models/other/infer"), 404),
    "unknown version": (infer({"inputs": [FILES]}, path="/v2/models/shapes/versions/1/infer"), 404),
    "unknown path": (get("/v2/models"), 404),
    "other method": (get(INFER), 405),
    "compressed": (post(INFER, content=b"x", headers={"Content-Encoding": "deflate"}), 415),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_are_one_text_in_an_object(name: str) -> None:
    request, status = WRONG[name]
    served = FakeServed()
    (answer,) = ask(client_of(served, max_request_images=8), request)
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    assert isinstance(answer.json()["error"], str)
    assert served.deadlines == [] or status == 422


def test_numbers_that_json_has_no_form_for_are_sent_as_binary_only() -> None:
    served = FakeServed()

    async def infinite(pixels: Any, **_: Any) -> Any:
        answers = await FakeServed().answer_pixels(pixels, deadline_seconds=1)
        for answer in answers:
            answer.logits[:] = np.inf
        return answers

    served.answer_pixels = infinite  # type: ignore[method-assign]
    tree = {"inputs": [{**PREPARED, "data": PIXELS.tolist()}], "outputs": [{"name": "logits"}]}
    refused, sent = ask(client_of(served), infer(tree), infer({**tree, "parameters": {"binary_data_output": True}}))
    assert refused.status_code == 500
    assert np.isinf(outputs_of(sent)["logits"]).all()
