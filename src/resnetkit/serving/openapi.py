"""The server's description of itself, ``GET /openapi.json``: OpenAPI 3.1, whole enough for programs to test it by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from resnetkit.explanation.methods import METHODS
from resnetkit.serving.front import VERSION, Front
from resnetkit.serving.openapi_schemas import BYTES, COUNT, POSITIVE, SCHEMAS, TEXT, Schema, ref

JSON = "application/json"
IMAGE_BODIES = ("application/octet-stream", "image/jpeg", "image/png", "image/*")

ERRORS = {
    400: "The request is malformed; the error says what, why and how to mend it.",
    401: "A token is needed, or another one.",
    404: "There is no such classifier, version, image or path.",
    408: "The request did not come in time.",
    413: "The body is too large, or has too many images.",
    415: "The type of the body is not taken.",
    421: "It is addressed to another name than one of the server's machine.",
    422: "An image cannot be read, or not explained so.",
    500: "The process that computed it has died, or the server failed.",
    503: "Too much is asked for at the moment, or the server starts or stops: Retry-After says when to come again.",
    504: "It took longer than it might.",
}
SENT = (400, 404, 408, 413, 415, 422, 500, 503, 504)  # where there is a body
READ = (404, 500, 503)  # where there is a classifier


def describe_api(front: Front) -> dict[str, Any]:
    """The description of a server, with the names of its classifiers."""
    has_token = front.token_file is not None
    told = {**_for_all(), **_for_people(front), **_for_protocol(front)}
    paths = {path: {method: _operation(front, path, method, **about)} for path, (method, about) in told.items()}
    described: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "resnetkit",
            "version": VERSION,
            "description": "Classifies images; the Open Inference Protocol is below /v2.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": SCHEMAS},
    }
    if has_token:
        described["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        described["security"] = [{"token": []}]
    return described


Told = dict[str, tuple[str, dict[str, Any]]]


def _for_all() -> Told:
    open_ = {"is_open": True}
    return {
        "/healthz": ("get", {"summary": "The process answers.", "answers": {200: _json("Health")}, **open_}),
        "/metrics": ("get", {"summary": "Numbers for Prometheus.", "answers": {200: {"text/plain": TEXT}}}),
        "/openapi.json": ("get", {"summary": "This description.", "answers": {200: {JSON: {"type": "object"}}}}),
        "/": ("get", {"summary": "The page.", "answers": {200: {"text/html": TEXT}}, **open_}),
        "/static/{name}": (
            "get",
            {
                "summary": "A file of the page.",
                "parameters": [_parameter("name", "path", TEXT)],
                "answers": {200: {"text/javascript": TEXT, "text/css": TEXT, "text/html": TEXT}},
                "errors": (404,),
                **open_,
            },
        ),
    }


def _for_people(front: Front) -> Told:
    model, query = _model(front, "path"), _model(front, "query")
    deadline = _parameter(
        "X-Deadline-Seconds", "header", {"type": "number", "exclusiveMinimum": 0}, "At most the server's own."
    )
    top = _parameter("top", "query", POSITIVE, "Classes a row.")
    row = {JSON: {"anyOf": [ref("Row"), ref("Rows")]}, "application/x-ndjson": TEXT}
    images = _binary(IMAGE_BODIES) | {"multipart/form-data": ref("Form"), JSON: ref("Images")}
    explained = [
        _parameter("method", "query", {"enum": list(METHODS)}),
        *(_parameter(name, "query", TEXT) for name in ("class", "against", "layer")),
    ]
    size = _parameter("size", "query", {"type": "integer", "minimum": 16, "maximum": 1024}, "Of its longer side, px.")
    return {
        "/predict": (
            "post",
            {
                "summary": "Classify images: a row each, as resnetkit predict --format jsonl prints it.",
                "parameters": [query, top, deadline],
                "body": images,
                "answers": {200: row},
                "errors": SENT,
            },
        ),
        "/explain": (
            "post",
            {
                "summary": "Show what in an image the answer rests on.",
                "parameters": [query, *explained, deadline],
                "body": _binary(IMAGE_BODIES),
                "answers": {200: _json("Explanation")},
                "errors": SENT,
            },
        ),
        "/models": ("get", {"summary": "The classifiers.", "answers": {200: _json("Models")}, "errors": (503,)}),
        "/models/{model}": (
            "get",
            {"summary": "One of them.", "parameters": [model], "answers": {200: _json("About")}, "errors": READ},
        ),
        "/models/{model}/results": (
            "get",
            {
                "summary": "What a run's classifier answered for its own images.",
                "parameters": [model],
                "answers": {200: _json("Results")},
                "errors": READ,
            },
        ),
        "/models/{model}/results/images/{index}": (
            "get",
            {
                "summary": "A thumbnail of one of them.",
                "parameters": [model, _parameter("index", "path", COUNT), size],
                "answers": {200: {"image/jpeg": BYTES}},
                "errors": (400, *READ),
            },
        ),
    }


def _for_protocol(front: Front) -> Told:
    told: Told = {
        "/v2": ("get", {"summary": "Metadata of the server.", "answers": {200: _json("Server")}, "errors": (503,)}),
        "/v2/health/live": ("get", {"summary": "It answers.", "answers": {200: _json("Live")}, "is_open": True}),
        "/v2/health/ready": (
            "get",
            {
                "summary": "All classifiers take requests.",
                "answers": {200: _json("Ready"), 503: _json("Ready")},
                "is_open": True,
            },
        ),
    }
    version = _parameter("version", "path", TEXT, "As its metadata tell it.")
    length = _parameter("Inference-Header-Content-Length", "header", COUNT, "Bytes of JSON before binary data.")
    inference: dict[str, Schema] = {JSON: ref("InferenceRequest"), "application/octet-stream": BYTES}
    for base, parameters in (
        ("/v2/models/{model}", [_model(front, "path")]),
        ("/v2/models/{model}/versions/{version}", [_model(front, "path"), version]),
    ):
        told[base] = (
            "get",
            {"summary": "Its tensors.", "parameters": parameters, "answers": {200: _json("Metadata")}, "errors": READ},
        )
        told[f"{base}/ready"] = (
            "get",
            {
                "summary": "It takes requests.",
                "parameters": parameters,
                "answers": {200: _json("ModelReady"), 503: _json("ModelReady")},
                "errors": (404,),
            },
        )
        told[f"{base}/infer"] = (
            "post",
            {
                "summary": "Compute tensors.",
                "parameters": [*parameters, length],
                "body": inference,
                "answers": {200: {JSON: ref("InferenceResponse"), "application/octet-stream": BYTES}},
                "errors": SENT,
            },
        )
    return told


def _operation(
    front: Front,
    path: str,
    method: str,
    *,
    summary: str,
    answers: Mapping[int, Mapping[str, Schema]],
    parameters: Sequence[Schema] = (),
    body: Mapping[str, Schema] | None = None,
    errors: Sequence[int] = (),
    is_open: bool = False,
) -> dict[str, Any]:
    error = ref("ProtocolError" if path.startswith("/v2") else "Error")
    has_token = front.token_file is not None
    errors = [*errors, *((401,) if has_token and not is_open else ()), *((421,) if front.is_local else ())]
    told = {status: (ERRORS.get(status, "The answer."), content) for status, content in answers.items()}
    told |= {status: (ERRORS[status], {JSON: error}) for status in sorted(errors)}
    operation: dict[str, Any] = {
        "operationId": f"{method} {path}",
        "summary": summary,
        "parameters": list(parameters),
        "responses": {
            str(status): {
                "description": words,
                "content": {kind: {"schema": schema} for kind, schema in content.items()},
            }
            for status, (words, content) in told.items()
        },
    }
    if body is not None:
        content = {kind: {"schema": schema} for kind, schema in body.items()}
        operation["requestBody"] = {"required": True, "content": content}
    if is_open and has_token:
        operation["security"] = []
    return operation


def _model(front: Front, where: str) -> Schema:
    return _parameter("model", where, {"enum": list(front.served)}, "A classifier's name; left out: the first.")


def _parameter(name: str, where: str, schema: Schema, words: str = "") -> Schema:
    told: Schema = {"name": name, "in": where, "required": where == "path", "schema": schema}
    return told | ({"description": words} if words else {})


def _json(name: str) -> dict[str, Schema]:
    return {JSON: ref(name)}


def _binary(kinds: Sequence[str]) -> dict[str, Schema]:
    return dict.fromkeys(kinds, BYTES)
