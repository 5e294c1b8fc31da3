"""Result of a run: its scores, and what they say."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from resnetkit.config import from_dict, to_dict
from resnetkit.errors import ResnetkitError
from resnetkit.evaluation.calibration import Calibrated
from resnetkit.evaluation.decision_scores import DecisionScores
from resnetkit.evaluation.metrics import Scores
from resnetkit.images.types import BadImage
from resnetkit.pages.formatting import plain_percent
from resnetkit.pages.showing import show
from resnetkit.recipes.recipe import Recipe
from resnetkit.runs.first_look import FirstLook, recorded_look
from resnetkit.runs.folder import RunFolder


@dataclass(frozen=True)
class Result:
    """A finished run.

    Attributes:
        scores: of the classifier, by split; ``test`` was read once, after training. Images that it was trained on, by
            now or by weights it started from, are not in them; a split of nothing else has none.
        seconds: of training and validation.
        left_out: files that were not used because they cannot be read.
        num_trained_on: of each split, how many such images there are.
        val_chose: the images of ``val`` chose the epoch that the classifier is of, as
            :attr:`~resnetkit.recipes.recipe.Recipe.validation_chooses` has it; else they only watched.
        first_look: cross-validated score of training images, by what the weights that it started from made of them.
        calibration: of the same images as the scores, by split, before and after the temperature was fitted to those of
            ``val``; none of an earlier version's run.
        decided: what the thresholds, which ``val`` set, come to on ``test``; None without any, or without test.
    """

    run: Path
    scores: dict[str, Scores]
    seconds: float
    left_out: tuple[BadImage, ...] = ()
    num_trained_on: dict[str, int] = field(default_factory=dict)
    val_chose: bool = True
    first_look: FirstLook | None = None
    calibration: dict[str, Calibrated] = field(default_factory=dict)
    decided: DecisionScores | None = None

    @property
    def folder(self) -> RunFolder:
        """The folder of the classifier, its answers, the report and the records."""
        return RunFolder(self.run)

    @property
    def judged_split(self) -> str | None:
        """The split whose scores say most; None without any. Test images are read once; those of val watched."""
        return next((name for name in ("test", "val") if name in self.scores), None)

    def notes_on_met_images(self) -> list[str]:
        """Sentences on images that are in no score, because the weights were trained on them, by split."""
        notes = []
        for name, number in self.num_trained_on.items():
            if number and name in self.scores:
                are, them = ("1 more image is", "it") if number == 1 else (f"{number:,} more images are", "them")
                notes.append(f"{name}: {are} not scored, because the weights were trained on {them}")
        return notes

    def _repr_html_(self) -> str:
        return show(self)


def record_result(result: Result, step: int) -> None:
    """Write the event that ends a run, from which :func:`finished_result` reads its result again."""
    result.folder.record(
        "end",
        step=step,
        seconds=result.seconds,
        scores={name: to_dict(value) for name, value in result.scores.items()},
        num_trained_on=result.num_trained_on,
        calibration={name: to_dict(value) for name, value in result.calibration.items()},
        decided=None if result.decided is None else to_dict(result.decided),
    )


def finished_result(folder: RunFolder) -> Result | None:
    """The result of a run that has ended; None while it has not, or where what it ended with is damaged."""
    ends = folder.events("end")
    if not ends:
        return None
    try:
        scores = from_dict(dict[str, Scores], ends[-1]["scores"])
        seconds = float(ends[-1]["seconds"])
        num_trained_on = from_dict(dict[str, int], ends[-1].get("num_trained_on", {}))
        calibration = from_dict(dict[str, Calibrated], ends[-1].get("calibration", {}))
        decided = from_dict(DecisionScores, found) if (found := ends[-1].get("decided")) is not None else None
    except (ResnetkitError, KeyError, TypeError, RecursionError):
        return None
    record = folder.read_record()
    return Result(
        folder.path,
        scores,
        seconds,
        record.data.bad_images,
        num_trained_on,
        record.recipe.validation_chooses,
        recorded_look(folder),
        calibration,
        decided,
    )


def warnings_about_recall(recipe: Recipe, split: str, scores: Scores) -> list[str]:
    """Sentences about classes of which hardly an image is found, which the share of all images can hide."""
    missed = [
        entry
        for entry in scores.classes
        if entry.recall is not None and (entry.recall == 0 or entry.recall_high < scores.top1.value / 2)
    ]
    if not missed:
        return []
    told = [
        f"{plain_percent(c.recall or 0, 0)} of the {c.num_images:,} {split} images of '{c.name}'" for c in missed[:5]
    ]
    more = f" and few of {len(missed) - 5} more classes" if len(missed) > 5 else ""
    largest = max(entry.num_images for entry in scores.classes)
    can_help = recipe.class_weights == "none" and 2 * min(entry.num_images for entry in missed) <= largest
    advice = "; class weights may help (--set class_weights=balanced)" if can_help else ""
    all_found = plain_percent(scores.top1.value, 0)
    return [f"the classifier finds {', '.join(told)}{more}, where it finds {all_found} of all{advice}"]
