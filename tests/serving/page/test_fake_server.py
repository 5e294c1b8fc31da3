"""The fake says what the real server says: its answers have the schemas of the server's description."""

from typing import Any

import jsonschema
import pytest
from starlette.testclient import TestClient
from tests.serving.page.fake_server import Failing, FakeServer, png, usual_models

from resnetkit.serving.app import ROUTES
from resnetkit.serving.openapi_schemas import SCHEMAS


@pytest.fixture
def fake() -> FakeServer:
    return FakeServer(usual_models())


@pytest.fixture
def client(fake: FakeServer) -> TestClient:
    return TestClient(fake.app())


def check(name: str, value: Any) -> None:
    """Compare with a schema in which others are referred to."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}
    jsonschema.Draft202012Validator(schema).validate(value)


def test_answers_have_the_schemas_of_the_server(client: TestClient) -> None:
    kind = {"Content-Type": "image/png"}
    check("Row", client.post("/predict", content=png(1), headers=kind).json())
    files = [("images", ("a.png", png(1))), ("images", ("b.png", b"no image"))]
    check("Rows", client.post("/predict", files=files).json())
    check("Explanation", client.post("/explain", content=png(1), headers=kind).json())
    check("Models", client.get("/models").json())
    for model in usual_models():
        check("About", client.get("/models/flowers").json() | {"name": model.name})
    check("Results", client.get("/models/flowers/results").json())


def test_failures_are_told_as_the_server_tells_them(client: TestClient, fake: FakeServer) -> None:
    fake.failures["/predict"] = [Failing(503)]
    refused = client.post("/predict")
    assert refused.status_code == 503
    check("Error", refused.json())


def test_a_wrong_answer_would_be_noticed(client: TestClient) -> None:
    row = client.post("/predict", content=png(1), headers={"Content-Type": "image/png"}).json()
    del row["reason"]
    with pytest.raises(jsonschema.ValidationError):
        check("Row", row)


def test_it_has_no_path_that_the_server_lacks(client: TestClient) -> None:
    known = {path.replace(":int", "") for path in ROUTES}
    own = {route.path.replace(":int", "").replace(":path", "") for route in client.app.routes}  # type: ignore[attr-defined]
    assert {path for path in own if not path.startswith("/v2/{rest")} <= known
