"""A recipe in words and values: what its docstring says, and what it sets (no torch here)."""

from __future__ import annotations

import inspect
import re
import shlex
from dataclasses import dataclass
from typing import NamedTuple

from resnetkit.config import override, to_dict
from resnetkit.data.spec import DataSpec
from resnetkit.errors import Code, ResnetkitError, did_you_mean
from resnetkit.images.spec import Preprocessing, with_margin
from resnetkit.pages.differences import ValueDifference, differing_values
from resnetkit.recipes.advice import MANY_PHOTOS, PHOTO_STATISTICS, DataSummary, choose
from resnetkit.recipes.named import DATA_OF, RECIPES, Traits
from resnetkit.recipes.recipe import Recipe

PHOTOGRAPHS = DataSummary("photographs", 224, 3, num_train=550, num_classes=5, is_folder=True)
"""Stands for the folder that a recipe's command leaves open."""


class Use(NamedTuple):
    """A command that trains by a recipe, what it costs on two CPU cores, and what comes out.

    Attributes:
        data: what it was measured on, or is made for, where the command does not say it.
    """

    command: str
    data: str
    cost: str
    result: str


@dataclass(frozen=True)
class RecipeWords:
    """Words of a recipe about itself.

    Attributes:
        purpose: what it is for.
        way: how it trains, in short.
        remarks: further paragraphs.
        uses: the commands it was measured with, or is made for.
        measured_in: the document that says how it was measured; empty where it was not.
    """

    name: str
    purpose: str
    way: str
    remarks: tuple[str, ...]
    uses: tuple[Use, ...]
    measured_in: str


def tell_recipe(name: str) -> RecipeWords:
    """The words of a recipe, read from its docstring.

    >>> words = tell_recipe("cifar_paper")
    >>> words.purpose, words.uses[0].result
    ('as arXiv:1512.03385, Section 4.2', 'not measured here')

    Raises:
        ResnetkitError: for an unknown name, with the nearest one.
    """
    if name not in RECIPES:
        raise ResnetkitError(Code.USAGE, f"unknown recipe '{name}'", fix=did_you_mean(name, RECIPES))
    first, *paragraphs = (inspect.getdoc(RECIPES[name]) or "").split("\n\n")
    purpose, _, way = _plain(first).rstrip(".").partition(": ")
    facts = [fact for paragraph in paragraphs for fact in _FACT.findall(paragraph)]
    told = iter([text.strip().removesuffix(".") for kind, text in facts if kind != "Measured in"])
    return RecipeWords(
        name,
        purpose[:1].lower() + purpose[1:],
        way,
        tuple(_plain(paragraph) for paragraph in paragraphs if not _FACT.match(paragraph)),
        tuple(Use(*_command_and_data(command), _plain(next(told)), _plain(next(told))) for command in told),
        next((_plain(text).removesuffix(".") for kind, text in facts if kind == "Measured in"), ""),
    )


def example_base(name: str) -> tuple[Recipe, Traits]:
    """A recipe's starting point: values as they are without it, for the data and the network of its first command.

    Returns them with the traits of the images, as :data:`~resnetkit.recipes.named.RECIPES` take both.
    """
    from resnetkit.data.datasets import DATASETS  # loads numpy

    words = shlex.split(tell_recipe(name).uses[0].command)
    model = words[words.index("--model") + 1] if "--model" in words else None
    data = words[2]
    summary = DataSummary.of(DATASETS[data], MANY_PHOTOS) if data in DATASETS else PHOTOGRAPHS
    size, channels = summary.image_size_px, summary.channels
    chosen = choose(summary, DataSpec(summary.name), model=model, recipe=name).recipe
    base = Recipe(
        name=name,
        model_name=chosen.model_name,
        model=chosen.model,
        data=chosen.data,
        preprocessing=Preprocessing(
            size, with_margin(size), channels, *(summary.statistics or PHOTO_STATISTICS[channels])
        ),
    )
    return base, summary.traits


def find_settings(name: str) -> tuple[ValueDifference, ...]:
    """Fields whose values a recipe changes: ``a`` is what they are without it, ``b`` what it makes of them.

    Some depend on the data; these are for those of :func:`example_base`.

    >>> [(field.a, field.b) for field in find_settings("cifar_paper") if field.field == "epochs"]
    [('10', '164')]
    """
    base, traits = example_base(name)
    usual, data = to_dict(base), to_dict(override(base.data, DATA_OF.get(name, {})))
    changed = differing_values(usual, to_dict(RECIPES[name](base, traits)) | {"data": data})
    places = list(usual)
    # Kinds before the values that go with them, and those of one kind beside those of the other.
    return tuple(sorted(changed, key=lambda one: (places.index(one.field.split(".")[0]), "kind" not in one.field)))


_FACT = re.compile(
    r"^(Command|Cost|Result|Measured in):? (.+?)(?=^(?:Command|Cost|Result|Measured in)\b|\Z)", re.MULTILINE | re.DOTALL
)


def _command_and_data(text: str) -> tuple[str, str]:
    command, rest = re.fullmatch(r"``(.+?)``(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    return _plain(command), _plain(rest).lstrip(", ")


def _plain(text: str) -> str:
    """Text of a docstring without its markup, on one line, but for items of a list, which have lines of their own."""
    text = re.sub(r"(?::\w+:)?`+([^`]+)`+", r"\1", text.strip())
    return re.sub(r"\s*\n(?!\d+\. )\s*", " ", text)
