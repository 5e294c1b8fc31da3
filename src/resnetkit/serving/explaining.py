"""``POST /explain``: what in an image the answer rests on."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from resnetkit.errors import did_you_mean
from resnetkit.explanation.methods import METHODS
from resnetkit.serving.front import Front
from resnetkit.serving.predict_requests import IMAGE_TYPES, is_image, kind_of, read_query
from resnetkit.serving.refusals import refuse
from resnetkit.serving.request_log import entry_of
from resnetkit.terminal import json_text

USUAL_METHOD = "grad_cam"
# What a query calls it, and what resnetkit.explain does.
ASKED = {"method": "method", "class": "class_name", "against": "against", "layer": "layer"}


async def explain(front: Front, request: Request) -> Response:
    """Explain the answer for the image that is the body."""
    entry, query = entry_of(request), read_query(request.query_params, ("model", *ASKED))
    seconds = front.deadline_seconds(request.headers.get("x-deadline-seconds"))
    if (method := query.get("method", USUAL_METHOD)) not in METHODS:
        raise refuse(400, f"there is no method '{method[:80]}'", fix=did_you_mean(method[:80], METHODS))
    served = front.find(query.get("model"))
    if not is_image(kind := kind_of(request.headers.get("content-type", ""))):
        raise refuse(415, f"bodies of type '{kind}' are not taken", fix=f"send an image as {IMAGE_TYPES}")
    async with front.body(request) as (body, _):
        if not body:
            raise refuse(400, "the request has no image", fix="send the content of an image file")
        entry.model, entry.num_images, entry.num_bytes = served.name, 1, len(body)
        asked = {own: query[name] for name, own in ASKED.items() if query.get(name)}
        explanation = await served.explain(body, asked, deadline_seconds=seconds)
    return Response(json_text(explanation), media_type="application/json")
