"""The Open Inference Protocol (KServe V2) over HTTP, with its extension for binary data.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol

A classifier takes one of two inputs: ``image``, whole image files, or ``pixels``, images that are prepared already.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from resnetkit.serving.front import VERSION, Front, in_thread
from resnetkit.serving.inference_requests import HEADER, read_request
from resnetkit.serving.inference_tensors import OUTPUTS, describe_tensors
from resnetkit.serving.refusals import refuse
from resnetkit.serving.request_log import entry_of
from resnetkit.serving.served import Answers, Served
from resnetkit.serving.settings import PLACES_OF_A_BODY
from resnetkit.serving.tensors import InputTensor, array_of, elements_of, write_outputs

PLATFORM = "resnetkit"


async def tell_server(front: Front, request: Request) -> Response:
    """Metadata of the server; also the models, which the protocol has no list of."""
    return JSONResponse(
        {"name": PLATFORM, "version": VERSION, "extensions": ["binary_tensor_data"], "models": list(front.served)}
    )


async def tell_live(front: Front, request: Request) -> Response:
    """Tell that the process answers."""
    return JSONResponse({"live": True})


async def tell_ready(front: Front, request: Request) -> Response:
    """Tell whether all classifiers take requests: by the status, 200 or 503, and in words."""
    return JSONResponse({"ready": front.is_ready}, 200 if front.is_ready else 503)


async def tell_model(front: Front, request: Request) -> Response:
    """Metadata of a model: its tensors."""
    served = _model_of(front, request)
    return JSONResponse(
        {
            "name": served.name,
            "versions": [served.version],
            "platform": PLATFORM,
            **describe_tensors(served.description),
        }
    )


async def tell_model_ready(front: Front, request: Request) -> Response:
    """Tell whether a model takes requests, as :func:`tell_ready`."""
    served = _model_of(front, request)
    is_ready = served.state == "ready" and not front.is_draining
    return JSONResponse({"name": served.name, "ready": is_ready}, 200 if is_ready else 503)


async def infer(front: Front, request: Request) -> Response:
    """Compute the tensors of a request."""
    served, entry = _model_of(front, request), entry_of(request)
    entry.model = served.name
    async with front.body(request) as (body, share):
        share.take((PLACES_OF_A_BODY - 1) * len(body))
        read = partial(read_request, body, request.headers.get(HEADER), served.description)
        asked = await in_thread(len(body), read)
        num_images = asked.tensor.shape[0]
        entry.num_images, entry.num_bytes = num_images, len(body)
        if num_images > (most := front.settings.max_request_images):
            raise refuse(413, f"the request has {num_images:,} images; at most {most:,} are taken at once")
        seconds = front.deadline_seconds(asked.deadline_seconds)
        answer = await in_thread(len(body), partial(_asker, served, asked.tensor))
        answers = await answer(deadline_seconds=seconds)
    front.metrics.count_images(served.name, (answer.status for answer in answers))
    _check_readable(answers)
    head = {"model_name": served.name, "model_version": answers.version, "id": asked.id}
    outputs = [(OUTPUTS[name].of(answers), is_binary) for name, is_binary in asked.outputs]
    content, length = write_outputs({name: value for name, value in head.items() if value is not None}, outputs)
    if length is None:
        return Response(content, media_type="application/json")
    return Response(content, media_type="application/octet-stream", headers={HEADER: str(length)})


def _asker(served: Served, tensor: InputTensor) -> Callable[..., Awaitable[Answers]]:
    """Unpack the tensor; gives what asks a classifier about it."""
    if tensor.name == "image":
        return partial(served.answer_files, elements_of(tensor))
    return partial(served.answer_pixels, array_of(tensor))


def _check_readable(answers: Answers) -> None:
    """Refuse all where one cannot be read: the protocol has no place for the reason of one."""
    for number, answer in enumerate(answers):
        if answer.status == "error":
            raise refuse(422, f"image {number} cannot be read", why=f"it {answer.reason}", fix="leave it out")


def _model_of(front: Front, request: Request) -> Served:
    served = front.find(request.path_params["model"])
    wanted = request.path_params.get("version", served.version)
    if wanted != served.version:
        what = f"'{served.name}' is of version {served.version}, not '{wanted[:40]}'"
        raise refuse(404, what, fix="leave the version out")
    return served
