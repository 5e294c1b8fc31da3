"""Runs the commands of the lessons and writes what they print, and the pictures they draw, into the pages.

``make lessons``, or ``python -m tests.lessons 1 4`` for some of them. What a page shows is never written by hand.

Lessons that begin from files of the reader's own are written where ``LESSON_FILES`` names a folder that has such files.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.documents import Example, find_examples, put_outputs, run

LESSONS = Path(__file__).parents[1] / "docs" / "lessons"


def pages(number: int | None = None) -> list[list[Path]]:
    """Lessons in order, each in all its languages, English first."""
    english = sorted(path for path in LESSONS.glob("*.md") if path.name[0].isdigit())
    chosen = [path for path in english if number is None or int(path.name.partition("-")[0]) == number]
    return [[path, *LESSONS.glob(f"*/{path.name}")] for path in chosen]


def given(examples: list[Example]) -> list[str]:
    """Files and folders that a lesson's commands find where the reader has put them, from its marks ``given A, B``."""
    marks = [mark for example in examples for mark in example.marks if mark.startswith("given ")]
    return [name for mark in marks for name in mark.removeprefix("given ").split(", ")]


def write(languages: list[Path]) -> None:
    """Run a lesson's commands in an empty folder, and write their outputs into it in every language."""
    examples = find_examples(languages[0].read_text())
    outputs = []
    here = Path.cwd()
    files = [Path(os.environ.get("LESSON_FILES", "nowhere"), name).absolute() for name in given(examples)]
    if missing := [file.name for file in files if not file.exists()]:
        print(f"left {languages[0].name} as it is: no {' and no '.join(missing)} in the folder LESSON_FILES")
        return
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for file in files:
                Path(file.name).symlink_to(file)
            for example in examples:
                code, printed = run(example.words)
                if code:
                    raise SystemExit(f"{languages[0].name}: {example.command} ended with {code}\n{printed}")
                outputs.append(example.shown(printed))
            for picture in Path("pictures").glob("*.svg"):
                (LESSONS / "pictures").mkdir(exist_ok=True)
                shutil.copy(picture, LESSONS / "pictures")
        finally:
            os.chdir(here)
    for page in languages:
        page.write_text(put_outputs(page.read_text(), outputs))
    print(f"wrote {languages[0].name}")


if __name__ == "__main__":
    for wanted in map(int, sys.argv[1:]) if sys.argv[1:] else (None,):
        for lesson in pages(wanted):
            write(lesson)
