"""Explanations in words: what a method shows and what it cannot, where a map lies, what was asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from resnetkit.explanation.explanation import GAP, Check, Explanation, Heat, HeatMap
from resnetkit.explanation.methods import METHODS
from resnetkit.pages.formatting import plain_percent

ROWS = ("upper", "middle", "lower")
COLUMNS = ("left", "centre", "right")
# Spread evenly, each ninth of the square has 11 %.
SPREAD_BELOW = 0.2
NUM_CLASSES = 5
DOUBTS = {"unknown": "it is like none of the classes", "unsure": "no class is probable enough to be named"}


class Says(NamedTuple):
    """A sentence each on what a method shows, and on what it cannot."""

    shows: str
    cannot: str


SAYS: Mapping[str, Says] = {
    "grad_cam": Says(
        "Where the network found features that speak for the class.",
        "It is as coarse as the layer it reads, so it does not say which detail in a spot mattered, nor what spoke "
        "against the class.",
    ),
    "grad_cam_plus_plus": Says(
        "As Grad-CAM, made to cover every one of several objects of the class.",
        "It leans to the middle of the image and to whatever stands out, and changes little even where the weights "
        "are random: take it as a hint.",
    ),
    "layer_cam": Says(
        "As Grad-CAM, weighted place by place, so that early layers give finer maps.",
        "It follows what stands out in the image, and changes little even where the weights are random: take it as a "
        "hint.",
    ),
    "gradient": Says(
        "The pixels whose smallest change would change the answer most.",
        "It is noisy, and tells what the answer is sensitive to, not what it rests on.",
    ),
    "smooth_grad": Says(
        "As the gradient, averaged over noisy copies of the image, which leaves less noise.",
        "It still tells what the answer is sensitive to, not what it rests on.",
    ),
    "integrated_gradients": Says(
        "The part of each pixel in the difference between the answer here and for an image of the mean colour; the "
        "parts add up to it.",
        "Pixels of the mean colour get no part, however much they matter.",
    ),
    "occlusion": Says(
        "How much less the network would say the class with each patch covered by the mean colour.",
        "It sees nothing smaller than a patch, and what is there twice seems not to matter, since the other one is "
        "still there.",
    ),
    "rise": Says(
        "How well the class is found when only random parts of the image are left: bright where leaving a part helps.",
        "It is coarse, and a little different with other random parts.",
    ),
}


def above_nothing(heat: HeatMap) -> Heat:
    """Return a map's values, counted from the least of them where none stands for nothing."""
    return heat.values - np.nanmin(heat.values) if METHODS[heat.method].is_relative else heat.values


def tell_place(heat: HeatMap) -> str:
    """Say where in the square that the network saw most of a map's values for the class lie.

    >>> corner = np.zeros((6, 6), np.float32)
    >>> corner[0, 5] = 1
    >>> tell_place(HeatMap("grad_cam", "stage3", "cat", None, corner))
    'upper right, 100 % of it'
    """
    positive = np.clip(np.nan_to_num(above_nothing(heat)), 0, None).astype(np.float64)
    total = positive.sum()
    if total == 0:
        return "nowhere: nothing speaks for it"
    thirds = [part.sum() for rows in np.array_split(positive, 3, 0) for part in np.array_split(rows, 3, 1)]
    best = int(np.argmax(thirds))
    share = thirds[best] / total
    if share < SPREAD_BELOW:
        return "spread over the image"
    row, column = ROWS[best // 3], COLUMNS[best % 3]
    place = "centre" if (row, column) == ("middle", "centre") else f"{row} {column}"
    return f"{place}, {plain_percent(share, 0)} of it"


def tell_answer(explanation: Explanation) -> str:
    """Say what the classifier answers for a readable image; the most probable class is told in any case.

    >>> shares = np.float32([0.75, 0.25])
    >>> tell_answer(Explanation("a.png", "ok", probabilities=shares, class_names=("cat", "dog")))
    'cat, 75.0 % sure'
    >>> tell_answer(Explanation("a.png", "unknown", probabilities=shares, class_names=("cat", "dog")))
    'unknown: it is like none of the classes; the most probable one is cat, 75.0 %'
    """
    ((best, probability),) = explanation.top(1)
    share = f"{best}, {plain_percent(probability, 1)}"
    if explanation.status == "ok":
        return f"{share} sure"
    return f"{explanation.status}: {DOUBTS[explanation.status]}; the most probable one is {share}"


def tell_question(explanation: Explanation) -> str:
    """Say what a readable image's maps are about.

    >>> heat = HeatMap("grad_cam", "stage3", "cat", "dog", np.zeros((2, 2), np.float32))
    >>> tell_question(Explanation("a.png", "ok", maps=(heat,)))
    'Why cat and not dog'
    """
    heat = explanation.maps[0]
    return f"Why {heat.class_name}" + ("" if heat.against is None else f" and not {heat.against}")


def tell_method(heat: HeatMap) -> str:
    """Name a map's method, and the feature map that it read with the number of its values."""
    grid = "" if heat.grid is None else f" ({heat.grid}×{heat.grid} values)"
    return METHODS[heat.method].title + ("" if heat.layer is None else f", {heat.layer}{grid}")


def tell_areas(check: Check) -> str:
    """Compare the areas of a map with those of a blob in the centre and of random places."""
    own, blob, random = check.own, check.blob, check.random
    return (
        f"mean share of the class while the image is uncovered in the map's order: {own.insertion:.2f} (a blob in the "
        f"centre {blob.insertion:.2f}, random places {random.insertion:.2f}; more is better); while it is covered: "
        f"{own.deletion:.2f} ({blob.deletion:.2f}, {random.deletion:.2f}; less is better)"
    )


def tell_weights(check: Check) -> str:
    """Say how far a map depends on what was learned."""
    kept = f"rank correlation {check.last_stage_anew:.2f} with the map of the network with head and last stage drawn "
    kept += f"anew ({check.head_anew:.2f} with the head alone)"
    if check.shows_what_was_learned:
        return f"{kept}: it depends on what was learned"
    return f"{kept}: it hardly depends on what was learned, so take it as a hint"


def iter_notes(heat: HeatMap) -> Iterator[str]:
    """Yield what was found of a map: whether its values add up as they should, and what checks of it say."""
    if heat.gap is not None and heat.gap > GAP:
        gap = plain_percent(heat.gap, 0)
        yield f"its values should add up to what the image changes of the score, and miss {gap} of it"
    if heat.check is not None:
        yield tell_weights(heat.check)
        yield tell_areas(heat.check)


class Share(NamedTuple):
    """The probability of a class, and what the class has to do with the question; empty: nothing."""

    class_name: str
    probability: float
    role: str


def iter_shares(explanation: Explanation) -> Iterator[Share]:
    """Yield the most probable classes, and those of the question wherever they are among the others."""
    heat = explanation.maps[0]
    roles = {heat.against: "compared with", heat.class_name: "explained"}
    for rank, (name, probability) in enumerate(explanation.top(len(explanation.class_names))):
        if rank < NUM_CLASSES or name in roles:
            yield Share(name, probability, roles.get(name, ""))
