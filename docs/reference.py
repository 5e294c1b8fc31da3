"""Writes the reference: a page of the commands, from what they say of themselves, and one of the public names."""

import inspect
import re
from typing import Any

import typer

import resnetkit
from resnetkit.cli.app import app

ROLE = re.compile(r":\w+:`~?([\w.]+)`")


def commands() -> str:
    """All commands in the order of the help: usage, what they do, examples, arguments and options."""
    root = typer.main.get_command(app)
    context = root.context_class(root, info_name="resnetkit", **root.context_settings)
    parts = ["# Commands", "", "What `resnetkit COMMAND --help` says.", "", app.info.epilog or "", ""]
    for name, command in root.commands.items():
        below = getattr(command, "commands", {})
        for path, each in {name: command, **{f"{name} {inner}": value for inner, value in below.items()}}.items():
            parts += _command(f"resnetkit {path}", each, context)
    return "\n".join(parts)


def _command(path: str, command: Any, parent: Any) -> list[str]:
    context = command.context_class(command, info_name=path, parent=parent)
    parts = [f"## {path}", ""]
    for paragraph in inspect.cleandoc(command.help or command.short_help or "").split("\n\n"):
        if paragraph.startswith("\b\n"):  # what help shows line by line
            title, _, lines = paragraph.removeprefix("\b\n").partition("\n")
            parts += [title, "", "```text", inspect.cleandoc(f"\n{lines}"), "```", ""]
        else:
            parts += [paragraph, ""]
    records = [record for parameter in command.get_params(context) if (record := parameter.get_help_record(context))]
    if records and not hasattr(command, "commands"):
        rows = [f"| `{_cell(names)}` | {_cell(_escaped(says))} |" for names, says in records]
        parts += ["| argument or option | what it does |", "| --- | --- |", *rows, ""]
    return parts


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def _escaped(text: str) -> str:
    return re.sub(r"([*_\[\]<])", r"\\\1", text)


def python() -> str:
    """All public names: classes with their public methods, functions with their arguments."""
    parts = ["# Python", "", "All names of `resnetkit`; [From Python](../docs/from-python.md) shows them at work.", ""]
    for name in resnetkit.__all__:
        value = getattr(resnetkit, name)
        parts += [f"## {name}", "", *_signature(name, value), *_docstring(value)]
        for method in _methods(value) if inspect.isclass(value) else ():
            function = inspect.getattr_static(value, method)
            of = function.fget if isinstance(function, property) else getattr(value, method)
            shown = [] if isinstance(function, property) else _signature(method, of)
            parts += [f"### {name}.{method}", "", *shown, *_docstring(of)]
    return "\n".join(parts)


def _methods(value: type) -> list[str]:
    """Public methods and properties that a class of ours defines."""
    kinds = (property, classmethod, staticmethod)
    return [
        name
        for name, member in vars(value).items()
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, kinds)) and member.__doc__
    ]


def _signature(name: str, value: Any) -> list[str]:
    """A call as code, an argument a line where there are several."""
    signature = inspect.signature(value)
    parameters: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parameters:
            parameters.append("*")
        if parameter.name != "self":
            parameters.append(_parameter(parameter))
    lines = "".join(f"    {text},\n" for text in parameters)
    inside = f"\n{lines}" if len(parameters) > 2 else ", ".join(parameters)
    gives = signature.return_annotation
    gives = "" if inspect.isclass(value) or gives is signature.empty else f" -> {gives}"
    return ["```python", f"{name}({inside}){gives}", "```", ""]


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    annotation = "" if parameter.annotation is parameter.empty else f": {parameter.annotation}"
    default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
    return f"{stars}{parameter.name}{annotation}{'' if not default else ' = …' if '<' in default else default}"


def _docstring(value: Any) -> list[str]:
    """A docstring as Markdown: sections as lists, examples as code, roles as names."""
    parts: list[str] = []
    for paragraph in (inspect.getdoc(value) or "").split("\n\n"):
        head, _, rest = paragraph.partition("\n")
        if paragraph.startswith(">>>"):
            parts += ["```python", paragraph, "```", ""]
        elif re.fullmatch(r"(Args|Attributes|Raises|Returns|Warns|Yields):", head):
            title = head.removesuffix(":").replace("Args", "Arguments")
            parts += [f"**{title}**", "", *_items(inspect.cleandoc(f"\n{rest}")), ""]
        else:
            parts += [_names(paragraph), ""]
    return parts


def _items(section: str) -> list[str]:
    """Entries ``name: text`` of a section, whose later lines are indented, as a list."""
    entries = [" ".join(entry.split()) for entry in re.split(r"\n(?=\S)", section)]
    return [re.sub(r"^- ([\w, ]+): ", r"- `\1`: ", f"- {_names(entry)}") for entry in entries]


def _names(text: str) -> str:
    text = ROLE.sub(lambda role: f"`{role[1].rpartition('.')[2]}`", text)
    return text.replace("``", "`")
