"""The run before on the same data, and what changed since: values of the recipe, and the score on the same images."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from resnetkit.errors import ResnetkitError
from resnetkit.evaluation.answers import Answers
from resnetkit.evaluation.metrics import Accuracy
from resnetkit.evaluation.paired import PairedDifference, resampled_top1
from resnetkit.evaluation.shared_images import share_images
from resnetkit.pages.differences import ValueDifference
from resnetkit.runs.differences import differing_records
from resnetkit.runs.finding import find_runs
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.record import Record
from resnetkit.runs.result import finished_result


@dataclass(frozen=True)
class Previous:
    """A run and the one before it.

    Attributes:
        name: of the earlier run's folder.
        changed: values of the recipe, the weights it starts from, and the machine; those of the earlier run first.
        scores: by split, of the earlier run; where it has one.
        difference: accuracy of the later run minus that of the earlier one on the images that both were judged by;
            None where there are none.
        notes: sentences about images that are not in it.
    """

    name: str
    changed: tuple[ValueDifference, ...]
    scores: Mapping[str, Accuracy]
    difference: PairedDifference | None
    notes: tuple[str, ...] = ()


def find_previous(folder: RunFolder, record: Record, judged: Answers | None) -> Previous | None:
    """The run before this one on the same data, and what changed since; None where there is none.

    It is the last of the runs in the same parent folder that has an earlier number, has ended, and was of the data with
    this fingerprint. One that is damaged, or not ours to read, is passed over.

    Args:
        judged: the answers that the later run is judged by.
    """
    own = folder.path.resolve()
    for run in reversed(find_runs(own.parent, is_deep=False).runs):
        with suppress(ResnetkitError, OSError):  # OSError: somebody else's, in a shared folder
            found = _compare(RunFolder(run.path), record, judged) if run.path.name < own.name else None
            if found is not None:
                return found
    return None


def _compare(other: RunFolder, record: Record, judged: Answers | None) -> Previous | None:
    before = other.read_record()
    result = finished_result(other) if before.data.fingerprint == record.data.fingerprint else None
    if result is None:
        return None
    differences = differing_records(before, record)
    changed = differences.recipe + differences.weights + differences.environment
    scores = {name: one.top1 for name, one in result.scores.items()}
    earlier = other.read_answers().get(judged.split) if judged is not None and other.answers_file.is_file() else None
    difference, notes = (None, ()) if earlier is None or judged is None else _difference(earlier, judged)
    return Previous(other.path.name, changed, scores, difference, notes)


def _difference(earlier: Answers, later: Answers) -> tuple[PairedDifference | None, tuple[str, ...]]:
    """The difference on the images that count for both scores, and sentences about others."""
    shared = share_images([earlier, later])
    if not len(shared):
        return None, ()
    first, second = (one.is_right[rows] for one, rows in zip((earlier, later), shared.rows, strict=True))
    return resampled_top1(first, second), tuple(shared.notes(["the run before", "this run"]))
