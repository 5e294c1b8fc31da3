"""Names that a shell offers on Tab: networks, recipes, data sets, studies, runs. No torch is loaded for them.

Each function takes what has been typed of a word, and gives names that may go on from there, each with what it is;
typer keeps those that do. Where there are none, the shell goes on with the names of files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

RUNS = Path("runs")  # where train puts them unless told otherwise
# Shells take completions for words that are typed: a name with spaces or signs of theirs is left to their own.
PLAIN_WORD = re.compile(r"[\w./+,@%-]+")

Offers = Iterator[tuple[str, str]]


def offer_networks(typed: str) -> Offers:
    """Networks of the catalog."""
    from resnetkit.models.catalog import CATALOG

    for name, entry in CATALOG.items():
        yield name, entry.summary


def offer_recipes(typed: str) -> Offers:
    """Named recipes, with what each is for."""
    from resnetkit.recipes.named import RECIPES
    from resnetkit.recipes.recipe_words import tell_recipe

    for name in RECIPES:
        yield name, tell_recipe(name).purpose


def offer_data(typed: str) -> Offers:
    """Named data sets, and folders and lists here."""
    from resnetkit.data.datasets import DATASETS
    from resnetkit.folders.table_file import is_folder_or_list

    for name, data in DATASETS.items():
        yield name, f"{len(data.class_names)} classes"
    yield from _offer_paths(typed, only=is_folder_or_list)


def offer_studies(typed: str) -> Offers:
    """Shipped studies, and files here."""
    from resnetkit.study.shipped import list_studies

    for name in list_studies():
        yield name, "a shipped study"
    yield from _offer_paths(typed)


def offer_runs(typed: str) -> Offers:
    """Runs in the folder that is being typed, else in ``runs``."""
    from resnetkit.runs.finding import is_run

    folder = Path(typed.rpartition("/")[0]) if "/" in typed else RUNS
    with suppress(OSError):
        for run in sorted(folder.iterdir()):
            if is_run(run) and PLAIN_WORD.fullmatch(str(run)):
                yield str(run), "a run"


def offer_published(typed: str) -> Offers:
    """Published weights."""
    from resnetkit.sources.published import published_names

    for name, (first, *_) in published_names().items():
        yield name, f"of {first.origin}"


def offer_weights(typed: str) -> Offers:
    """Runs, and files here."""
    yield from offer_runs(typed)
    yield from _offer_paths(typed)


def offer_sources(typed: str) -> Offers:
    """Runs, networks, and files here."""
    yield from offer_runs(typed)
    yield from offer_networks(typed)
    yield from _offer_paths(typed)


def _offer_paths(typed: str, *, only: Callable[[Path], bool] = Path.exists) -> Offers:
    """Files and folders here that go on from what was typed: names of ours would hide them from the shell."""
    if not typed or "/" in typed:
        return
    with suppress(OSError):
        for path in sorted(Path().glob(f"{_literal(typed)}*")):
            if PLAIN_WORD.fullmatch(path.name) and only(path):
                yield path.name, "a folder" if path.is_dir() else "a file"


def _literal(text: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", text)
