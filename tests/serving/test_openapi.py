"""The description of the server: all routes are in it, and the server keeps to it."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.fake_served import FakeServed, client_of, in_base64, picture
from tests.serving.test_inference_protocol import FILES, infer
from tests.serving.test_rows import ask, image, post

from resnetkit.serving.app import ROUTES
from resnetkit.serving.authorization import TokenFile
from resnetkit.serving.front import Front
from resnetkit.serving.openapi import describe_api
from resnetkit.serving.settings import ServerSettings

jsonschema = pytest.importorskip("jsonschema")


def described(token_file: TokenFile | None = None) -> dict[str, Any]:
    return describe_api(Front.of([FakeServed(), FakeServed("other")], ServerSettings(), token_file))


def test_every_route_is_described_with_its_method_and_its_places() -> None:
    api = described()
    assert api["openapi"] == "3.1.0"
    assert {(path, *methods) for path, methods in api["paths"].items()} == {
        (path, method.lower()) for path, (method, _) in ROUTES.items()
    }
    for path, methods in api["paths"].items():
        (operation,) = methods.values()
        places = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert places == set(re.findall(r"\{(\w+)\}", path))
        assert any(status.startswith("2") for status in operation["responses"])


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    api = described()
    named = re.findall(r"'\$ref': '#/components/schemas/(\w+)'", str(api))
    assert set(named) == set(api["components"]["schemas"])
    for schema in api["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_a_token_is_asked_for_where_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("t")
    api = described(TokenFile(tmp_path / "tokens"))
    assert api["security"] == [{"token": []}]
    assert "401" in api["paths"]["/predict"]["post"]["responses"]
    assert api["paths"]["/healthz"]["get"]["security"] == []
    assert "security" not in described()


def test_one_for_this_machine_alone_says_so() -> None:
    front = Front.of([FakeServed()], ServerSettings())
    front.is_local = True
    operations = [operation for path in describe_api(front)["paths"].values() for operation in path.values()]
    assert all("421" in operation["responses"] for operation in operations)
    assert "'421'" not in str(described())


CALLS = {
    "/predict": [image(), image(b"x"), post(json={"images": [in_base64(picture())]}), post(json={})],
    "/explain": [image(path="/explain"), post("/explain")],
    "/v2/models/{model}/infer": [infer({"inputs": [FILES]}), infer({})],
    **{
        path: [lambda client, path=path: client.get(path.replace("{model}", "shapes"))]
        for path in ("/healthz", "/v2", "/v2/health/live", "/v2/health/ready", "/models", "/models/{model}")
    },
    "/models/{model}/results": [lambda client: client.get("/models/shapes/results")],
    "/v2/models/{model}": [lambda client: client.get("/v2/models/shapes"), lambda client: client.get("/v2/models/no")],
}


@pytest.mark.parametrize("path", CALLS)
def test_answers_are_as_they_are_described(path: str) -> None:
    api = described()
    (operation,) = api["paths"][path].values()
    for answer in ask(client_of(), *CALLS[path]):
        content = operation["responses"][str(answer.status_code)]["content"]
        schema = content[answer.headers["content-type"].partition(";")[0]]["schema"]
        jsonschema.validate(answer.json(), {**schema, "components": api["components"]})


@pytest.mark.slow
def test_requests_that_the_description_allows_and_others_are_answered_as_it_says(tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text(
        "from tests.fake_served import FakeServed\nfrom resnetkit.serving.app import Application\n"
        "from resnetkit.serving.front import Front\nfrom resnetkit.serving.settings import ServerSettings\n"
        "app = Application(Front.of([FakeServed(), FakeServed('other')], ServerSettings()))\n"
    )
    (tmp_path / "test_service.py").write_text(
        "import schemathesis\nfrom hypothesis import HealthCheck, settings, strategies\nfrom service import app\n"
        "from tests.fake_served import picture\nfrom schemathesis.checks import CHECKS\n"
        "for kind in ('image/png', 'image/*', 'application/octet-stream'):\n"
        "    schemathesis.openapi.media_type(kind, strategies.sampled_from([picture(), picture()[:50], b'']))\n"
        "schema = schemathesis.openapi.from_asgi('/openapi.json', app)\n"
        "no_schema_says_what_an_image_is = CHECKS.get_by_names(['positive_data_acceptance'])\n"
        "@schema.parametrize()\n"
        "@settings(max_examples=25, deadline=None, derandomize=True, database=None,\n"
        "    suppress_health_check=list(HealthCheck))\n"
        "def test_service(case):\n"
        "    case.call_and_validate(excluded_checks=no_schema_says_what_an_image_is)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "test_service.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}:{tmp_path}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:]
