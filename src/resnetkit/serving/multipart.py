"""Files in bodies of ``multipart/form-data``."""

from __future__ import annotations

import re
from typing import NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from resnetkit.serving.refusals import refuse

MAX_FIELDS = 16  # that hold no file: settings
MAX_FIELD_BYTES = 1024


class NamedFile(NamedTuple):
    """A file as it was sent.

    Attributes:
        name: as its sender calls it, or its position.
    """

    name: str
    content: bytes


def read_form(body: bytes, content_type: str, *, max_files: int) -> tuple[list[NamedFile], dict[str, str]]:
    """The files of a form, in order, and its other fields.

    Raises:
        Refused: for a form that is damaged, or has more files or fields than may be.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not boundary:
        raise refuse(400, "the form has no boundary", fix="let the library that makes it set its Content-Type")
    form = _Form(body, max_files)
    try:
        parser = MultipartParser(boundary, form.callbacks())  # type: ignore[arg-type]  # names are plain texts here
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise refuse(400, "the form is damaged", why=str(error)) from None
    if not form.is_whole:
        raise refuse(400, "the form is damaged", why="it does not end with its boundary")
    return form.files, form.fields


class _Form:
    """Parts of a form, as its parser comes upon them; the body is there as a whole, and sliced once."""

    def __init__(self, body: bytes, max_files: int) -> None:
        self.files: list[NamedFile] = []
        self.fields: dict[str, str] = {}
        self.is_whole = False
        self._body, self._max_files = body, max_files
        self._head, self._field, self._value = {b"": b""}, b"", b""
        self._slices: list[tuple[int, int]] = []

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._add_field,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_part_data": lambda data, start, end: self._slices.append((start, end)),
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self._head, self._field, self._value, self._slices = {}, b"", b"", []

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._head[self._field.lower()] = self._value
        self._field, self._value = b"", b""

    def _end(self) -> None:
        disposition, options = parse_options_header(self._head.get(b"content-disposition", b"").decode("latin-1"))
        if disposition != b"form-data" or b"name" not in options:
            raise refuse(
                400, "a part of the form has no name", fix='give it Content-Disposition: form-data; name="file"'
            )
        size = sum(end - start for start, end in self._slices)
        if b"filename" not in options:
            if len(self.fields) == MAX_FIELDS or size > MAX_FIELD_BYTES:
                why = f"at most {MAX_FIELDS} fields of {MAX_FIELD_BYTES} bytes may hold no file"
                raise refuse(413, "the form has too much beside its files", why=why)
            self.fields[_text(options[b"name"])] = _text(self._content())
            return
        if len(self.files) == self._max_files:
            raise refuse(413, f"the form has more than {self._max_files} files", fix="send them in parts")
        name = _text(options[b"filename"]) or str(len(self.files))
        self.files.append(NamedFile(name, self._content()))

    def _content(self) -> bytes:
        return b"".join(self._body[start:end] for start, end in self._slices)

    def _finish(self) -> None:
        self.is_whole = True


# As HTML has browsers write these three in names.
_ESCAPED = {"%22": '"', "%0D": "\r", "%0A": "\n"}


def _text(name: bytes) -> str:
    return re.sub("%22|%0D|%0A", lambda match: _ESCAPED[match[0]], name.decode(errors="replace"))
