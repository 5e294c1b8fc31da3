"""Explanations as values: heat maps over what a network saw of an image, and where in the image that is.

No torch here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from resnetkit.classifier.decision import Probabilities
from resnetkit.errors import Code, ResnetkitError
from resnetkit.images.preprocessing import Window
from resnetkit.images.types import UInt8Images
from resnetkit.pages.showing import show

Heat = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Asked:
    """Request for the explanation of images.

    Attributes:
        methods: names of :data:`~resnetkit.explanation.methods.METHODS`, or ``all``.
        layer: the feature map to read, ``stem``, ``stage1``, ``stage2`` …, for methods that read one; None: the last
            one, as the head reads it.
        class_name: the class to explain; None: the image's most probable one.
        against: explain why ``class_name`` rather than this class; without ``class_name``, why the most probable other
            class.
        check: whether maps are checked; see :class:`Check`.
    """

    methods: tuple[str, ...] = ("grad_cam",)
    layer: str | None = None
    class_name: str | None = None
    against: str | None = None
    check: bool = False


@dataclass(frozen=True)
class Areas:
    """Mean of the class's share of the answer, in [0, 1], while an image is covered and uncovered bit by bit.

    Attributes:
        deletion: covered, in the order of a map; small where the map marks what matters.
        insertion: uncovered, in that order; large where it does.
    """

    deletion: float
    insertion: float


KEPT_ABOVE = 0.3  # of rank correlations: how alike maps are that hardly depend on what was learned
GAP = 0.01  # of what the image changes of the score, the share that values may miss which should add up to it


@dataclass(frozen=True)
class Check:
    """Findings on whether a map can be believed; :mod:`resnetkit.explanation.checks` has how they are made.

    Attributes:
        own, blob, random: areas of the map, of a blob in the centre, and of random places.
        head_anew: rank correlation of the map with that of the same network whose head is drawn anew, in [-1, 1].
        last_stage_anew: with that whose head and last stage are.
    """

    own: Areas
    blob: Areas
    random: Areas
    head_anew: float
    last_stage_anew: float

    @property
    def shows_what_was_learned(self) -> bool:
        """True where the map is another one without what head and last stage have learned."""
        return self.last_stage_anew < KEPT_ABOVE


@dataclass(frozen=True)
class HeatMap:
    """The part that each pixel has in an answer, as one method sees it.

    Attributes:
        method: a name of :data:`~resnetkit.explanation.methods.METHODS`, which tells the unit and sign of its values.
        layer: the feature map that was read; None where the method reads pixels.
        class_name: the class that is explained.
        against: the class that it is explained against: why the one rather than the other.
        values: ``(S, S)`` over the square that the network was given.
        grid: how many values the feature map has across, of which ``values`` are enlarged; None where pixels are read.
        check: what checks of the map found; None where none were asked for.
        gap: of methods whose values add up to what the image changes of the answer, the share of it that they miss.
    """

    method: str
    layer: str | None
    class_name: str
    against: str | None
    values: Heat = field(repr=False)
    gap: float | None = None
    grid: int | None = None
    check: Check | None = None


@dataclass(frozen=True)
class Explanation:
    """The answer for one image, and what it rests on.

    Attributes:
        source: the path, or the position in the input where it was no file.
        status: as of a :class:`~resnetkit.classifier.prediction.Prediction`; ``error`` for an image that could not be
            read or answered, then ``reason`` says why, and the rest is empty.
        image: the image, upright, in its own size and colours, uint8 ``(H, W, 3)``.
        window: the part of it that the network saw.
        probabilities: of the classes in [0, 1], ``(K,)``, in the order of ``class_names``.
        maps: one for each method, in the order asked for.
        note: what of the image the classifier could not look at; empty where nothing was lost.
    """

    source: str
    status: str
    reason: str = ""
    image: UInt8Images | None = field(default=None, repr=False)
    window: Window | None = None
    probabilities: Probabilities = field(default_factory=lambda: np.empty(0, np.float32), repr=False)
    class_names: tuple[str, ...] = field(default=(), repr=False)
    maps: tuple[HeatMap, ...] = ()
    note: str = ""

    def top(self, number: int = 5) -> tuple[tuple[str, float], ...]:
        """The most probable classes with their probabilities, best first."""
        order = np.argsort(-self.probabilities, kind="stable")[:number]
        return tuple((self.class_names[i], float(self.probabilities[i])) for i in order)

    def on_image(self, heat: HeatMap) -> Heat:
        """A map over the whole image, ``(H, W)``, interpolated; not a number where the network never looked.

        Raises:
            ResnetkitError: where the image could not be read.
        """
        if self.image is None or self.window is None:
            raise ResnetkitError(Code.DATA, f"{self.source} {self.reason}, so there is nothing to lay a map on")
        return lay_on_image(heat.values, self.window, *self.image.shape[:2])

    def _repr_html_(self) -> str:
        return show(self)


class Explanations(list[Explanation]):
    """Explanations of images, one each and in order: a list that a notebook shows with its pictures."""

    def _repr_html_(self) -> str:
        return show(self)


def lay_on_image(values: Heat, window: Window, height: int, width: int) -> Heat:
    """Values ``(S, S)`` of a window over an image ``(height, width)``, bilinear; not a number outside the window.

    >>> lay_on_image(np.array([[1, 3]], np.float32).repeat(2, 0), Window(1, 0, 4, 2), 1, 6)
    array([[nan, 1. , 1.5, 2.5, 3. , nan]], dtype=float32)
    """
    top, bottom, down, rows_inside = _neighbours(height, window.top, window.height, len(values))
    left, right, across, columns_inside = _neighbours(width, window.left, window.width, values.shape[1])
    rows = values[top] * (1 - down)[:, None] + values[bottom] * down[:, None]
    laid: Heat = (rows[:, left] * (1 - across) + rows[:, right] * across).astype(np.float32)
    laid[~rows_inside], laid[:, ~columns_inside] = np.nan, np.nan
    return laid


def _neighbours(
    length: int, start: float, extent: float, size: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Heat, npt.NDArray[np.bool_]]:
    """Along one side, the two of ``size`` values that each pixel lies between, the share of the second, and whether the
    pixel's centre is in the window.
    """
    inside = (np.arange(length) + 0.5 - start) / extent
    at = np.clip(inside * size - 0.5, 0, size - 1)
    first = at.astype(np.int64)
    return first, np.minimum(first + 1, size - 1), (at - first).astype(np.float32), (inside >= 0) & (inside <= 1)
