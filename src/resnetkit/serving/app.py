"""The server as an ASGI application: what is asked where, and what is the same for every request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send

from resnetkit.serving import about_models, explaining, inference_protocol, page_files, results, rows
from resnetkit.serving.authorization import check_host
from resnetkit.serving.front import Front
from resnetkit.serving.metrics import CONTENT_TYPE
from resnetkit.serving.openapi import describe_api
from resnetkit.serving.refusals import ClientGone, Refused, as_refusal, refuse, tell_cause
from resnetkit.serving.request_log import KEY, Entry
from resnetkit.terminal import json_text

Endpoint = Callable[[Front, Request], Awaitable[Response]]


async def tell_health(front: Front, request: Request) -> Response:
    """Tell that the process answers."""
    return JSONResponse({"status": "ok"})


async def tell_metrics(front: Front, request: Request) -> Response:
    """The numbers for Prometheus."""
    return Response(front.metrics.as_text(), headers={"Content-Type": CONTENT_TYPE})


async def tell_api(front: Front, request: Request) -> Response:
    """The description of all of this, for programs."""
    return JSONResponse(describe_api(front))


MODEL = "/v2/models/{model}"
VERSION = MODEL + "/versions/{version}"

# By path, its method and what answers; those that are asked most come first.
ROUTES: dict[str, tuple[str, Endpoint]] = {
    "/predict": ("POST", rows.predict),
    f"{MODEL}/infer": ("POST", inference_protocol.infer),
    f"{VERSION}/infer": ("POST", inference_protocol.infer),
    "/healthz": ("GET", tell_health),
    "/v2/health/live": ("GET", inference_protocol.tell_live),
    "/v2/health/ready": ("GET", inference_protocol.tell_ready),
    f"{MODEL}/ready": ("GET", inference_protocol.tell_model_ready),
    f"{VERSION}/ready": ("GET", inference_protocol.tell_model_ready),
    MODEL: ("GET", inference_protocol.tell_model),
    VERSION: ("GET", inference_protocol.tell_model),
    "/v2": ("GET", inference_protocol.tell_server),
    "/explain": ("POST", explaining.explain),
    "/models": ("GET", about_models.list_models),
    "/models/{model}": ("GET", about_models.tell_all),
    "/models/{model}/results": ("GET", results.tell_results),
    "/models/{model}/results/images/{index}": ("GET", results.show_image),
    "/metrics": ("GET", tell_metrics),
    "/openapi.json": ("GET", tell_api),
    "/": ("GET", page_files.show_page),
    "/static/{name}": ("GET", page_files.send_file),
}
# Open to anybody: a load balancer has no token, and the page asks for one itself.
OPEN = {"/healthz", "/v2/health/live", "/v2/health/ready", "/", "/static/{name}"}
# Answered while the server is being stopped, too.
ALWAYS = OPEN | {f"{MODEL}/ready", f"{VERSION}/ready", "/metrics"}

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
CLIENT_GONE = 499  # nginx's; nobody gets it
CLOSE = (b"connection", b"close")


class Application:
    """Answers requests: each is logged and counted, and has an answer in every case."""

    def __init__(self, front: Front) -> None:
        """Answer for a front."""
        self._front = front
        self._router = Router(
            [
                Route(path, partial(self._answer, path, endpoint), methods=[method])
                for path, (method, endpoint) in ROUTES.items()
            ],
            redirect_slashes=False,
            default=_not_found,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        assert scope["type"] == "http", "nothing else is switched on"
        client = scope.get("client")
        entry = scope[KEY] = Entry(scope["method"], scope["path"], client[0] if client else "")
        scope["app"] = self  # so that the router raises what it has to say
        started = _Started(self._front, entry, send)
        self._front.num_open += 1
        try:
            await self._router(scope, receive, started.send)
        except ClientGone:
            entry.status, entry.reason = CLIENT_GONE, "the client went away"
        except asyncio.CancelledError:
            entry.status, entry.reason = CLIENT_GONE, "the server was stopped"
            raise
        except Exception as error:
            if entry.status:
                raise
            refusal = _as_refusal(error)
            entry.reason = refusal.as_text()
            if refusal.status == HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, Refused):
                entry.reason = tell_cause(error)
            await _as_response(refusal, scope)(scope, receive, started.send)
        finally:
            self._front.num_open -= 1
            self._front.metrics.count_request(entry.route, entry.status, entry.seconds)
            entry.tell()

    async def _answer(self, path: str, endpoint: Endpoint, request: Request) -> Response:
        front, entry = self._front, request.scope[KEY]
        entry.route = path
        if front.is_local:
            check_host(request.headers.get("host"))
        if front.token_file is not None and path not in OPEN:
            front.token_file.check(request.headers.get("authorization"))
        if path not in ALWAYS:
            front.check_takes_requests()
        return await endpoint(front, request)


class _Started:
    """The way out of an answer, which notes its status and adds the headers that all have."""

    def __init__(self, front: Front, entry: Entry, send: Send) -> None:
        self._front, self._entry, self._send = front, entry, send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._entry.status = message["status"]
            own = {name for name, _ in message["headers"]}
            message["headers"] += [header for header in RAW_HEADERS if header[0] not in own]
            if self._front.is_draining and CLOSE[0] not in own:
                message["headers"].append(CLOSE)
        await self._send(message)


def _as_refusal(error: Exception) -> Refused:
    if isinstance(error, HTTPException):  # the router's: another method is meant
        return refuse(error.status_code, "the path does not take this method", headers=error.headers)
    return as_refusal(error)


def _as_response(refusal: Refused, scope: Scope) -> Response:
    """The answer that tells an error; below /v2 as the Open Inference Protocol has it."""
    path = scope["path"]
    is_protocol = path == "/v2" or path.startswith("/v2/")
    told = {"error": refusal.as_text()} if is_protocol else {"error": refusal.error.as_dict()}
    return Response(json_text(told), refusal.status, refusal.headers, media_type="application/json")


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    raise refuse(404, "there is nothing at this path", fix="GET /openapi.json says what there is")
