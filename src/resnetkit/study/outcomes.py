"""Read what came of the runs of a study, from their folders: the truth is on the disk, nothing is kept beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from resnetkit.anatomy.cost import Cost, count_cost
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.evaluation.answers import Answers
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.record import Record
from resnetkit.runs.result import Result, finished_result
from resnetkit.study.measured import memory_bytes, read_measured
from resnetkit.study.plan import Job
from resnetkit.study.study import Reading
from resnetkit.study.verdict import Floats

Status = Literal["finished", "diverged", "unfinished", "missing", "damaged"]


@dataclass(frozen=True)
class Outcome:
    """A run of a study as it is now.

    Attributes:
        run: its folder; None: it was not started, or was killed before there was anything in it to go on from.
        judged: its answers on test or, of data that have none, on val; None before the end.
        remnants: run folders that were begun and hold nothing to go on from.
        reason: why it is damaged.
    """

    job: Job
    status: Status
    run: RunFolder | None = None
    record: Record | None = None
    result: Result | None = None
    judged: Answers | None = None
    remnants: tuple[Path, ...] = ()
    reason: str = ""

    @property
    def is_done(self) -> bool:
        """Tell whether the run has come to its end; to diverge is one."""
        return self.status in ("finished", "diverged")

    @property
    def history(self) -> list[dict[str, Any]]:
        """Its epochs, as metrics.jsonl has them."""
        return [] if self.run is None else self.run.events("epoch")

    @property
    def cost(self) -> Cost:
        """Parameters, and multiply-adds of an image."""
        assert self.record is not None
        recipe = self.record.recipe
        return count_cost(recipe.model, recipe.preprocessing.image_size_px)

    @property
    def guess_error(self) -> float:
        """Error in percent of one who guesses, as which a run counts that has diverged and so answers nothing."""
        assert self.record is not None
        return 100 * (1 - 1 / len(self.record.data.class_names))


def _begun(job: Job) -> list[RunFolder]:
    """The run folders of a job, the newest last; only one that has its record can be gone on with."""
    return [RunFolder(path) for path in sorted(job.folder.glob("[0-9]*-*")) if path.is_dir()]


def find_run(job: Job) -> RunFolder | None:
    """The run folder of a job; None while there is nothing in it to go on from."""
    return next((run for run in reversed(_begun(job)) if run.recipe_file.is_file()), None)


def read_outcome(job: Job) -> Outcome:
    """The run of a job, as it is now."""
    run = find_run(job)
    remnants = tuple(other.path for other in _begun(job) if not other.recipe_file.is_file())
    if run is None:
        return Outcome(job, "missing", remnants=remnants)
    try:
        record, result = run.read_record(), finished_result(run)
        split = None if result is None else result.judged_split
        judged = None if split is None else run.read_answers()[split]
    except ResnetkitError as error:
        return Outcome(job, "damaged", run, remnants=remnants, reason=error.what)
    if result is not None:
        return Outcome(job, "finished", run, record, result, judged, remnants)
    last = run.events()[-1:]
    has_diverged = bool(last) and last[0]["event"] == "diverged"
    return Outcome(job, "diverged" if has_diverged else "unfinished", run, record, remnants=remnants)


def read_value(outcome: Outcome, reading: Reading) -> float | None:
    """A reading of a run that has come to its end; None where there is none, as the time of a run that diverged.

    Errors are in percent; that of training is the mean over the last epoch, on augmented images, as the papers plot it.
    """
    if not outcome.is_done:
        return None
    match reading:
        case "parameters":
            return float(outcome.cost.parameters)
        case "multiply_adds":
            return float(outcome.cost.multiply_adds)
        case "memory_bytes":
            assert outcome.record is not None
            recipe = outcome.record.recipe
            return memory_bytes(recipe.model, recipe.preprocessing.image_size_px)
        case "response_std" | "lesion_rise":
            return None if outcome.result is None else read_measured(outcome.result.folder, outcome.job.folder, reading)
        case "seconds":
            return None if outcome.result is None else outcome.result.seconds
        case "train_error" if outcome.result is not None:
            return 100 * (1 - float(outcome.history[-1]["train_top1"]))
        case "val_error" if outcome.result is not None:
            score = outcome.result.scores.get("val")
            return None if score is None else 100 * (1 - score.top1.value)
        case "test_error" if outcome.result is not None:
            split = outcome.result.judged_split
            return None if split is None else 100 * (1 - outcome.result.scores[split].top1.value)
        case _:
            return outcome.guess_error


def errors_by_image(outcomes: Sequence[Outcome]) -> Floats | None:
    """The test error in percent of each of N images ``(N,)``, as a mean over the runs of an arm; None without answers.

    Images that some run was trained on are left out.
    """
    all_answers = [outcome.judged for outcome in outcomes]
    known = [answers for answers in all_answers if answers is not None]
    if not known:
        return None
    guess = np.full(len(known[0]), outcomes[0].guess_error)
    errors = [guess if answers is None else 100.0 * ~answers.is_right for answers in all_answers]
    kept = ~np.any([answers.trained_on for answers in known], axis=0)
    return np.asarray(np.mean(errors, axis=0)[kept])


def check_same_images(outcomes: Sequence[Outcome]) -> None:
    """Refuse to compare runs of different images.

    Raises:
        ResnetkitError: naming two of them.
    """
    prints: Mapping[str, Outcome] = {
        one.record.data.fingerprint: one for one in reversed(outcomes) if one.record is not None
    }
    require(
        len(prints) <= 1,
        f"the runs of {_two(list(prints.values()))} were trained on different images",
        why="the data were changed while the study ran",
        fix="run the study anew in another folder: --out FOLDER",
        code=Code.DATA,
    )


def _two(outcomes: Sequence[Outcome]) -> str:
    return " and of ".join(str(outcome.job) for outcome in outcomes[:2])
