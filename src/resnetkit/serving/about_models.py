"""``GET /models…``: what a classifier is, for people to read: its network, its scores, its limits."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from resnetkit.anatomy import table
from resnetkit.anatomy.network_picture import draw_network
from resnetkit.anatomy.wiring import wire
from resnetkit.classifier.description import Description
from resnetkit.config import to_dict
from resnetkit.errors import ResnetkitError
from resnetkit.explanation.methods import METHODS
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.result import finished_result
from resnetkit.serving.front import Front
from resnetkit.serving.kept_answers import run_of
from resnetkit.serving.served import NotReady, Served
from resnetkit.serving.settings import ServerSettings
from resnetkit.terminal import json_text, without_credentials

DIGESTS = ("seen", "reference", "yardstick")  # sections that nobody reads
LIMITS = (
    *("max_request_images", "max_request_bytes", "max_requests", "max_queued_pixels", "max_batch_images"),
    *("deadline_seconds", "receive_seconds"),
)


async def list_models(front: Front, request: Request) -> Response:
    """All classifiers, the usual one first."""
    return JSONResponse({"models": [_in_short(served) for served in front.served.values()]})


async def tell_all(front: Front, request: Request) -> Response:
    """Everything about one classifier."""
    served = front.find(request.path_params["model"])
    about = await asyncio.to_thread(_about, served, front.settings)
    return Response(json_text(about), media_type="application/json")


def _in_short(served: Served) -> dict[str, Any]:
    about: dict[str, Any] = {"name": served.name, "state": served.state, "problem": served.problem}
    try:
        said = served.description
    except NotReady:  # it was never opened
        return {**about, "version": None, "num_classes": None, "network": None}
    return {
        **about,
        "version": served.version,
        "num_classes": len(said.class_names),
        "network": network_name(said),
    }


def _about(served: Served, settings: ServerSettings) -> dict[str, Any]:
    said, run = served.description, run_of(served.source)
    tree = to_dict(replace(said, seen=None, reference=None, yardstick=None))
    return {
        **_in_short(served),
        "source": without_credentials(served.source),
        "description": {name: value for name, value in tree.items() if name not in (*DIGESTS, "file")},
        **_network(said.model, said.preprocessing.image_size_px, network_name(said) or served.name),
        "scores": None if run is None else _scores(run),
        "training": None if run is None else _training(run),
        "methods": list(METHODS),
        "limits": {name: getattr(settings, name) for name in LIMITS},
        "has_results": run is not None and run.answers_file.is_file(),
    }


def network_name(said: Description) -> str | None:
    """The name of a classifier's network, where its file says it."""
    name = said.provenance.get("model")
    return name if isinstance(name, str) else None


@lru_cache(maxsize=16)
def _network(spec: Any, image_size_px: int, title: str) -> dict[str, Any]:
    """The network's picture and cost; nothing where it cannot be drawn for this size of images."""
    try:
        described = table.describe(spec, image_size_px)
        drawn = draw_network(title, wire(spec, image_size_px))
    except ResnetkitError:
        return {"network_svg": None, "num_parameters": None, "multiply_adds": None}
    return {
        "network_svg": drawn,
        "num_parameters": described.parameters,
        "multiply_adds": described.multiply_adds,
    }


def _scores(run: RunFolder) -> dict[str, Any] | None:
    """Scores by split, with their intervals; without confusion matrices, which the results have."""
    try:
        result = finished_result(run)
    except ResnetkitError:
        return None
    if result is None:
        return None
    return {
        split: {name: value for name, value in to_dict(scores).items() if name != "confusion"}
        for split, scores in result.scores.items()
    }


def _training(run: RunFolder) -> dict[str, Any] | None:
    try:
        record = run.read_record()
    except ResnetkitError:
        return None
    return {
        "data": record.data.name or Path(record.recipe.data.source).name,
        "num_images": record.data.num_images,
        "num_classes": len(record.data.class_names),
        "epochs": record.recipe.epochs,
        "weights": None if record.weights is None else Path(record.weights.path).name,
        "command": record.command,
        "warnings": list(record.warnings),
    }
