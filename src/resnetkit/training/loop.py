"""The training loop: batch -> augment -> logits -> loss -> update, with one path for every recipe.

Nothing random is remembered between steps: every draw is a function of (seed, epoch, image, purpose) or
(seed, step, purpose). Weights, optimizer, average and counters are therefore all that a checkpoint must hold.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from resnetkit.data.augmentation import change_colors, crop_and_flip, erase
from resnetkit.data.batches import Batch, Shard, read_batches, training_order
from resnetkit.data.mixing import mix, one_hot
from resnetkit.data.normalization import normalize
from resnetkit.data.randomness import Purpose, derive_seed
from resnetkit.data.source import LoadedData
from resnetkit.errors import Code, ResnetkitError
from resnetkit.evaluation.scoring import quick_scores
from resnetkit.runtime import Runtime
from resnetkit.training.checkpoint import save_checkpoint
from resnetkit.training.distributed import from_first_rank, gradient_exchange, make_parallel, sum_over_ranks
from resnetkit.training.interruption import Interrupted, StopRequest, listen_for_stop
from resnetkit.training.listener import Listener, StepReport
from resnetkit.training.loss import cross_entropy, make_class_weights
from resnetkit.training.optimizer import set_learning_rate
from resnetkit.training.parts import count_trainable, hold_lowest_parts
from resnetkit.training.recipe import Recipe
from resnetkit.training.run_folder import RunFolder
from resnetkit.training.schedule import learning_rate_share, num_frozen_parts
from resnetkit.training.state import TrainingState


@dataclass
class Loop:
    """One run in progress.

    Attributes:
        data: a train split of whole images, cropped anew in every epoch, and perhaps a val split.
        shard: this process's part of every batch.
        facts: what bit-exact resume needs to be the same; kept in checkpoints.
    """

    recipe: Recipe
    run: RunFolder
    state: TrainingState
    data: LoadedData
    runtime: Runtime
    shard: Shard
    listener: Listener
    facts: dict[str, Any]

    def __post_init__(self) -> None:
        self._forward: nn.Module = self.state.network
        self._num_frozen = -1  # none yet: the first epoch finds out
        self._train_split = self.data.splits["train"]
        self._num_classes = len(self.data.class_names)
        weights = make_class_weights(self.recipe, self._train_split.labels, self._num_classes)
        self._class_weights = weights.to(self.runtime.device)
        self._steps_per_epoch = len(self._train_split) // self.recipe.batch_size
        self._last_checkpoint = time.monotonic()
        self._stop = StopRequest()

    def run_all(self) -> None:
        """Train until the last epoch, an early stop or a request to stop.

        Raises:
            Interrupted: after writing a checkpoint.
            ResnetkitError: when the loss or the gradient is no longer finite.
        """
        progress = self.state.progress
        with listen_for_stop(self._stop):
            while progress.epoch < self.recipe.epochs and not progress.stopped_early:
                images_per_second = self._train_epoch()
                self._finish_epoch(images_per_second)

    def _train_epoch(self) -> float | None:
        """Do the epoch's remaining steps; images per second, None where none remained."""
        recipe, progress = self.recipe, self.state.progress
        batches = training_order(recipe.seed, progress.epoch, len(self._train_split), recipe.batch_size)
        todo = [self.shard.of(indices) for indices in batches[progress.step_in_epoch :]]
        self._hold_frozen_parts()
        images_per_second = None
        started, seconds_before = time.monotonic(), progress.seconds
        for done, batch in enumerate(
            read_batches(self._train_split, todo, num_workers=recipe.data.num_workers), start=1
        ):
            self._train_step(batch)
            seconds = max(time.monotonic() - started, 1e-9)
            progress.seconds = seconds_before + seconds
            images_per_second = done * recipe.batch_size / seconds
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
        self._num_frozen, self._forward = num_frozen, network
        self._forward = make_parallel(network, self.shard)
        if self.runtime.compile:
            self._forward = torch.compile(self._forward)  # type: ignore[assignment]

    def _train_step(self, batch: Batch) -> None:
        recipe, state, progress = self.recipe, self.state, self.state.progress
        # For what draws inside the network (dropout): a function of the step and of the process.
        position = progress.step * self.shard.num_ranks + self.shard.rank
        torch.manual_seed(derive_seed(recipe.seed, position, Purpose.LAYERS))
        rate = recipe.optimizer.learning_rate * self.learning_rate_share(progress.step)
        set_learning_rate(state.optimizer, rate)
        state.optimizer.zero_grad()

        images, targets = self._augment(batch)
        sums = torch.zeros(2, dtype=torch.float64)
        parts = recipe.accumulate_steps
        for part, (some_images, some_targets) in enumerate(
            zip(images.chunk(parts), targets.chunk(parts), strict=True), start=1
        ):
            with gradient_exchange(self._forward, now=part == parts):
                loss, num_correct = self._backward(some_images, some_targets, parts)
            sums += torch.tensor([loss / parts / self.shard.num_ranks, num_correct])
        sums = torch.cat([sums, sums.new_tensor(self._stop.votes())])
        loss, correct, *votes = sum_over_ranks(sums.to(self._class_weights.device), self.shard).tolist()
        self._stop.agree(votes)
        self._check_finite("loss", loss, rate)
        limit = math.inf if recipe.max_gradient_norm is None else recipe.max_gradient_norm
        norm = nn.utils.clip_grad_norm_(state.network.parameters(), limit)
        self._check_finite("gradient", float(norm), rate)

        state.optimizer.step()
        progress.step += 1
        progress.step_in_epoch += 1
        state.average.update(progress.step)
        progress.loss_sum += loss * recipe.batch_size
        progress.num_correct += int(correct)
        progress.num_images += recipe.batch_size

    def _augment(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Network input ``(N, C, S, S)`` and targets ``(N, K)`` of a batch."""
        recipe, draws = self.recipe, (self.recipe.seed, self.state.progress.epoch, batch.indices)
        device, augmentation = self.runtime.device, recipe.augmentation
        aspect_ratios = self._train_split.aspect_ratios[batch.indices]
        whole = batch.images.to(device, non_blocking=True)
        size = recipe.preprocessing.image_size_px
        pixels = crop_and_flip(whole, aspect_ratios, augmentation, size, *draws)
        images = normalize(change_colors(pixels, augmentation, *draws), recipe.preprocessing)
        images = erase(images, augmentation, *draws)
        return mix(images, one_hot(batch.labels.to(device), self._num_classes), augmentation, *draws)

    def _backward(self, images: Tensor, targets: Tensor, parts: int) -> tuple[float, int]:
        """Add the gradients of one part of the batch; its mean loss and number of right answers."""
        with torch.autocast(self.runtime.device.type, torch.bfloat16, enabled=self.runtime.bf16):
            logits = self._forward(images)
        loss = cross_entropy(
            logits, targets, label_smoothing=self.recipe.label_smoothing, class_weights=self._class_weights
        )
        (loss / parts).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            correct = (logits.argmax(1) == targets.argmax(1)).sum()
        return float(loss.detach()), int(correct)

    def _check_finite(self, what: str, value: float, rate: float) -> None:
        if math.isfinite(value):
            return
        progress = self.state.progress
        done = progress.num_images or 1
        if self.shard.rank == 0:
            self.run.record("diverged", step=progress.step, quantity=what, learning_rate=rate)
        raise ResnetkitError(
            Code.DIVERGED,
            f"the {what} became {value} in epoch {progress.epoch + 1}, step {progress.step_in_epoch + 1}; "
            "the weights were not updated with it",
            why=f"learning rate {rate:.3g}, mean loss of this epoch before it {progress.loss_sum / done:.4g}",
            fix=f"start again with a lower learning rate (--set optimizer.learning_rate="
            f"{self.recipe.optimizer.learning_rate / 4:g}), a longer warm-up (schedule.warmup_share) or clipping "
            "(max_gradient_norm=1)",
        )

    def learning_rate_share(self, step: int) -> float:
        """The schedule at an update, from 0."""
        num_steps = self.recipe.epochs * self._steps_per_epoch
        return learning_rate_share(self.recipe.schedule, step, num_steps)

    def _finish_epoch(self, images_per_second: float | None) -> None:
        recipe, state, progress = self.recipe, self.state, self.state.progress
        before = time.monotonic()
        scores = self._validate() if self.shard.rank == 0 else None
        scores, votes = from_first_rank((scores, self._stop.votes()), self.shard)
        self._stop.agree(votes)
        progress.seconds += time.monotonic() - before
        row = {
            "epoch": progress.epoch + 1,
            "step": progress.step,
            "train_loss": progress.loss_sum / max(progress.num_images, 1),
            "train_top1": progress.num_correct / max(progress.num_images, 1),
            **scores,
            "learning_rate": recipe.optimizer.learning_rate * self.learning_rate_share(progress.step - 1),
            "images_per_second": images_per_second,
            "elapsed_seconds": progress.seconds,
        }
        is_best = bool(scores) and progress.is_better(scores["val_top1"], scores["val_loss"])
        if is_best:
            progress.best_epoch = progress.epoch + 1
            progress.best_top1, progress.best_loss = scores["val_top1"], scores["val_loss"]
        if is_best or recipe.keep == "last" or not scores:
            state.keep_as_best()
        patience = recipe.early_stopping_epochs
        progress.stopped_early = bool(scores and patience and progress.epoch + 1 - progress.best_epoch >= patience)
        progress.start_next_epoch()
        if self.shard.rank == 0:
            self.run.record("epoch", **row)
            self.listener.epoch_ended(row)
            if progress.stopped_early:
                self.listener.message(f"no better validation score for {patience} epochs: stopping early")
        self._checkpoint()

    def _validate(self) -> dict[str, float]:
        """``val_loss`` and ``val_top1`` of the averaged weights; empty without a val split."""
        if "val" not in self.data.splits:
            return {}
        return quick_scores(self.state.average.network, self.recipe.preprocessing, self.data.splits["val"])

    def _checkpoint_if_due(self) -> None:
        due = time.monotonic() - self._last_checkpoint >= self.recipe.checkpoint_seconds
        if self._stop.agreed or due:
            self._checkpoint()

    def _checkpoint(self) -> None:
        if self.shard.rank == 0:
            save_checkpoint(self.run.checkpoints, self.state.to_checkpoint(self.facts))
        self._last_checkpoint = time.monotonic()
        if self._stop.agreed:
            raise Interrupted(self._stop.agreed)

    def _report(self, images_per_second: float) -> StepReport:
        progress, recipe = self.state.progress, self.recipe
        steps_left = recipe.epochs * self._steps_per_epoch - progress.step
        return StepReport(
            progress.epoch + 1,
            recipe.epochs,
            progress.step_in_epoch,
            self._steps_per_epoch,
            progress.loss_sum / progress.num_images,
            progress.num_correct / progress.num_images,
            recipe.optimizer.learning_rate * self.learning_rate_share(progress.step - 1),
            images_per_second,
            steps_left * recipe.batch_size / images_per_second,
        )
