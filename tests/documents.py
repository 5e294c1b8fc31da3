"""Commands in documents: found, run in this process, and what they print beside what the document says."""

import contextlib
import io
import os
import re
import shlex
import sys
from dataclasses import dataclass
from unittest.mock import patch

from resnetkit.cli.app import main

BLOCK = re.compile(r"(?:<!-- (?P<marks>[^>]*) -->\n)?```console\n(?P<text>.*?)```", re.DOTALL)
GAP = "…"  # a line that stands for lines that are not shown
WIDTH = 100  # of what commands print on pages, whatever the terminal is


@dataclass(frozen=True)
class Example:
    """A command of a document and what stands under it.

    Attributes:
        marks: what the comment above its block says.
        output: as the document has it, without the last end of line.
    """

    command: str
    marks: tuple[str, ...]
    output: str

    @property
    def words(self) -> list[str]:
        """The command as a shell splits it."""
        return shlex.split(self.command)

    def shown(self, printed: str) -> str:
        """The lines of what was printed that the document is to show, each gap as one line.

        With ``shows A, B`` those that begin so (a ``#`` is any number), with ``first N`` the first ones, with
        ``section A`` those from one that begins so to the next empty one.
        """
        lines = printed.rstrip().splitlines()
        for mark in self.marks:
            verb, _, rest = mark.partition(" ")
            match verb:
                case "shows":
                    starts = tuple(rest.split(", "))
                    lines = [x if x.startswith(starts) or form(x).startswith(starts) else GAP for x in lines]
                case "first":
                    lines = [*lines[: int(rest)], *[GAP] * (len(lines) > int(rest))]
                case "section":
                    start = next(i for i, line in enumerate(lines) if line.startswith(rest))
                    end = lines.index("", start) if "" in lines[start:] else len(lines)
                    lines = [GAP] * (start > 0) + lines[start:end] + [GAP] * (end < len(lines))
        return "\n".join(line for i, line in enumerate(lines) if line != GAP or i == 0 or lines[i - 1] != GAP)


def find_examples(document: str) -> list[Example]:
    """All commands of a document in order; a block's marks hold for each command in it."""
    examples = []
    for block in BLOCK.finditer(document):
        marks = tuple(block["marks"].split("; ")) if block["marks"] else ()
        for part in re.split(r"^\$ ", block["text"], flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            examples.append(Example(command, marks, output.rstrip("\n")))
    return examples


def put_outputs(document: str, outputs: list[str]) -> str:
    """Put what commands print into a document, in the place of what it has."""
    rest = iter(outputs)

    def fill(block: re.Match[str]) -> str:
        commands = re.findall(r"^\$ (.*)$", block["text"], re.MULTILINE)
        parts = [f"$ {command}\n{output}".rstrip("\n") + "\n" for command in commands for output in [next(rest)]]
        head = f"<!-- {block['marks']} -->\n" if block["marks"] else ""
        return f"{head}```console\n{''.join(parts)}```"

    return BLOCK.sub(fill, document)


def run(words: list[str]) -> tuple[int, str]:
    """Run a command here: its exit code, and what it prints on stdout and stderr, as wide as pages have it."""
    printed, code = io.StringIO(), 0
    as_wide = patch.dict(os.environ, COLUMNS=str(WIDTH))
    with (
        patch.object(sys, "argv", words),
        as_wide,
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return code, printed.getvalue()


def form(output: str) -> str:
    """Output without its numbers and widths: what two machines that train alike must agree in."""
    return re.sub(r"[ ]+", " ", re.sub(r"[−-]?\d[\d,.:]*", "#", output))
