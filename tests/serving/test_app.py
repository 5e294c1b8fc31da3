"""What is the same for every request: who may ask, what the log and the metrics have, headers, and the end."""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.fake_served import FakeServed, client_of, in_base64, picture
from tests.serving.test_rows import ask, image, post

from resnetkit.errors import ResnetkitError
from resnetkit.serving import page_files
from resnetkit.serving.app import ALWAYS, OPEN, ROUTES
from resnetkit.serving.authorization import TokenFile
from resnetkit.serving.front import Front
from resnetkit.serving.refusals import Refused
from resnetkit.serving.settings import ServerSettings


def get(path: str, **headers: str) -> Any:
    return lambda client: client.get(path, headers=headers)


def token(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    file = tmp_path / "tokens"
    file.write_text("first\n\nsécond\n")
    return file


def filled(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: {"model": "shapes", "version": "0123456789ab"}.get(match[1], "0"), path)


@pytest.mark.parametrize("path", ROUTES)
def test_with_tokens_only_what_has_to_be_is_open(path: str, tokens: Path) -> None:
    method = ROUTES[path][0]

    def request(**headers: str) -> Any:
        return lambda client: client.request(method, filled(path), headers=headers, content=b"")

    client = client_of(token_file=TokenFile(tokens))
    none, wrong, right = ask(client, request(), request(**token("firs")), request(**token("first")))
    assert {"/", "/static/{name}", "/healthz", "/v2/health/live", "/v2/health/ready"} == OPEN
    if path in OPEN:
        assert {none.status_code, wrong.status_code, right.status_code} <= {200, 404}
    else:
        assert (none.status_code, wrong.status_code) == (401, 401)
        assert none.headers["www-authenticate"] == "Bearer"
        assert right.status_code != 401


def test_tokens_are_read_again_when_their_file_has_changed(tokens: Path) -> None:
    file = TokenFile(tokens)

    def status(value: str) -> int:
        return ask(client_of(token_file=file), get("/models", **token(value)))[0].status_code

    assert [status("first"), status("third"), status("")] == [200, 401, 401]
    tokens.write_text("third\n")
    assert [status("first"), status("third")] == [401, 200]
    os.remove(tokens)
    assert [status("third"), status("")] == [401, 401]
    tokens.write_text("third")
    assert status("third") == 200


def test_a_token_may_be_of_any_signs_and_the_scheme_of_any_case(tokens: Path) -> None:
    file = TokenFile(tokens)
    file.check("bearer  sécond")
    for wrong in (None, "", "first", "Basic first", "Bearer", "Bearer first\n sécond"):
        with pytest.raises(Refused) as raised:
            file.check(wrong)
        assert raised.value.status == 401


def test_a_file_without_a_token_starts_no_server(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n \n")
    for name in ("empty", "missing"):
        with pytest.raises(ResnetkitError, match=name):
            TokenFile(tmp_path / name)


def test_errors_of_the_protocol_are_texts_also_without_a_token(tokens: Path) -> None:
    (answer,) = ask(client_of(token_file=TokenFile(tokens)), get("/v2/models/shapes"))
    assert answer.json() == {"error": "the request has no token; send Authorization: Bearer TOKEN"}


def test_the_log_has_a_line_a_request_and_nothing_of_its_images(capsys: pytest.CaptureFixture[str]) -> None:
    content = picture(5)
    ask(
        client_of(),
        image(content),
        post(json={"images": [{"name": "secret name", "data": in_base64(content)}] * 2}),
        get("/no%0Asuch%1b[2J%7F", Authorization="Bearer secret"),
        post("/predict?top=x&model=secret", content=b"x", headers={"Content-Type": "image/png"}),
    )
    text = capsys.readouterr().err
    assert text.isascii()
    assert "secret" not in text
    assert in_base64(content)[:20] not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["status"] for line in lines] == [200, 200, 404, 400]
    assert [line.get("images") for line in lines] == [1, 2, None, None]
    assert lines[0]["bytes"] == len(content)
    assert lines[0]["model"] == "shapes"
    assert lines[2]["path"] == "/no\nsuch\x1b[2J\x7f"
    assert "top" in lines[3]["reason"]
    assert all(set(line) >= {"time", "method", "path", "status", "seconds", "client"} for line in lines)


def test_metrics_count_requests_by_route_and_images_by_status() -> None:
    *_, answer = ask(
        client_of(),
        image(),
        image(b"no image"),
        get("/predict/../../x"),
        get("/models/anything"),
        get("/metrics"),
    )
    text = answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    for line in (
        'resnetkit_requests_total{route="/predict",status="200"} 1.0',
        'resnetkit_requests_total{route="/predict",status="422"} 1.0',
        'resnetkit_requests_total{route="/models/{model}",status="404"} 1.0',
        'resnetkit_images_total{model="shapes",status="ok"} 1.0',
        'resnetkit_images_total{model="shapes",status="error"} 1.0',
        'resnetkit_model_state{model="shapes",state="ready"} 1.0',
        "resnetkit_open_requests 1.0",
        "resnetkit_held_bytes 0.0",
    ):
        assert line in text
    assert "anything" not in text


def test_every_answer_is_closed_to_other_origins_and_guesses() -> None:
    for answer in ask(client_of(), get("/"), image(), get("/nothing"), get("/models")):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; img-src 'self' blob: data:;")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in answer.headers


def test_the_page_and_its_files_are_sent_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page").mkdir()
    for name, text in {"index.html": "<p>", "app.js": "1", "a.css": "p{}", "notes.txt": "no"}.items():
        (tmp_path / "page" / name).write_text(text)
    (tmp_path / "secret.js").write_text("secret")
    monkeypatch.setattr(page_files, "FOLDER", tmp_path / "page")
    page_files.page_files.cache_clear()
    page, script, style, *others = ask(
        client_of(),
        get("/"),
        get("/static/app.js"),
        get("/static/a.css"),
        get("/static/notes.txt"),
        get("/static/../secret.js"),
        get("/static/..%2Fsecret.js"),
        get("/static/%2e%2e%2fsecret.js"),
        get("/static//etc/passwd"),
        get("/static/"),
    )
    page_files.page_files.cache_clear()
    assert [page.text, script.text, style.text] == ["<p>", "1", "p{}"]
    kinds = [one.headers["content-type"].partition(";")[0] for one in (page, script, style)]
    assert kinds == ["text/html", "text/javascript", "text/css"]
    assert [other.status_code for other in others] == [404] * 6


def test_what_a_client_has_is_not_sent_again() -> None:
    (first,) = ask(client_of(), get("/"))
    etag = first.headers["etag"]
    same, weak, other = ask(
        client_of(),
        get("/", **{"If-None-Match": etag}),
        get("/", **{"If-None-Match": f'"x", W/{etag}'}),
        get("/", **{"If-None-Match": '"x"'}),
    )
    assert [same.status_code, weak.status_code, other.status_code] == [304, 304, 200]
    assert same.content == b""


@pytest.mark.parametrize("path", ROUTES)
def test_another_method_is_refused_with_those_there_are(path: str) -> None:
    (answer,) = ask(client_of(), lambda client: client.delete(filled(path)))
    assert answer.status_code == 405
    assert ROUTES[path][0] in answer.headers["allow"]


def test_no_path_redirects_and_none_is_guessed() -> None:
    for answer in ask(client_of(), get("/models/"), get("/v2/"), get("/predict%00")):
        assert answer.status_code == 404


def test_one_that_drains_answers_what_it_has_and_refuses_the_rest() -> None:
    served = FakeServed()

    async def drain() -> None:
        served.gate = asyncio.Event()
        async with client_of(served) as client:
            accepted = asyncio.create_task(image()(client))
            while not served.num_waiting:
                await asyncio.sleep(0)
            front: Front = client.front  # type: ignore[attr-defined]
            front.is_draining = True
            refused = await image()(client)
            assert refused.status_code == 503
            assert refused.headers["connection"] == "close"
            assert int(refused.headers["retry-after"]) >= 1
            for path in ALWAYS:
                expected = 503 if path.endswith("ready") else 404 if path.startswith("/static") else 200
                answer = await client.get(filled(path))
                assert answer.status_code == expected, path
                assert answer.headers["connection"] == "close"
            assert front.num_open == 1
            served.gate.set()
            answer = await accepted
            assert answer.status_code == 200
            assert answer.headers["connection"] == "close"
            assert front.num_open == 0

    asyncio.run(asyncio.wait_for(drain(), 20))


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        *((name, True) for name in ("localhost", "LOCALHOST:8000", "127.0.0.1:9", "127.1.2.3", "[::1]:8000", "[::1]")),
        *(
            (name, False)
            for name in ("evil.example", "localhost.evil.example:8000", "127.0.0.1.evil.example", "", "::1")
        ),
    ],
)
def test_one_for_this_machine_alone_is_asked_by_its_names(host: str, is_ours: bool) -> None:
    """A page whose own name points to 127.0.0.1 sends that name."""
    client = client_of()
    client.front.is_local = True  # type: ignore[attr-defined]
    statuses = [answer.status_code for answer in ask(client, get("/models", Host=host), get("/", Host=host))]
    assert statuses == [200, 200] if is_ours else [421, 421]


def test_two_classifiers_of_one_name_are_refused() -> None:
    with pytest.raises(ResnetkitError, match="two classifiers are called 'shapes'"):
        Front.of([FakeServed(), FakeServed()], ServerSettings())


@pytest.mark.parametrize("name", ["", "a/b", "a\nb"])
def test_names_that_no_path_can_hold_are_refused(name: str) -> None:
    with pytest.raises(ResnetkitError, match="name"):
        Front.of([FakeServed(name)], ServerSettings())


def test_names_of_any_other_kind_are_found() -> None:
    name = "größe %2F?#é"
    (answer,) = ask(client_of(FakeServed(name)), get(f"/models/{quote(name)}"))
    assert answer.json()["name"] == name


def test_settings_without_sense_are_refused() -> None:
    for settings in ({"max_connections": 0}, {"keep_alive_seconds": 0}, {"max_held_bytes": 1000}, {"max_wait_ms": -1}):
        with pytest.raises(ResnetkitError, match=next(iter(settings))):
            ServerSettings(**settings)  # type: ignore[arg-type]
