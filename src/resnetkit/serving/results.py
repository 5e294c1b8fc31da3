"""``GET /models/{model}/results…``: what a run's classifier answered for its own images, and small pictures of them."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from resnetkit.runs.folder import RunFolder
from resnetkit.serving.front import Front
from resnetkit.serving.kept_answers import KeptAnswers, kept_answers, run_of, thumbnail
from resnetkit.serving.refusals import refuse

USUAL_SIZE_PX, MIN_SIZE_PX, MAX_SIZE_PX = 160, 16, 1024


async def tell_results(front: Front, request: Request) -> Response:
    """All rows."""
    _, kept = await _kept(front, request)
    return Response(kept.text, media_type="application/json")


async def show_image(front: Front, request: Request) -> Response:
    """A thumbnail of the image of a row."""
    run, kept = await _kept(front, request)
    size_px = _size(request.query_params.get("size"))
    index = _index(request.path_params["index"])
    limits = front.find(request.path_params["model"]).description.limits
    async with front.thumbnails:
        picture = await asyncio.to_thread(thumbnail, run, kept, index, size_px, limits)
    if picture is None:
        raise refuse(404, "there is no such image any more", why="it is gone, cannot be read, or never was")
    return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


async def _kept(front: Front, request: Request) -> tuple[RunFolder, KeptAnswers]:
    served = front.find(request.path_params["model"])
    run = run_of(served.source)
    kept = None if run is None else await asyncio.to_thread(kept_answers, run, served.description.decision)
    if run is None or kept is None:
        raise refuse(
            404,
            f"there are no kept answers of '{served.name}'",
            why="it is no run, or one that has not ended",
            fix="serve a run's folder",
        )
    return run, kept


def _size(given: str | None) -> int:
    if given is None:
        return USUAL_SIZE_PX
    if not (given.isascii() and given.isdecimal() and MIN_SIZE_PX <= int(given[:9]) <= MAX_SIZE_PX):
        raise refuse(400, f"'size' must be a number of pixels from {MIN_SIZE_PX} to {MAX_SIZE_PX}")
    return int(given)


def _index(given: str) -> int:
    """A row's number; of what is none, one that no row has."""
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 10 else -1
