"""Trees of frozen dataclasses: JSON both ways and dotted overrides.

A description (network, data, recipe) is a :func:`frozen` dataclass whose fields are plain values, tuples
and other such dataclasses. Alternatives are unions of dataclasses told apart by a ``kind`` field.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, dataclass_transform

from resnetkit.errors import Code, ResnetkitError, did_you_mean

T = TypeVar("T")
_adapters: dict[Any, Any] = {}
UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden")  # pydantic's words for a field that is not there


@dataclass_transform(frozen_default=True)
def frozen(cls: type[T]) -> type[T]:
    """Class decorator: a frozen dataclass with slots that reads from JSON and refuses unknown fields."""
    cls = dataclasses.dataclass(frozen=True, slots=True)(cls)
    cls.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
    return cls


def _adapter(cls: Any) -> Any:
    if cls not in _adapters:
        _adapters[cls] = _new_adapter(cls)
    return _adapters[cls]


def _new_adapter(cls: Any) -> Any:
    from pydantic import TypeAdapter  # loaded on first use, so that importing a description stays instant

    return TypeAdapter(cls)


@cache
def _schema(cls: Any) -> dict[str, Any]:
    """The JSON schema of a description, which takes longer to make than a description; not to be changed."""
    schema: dict[str, Any] = _adapter(cls).json_schema()
    return schema


def to_dict(value: Any) -> Any:
    """JSON-ready values of a description.

    >>> from resnetkit.data.spec import Limits
    >>> to_dict(Limits(max_pixels=100))
    {'max_pixels': 100, 'max_file_bytes': 268435456}
    """
    return _adapter(type(value)).dump_python(value, mode="json")


def from_dict(cls: type[T], data: Any, *, where: str = "") -> T:
    """A description of type ``cls`` from JSON-ready values.

    Raises:
        ResnetkitError: naming the first field that is unknown or has a wrong value.
    """
    from pydantic import ValidationError

    try:
        value: T = _adapter(cls).validate_python(data)
        return value
    except ValidationError as error:
        errors = error.errors()
        # A misspelt field is unknown, and the one that was meant is missing: the former says more.
        first = next((one for one in errors if one["type"] in UNKNOWN), errors[0])
        location = _location(data, first["loc"])
        path = ".".join(location)
        prefix = f"{where}: " if where else ""
        if first["type"] in UNKNOWN:
            raise ResnetkitError(
                Code.USAGE, f"{prefix}unknown field '{path}'", fix=_suggest(path, _paths(cls, data))
            ) from None
        if first["type"] in ("missing", "missing_argument"):
            raise ResnetkitError(Code.USAGE, f"{prefix}'{path}' is missing") from None
        raise ResnetkitError(
            Code.USAGE, f"{prefix}'{path or cls.__name__}' is not valid: {first['msg']}, got {first['input']!r}"
        ) from None


def _location(data: Any, parts: tuple[Any, ...]) -> list[str]:
    """The path of an error in the data, without the names pydantic adds for the alternative it tried."""
    path = []
    for i, part in enumerate(parts):
        is_key = isinstance(data, Mapping) and part in data
        is_position = isinstance(data, list | tuple) and isinstance(part, int) and part < len(data)
        if is_key or is_position or (i == len(parts) - 1 and isinstance(data, Mapping)):
            path.append(str(part))
            data = data[part] if is_key or is_position else None
    return path


def _suggest(path: str, known: Iterable[str]) -> str:
    """The field that an unknown path means: one of that name anywhere, else the nearest beside it."""
    parent, _, name = path.rpartition(".")
    places = {other: other.rpartition(".") for other in known}
    same_name = [other for other, (_, _, leaf) in places.items() if leaf == name]
    if same_name:
        return f"did you mean '{same_name[0]}'?" if len(same_name) == 1 else did_you_mean(path, same_name)
    beside = {leaf: other for other, (above, _, leaf) in places.items() if above == parent}
    if not beside and parent:
        return _suggest(parent, places)
    near = difflib.get_close_matches(name, beside, n=1)
    return did_you_mean(path, [beside[near[0]]]) if near else did_you_mean(name, beside.values())


def _paths(cls: Any, data: Any) -> list[str]:
    """The dotted paths of all fields of a description, in alternatives those of the kind that ``data`` has."""
    schema = _schema(cls)
    return list(_walk(schema, schema.get("$defs", {}), data, ""))


def _walk(node: Any, definitions: Any, data: Any, prefix: str) -> Iterator[str]:
    for name, child in _resolve(node, definitions, data).get("properties", {}).items():
        yield prefix + name
        yield from _walk(child, definitions, data.get(name) if isinstance(data, Mapping) else None, f"{prefix}{name}.")


def _resolve(node: Any, definitions: Any, data: Any) -> Any:
    while True:
        if "$ref" in node:
            node = definitions[node["$ref"].rsplit("/", 1)[-1]]
        elif "oneOf" in node or "anyOf" in node:
            options = [_resolve(option, definitions, data) for option in node.get("oneOf", node.get("anyOf"))]
            kind = data.get("kind") if isinstance(data, Mapping) else None
            same = [o for o in options if o.get("properties", {}).get("kind", {}).get("const") == kind]
            return (same or [o for o in options if "properties" in o] or options)[0]
        else:
            return node


def read_object(file: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        ValueError: where it holds anything else.
    """
    try:
        content = json.loads(file.read_bytes())
    except RecursionError:
        raise ValueError(f"{file.name} is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError(f"{file.name} is no JSON object")
    return content


def override(value: T, settings: Mapping[str, Any]) -> T:
    """A copy of a description with dotted fields replaced.

    Strings are read as JSON where they are JSON, else as they stand; a number that is meant for a field of text
    stays text. Setting a ``kind`` starts that alternative afresh, with its own defaults; settings inside it apply
    after it, in whatever order they are given. In a field of values by name, whatever follows it is a name.

    >>> from resnetkit.data.spec import DataSpec
    >>> override(DataSpec("digits"), {"limits.max_pixels": "100", "source": "2024"}).source
    '2024'
    >>> override(DataSpec("digits"), {"limits.pixels": "100"})
    Traceback (most recent call last):
    ...
    resnetkit.errors.ResnetkitError: unknown field 'limits.pixels'
      fix: did you mean 'limits.max_pixels'?
    """
    tree = to_dict(value)
    for path, raw in sorted(settings.items(), key=lambda item: _rank(item[0])):
        *parents, leaf = _split(type(value), tree, path, settings)
        node = tree
        for depth, parent in enumerate(parents):
            if not isinstance(node, dict) or parent not in node or not isinstance(node[parent], dict):
                at = ".".join(parents[: depth + 1])
                is_field = isinstance(node, dict) and parent in node
                fix = f"set '{at}' as a whole, as JSON" if is_field else _suggest(path, _paths(type(value), tree))
                raise ResnetkitError(Code.USAGE, f"no field '{path}': '{at}' holds no fields", fix=fix)
            node = node[parent]
        if leaf == "kind" and _parse(raw) != node.get("kind"):
            node.clear()
        # What holds a number takes no text: the schema, which takes a while, need not be asked.
        may_be_text = isinstance(node.get(leaf), str | None)
        node[leaf] = raw if may_be_text and _is_text(type(value), tree, path, raw) else _parse(raw)
    return from_dict(type(value), tree)


def _split(cls: Any, tree: dict[str, Any], path: str, settings: Mapping[str, Any]) -> list[str]:
    """The fields that a dotted path goes through; what follows a field of values by name is one name, dots and all."""
    field, dot, name = path.partition(".")
    if not dot or field not in _fields_by_name(cls):
        return path.split(".")
    if not isinstance(tree[field], dict):
        if field in settings:
            raise ResnetkitError(
                Code.USAGE,
                f"{field} is set twice: to {settings[field]} and, by name, by {path}",
                fix="leave one of them out",
            )
        tree[field] = {}
    return [field, name]


@cache
def _fields_by_name(cls: Any) -> frozenset[str]:
    """The fields of a description that may hold values by any name."""
    fields = _schema(cls).get("properties", {})
    options = {name: field.get("anyOf", [field]) for name, field in fields.items()}
    return frozenset(
        name for name, some in options.items() if any(option.get("additionalProperties") for option in some)
    )


def _rank(path: str) -> tuple[int, bool]:
    """Whole descriptions before their fields, and a ``kind`` before the fields of its alternative."""
    return path.count("."), not path.endswith(".kind")


def _parse(raw: Any) -> Any:
    if not isinstance(raw, str):
        return raw
    try:
        return json.loads(raw)
    except json.JSONDecodeError:
        return raw


def _is_text(cls: Any, tree: Any, path: str, raw: Any) -> bool:
    """Tell whether what reads as a JSON number or truth value is meant for a field that takes text alone."""
    if not isinstance(_parse(raw), bool | int | float):
        return False
    schema = _schema(cls)
    definitions = schema.get("$defs", {})
    node: Any = schema
    for name in path.split("."):
        node = _resolve(node, definitions, tree).get("properties", {}).get(name, {})
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    kinds = {option.get("type") for option in node.get("anyOf", [node])}
    return "string" in kinds and not kinds & {"boolean", "integer", "number"}


def parse_settings(assignments: list[str], *, option: str = "--set") -> dict[str, str]:
    """``["a.b=1", …]`` as a mapping, the form of the command line's ``--set``.

    Raises:
        ResnetkitError: for one without a path or a value, and for a path that is given twice.
    """
    settings: dict[str, str] = {}
    for assignment in assignments:
        path, equals, raw = assignment.partition("=")
        if not equals or not path:
            raise ResnetkitError(
                Code.USAGE, f"{option} needs path.to.field=value, got '{assignment}'", fix=f"e.g. {option} name=20"
            )
        path, raw = path.strip(), raw.strip()
        if path in settings:
            raise ResnetkitError(
                Code.USAGE,
                f"{path} is set twice: by {option} {path}={settings[path]} and by {option} {path}={raw}",
                fix="leave one of them out",
            )
        settings[path] = raw
    return settings
