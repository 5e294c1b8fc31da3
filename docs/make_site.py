"""Builds the docs site into ``site/``: ``make docs``, or ``python -m docs.make_site`` with the extra ``docs``.

Its pages are the repository's own, each at its own path, so that a link leads to the same page here as beside the
code. The reference alone is written here, from the docstrings and from what the commands say of themselves.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from docs import reference

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "docs" / "zensical.toml"
STAGE = ROOT / "build" / "site"  # the generator wants what it reads and writes below one folder
SITE = ROOT / "site"
PAGES = ("*.md", "docs/**/*.md", "benchmarks/*.md")
FILES = ("docs/*.css", "docs/**/*.svg", "docs/**/*.png", "docs/**/*.ipynb")  # shown by pages, or fetched from them


def find_files(*patterns: str) -> list[str]:
    """Files by their paths in the repository, sorted, of each pattern in turn."""
    return [path.relative_to(ROOT).as_posix() for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def config() -> str:
    """The generator's settings, with each pattern in its navigation replaced by the pages that match."""
    pages = {pattern: find_files(pattern) for pattern in re.findall(r'"([^"]*\*[^"]*)"', CONFIG.read_text())}
    text = CONFIG.read_text()
    for pattern, names in pages.items():
        text = text.replace(f'"{pattern}"', ", ".join(f'"{name}"' for name in names))
    return text


def stage(folder: Path) -> None:
    """Write what the generator reads into an empty folder."""
    for name in find_files(*PAGES, *FILES):
        copy = folder / "pages" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy)
    (folder / "pages" / "reference").mkdir()
    (folder / "pages" / "reference" / "commands.md").write_text(reference.commands())
    (folder / "pages" / "reference" / "python.md").write_text(reference.python())
    (folder / CONFIG.name).write_text(config())


if __name__ == "__main__":
    shutil.rmtree(STAGE, ignore_errors=True)
    stage(STAGE)
    built = subprocess.run([sys.executable, "-m", "zensical", "build", "--strict", "-f", STAGE / CONFIG.name])
    if built.returncode:
        raise SystemExit(built.returncode)
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.move(STAGE / "site", SITE)
    print(f"open {SITE / 'index.html'}")
