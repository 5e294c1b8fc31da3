"""The ends of commands that train: scores with intervals, where everything is, what to type next."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from resnetkit.cli.program import program
from resnetkit.pages.formatting import counted, plain_percent
from resnetkit.terminal import say, say_json

if TYPE_CHECKING:
    from resnetkit.evaluation.calibration import Calibrated
    from resnetkit.evaluation.spread import Spread
    from resnetkit.runs.repeated_result import RepeatedResult
    from resnetkit.runs.result import Result
    from resnetkit.training.dry_run import DryRun


def print_result(result: Result, *, as_json: bool) -> None:
    """The end of a run: scores with intervals, where everything is, what to type next."""
    if as_json:
        from resnetkit.config import to_dict

        scores = {name: to_dict(value) for name, value in result.scores.items()}
        left_out = [{"path": bad.path, "reason": bad.reason} for bad in result.left_out]
        content = {"run": str(result.run), "seconds": result.seconds, "scores": scores, "left_out": left_out}
        content["calibration"] = {name: to_dict(value) for name, value in result.calibration.items()}
        content["decision"] = None if result.decided is None else to_dict(result.decided)
        content["first_look"] = None if result.first_look is None else to_dict(result.first_look)
        say_json({**content, "num_trained_on": result.num_trained_on})
        return
    from resnetkit.evaluation.decision_score_words import iter_facts
    from resnetkit.pages.formatting import duration
    from resnetkit.tracking.trackers import TRACKERS, trackers_of

    for name, score in result.scores.items():
        say(f"{name:<5} top-1 {score.top1}  {_remark(name, result)}")
    if (look := result.first_look) is not None and look.says_more:
        say(f"cv    top-1 {look.top1}  a linear head in {look.num_folds} folds of training images, which are few")
    if judged := result.calibration.get(result.judged_split or ""):
        say(f"cal   {_calibration(judged)}")
    if result.decided is not None:
        for heading, words in iter_facts(result.decided):
            say(f"test  {heading:<17} {words}")
    for text in _warnings(result):
        say(f"warning: {text}")
    for note in result.notes_on_met_images():
        say(f"note  {note}")
    for name, number in result.num_trained_on.items():
        if number and name not in result.scores:
            say(f"{name:<5} no score: the weights were trained on all {number:,} images")
    if not result.scores and not any(result.num_trained_on.values()):
        say("no scores: no images were held back for validation or test")
    say(f"time  {duration(result.seconds)} of training and validation")
    if result.left_out:
        names = ", ".join(os.path.basename(bad.path) for bad in result.left_out[:3])
        more = ", …" if len(result.left_out) > 3 else ""
        say(f"note  without {counted(len(result.left_out), 'file')} that cannot be read: {names}{more}")
    say(f"run   {result.run}  (report: {result.run / 'report.html'})")
    for name in trackers_of(result.folder):
        if viewer := TRACKERS[name].tell_viewer(result.folder):
            say(f"track {viewer}")
    say(f"next  {program()} predict {shlex.quote(str(result.run))} IMAGE…")


def _remark(split: str, result: Result) -> str:
    if split == "test":
        return "read once, after training"
    if result.folder.read_record().recipe.data.validation == "test":
        return "the test split, watched during training: not kept apart"
    return "chose the epoch, so a little optimistic" if result.val_chose else "watched during training"


def _calibration(measured: Calibrated) -> str:
    """The calibration error in a line, and how much of it no classifier could avoid on so few images."""
    before, after, floor = (
        plain_percent(value, 1) for value in (measured.before.ece, measured.after.ece, measured.after.floor)
    )
    change = "" if measured.before == measured.after else f", {before} before its temperature was fitted"
    return f"calibration error {after}{change}; {floor} would be chance alone"


def _warnings(result: Result) -> list[str]:
    """Tell what the scores hide, of the split that says most."""
    from resnetkit.runs.result import warnings_about_recall

    judged = result.judged_split
    if judged is None:
        return []
    recipe = result.folder.read_record().recipe
    return warnings_about_recall(recipe, judged, result.scores[judged])


def print_repeats(result: RepeatedResult, *, as_json: bool) -> None:
    """The scores of several runs of one training together, and where they are."""
    from resnetkit.config import to_dict

    split, by = result.judged_split, result.repeats.by
    if as_json:
        runs = [
            {
                "run": str(each.run),
                **result.repeats.changes(number),
                "seconds": each.seconds,
                "scores": {name: to_dict(value) for name, value in each.scores.items()},
            }
            for number, each in enumerate(result.results)
        ]
        found = {"top1": result.top1, "log_loss": result.log_loss, "pooled": result.pooled}
        values = {name: None if value is None else to_dict(value) for name, value in found.items()}
        say_json({"parent": str(result.parent), "by": by, "split": split, "runs": runs, **values})
        return
    for number, each in enumerate(result.results):
        score = each.scores.get(split or "")
        told = "no score" if score is None else f"top-1 {score.top1}, log loss {score.log_loss:.4f}"
        say(f"{result.repeats.label(number):<11} {told}  {each.run.name}")
    if result.top1 is None or result.log_loss is None:
        say("no scores: no images were held back for validation or test")
    else:
        top1, log_loss = result.top1, result.log_loss
        say(f"mean        {split} top-1 {plain_percent(top1.mean, 2)}{_spread_words(top1, 100, ' points')}")
        say(f"            {split} log loss {log_loss.mean:.4f}{_spread_words(log_loss, 1, '')}")
    if result.pooled is not None:
        say(f"together    top-1 {result.pooled}")
    say(f"note        {result.caveat}")
    say(f"runs        {result.parent}  (page: {result.page})")


def _spread_words(spread: Spread, scale: float, unit: str) -> str:
    if spread.sd is None:
        return ""
    if spread.low is None or spread.high is None:
        return " (the same in all: no spread to judge by)"
    digits = 2 if scale > 1 else 4
    low, high = (f"{scale * edge:.{digits}f}" for edge in (spread.low, spread.high))
    return f" (standard deviation {scale * spread.sd:.{digits}f}{unit}; 95 % interval of the mean {low} to {high})"


def print_dry_run(found: DryRun, *, as_json: bool) -> None:
    """All that a run would do and take, and the command that does it."""
    from resnetkit.config import to_dict

    recipe, took, memory = found.chosen.recipe, found.forecast, found.step_memory
    if as_json:
        seconds = {**to_dict(took), "total": took.total, "so_far": found.seconds_so_far}
        estimated = {**to_dict(memory), "total": memory.total, "images": found.image_bytes}
        measured = {"step": found.measured_bytes, "peak": found.peak_bytes}
        say_json(
            {
                "recipe": to_dict(recipe),
                "reasons": found.chosen.reasons,
                "warnings": found.chosen.warnings,
                "num_images": found.num_images,
                "num_parameters": found.num_parameters,
                "steps_per_epoch": found.steps_per_epoch,
                "num_steps": found.num_steps,
                "memory_bytes": {"estimated": estimated, "measured": measured},
                "seconds": seconds,
                "num_measured": found.num_measured,
                "computing": found.computing.as_dict(),
                "folder": str(found.folder),
                "command": found.command,
            }
        )
        return
    from resnetkit.pages.formatting import duration

    size, prepared = recipe.preprocessing.image_size_px, recipe.preprocessing
    images = ", ".join(f"{name} {count:,}" for name, count in found.num_images.items())
    kept = f"decoded {found.image_bytes / 1e6:,.1f} MB in memory" if found.image_bytes else "read in every epoch"
    say(f"images  {images}; as {prepared.channels} × {size} × {size}, {kept}")
    say(f"network {recipe.model_name}, {found.num_parameters:,} parameters")
    at_most = " at most" if recipe.early_stopping_epochs else ""
    epochs, updates = counted(recipe.epochs, "epoch"), counted(found.steps_per_epoch, "update")
    rate = f"{recipe.optimizer.kind} at a learning rate of {recipe.optimizer.learning_rate:g}"
    say(
        f"recipe  {recipe.name}: {epochs} of {updates}{at_most}, "
        f"{recipe.batch_size:,} images each, {rate}, seed {recipe.seed}"
    )
    say(
        f"memory  an update adds {found.measured_bytes / 1e6:,.0f} MB, measured; {memory.total / 1e6:,.0f} MB "
        f"estimated (gradients {memory.gradients / 1e6:,.1f}, optimizer {memory.optimizer / 1e6:,.1f}, maps of a batch "
        f"{memory.maps / 1e6:,.1f}); {found.peak_bytes / 1e6:,.0f} MB in use at most"
    )
    basis = f"measured on {found.num_measured} updates of a network that is thrown away"
    say(f"time    about {duration(took.total)}{at_most}: {took}; {basis}")
    say(f"        and {duration(found.seconds_so_far)} to read the data, as has been done now")
    say(f"run     {found.folder}, if it is the next one; nothing has been written")
    if found.command:
        say(f"next    {found.command}")
