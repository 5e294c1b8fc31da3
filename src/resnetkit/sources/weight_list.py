"""Everything there is to start from: published weights, and what else is on this machine, as rows of a table."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import Any

from resnetkit.anatomy.cost import count_cost
from resnetkit.errors import Code, ResnetkitError, did_you_mean
from resnetkit.models.catalog import find_entry
from resnetkit.pages.formatting import plain_percent
from resnetkit.sources.published import Published, published_names
from resnetkit.sources.weight_store import AtHand, find_at_hand

FLOAT_BYTES = 4


@dataclass(frozen=True)
class WeightsRow:
    """Weights that are published, at hand, or both.

    Attributes:
        files: where they are published; none for the user's own.
        here: their file on this machine.
    """

    name: str
    files: tuple[Published, ...] = ()
    here: AtHand | None = None

    @property
    def num_bytes(self) -> int | None:
        """Bytes of the download as its publisher states them; None: unstated."""
        return next((file.num_bytes for file in self.files if file.num_bytes is not None), None)

    @property
    def estimated_bytes(self) -> int:
        """Bytes of all parameters in single precision, which make up nearly all of a file; 0 where it is not known."""
        if not self.files:
            return 0 if self.here is None or not self.here.path.is_file() else self.here.path.stat().st_size
        spec = find_entry(self.files[0].model).spec
        return FLOAT_BYTES * count_cost(spec, self.files[0].preprocessing.image_size_px).parameters

    def as_values(self) -> dict[str, Any]:
        """The row for programs; what is not stated is null."""
        first, here = self.files[0] if self.files else None, self.here
        size = None if here is None else here.image_size_px
        return {
            "name": self.name,
            "network": first.model if first else here and here.model,
            "data": first and first.data,
            "origin": first and first.origin,
            "licence": first and first.licence,
            "top1": first and first.top1,
            "image_size_px": first.preprocessing.image_size_px if first else size,
            "bytes": self.num_bytes,
            "estimated_bytes": self.estimated_bytes,
            "files": [{"url": file.url, "digest": file.digest, "bytes": file.num_bytes} for file in self.files],
            "here": None if here is None else str(here.path),
            "problem": here.problem if here and here.problem else None,
        }

    def as_words(self) -> tuple[str, ...]:
        """The row for people; what is not stated is a dash."""
        values = self.as_values()
        size, top1 = values["image_size_px"], values["top1"]
        return (
            self.name,
            values["network"] or "?",
            values["data"] or "–",
            "–" if top1 is None else plain_percent(top1, 2),
            f"{size} px" if size else "–",
            f"{(self.num_bytes or self.estimated_bytes) / 1e6:,.0f} MB",
            values["licence"] or "–",
            f"{values['here']}: {values['problem']}" if values["problem"] else values["here"] or "",
        )


def list_weights(pattern: str = "*", *, only_here: bool = False) -> list[WeightsRow]:
    """Rows whose name matches a shell pattern or holds a text; what is at hand, but not published, comes first.

    A file with a problem has a row of its own.

    Raises:
        ResnetkitError: where nothing matches, with the nearest name.
    """
    found, published = find_at_hand(), published_names()
    here = {weights.name: weights for weights in found if not weights.problem}
    rows = [WeightsRow(one.name, (), one) for one in found if one.problem or one.name not in published]
    rows += [WeightsRow(name, files, here.get(name)) for name, files in published.items()]
    chosen = [row for row in rows if _matches(row.name, pattern) and (row.here is not None or not only_here)]
    if not chosen and not only_here:
        raise ResnetkitError(
            Code.USAGE, f"no weights match '{pattern}'", fix=did_you_mean(pattern, [row.name for row in rows])
        )
    return chosen


def _matches(name: str, pattern: str) -> bool:
    is_pattern = any(sign in pattern for sign in "*?")
    return fnmatch.fnmatchcase(name, pattern) if is_pattern else pattern in name
