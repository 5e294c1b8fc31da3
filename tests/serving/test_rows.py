"""POST /predict in its three forms: the rows of `predict --format jsonl`, byte for byte; what is wrong is told."""

import asyncio
from typing import Any

import httpx
import pytest
from tests.fake_served import CLASSES, FakeServed, client_of, describe, in_base64, picture

from resnetkit.serving.served import DeadlinePassed, Overloaded, WorkerLost
from resnetkit.terminal import json_text

PICTURES = [picture(i) for i in range(4)]
DAMAGED = PICTURES[0][:60]
NAMES = ["a.png", 'é "q".png', "<img src=x onerror=alert(1)>.png", "../../etc/passwd"]


PNG = {"Content-Type": "image/png"}


def ask(client: httpx.AsyncClient, *requests: Any) -> list[httpx.Response]:
    async def all_of_them() -> list[httpx.Response]:
        async with client:
            return [await request(client) for request in requests]

    return asyncio.run(all_of_them())


def post(path: str = "/predict", **arguments: Any) -> Any:
    return lambda client: client.post(path, **arguments)


def image(content: bytes = PICTURES[0], path: str = "/predict", **headers: str) -> Any:
    return post(path, content=content, headers={"Content-Type": "image/png", **headers})


def rows_as_predict_prints(files: list[bytes], names: list[str], top: int) -> list[str]:
    """Rows as the command prints them for files of these names."""
    rows = []
    for name, prediction in zip(names, FakeServed().predictor.predict(files, top=top), strict=True):
        rows.append(json_text({**prediction.as_row(), "path": name}))
    return rows


def test_one_image_gives_its_row_and_nothing_else() -> None:
    (answer,) = ask(client_of(), image())
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.text == rows_as_predict_prints(PICTURES[:1], ["0"], 5)[0]
    assert "café" in answer.text


def test_a_form_and_json_give_the_same_rows_in_order() -> None:
    files = [*PICTURES[:2], DAMAGED, PICTURES[3]]
    expected = ", ".join(rows_as_predict_prints(files, NAMES, 2))
    form = [("file", (name, content, "image/png")) for name, content in zip(NAMES, files, strict=True)]
    items = [{"name": name, "data": in_base64(content)} for name, content in zip(NAMES, files, strict=True)]
    answers = ask(
        client_of(),
        post("/predict?top=2", files=form),
        post(json={"images": items, "top": 2, "model": "shapes"}),
        post(data={"top": "2", "model": "shapes"}, files=form),
    )
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert answer.text == f'{{"model": "shapes", "version": "0123456789ab", "rows": [{expected}]}}'
    assert [row["status"] for row in answers[0].json()["rows"]] == ["ok", "ok", "error", "ok"]


def test_lines_are_those_of_the_command() -> None:
    items = [in_base64(content) for content in PICTURES]
    (answer,) = ask(client_of(), post(json={"images": items}, headers={"Accept": "application/x-ndjson"}))
    lines = rows_as_predict_prints(PICTURES, [str(i) for i in range(4)], 5)
    assert answer.text == "".join(f"{line}\n" for line in lines)


def test_one_image_that_cannot_be_read_is_an_error_with_its_reason() -> None:
    damaged, bomb, text = ask(client_of(), image(DAMAGED), image(picture(size=(600, 600))), image(b"hello"))
    assert [answer.status_code for answer in (damaged, bomb, text)] == [422] * 3
    reason = FakeServed().predictor.predict([DAMAGED])[0].reason
    assert damaged.json()["error"]["why"] == f"it {reason}"
    assert "360,000" in bomb.json()["error"]["why"]
    assert set(text.json()["error"]) == {"code", "kind", "what", "why", "fix"}


def test_the_classifier_is_chosen_by_name_else_the_first() -> None:
    other = FakeServed("other")
    other.description = describe(("x", "y", "z"))
    first, second, none = ask(
        client_of(FakeServed(), other), image(), image(path="/predict?model=other"), image(path="/predict?model=othr")
    )
    assert first.json()["class"] in CLASSES
    assert second.json()["class"] in "xyz"
    assert none.status_code == 404
    assert none.json()["error"]["fix"] == "did you mean 'other'?"


WRONG = {
    "no body": (image(b""), 400, "no image"),
    "no type": (post(content=PICTURES[0]), 415, "Content-Type"),
    "another type": (post(content=b"a=1", headers={"Content-Type": "application/x-www-form-urlencoded"}), 415, "type"),
    "compressed": (image(**{"Content-Encoding": "gzip"}), 415, "gzip"),
    "top of 0": (image(path="/predict?top=0"), 400, "top"),
    "top of many digits": (image(path=f"/predict?top={'9' * 5000}"), 400, "top"),
    "top in other digits": (image(path="/predict?top=٣"), 400, "top"),
    "unknown setting": (image(path="/predict?tops=1"), 400, "tops"),
    "no JSON": (post(content=b"{", headers={"Content-Type": "application/json"}), 400, "JSON"),
    "NaN": (post(content=b'{"images": [NaN]}', headers={"Content-Type": "application/json"}), 400, "JSON"),
    "nested": (post(content=b"[" * 200_000, headers={"Content-Type": "application/json"}), 413, "values"),
    "a list": (post(json=[1]), 400, "object"),
    "no images": (post(json={"images": []}), 400, "no image"),
    "no base64": (post(json={"images": ["ä"]}), 400, "base64"),
    "a number": (post(json={"images": [1]}), 400, "base64"),
    "unknown in item": (post(json={"images": [{"data": "", "url": "http://x"}]}), 400, "url"),
    "unknown in body": (post(json={"images": [""], "topp": 1}), 400, "topp"),
    "top that is true": (post(json={"images": ["aaaa"], "top": True}), 400, "top"),
    "model that is a list": (post(json={"images": ["aaaa"], "model": []}), 400, "model"),
    "twice": (post("/predict?top=1", json={"images": ["aaaa"], "top": 1}), 400, "twice"),
    "bad deadline": (image(**{"X-Deadline-Seconds": "soon"}), 400, "deadline"),
    "deadline of NaN": (image(**{"X-Deadline-Seconds": "nan"}), 400, "deadline"),
    "form without boundary": (post(content=b"x", headers={"Content-Type": "multipart/form-data"}), 400, "boundary"),
    "form cut short": (
        post(
            content=b'--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nabc',
            headers={"Content-Type": "multipart/form-data; boundary=b"},
        ),
        400,
        "damaged",
    ),
    "form of something else": (
        post(content=b"hello", headers={"Content-Type": "multipart/form-data; boundary=b"}),
        400,
        "damaged",
    ),
    "part without name": (
        post(
            content=b"--b\r\nContent-Type: image/png\r\n\r\nabc\r\n--b--\r\n",
            headers={"Content-Type": "multipart/form-data; boundary=b"},
        ),
        400,
        "name",
    ),
    "form with a large field": (post(data={"model": "m" * 2000}, files={"f": b"abc"}), 413, "beside"),
    "too many bytes": (image(b"x" * 200_001), 413, "200,000"),
    "too many images": (post(json={"images": ["aaaa"] * 9}), 413, "8"),
    "too many files": (post(files=[("f", (f"{i}.png", b"abc")) for i in range(9)]), 413, "8"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_and_asks_nobody(name: str) -> None:
    request, status, words = WRONG[name]
    served = FakeServed()
    (answer,) = ask(client_of(served, max_request_bytes=200_000, max_request_images=8), request)
    error = answer.json()["error"]
    assert answer.status_code == status, error
    assert words in " ".join(map(str, error.values()))
    assert served.deadlines == []


def test_bodies_in_chunks_are_bounded_too() -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while sent < 50_000_000:
            sent += 10_000
            yield b"x" * 10_000

    client = client_of(max_request_bytes=200_000)
    (answer,) = ask(client, post(content=endless(), headers={"Content-Type": "image/png"}))
    assert answer.status_code == 413
    assert client.front.held.now == 0  # type: ignore[attr-defined]


def test_a_form_may_have_a_file_without_a_name() -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="f"; filename=""\r\n\r\n' + PICTURES[0] + b"\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    (answer,) = ask(client_of(), post(content=body, headers=headers))
    assert [row["path"] for row in answer.json()["rows"]] == ["0"]


def test_the_client_shortens_the_deadline_only() -> None:
    served = FakeServed()
    ask(client_of(served), image(), image(**{"X-Deadline-Seconds": "2.5"}), image(**{"X-Deadline-Seconds": "1e9"}))
    assert [round(seconds, 1) for seconds in served.deadlines] == [30, 2.5, 30]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Overloaded("full", 3), 503),
        (WorkerLost("it died"), 500),
        (DeadlinePassed("late"), 504),
        (KeyError("hidden"), 500),
    ],
)
def test_what_became_of_a_request_is_its_status(error: Exception, status: int) -> None:
    served = FakeServed()
    served.raises = error
    (answer,) = ask(client_of(served), image())
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == ("3" if status == 503 else None)
    assert "hidden" not in answer.text  # what nobody foresaw is for the log alone


def test_too_many_requests_are_refused_before_their_bodies_are_read() -> None:
    served = FakeServed()

    async def crowd() -> None:
        served.gate = asyncio.Event()
        async with client_of(served, max_requests=2) as client:
            waiting = [asyncio.create_task(image()(client)) for _ in range(2)]
            while served.num_waiting < 2:
                await asyncio.sleep(0)

            async def never_read() -> Any:
                raise AssertionError("the body was read")
                yield b""

            refused = await client.post("/predict", content=never_read(), headers={"Content-Type": "image/png"})
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "1"
            assert (await client.get("/healthz")).status_code == 200
            served.gate.set()
            assert [(await task).status_code for task in waiting] == [200, 200]
            assert (await image()(client)).status_code == 200

    asyncio.run(asyncio.wait_for(crowd(), 20))


def test_bodies_that_come_slowly_take_nobodys_place() -> None:
    served = FakeServed()

    async def crowd() -> None:
        let = asyncio.Event()

        async def slow() -> Any:
            yield PICTURES[0][:10]
            await let.wait()
            yield PICTURES[0][10:]

        async with client_of(served, max_requests=2) as client:
            slowly = [asyncio.create_task(post(content=slow(), headers=PNG)(client)) for _ in range(4)]
            while client.front.num_open < 4:  # type: ignore[attr-defined]
                await asyncio.sleep(0)
            assert (await image()(client)).status_code == 200
            served.gate = asyncio.Event()
            let.set()
            while served.num_waiting < 2 or sum(task.done() for task in slowly) < 2:
                await asyncio.sleep(0)
            served.gate.set()
            assert sorted([(await task).status_code for task in slowly]) == [200, 200, 503, 503]

    asyncio.run(asyncio.wait_for(crowd(), 20))


def test_bytes_that_are_held_are_bounded_and_given_back() -> None:
    served = FakeServed()

    async def crowd() -> None:
        served.gate = asyncio.Event()
        content = picture(size=(100, 100))
        async with client_of(served, max_request_bytes=40_000, max_held_bytes=250_000) as client:
            waiting = [asyncio.create_task(image(content)(client)) for _ in range(2)]
            while served.num_waiting < 2:
                await asyncio.sleep(0)
            held = client.front.held  # type: ignore[attr-defined]
            assert held.now == 6 * len(content)
            refused = await image(content)(client)
            assert refused.status_code == 503
            assert "memory" in refused.text
            assert held.now == 6 * len(content)
            served.gate.set()
            assert [(await task).status_code for task in waiting] == [200, 200]
            assert held.now == 0

    asyncio.run(crowd())


def test_rows_are_named_by_the_version_that_answered() -> None:
    """A file that is replaced while its request waits: probabilities of one version get no names of the other."""
    served = FakeServed()
    served.next = describe(("x", "y", "z")), "ba9876543210"
    (answer,) = ask(client_of(served), post(json={"images": [in_base64(PICTURES[0])]}))
    assert served.version == "ba9876543210"
    assert answer.json()["version"] == "0123456789ab"
    assert answer.json()["rows"][0]["class"] in CLASSES


def test_a_slow_body_is_closed_however_it_trickles() -> None:
    num_sent = 0

    async def trickle() -> Any:
        nonlocal num_sent
        while num_sent < 200:
            num_sent += 1
            yield b"x"
            await asyncio.sleep(0.01)

    (answer,) = ask(client_of(receive_seconds=0.5), post(content=trickle(), headers={"Content-Type": "image/png"}))
    assert answer.status_code == 408
    assert num_sent <= 51


def test_a_large_body_has_the_time_it_needs() -> None:
    async def steady() -> Any:
        for _ in range(8):
            yield b"x" * 20_000
            await asyncio.sleep(0.05)

    (answer,) = ask(client_of(receive_seconds=0.1), post(content=steady(), headers={"Content-Type": "image/png"}))
    assert answer.status_code == 422
