"""Requests for rows, ``POST /predict``, in their three forms: one image, a form of many, and JSON with base64."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams

from resnetkit.errors import did_you_mean
from resnetkit.serving.json_bodies import read_object
from resnetkit.serving.multipart import NamedFile, read_form
from resnetkit.serving.refusals import refuse

USUAL_TOP = 5
IMAGE_TYPES = "image/* or application/octet-stream"
QUERY = ("model", "top")
VALUES_OF_AN_IMAGE, VALUES_BESIDE = 8, 64  # in JSON, with room for signs within names


@dataclass(frozen=True)
class Asked:
    """Images that a client wants rows of.

    Attributes:
        model: the classifier's name; None where it was left out.
        is_one: one image by itself, of which the row alone is the answer.
    """

    files: tuple[NamedFile, ...]
    model: str | None
    top: int
    is_one: bool


def read_request(body: bytes, content_type: str, query: Mapping[str, str], *, max_images: int) -> Asked:
    """The images of a body, and what is asked of them.

    Raises:
        Refused: for a body that is not what its type says, and for settings that are unknown, wrong, or given twice.
    """
    read = reader_of(content_type)
    files, fields = read(body, content_type, max_images)
    if not files:
        raise refuse(400, "the request has no image", fix="send the content of an image file")
    if len(files) > max_images:
        raise refuse(413, f"the request has {len(files):,} images; at most {max_images:,} are taken at once")
    if twice := sorted(set(query) & set(fields)):
        raise refuse(400, f"'{twice[0]}' is given twice: in the query and in the body", fix="leave one out")
    settings = {**query, **fields}
    model, top = settings.get("model"), settings.get("top", USUAL_TOP)
    if not isinstance(model, str | None):
        raise refuse(400, f"'model' must be a name, got {model!r}")
    return Asked(tuple(files), model, _read_top(top), read is read_image)


Read = tuple[list[NamedFile], Mapping[str, Any]]
Reader = Callable[[bytes, str, int], Read]


def reader_of(content_type: str) -> Reader:
    """Reads bodies of a type.

    Raises:
        Refused: for one that is not taken.
    """
    kind = kind_of(content_type)
    if is_image(kind):
        return read_image
    if kind not in READERS:
        told = f"bodies of type {kind!r} are not taken" if kind else "the request has no Content-Type"
        fix = f"send {IMAGE_TYPES} (one image), {' or '.join(READERS)}"
        raise refuse(
            415, told, fix=fix, headers={"Accept-Post": f"image/*, application/octet-stream, {', '.join(READERS)}"}
        )
    return READERS[kind]


def kind_of(content_type: str) -> str:
    """The type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def is_image(kind: str) -> bool:
    """Tell whether a body of this type is one image by itself."""
    return kind.startswith("image/") or kind == "application/octet-stream"


def read_image(body: bytes, content_type: str, max_images: int) -> Read:
    """One image: the body itself."""
    return [NamedFile("0", body)] if body else [], {}


def read_files(body: bytes, content_type: str, max_images: int) -> Read:
    """All files of a form, whatever its fields are called."""
    files, fields = read_form(body, content_type, max_files=max_images)
    check_names(fields, QUERY, "the form")
    return files, fields


def read_json(body: bytes, content_type: str, max_images: int) -> Read:
    """Images as base64, each alone or with its name."""
    tree = read_object(body, max_values=VALUES_OF_AN_IMAGE * max_images + VALUES_BESIDE)
    if not isinstance(tree.get("images"), list):
        raise refuse(400, "the body must be an object with a list 'images'", fix='e.g. {"images": ["<base64>"]}')
    check_names(tree, ("images", *QUERY), "the body")
    files = [_read_item(number, item) for number, item in enumerate(tree["images"])]
    return files, {name: value for name, value in tree.items() if name != "images"}


READERS: Mapping[str, Reader] = {
    "multipart/form-data": read_files,
    "application/json": read_json,
}


def check_names(given: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    """Refuse a setting that nobody reads.

    Raises:
        Refused: naming the first one, and the nearest that there is.
    """
    for name in given:
        if name not in known:
            raise refuse(400, f"{where} has an unknown '{name}'", fix=did_you_mean(name, known))


def read_query(query: QueryParams, known: tuple[str, ...]) -> dict[str, str]:
    """The settings of a query.

    Raises:
        Refused: for an unknown one, and for one that is given twice.
    """
    settings = dict(query)
    check_names(settings, known, "the query")
    if len(query.multi_items()) > len(settings):
        raise refuse(400, "the query has a setting twice", fix="leave one out")
    return settings


def decode_base64(text: str, where: str) -> bytes:
    """The bytes that a text stands for, with or without line ends and padding.

    Raises:
        Refused: for anything else.
    """
    packed = "".join(text.split())
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise refuse(400, f"{where} is no base64", fix="encode the content of the image file") from None


def _read_item(number: int, item: Any) -> NamedFile:
    name, data = str(number), item
    if isinstance(item, dict):
        check_names(item, ("name", "data"), f"image {number}")
        name, data = item.get("name", name), item.get("data")
    if not isinstance(name, str) or not isinstance(data, str):
        raise refuse(400, f"image {number} must be base64, or an object of texts 'name' and 'data'")
    return NamedFile(name, decode_base64(data, f"image {number}"))


def _read_top(given: Any) -> int:
    if isinstance(given, str) and given.isascii() and given.isdecimal() and len(given) < 10:
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise refuse(400, f"'top' must be a whole number from 1 on, got {str(given)[:40]!r}")
    return given
