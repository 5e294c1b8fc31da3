"""The methods there are, as one table; no torch is loaded before one computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from resnetkit.errors import Code, ResnetkitError, did_you_mean, require
from resnetkit.images.types import UInt8Images

if TYPE_CHECKING:
    from resnetkit.explanation.explanation import Heat
    from resnetkit.explanation.subject import Question, Subject

ALL = "all"


@dataclass(frozen=True)
class Method:
    """One way to explain.

    Attributes:
        title: its name as its authors write it.
        paper: where it was published.
        idea: what it does, in a few words.
        unit: of its values.
        is_signed: whether values below 0 speak against the class; else all are 0 or more.
        reads_map: whether it reads a feature map, so that ``layer`` has an effect.
        adds_up: whether its values add up to the score of the image less the score of one that is the mean colour.
        function: ``module:function`` that computes it, in this room.
    """

    name: str
    title: str
    paper: str
    idea: str
    unit: str
    is_signed: bool
    reads_map: bool
    function: str
    adds_up: bool = False

    def compute(self, subject: Subject, question: Question, pixels: UInt8Images) -> Heat:
        """The map ``(S, S)`` of a prepared image, uint8 ``(C, S, S)``."""
        module, function = self.function.split(":")
        heat: Heat = getattr(import_module(f"resnetkit.explanation.{module}"), function)(subject, question, pixels)
        return heat


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(
            "grad_cam",
            "Grad-CAM",
            "arXiv:1610.02391",
            "channels of a feature map, weighted by how much the score grows with each",
            "score",
            is_signed=False,
            reads_map=True,
            function="cam:grad_cam",
        ),
    )
}


def find_methods(names: Sequence[str]) -> tuple[Method, ...]:
    """The methods of these names, each once, in this order; ``all``: every one.

    Raises:
        ResnetkitError: for a name that there is not, with the nearest one.
    """
    require(len(names) > 0, "no method was given", fix=f"choose among {', '.join(METHODS)}, or {ALL}")
    for name in names:
        if name not in METHODS and name != ALL:
            raise ResnetkitError(Code.USAGE, f"unknown method '{name}'", fix=did_you_mean(name, (*METHODS, ALL)))
    chosen = METHODS if ALL in names else dict.fromkeys(names)
    return tuple(METHODS[name] for name in chosen)
