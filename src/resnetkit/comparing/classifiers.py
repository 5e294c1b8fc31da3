"""Two classifiers, or the tensors of two weight files: what differs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from resnetkit.classifier.classifier import Classifier
from resnetkit.config import to_dict
from resnetkit.pages.differences import ValueDifference, differing_values


@dataclass(frozen=True)
class Distance:
    """Distance between the tensors of one part of two networks.

    Attributes:
        num_tensors, num_equal: tensors compared, and those equal in every number.
        largest: largest difference of two numbers; None where a number is not finite.
        relative: length of the difference / length of the first, over all numbers of the part; None as above, and
            where the first is all zeros and the second is not.
    """

    part: str
    num_tensors: int
    num_equal: int
    largest: float | None
    relative: float | None


@dataclass(frozen=True)
class TensorComparison:
    """Tensors by name: how far they are apart part by part, and the names that cannot be compared."""

    distances: tuple[Distance, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    other_shape: tuple[str, ...]

    @property
    def is_telling(self) -> bool:
        """Tell whether most tensors are compared; networks of another build share a stem at most."""
        compared = sum(distance.num_tensors for distance in self.distances)
        return compared > len(self.other_shape) + max(len(self.only_a), len(self.only_b))


@dataclass(frozen=True)
class ClassifierComparison:
    """Differences in what decides an answer beside the weights.

    Attributes:
        only_a, only_b: class names that one side alone has.
        same_order: whether both have the same names in the same order.
    """

    preprocessing: tuple[ValueDifference, ...]
    decision: tuple[ValueDifference, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    same_order: bool


def compare_classifiers(a: Classifier, b: Classifier) -> ClassifierComparison:
    """Preprocessing, decision and class names side by side."""
    return ClassifierComparison(
        differing_values(to_dict(a.preprocessing), to_dict(b.preprocessing)),
        differing_values(to_dict(a.decision), to_dict(b.decision)),
        tuple(name for name in a.class_names if name not in b.class_names),
        tuple(name for name in b.class_names if name not in a.class_names),
        a.class_names == b.class_names,
    )


def compare_tensors(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> TensorComparison:
    """Tensors of the same name and shape, part by part.

    Counters (whole numbers), such as those of batches that a norm has seen, are left out: many files lack them.
    """
    a, b = ({name: t for name, t in tensors.items() if t.is_floating_point()} for tensors in (a, b))
    shared = [name for name in a if name in b]
    parts: dict[str, list[tuple[Tensor, Tensor]]] = {}
    for name in shared:
        if a[name].shape == b[name].shape:
            parts.setdefault(part_of(name), []).append((a[name], b[name]))
    return TensorComparison(
        tuple(_distance(part, pairs) for part, pairs in parts.items()),
        tuple(name for name in a if name not in b),
        tuple(name for name in b if name not in a),
        tuple(name for name in shared if a[name].shape != b[name].shape),
    )


def part_of(name: str) -> str:
    """The part of a network that a tensor belongs to; for foreign names, what stands before the first dot.

    >>> part_of("layer3.0.conv1.weight"), part_of("bn1.weight"), part_of("fc.bias")
    ('stage 3', 'stem', 'head')
    """
    first = name.split(".")[0]
    stage = re.fullmatch(r"layer(\d+)", first)
    if stage:
        return f"stage {stage[1]}"
    return {"conv1": "stem", "bn1": "stem", "maxpool": "stem", "norm": "tail", "fc": "head"}.get(first, first)


def _distance(part: str, pairs: list[tuple[Tensor, Tensor]]) -> Distance:
    largest = squared = length = 0.0
    num_equal = 0
    for left, right in pairs:
        difference = right.detach().double() - left.detach().double()
        num_equal += bool(torch.equal(left.detach().double(), right.detach().double()))
        largest = max(largest, float(difference.abs().max())) if difference.numel() else largest
        squared += float(difference.square().sum())
        length += float(left.detach().double().square().sum())
    is_finite = math.isfinite(squared) and math.isfinite(length)
    relative = 0.0 if squared == 0 else math.sqrt(squared / length) if length else None
    return Distance(part, len(pairs), num_equal, largest if is_finite else None, relative if is_finite else None)
