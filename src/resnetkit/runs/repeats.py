"""Repeats of one training, by other seeds or on other folds of the data: run folders in one parent folder.

``repeats.json`` in the parent says what was repeated and names the run folders, in the order of seeds or folds; all
else is in these, which are runs like any others.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from resnetkit.config import from_dict, read_object, to_dict
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.files import write_durably
from resnetkit.recipes.recipe import Recipe
from resnetkit.runs.finding import REPEATS_NAME, has_repeats
from resnetkit.runs.folder import RunFolder

FORMAT: Literal["resnetkit repeats 1"] = "resnetkit repeats 1"


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """Runs that belong together. Fields of later versions are passed over.

    Attributes:
        by: what differs between the runs: their seed alone, or the fold of the data that each is scored on.
        runs: names of their folders within the parent; one whose run has not begun need not be there yet.
        recipe: of the first run; in each further one the seed, or ``data.fold``, is one higher. None where another
            program wrote this.
        reasons, warnings: as in a run's record.
        command: that trains one of them, but for its seed or fold.
    """

    format: Literal["resnetkit repeats 1"] = FORMAT
    by: Literal["seeds", "folds"]
    runs: tuple[str, ...]
    recipe: Recipe | None = None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    command: str = ""

    def folders(self, parent: Path) -> tuple[RunFolder, ...]:
        """The run folders in ``parent``."""
        return tuple(RunFolder(parent / name) for name in self.runs)

    def changes(self, number: int) -> dict[str, int]:
        """The fields in which a run, from 0, is another than the first one: its seed, or its fold."""
        first = 0 if self.recipe is None else self.recipe.seed
        return (
            {"seed": first + number} if self.by == "seeds" else {"data.num_folds": len(self.runs), "data.fold": number}
        )

    def label(self, number: int) -> str:
        """The name of a run among the others: ``seed 3``, or, counted from 1, ``fold 3 of 5``."""
        return (
            f"seed {self.changes(number)['seed']}" if self.by == "seeds" else f"fold {number + 1} of {len(self.runs)}"
        )


def read_repeats(parent: Path) -> Repeats:
    """The repeats that a folder holds.

    Raises:
        ResnetkitError: where it says of none, or what it says is damaged or names what is no folder in it.
    """
    file = parent / REPEATS_NAME
    require(
        has_repeats(parent),
        f"{parent} holds no repeats of a run: it has no {REPEATS_NAME}",
        fix="give the folder that resnetkit train --seeds or --folds printed",
        code=Code.WEIGHTS,
    )
    try:
        repeats = from_dict(Repeats, read_object(file))
        strange = [name for name in repeats.runs if name in ("", ".", "..") or Path(name).name != name]
        if strange or len(set(repeats.runs)) < len(repeats.runs):
            raise ValueError(f"its runs are no names of different folders: {strange or list(repeats.runs)}")
    except (OSError, ValueError, ResnetkitError) as error:
        raise ResnetkitError(Code.WEIGHTS, f"{file} is damaged", why=str(error)) from None
    return repeats


def write_repeats(parent: Path, repeats: Repeats) -> None:
    """Write ``repeats.json`` durably; to be called anew for each run that begins, it replaces what was said before."""
    write_durably(parent / REPEATS_NAME, (json.dumps(to_dict(repeats), indent=2) + "\n").encode())
