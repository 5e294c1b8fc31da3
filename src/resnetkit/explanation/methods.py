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
        unit: of its values; of probabilities it is logits instead where a class is explained against another.
        is_signed: whether values below 0 speak against the class; else all are 0 or more (but for logits of RISE's).
        reads_map: whether it reads a feature map, so that ``layer`` has an effect.
        adds_up: whether its values add up to the score of the image less the score of one that is the mean colour.
        is_relative: whether only differences within a map mean something: no value in it stands for nothing.
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
    is_relative: bool = False

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
            "logits",
            is_signed=False,
            reads_map=True,
            function="cam:grad_cam",
        ),
        Method(
            "layer_cam",
            "LayerCAM",
            "doi:10.1109/TIP.2021.3089943",
            "values of a feature map, weighted by how much the score grows with each",
            "logits",
            is_signed=False,
            reads_map=True,
            function="cam:layer_cam",
        ),
        Method(
            "grad_cam_plus_plus",
            "Grad-CAM++",
            "arXiv:1710.11063",
            "channels of a feature map, weighted by how much they grow the score anywhere",
            "logits",
            is_signed=False,
            reads_map=True,
            function="cam:grad_cam_plus_plus",
        ),
        Method(
            "gradient",
            "gradient",
            "arXiv:1312.6034",
            "how fast the score changes with each pixel",
            "logits per standard deviation",
            is_signed=False,
            reads_map=False,
            function="gradients:gradient",
        ),
        Method(
            "smooth_grad",
            "SmoothGrad",
            "arXiv:1706.03825",
            "the gradient, averaged over noisy copies of the image",
            "logits per standard deviation",
            is_signed=False,
            reads_map=False,
            function="gradients:smooth_grad",
        ),
        Method(
            "integrated_gradients",
            "integrated gradients",
            "arXiv:1703.01365",
            "the gradient, added up on the way from an image of the mean colour",
            "logits",
            is_signed=True,
            reads_map=False,
            function="gradients:integrated_gradients",
            adds_up=True,
        ),
        Method(
            "occlusion",
            "occlusion",
            "arXiv:1311.2901",
            "what covering a window takes from the answer",
            "probability",
            is_signed=True,
            reads_map=False,
            function="covering:occlusion",
        ),
        Method(
            "rise",
            "RISE",
            "arXiv:1806.07421",
            "the answer to be expected where a pixel is seen, the rest covered at random",
            "probability",
            is_signed=False,
            reads_map=False,
            function="covering:rise",
            is_relative=True,
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
