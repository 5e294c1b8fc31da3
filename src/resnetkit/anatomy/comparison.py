"""Two networks side by side: their numbers, what differs in their specs, and what follows from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from resnetkit.anatomy.lessons import Side, teach
from resnetkit.anatomy.memory import measure_memory
from resnetkit.anatomy.skip_words import is_plain
from resnetkit.anatomy.spec_words import MEANINGS, PUBLISHED, Meaning
from resnetkit.anatomy.table import Description, StageRow, describe
from resnetkit.anatomy.wiring import wire
from resnetkit.config import from_dict, to_dict
from resnetkit.errors import ResnetkitError
from resnetkit.models.spec import ResNetSpec

# The one choice about skips that is told where one network has none.
(PROJECTION,) = (meaning for meaning in MEANINGS if meaning.fields == ("block.projection",))


@dataclass(frozen=True)
class Quantity:
    """A number of both networks; ``ratio`` is b / a."""

    name: str
    a: int
    b: int

    @property
    def ratio(self) -> float | None:
        """None where the first is 0."""
        return self.b / self.a if self.a else None


@dataclass(frozen=True)
class Difference:
    """A choice in which the specs differ.

    Attributes:
        fields: the differing fields of the spec.
        a, b: the choices in words.
        alone: the numbers of the first network that change if it takes over this one choice of the second; empty
            where none does, or where the choice cannot be taken over alone.
        why: what the choice means.
        source: where that is shown.
        measured: what a paper reports for one or both choices in its own network; empty where it reports nothing.
    """

    name: str
    fields: tuple[str, ...]
    a: str
    b: str
    alone: tuple[Quantity, ...]
    why: str
    source: str
    measured: str = ""


@dataclass(frozen=True)
class NetworkComparison:
    """All there is to say about two networks.

    Attributes:
        rows: their tables' rows, paired by name; None where one network lacks the part.
        lessons: (title, text) pairs that explain both networks with their own numbers.
        published: errors that papers report, by network.
    """

    a: Side
    b: Side
    quantities: tuple[Quantity, ...]
    rows: tuple[tuple[StageRow | None, StageRow | None], ...]
    differences: tuple[Difference, ...]
    lessons: tuple[tuple[str, str], ...]
    published: dict[str, str]


def see(name: str, spec: ResNetSpec, image_size_px: int) -> Side:
    """One side of a comparison."""
    return Side(
        name,
        spec,
        describe(spec, image_size_px),
        measure_memory(spec, image_size_px),
        wire(spec, image_size_px),
    )


def compare_networks(a: Side, b: Side) -> NetworkComparison:
    """Two networks, what differs between them and why it matters.

    >>> from resnetkit.models.catalog import CATALOG
    >>> both = [see(name, CATALOG[name].spec, 224) for name in ("resnet50_v1", "resnet50")]
    >>> comparison = compare_networks(*both)
    >>> [(difference.name, difference.b) for difference in comparison.differences]
    [('place of the stride', 'on conv 2 of 3, the 3×3 (v1.5)')]
    """
    return NetworkComparison(
        a,
        b,
        quantities=(
            *_cost(a.description, b.description),
            Quantity("bytes of weights", a.memory.parameter_bytes, b.memory.parameter_bytes),
            Quantity("bytes kept for training, one image", a.memory.kept_bytes, b.memory.kept_bytes),
            Quantity("bytes at once in use, one image", a.memory.peak_bytes, b.memory.peak_bytes),
        ),
        rows=tuple(_pair(a.description, b.description)),
        differences=tuple(_differences(a, b)),
        lessons=teach(a, b),
        published={side.name: PUBLISHED[side.name] for side in (a, b) if side.name in PUBLISHED},
    )


def as_values(comparison: NetworkComparison) -> dict[str, Any]:
    """A comparison as plain values, for JSON."""
    return {
        "a": {"name": comparison.a.name, "input_shape": comparison.a.description.input_shape},
        "b": {"name": comparison.b.name, "input_shape": comparison.b.description.input_shape},
        "quantities": [_quantity_values(quantity) for quantity in comparison.quantities],
        "rows": [[row and dataclasses.asdict(row) for row in pair] for pair in comparison.rows],
        "differences": [
            {**dataclasses.asdict(difference), "alone": [_quantity_values(quantity) for quantity in difference.alone]}
            for difference in comparison.differences
        ],
        "lessons": [{"title": title, "text": text} for title, text in comparison.lessons],
        "published": comparison.published,
    }


def _quantity_values(quantity: Quantity) -> dict[str, Any]:
    return {**dataclasses.asdict(quantity), "ratio": quantity.ratio}


def _cost(a: Description, b: Description) -> tuple[Quantity, ...]:
    return (
        Quantity("layers with weights, longest path", a.num_layers, b.num_layers),
        Quantity("parameters", a.parameters, b.parameters),
        Quantity("multiply-adds", a.multiply_adds, b.multiply_adds),
        Quantity("activations", a.activations, b.activations),
        Quantity("receptive field, px", a.receptive_field_px, b.receptive_field_px),
    )


def _pair(a: Description, b: Description) -> Iterator[tuple[StageRow | None, StageRow | None]]:
    """Rows of both tables, the stages by their numbers, what stands before and behind them by name."""
    left, right = map(_cut, (a.rows, b.rows))
    yield from _pair_by_name(("stem", "max-pool", "pool"), left[0], right[0])
    yield from zip_longest(left[1], right[1])
    yield from _pair_by_name(("tail", "avg-pool", "max-pool", "head"), left[2], right[2])


def _cut(rows: Sequence[StageRow]) -> tuple[list[StageRow], list[StageRow], list[StageRow]]:
    """The rows before the stages, of them, and behind them: a max-pool may stand on both sides."""
    is_stage = [row.name.startswith("stage") for row in rows]
    first = is_stage.index(True)
    end = first + sum(is_stage)
    return list(rows[:first]), list(rows[first:end]), list(rows[end:])


def _pair_by_name(
    names: Sequence[str], a: Sequence[StageRow], b: Sequence[StageRow]
) -> Iterator[tuple[StageRow | None, StageRow | None]]:
    left, right = ({row.name: row for row in rows} for rows in (a, b))
    for name in names:
        if name in left or name in right:
            yield left.get(name), right.get(name)


def _differences(a: Side, b: Side) -> Iterator[Difference]:
    trees = to_dict(a.spec), to_dict(b.spec)
    told: set[str] = set()
    for meaning in MEANINGS:
        differing = [path for path in meaning.fields if _value(trees[0], path) != _value(trees[1], path)]
        # A different kind of block explains its stride with it; alone, the stride has its own line.
        is_stride_alone = meaning.name == "kind of block" and differing == ["block.strided_conv"]
        # What a skip does is told of two networks that have skips; where one has none, with that difference.
        says_nothing = meaning.is_of_skip and (is_plain(a.spec) or is_plain(b.spec))
        if not differing or set(differing) <= told or is_stride_alone or says_nothing:
            continue
        told |= set(meaning.fields)
        yield _difference(meaning, tuple(differing), a, b)


def _difference(meaning: Meaning, differing: tuple[str, ...], a: Side, b: Side) -> Difference:
    brings_skips = meaning.name == "addition" and is_plain(a.spec) != is_plain(b.spec)
    of_skip = [path for other in MEANINGS if other.is_of_skip for path in other.fields] if brings_skips else []
    alone: tuple[Quantity, ...] = ()
    tree, other = to_dict(a.spec), to_dict(b.spec)
    for path in (*differing, *of_skip):
        _set_value(tree, path, _value(other, path))
    try:
        changed = describe(from_dict(ResNetSpec, tree), a.description.input_shape[1])
        alone = tuple(quantity for quantity in _cost(a.description, changed) if quantity.a != quantity.b)
    except ResnetkitError:  # the other choices of this network do not allow it
        pass
    left, right = (
        f"{meaning.words(spec)}; {PROJECTION.name}: {PROJECTION.words(spec)}"
        if brings_skips and not is_plain(spec)
        else meaning.words(spec)
        for spec in (a.spec, b.spec)
    )
    return Difference(
        meaning.name,
        differing,
        left,
        right,
        alone,
        meaning.tell(a.spec, b.spec),
        meaning.source,
        _measured(meaning, a, b),
    )


def _measured(meaning: Meaning, a: Side, b: Side) -> str:
    """Tell what a paper reports for two choices, and for which network."""
    errors = [(side.name, meaning.error(side.spec)) for side in (a, b)]
    words = "; ".join(f"{error} with the choice of {name}" for name, error in errors if error)
    return f"Error of {meaning.measured_on}: {words}." if words else ""


def _value(tree: Any, path: str) -> Any:
    for name in path.split("."):
        tree = tree[name]
    return tree


def _set_value(tree: Any, path: str, value: Any) -> None:
    *parents, leaf = path.split(".")
    for name in parents:
        tree = tree[name]
    tree[leaf] = value
