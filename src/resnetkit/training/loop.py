"""The training loop: batch -> augment -> logits -> loss -> update, with one path for every recipe.

Nothing random is remembered between steps: every draw is a function of (seed, epoch, image, purpose) or
(seed, step, purpose). Weights, optimizer, average and counters are therefore all that a checkpoint must hold.
"""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from resnetkit.data.batches import Shard
from resnetkit.data.randomness import Purpose, derive_seed
from resnetkit.data.types import LoadedData
from resnetkit.machine.allocator import give_back_freed_memory
from resnetkit.machine.device import default_generator
from resnetkit.machine.runtime import Runtime
from resnetkit.models.resnet import ResNet
from resnetkit.recipes.recipe import Recipe
from resnetkit.recipes.schedule import is_short, learning_rate_share, num_frozen_parts
from resnetkit.runs.events import Listener, StepReport
from resnetkit.runs.folder import RunFolder
from resnetkit.training.batches import Feed
from resnetkit.training.checkpoint import save_checkpoint
from resnetkit.training.distributed import from_first_rank, gradient_exchange, make_parallel
from resnetkit.training.divergence import Divergence, Quantity, largest_loss
from resnetkit.training.freezing import count_trainable, hold_lowest_parts
from resnetkit.training.interruption import Interrupted, StopRequest, listen_for_stop
from resnetkit.training.loss import cross_entropy, make_class_weights
from resnetkit.training.norm_statistics import take_anew
from resnetkit.training.optimizer import Updates, clip_gradients, set_learning_rate
from resnetkit.training.running_sums import Tally
from resnetkit.training.state import TrainingState
from resnetkit.training.validation import quick_scores


@dataclass
class Loop:
    """One run in progress.

    Attributes:
        data: a train split of whole images, cropped anew in every epoch, and perhaps a val split.
        shard: this process's part of every batch.
        facts: what bit-exact resume needs to be the same; kept in checkpoints.
        write_best: makes the best weights so far usable before the run ends.
    """

    recipe: Recipe
    run: RunFolder
    state: TrainingState
    data: LoadedData
    runtime: Runtime
    shard: Shard
    listener: Listener
    facts: dict[str, Any]
    write_best: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        # The network as it exchanges gradients, and the same as it is called: perhaps compiled, which hides the first.
        self._parallel: nn.Module = self.state.network
        self._forward: nn.Module = self.state.network
        self._parameters = list(self.state.network.parameters())
        self._generator = default_generator(self.runtime.device)
        self._num_frozen = -1  # none yet: the first epoch finds out
        self._is_settled = False
        self._written_epoch = 0
        device, split, num_classes = self.runtime.device, self.data.splits["train"], len(self.data.class_names)
        self._class_weights = make_class_weights(self.recipe, split.labels, self.data.class_names).to(device)
        self._feed = Feed(self.recipe, split, num_classes, device, self.shard)
        self._largest_loss = largest_loss(num_classes)
        self._tally = Tally(device, self.shard, self._largest_loss)
        self._update = Updates(
            self.state.optimizer, self._parameters, self._tally.is_bad, by_copy=device.type == "cuda"
        )
        self._last_checkpoint = time.monotonic()
        self._stop = StopRequest()

    def run_all(self) -> None:
        """Train until the last epoch, an early stop or a request to stop.

        Raises:
            Interrupted: after writing a checkpoint.
            ResnetkitError: when the loss, the gradient or a weight is no longer finite, or the loss beyond reason.
        """
        progress = self.state.progress
        with listen_for_stop(self._stop):
            while progress.epoch < self.recipe.epochs and not progress.stopped_early:
                images_per_second = self._train_epoch()
                self._finish_epoch(images_per_second)

    def _train_epoch(self) -> float | None:
        """Do the epoch's remaining steps; images per second, None where none remained."""
        progress = self.state.progress
        self._hold_frozen_parts()
        images_per_second = None
        started, seconds_before, steps_before = time.monotonic(), progress.seconds, progress.step_in_epoch
        groups = self._feed.groups(progress.epoch, progress.step_in_epoch)
        group = next(groups, None)
        while group is not None:
            steps_read = progress.step
            for images, targets in group:
                self._train_step(images, targets)
            group = next(groups, None)  # before the tally is read, which makes the host wait for a GPU
            self._read_tally(progress.step - steps_read)
            if not self._is_settled:  # the first step compiles, and takes memory that no other needs
                give_back_freed_memory()
                self._is_settled = True
            seconds = max(time.monotonic() - started, 1e-9)
            progress.seconds = seconds_before + seconds
            images_per_second = (progress.step_in_epoch - steps_before) * self.recipe.batch_size / seconds
            if self.shard.rank == 0:
                self.listener.step_ended(self._report(images_per_second))
            self._checkpoint_if_due()
        return images_per_second

    def _hold_frozen_parts(self) -> None:
        """Let train what the recipe lets train in this epoch."""
        recipe, network = self.recipe, self.state.network
        num_frozen = num_frozen_parts(recipe.fine_tuning, recipe.parts, self.state.progress.epoch)
        hold_lowest_parts(network, num_frozen)
        if num_frozen == self._num_frozen:
            return
        if num_frozen or self._num_frozen > 0:
            held = ", ".join(recipe.parts[:num_frozen]) or "nothing"
            self.listener.message(
                f"epoch {self.state.progress.epoch + 1}: {held} frozen, {count_trainable(network):,} parameters train"
            )
        # Wrapped anew at every thaw: the wrapper for several processes looks only once at what has gradients.
        self._num_frozen, self._is_settled = num_frozen, False
        self._parallel = self._forward = network  # lets go of the earlier wrapper
        self._parallel = self._forward = make_parallel(network, self.shard)
        if self.runtime.compile:
            # A step of a small network is hundreds of short kernels: a GPU runs them sooner than Python starts them, so
            # they are recorded as CUDA graphs. Gradients that are added up or exchanged would be overwritten there.
            whole = self.runtime.device.type == "cuda" and self.shard.num_ranks == recipe.accumulate_steps == 1
            mode = "reduce-overhead" if whole else "default"
            self._forward = torch.compile(self._parallel, mode=mode)  # type: ignore[assignment]

    def _train_step(self, images: Tensor, targets: Tensor) -> None:
        """One update; nothing here waits for the device."""
        recipe, state, progress = self.recipe, self.state, self.state.progress
        # For what draws inside the network (dropout): a function of the step and of the process.
        position = progress.step * self.shard.num_ranks + self.shard.rank
        self._generator.manual_seed(derive_seed(recipe.seed, position, Purpose.LAYERS))
        set_learning_rate(state.optimizer, self._learning_rate(progress.step))
        state.optimizer.zero_grad()

        parts = recipe.accumulate_steps
        for part, (some_images, some_targets) in enumerate(
            zip(images.chunk(parts), targets.chunk(parts), strict=True), start=1
        ):
            with gradient_exchange(self._parallel, now=part == parts):
                loss, num_correct = self._backward(some_images, some_targets, parts)
            self._tally.add(loss / parts / self.shard.num_ranks, num_correct)
        self._tally.end_step(clip_gradients(self._parameters, recipe.max_gradient_norm))

        self._update()
        progress.step += 1
        progress.step_in_epoch += 1
        state.average.update(progress.step)

    def _backward(self, images: Tensor, targets: Tensor, parts: int) -> tuple[Tensor, Tensor]:
        """Add the gradients of one part of the batch; its mean loss (float64) and number of right answers."""
        with torch.autocast(self.runtime.device.type, torch.bfloat16, enabled=self.runtime.bf16):
            logits = self._forward(images)
        loss = cross_entropy(
            logits, targets, label_smoothing=self.recipe.label_smoothing, class_weights=self._class_weights
        )
        (loss / parts).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            correct = (logits.argmax(1) == targets.argmax(1)).sum()
        return loss.detach().double(), correct

    def _read_tally(self, num_steps: int) -> None:
        """Take in what the last steps added up to.

        Raises:
            ResnetkitError: where the loss or the gradient of one of them was out of bounds.
        """
        progress, batch_size = self.state.progress, self.recipe.batch_size
        sums = self._tally.read(self._stop)
        progress.loss_sum += sums.loss * batch_size
        progress.num_correct += sums.num_correct
        progress.num_images += sums.good_steps * batch_size
        if sums.good_steps < num_steps:
            step, step_in_epoch = (at - num_steps + sums.good_steps for at in (progress.step, progress.step_in_epoch))
            if sums.bad_loss <= self._largest_loss:  # NaN is not
                self._diverged("gradient", sums.bad_norm, step, step_in_epoch + 1)
            self._diverged("loss", sums.bad_loss, step, step_in_epoch + 1)

    def _diverged(self, quantity: Quantity, value: float, step: int, step_in_epoch: int | None) -> NoReturn:
        """Record it, keep what is good, and raise; ``step`` is that of the update, from 0."""
        progress = self.state.progress
        mean_loss = progress.loss_sum / max(progress.num_images, 1)
        rate = self._learning_rate(step)
        divergence = Divergence(quantity, value, progress.epoch + 1, step_in_epoch, rate, mean_loss)
        if self.shard.rank == 0:
            self.run.record("diverged", step=step, quantity=quantity, learning_rate=rate)
            self._write_best()
            self._tell_best()
        raise divergence.as_error(self.recipe)

    def _learning_rate(self, step: int) -> float:
        """Of an update, from 0."""
        num_steps = self.recipe.epochs * self._feed.steps_per_epoch
        return self.recipe.optimizer.learning_rate * learning_rate_share(self.recipe.schedule, step, num_steps)

    def _finish_epoch(self, images_per_second: float | None) -> None:
        recipe, state, progress = self.recipe, self.state, self.state.progress
        before = time.monotonic()
        network = self._network_to_score()
        scores = self._validate(network) if self.shard.rank == 0 else None
        scores, votes = from_first_rank((scores, self._stop.votes()), self.shard)
        self._stop.agree(votes)
        progress.seconds += time.monotonic() - before
        self._check_epoch(network, scores)
        row = {
            "epoch": progress.epoch + 1,
            "step": progress.step,
            "train_loss": progress.loss_sum / max(progress.num_images, 1),
            "train_top1": progress.num_correct / max(progress.num_images, 1),
            **scores,
            "learning_rate": self._learning_rate(progress.step - 1),
            "images_per_second": images_per_second,
            "elapsed_seconds": progress.seconds,
        }
        score = scores.get("val_balanced_top1" if recipe.selection == "balanced" else "val_top1", 0.0)
        is_best = bool(scores) and progress.is_better(score, scores["val_loss"])
        if is_best:
            progress.best_epoch, progress.best_score = progress.epoch + 1, score
            progress.best_top1, progress.best_loss = scores["val_top1"], scores["val_loss"]
        if is_best or recipe.keep == "last" or "val" not in self.data.splits:
            state.keep_as_best(network)
            progress.kept_epoch = progress.epoch + 1
        patience = recipe.early_stopping_epochs
        progress.stopped_early = bool(scores and patience and progress.epoch + 1 - progress.best_epoch >= patience)
        progress.start_next_epoch()
        if self.shard.rank == 0:
            self.run.record("epoch", **row)
            self.listener.epoch_ended(row)
            if progress.stopped_early:
                self.listener.message(f"no better validation score for {patience} epochs: stopping early")
        self._checkpoint_if_due(is_last=progress.stopped_early or progress.epoch == recipe.epochs)

    def _network_to_score(self) -> ResNet:
        """The network as the end of an epoch leaves it: with averaged weights, and statistics that suit them."""
        network = self.state.average.network
        if not is_short(self.recipe.epochs * self._feed.steps_per_epoch):
            return network
        return take_anew(network, self.recipe, self.data.splits["train"], self._num_frozen)

    def _validate(self, network: ResNet) -> dict[str, float]:
        """What :func:`quick_scores` gives; nothing without a val split, or where it is not due."""
        done, recipe = self.state.progress.epoch + 1, self.recipe
        is_due = done % recipe.validate_every_epochs == 0 or done == recipe.epochs
        if "val" not in self.data.splits or not is_due:
            return {}
        return quick_scores(network, self.recipe.preprocessing, self.data.splits["val"])

    def _check_epoch(self, network: ResNet, scores: dict[str, float]) -> None:
        """Refuse weights that are, or answer, no numbers; ``scores`` are those of :meth:`_validate`.

        Raises:
            ResnetkitError: where they are.
        """
        last = self.state.progress.step - 1
        if not math.isfinite(scores.get("val_loss", 0.0)):
            self._diverged("validation loss", scores["val_loss"], last, None)
        for tensor in () if scores else network.state_dict().values():
            if not tensor.isfinite().all():
                self._diverged("largest weight", float(tensor.abs().max()), last, None)

    def _checkpoint_if_due(self, *, is_last: bool = False) -> None:
        due = is_last or time.monotonic() - self._last_checkpoint >= self.recipe.checkpoint_seconds
        if not (self._stop.agreed or due):
            return
        if self.shard.rank == 0:
            self.run.sync()  # first: who resumes counts on the records of all that the checkpoint holds
            save_checkpoint(self.run.checkpoints, self.state.to_checkpoint(self.facts))
            self._write_best(is_last=is_last)
        self._last_checkpoint = time.monotonic()
        if self._stop.agreed:
            if self.shard.rank == 0:
                self._tell_best()
            raise Interrupted(self._stop.agreed)

    def _write_best(self, *, is_last: bool = False) -> None:
        """Write the best weights so far as a classifier, unless they are there already or the run's own is next."""
        best = self.state.progress.kept_epoch
        if best == self._written_epoch or is_last:
            return
        self.write_best()
        self._written_epoch = best

    def _tell_best(self) -> None:
        """Say what can be used of a run that ends before its time."""
        best = self.state.progress.kept_epoch
        if best:
            command = shlex.join(["resnetkit", "predict", str(self.run.path), "--checkpoint", "best"])
            self.listener.message(f"the best epoch so far, {best}, can be used: {command} IMAGE…")

    def _report(self, images_per_second: float) -> StepReport:
        progress, recipe = self.state.progress, self.recipe
        steps_left = recipe.epochs * self._feed.steps_per_epoch - progress.step
        return StepReport(
            progress.epoch + 1,
            recipe.epochs,
            progress.step_in_epoch,
            self._feed.steps_per_epoch,
            progress.loss_sum / progress.num_images,
            progress.num_correct / progress.num_images,
            self._learning_rate(progress.step - 1),
            images_per_second,
            steps_left * recipe.batch_size / images_per_second,
        )
