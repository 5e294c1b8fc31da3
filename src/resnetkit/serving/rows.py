"""``POST /predict``: a row an image, in the very text of ``resnetkit predict --format jsonl``."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from resnetkit.classifier.prediction import Prediction, name_set, rank_classes
from resnetkit.serving.front import Front, in_thread
from resnetkit.serving.multipart import NamedFile
from resnetkit.serving.predict_requests import QUERY, Asked, read_query, read_request, reader_of
from resnetkit.serving.refusals import refuse
from resnetkit.serving.request_log import entry_of
from resnetkit.serving.served import Answers
from resnetkit.serving.settings import PLACES_OF_A_BODY
from resnetkit.terminal import json_text

LINES = "application/x-ndjson"


async def predict(front: Front, request: Request) -> Response:
    """Classify the images of a request."""
    entry, seconds = entry_of(request), front.deadline_seconds(request.headers.get("x-deadline-seconds"))
    content_type, query = request.headers.get("content-type", ""), read_query(request.query_params, QUERY)
    reader_of(content_type)  # whatever can be refused is before the body is read
    async with front.body(request) as (body, share):
        share.take((PLACES_OF_A_BODY - 1) * len(body))
        asked = await in_thread(
            len(body), partial(read_request, body, content_type, query, max_images=front.settings.max_request_images)
        )
        served = front.find(asked.model)
        entry.model, entry.num_images, entry.num_bytes = served.name, len(asked.files), len(body)
        files = [file.content for file in asked.files]
        answers = await served.answer_files(files, deadline_seconds=seconds)
    front.metrics.count_images(served.name, (answer.status for answer in answers))
    return as_response(served.name, asked, answers, in_lines=LINES in request.headers.get("accept", ""))


def as_response(name: str, asked: Asked, answers: Answers, *, in_lines: bool) -> Response:
    """The rows of a request's images, as it wants them.

    Raises:
        Refused: for an image that was asked for by itself and cannot be read.
    """
    first = answers[0]
    if asked.is_one and first.status == "error":
        raise refuse(422, "the image cannot be read", why=f"it {first.reason}", fix="send the content of an image file")
    rows = rows_of(asked.files, answers, asked.top)
    if in_lines:
        return Response("".join(f"{row}\n" for row in rows), media_type=LINES)
    if asked.is_one:
        return Response(rows[0], media_type="application/json")
    model, version = json_text(name), json_text(answers.version)
    return Response(
        f'{{"model": {model}, "version": {version}, "rows": [{", ".join(rows)}]}}', media_type="application/json"
    )


def rows_of(files: tuple[NamedFile, ...], answers: Answers, top: int) -> list[str]:
    """The rows of images as JSON, in order."""
    class_names, rows = answers.description.class_names, []
    for file, answer in zip(files, answers, strict=True):
        shares = answer.probabilities
        ranked = () if shares is None else rank_classes(shares, class_names, top)
        classes = None if shares is None else name_set(shares, answer.in_set, class_names)
        row = Prediction(file.name, answer.status, answer.reason, ranked, answer.note, classes)
        rows.append(json_text(row.as_row()))
    return rows
