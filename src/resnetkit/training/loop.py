"""The training loop: epochs of steps, each scored on the validation split, with checkpoints between them."""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from resnetkit.models.resnet import ResNet
from resnetkit.recipes.schedule import is_short, num_frozen_parts
from resnetkit.runs.events import Listener, StepReport
from resnetkit.runs.folder import RunFolder
from resnetkit.training.checkpoint import save_checkpoint
from resnetkit.training.distributed import from_first_rank
from resnetkit.training.divergence import Divergence, Quantity
from resnetkit.training.freezing import count_trainable
from resnetkit.training.interruption import Interrupted, StopRequest, listen_for_stop
from resnetkit.training.met_images import MetImages
from resnetkit.training.norm_statistics import take_anew
from resnetkit.training.steps import Steps
from resnetkit.training.validation import quick_scores


@dataclass
class Loop:
    """One run in progress.

    Attributes:
        steps: of the run, with its recipe and its state; beside the train split there may be a val split.
        resume_conditions: what bit-exact resume needs to be the same; kept in checkpoints.
        met: the images that the weights meet, written down before each checkpoint.
        write_best: makes the best weights so far usable before the run ends.
    """

    steps: Steps
    run: RunFolder
    listener: Listener
    resume_conditions: dict[str, Any]
    met: MetImages
    write_best: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self._recipe, self._state, self._data = self.steps.recipe, self.steps.state, self.steps.data
        self._speaks = self.steps.shard.rank == 0
        self._num_told_frozen = 0
        self._written_epoch = 0
        self._last_checkpoint, self._is_due = time.monotonic(), False
        self._stop = StopRequest()

    def run_all(self) -> None:
        """Train until the last epoch, an early stop or a request to stop.

        Raises:
            Interrupted: after writing a checkpoint.
            ResnetkitError: when the loss, the gradient or a weight is no longer finite, or the loss beyond reason.
        """
        progress = self._state.progress
        with listen_for_stop(self._stop):
            while progress.epoch < self._recipe.epochs and not progress.stopped_early:
                images_per_second = self._train_epoch()
                self._finish_epoch(images_per_second)

    def _train_epoch(self) -> float | None:
        """Do the epoch's remaining steps; images per second, None where none remained."""
        progress = self._state.progress
        self._hold_frozen_parts()
        before = time.monotonic()
        self.steps.make_ready()
        progress.seconds += time.monotonic() - before
        images_per_second = None
        started, seconds_before, steps_before = time.monotonic(), progress.seconds, progress.step_in_epoch
        for _ in self.steps.updates():
            sums = self.steps.read(self._votes())
            if sums.divergence is not None:
                self._end_diverged(sums.divergence)
            self._agree(sums.votes)
            seconds = max(time.monotonic() - started, 1e-9)
            progress.seconds = seconds_before + seconds
            images_per_second = (progress.step_in_epoch - steps_before) * self._recipe.batch_size / seconds
            if self._speaks:
                self.met.tell_of_bad()
                self.listener.step_ended(self._report(images_per_second))
            self._checkpoint_if_due()
        return images_per_second

    def _hold_frozen_parts(self) -> None:
        """Freeze the parts that the recipe holds in this epoch, and tell when their number changes."""
        recipe, epoch = self._recipe, self._state.progress.epoch
        num_frozen = num_frozen_parts(recipe.fine_tuning, recipe.parts, epoch)
        self.steps.hold(num_frozen)
        if num_frozen != self._num_told_frozen:
            held, count = ", ".join(recipe.parts[:num_frozen]) or "nothing", count_trainable(self._state.network)
            self.listener.message(f"epoch {epoch + 1}: {held} frozen, {count:,} parameters train")
            self._num_told_frozen = num_frozen

    def _finish_epoch(self, images_per_second: float | None) -> None:
        """Score what the epoch has led to, keep it if it is the best so far, and tell."""
        progress, before = self._state.progress, time.monotonic()
        network = self._network_to_score()
        scores = self._validate(network) if self._speaks else None
        scores, votes = from_first_rank((scores, self._votes()), self.steps.shard)
        self._agree(votes)
        progress.seconds += time.monotonic() - before
        self._check_epoch(network, scores)
        row = {
            "epoch": progress.epoch + 1,
            "step": progress.step,
            "train_loss": progress.mean_loss,
            "train_top1": progress.top1,
            **scores,
            "learning_rate": self.steps.scheduled_rate(progress.step - 1),
            "images_per_second": images_per_second,
            "elapsed_seconds": progress.seconds,
        }
        self._keep_if_best(network, scores)
        patience = self._recipe.early_stopping_epochs
        progress.stopped_early = bool(scores and patience and progress.epoch + 1 - progress.best_epoch >= patience)
        progress.start_next_epoch()
        if self._speaks:
            self.met.tell_of_bad()
            for note in self.steps.notes:
                self.listener.message(note)
            self.steps.notes.clear()
            self.run.record("epoch", **row)
            self.listener.epoch_ended(row)
            if progress.stopped_early:
                self.listener.message(f"no better validation score for {patience} epochs: stopping early")
        self._checkpoint_if_due(is_last=progress.stopped_early or progress.epoch == self._recipe.epochs)

    def _network_to_score(self) -> ResNet:
        """The network as the end of an epoch leaves it: with averaged weights, and statistics that suit them."""
        network, is_held = self._state.average.network, self._recipe.fine_tuning.hold_statistics
        if is_held or not is_short(self._recipe.epochs * self.steps.steps_per_epoch):
            return network
        return take_anew(network, self._recipe, self._data.splits["train"], self.steps.num_frozen)

    def _validate(self, network: ResNet) -> dict[str, float]:
        """Scores of :func:`quick_scores`; none without a val split, or where it is not due."""
        done, recipe = self._state.progress.epoch + 1, self._recipe
        is_due = done % recipe.validate_every_epochs == 0 or done == recipe.epochs
        if "val" not in self._data.splits or not is_due:
            return {}
        return quick_scores(network, recipe.preprocessing, self._data.splits["val"], self.steps.val_features)

    def _check_epoch(self, network: ResNet, scores: dict[str, float]) -> None:
        """Refuse weights that are, or answer, no numbers; ``scores`` are those of :meth:`_validate`.

        Raises:
            ResnetkitError: where they are.
        """
        if not math.isfinite(scores.get("val_loss", 0.0)):
            self._end_diverged(self._at_end_of_epoch("validation loss", scores["val_loss"]))
        for tensor in () if scores else network.state_dict().values():
            if not tensor.isfinite().all():
                self._end_diverged(self._at_end_of_epoch("largest weight", float(tensor.abs().max())))

    def _at_end_of_epoch(self, quantity: Quantity, value: float) -> Divergence:
        progress = self._state.progress
        last = progress.step - 1
        rate = self.steps.scheduled_rate(last)
        return Divergence(quantity, value, progress.epoch + 1, None, last, rate, progress.mean_loss)

    def _end_diverged(self, divergence: Divergence) -> NoReturn:
        """Record it, keep what is good, and raise; all processes do."""
        self.met.gather()
        if self._speaks:
            quantity, rate = divergence.quantity, divergence.learning_rate
            self.run.record("diverged", step=divergence.update, quantity=quantity, learning_rate=rate)
            self._write_best()
            self._tell_best()
        raise divergence.as_error(self._recipe)

    def _keep_if_best(self, network: ResNet, scores: dict[str, float]) -> None:
        """Remember the weights that were scored, if they are the best so far, or the last are wanted."""
        recipe, progress = self._recipe, self._state.progress
        score = scores.get("val_balanced_top1" if recipe.selection == "balanced" else "val_top1", 0.0)
        is_best = bool(scores) and progress.is_better(score, scores["val_loss"])
        if is_best:
            progress.best_epoch, progress.best_score = progress.epoch + 1, score
            progress.best_top1, progress.best_loss = scores["val_top1"], scores["val_loss"]
        if is_best or recipe.keep == "last" or "val" not in self._data.splits:
            self._state.keep_as_best(network)
            progress.kept_epoch = progress.epoch + 1

    def _votes(self) -> list[float]:
        """Votes of this process, to be summed over all of them: for a stop by each signal, and for a checkpoint."""
        due = time.monotonic() - self._last_checkpoint >= self._recipe.checkpoint_seconds
        return [*self._stop.votes(), float(due)]

    def _agree(self, votes: Sequence[float]) -> None:
        """Do what any process has voted for: all of them, after the same step, because they tell each other then."""
        *stop, due = votes
        self._stop.agree(stop)
        self._is_due = due > 0

    def _checkpoint_if_due(self, *, is_last: bool = False) -> None:
        if not (self._stop.agreed or self._is_due or is_last):
            return
        self.met.gather()
        if self._speaks:
            self.met.write()
            self.run.sync()  # first: who resumes counts on the records of all that the checkpoint holds
            save_checkpoint(self.run.checkpoints, self._state.to_checkpoint(self.resume_conditions))
            if self._stop.agreed or not is_last:  # or else the run's own classifier is next
                self._write_best()
        self._last_checkpoint = time.monotonic()
        if self._stop.agreed:
            if self._speaks:
                self._tell_best()
            raise Interrupted(self._stop.agreed)

    def _write_best(self) -> None:
        """Write the best weights so far as a classifier, unless they are there already."""
        best = self._state.progress.kept_epoch
        if best != self._written_epoch:
            self.write_best()
            self._written_epoch = best

    def _tell_best(self) -> None:
        """Say what can be used of a run that ends before its time."""
        progress = self._state.progress
        if progress.kept_epoch:
            kept = f"the {progress.kept(self._recipe.keep)} epoch so far, {progress.kept_epoch}"
            command = shlex.join(["resnetkit", "predict", str(self.run.path), "--checkpoint", "best"])
            self.listener.message(f"{kept}, can be used: {command} IMAGE…")

    def _report(self, images_per_second: float) -> StepReport:
        progress, recipe, num_steps = self._state.progress, self._recipe, self.steps.steps_per_epoch
        steps_left = recipe.epochs * num_steps - progress.step
        return StepReport(
            progress.epoch + 1,
            recipe.epochs,
            progress.step_in_epoch,
            num_steps,
            progress.mean_loss,
            progress.top1,
            self.steps.scheduled_rate(progress.step - 1),
            images_per_second,
            steps_left * recipe.batch_size / images_per_second,
        )
