"""The steps of training: batch -> augment -> logits -> loss -> update, with one path for every recipe.

Nothing random is remembered between steps: every draw is a function of (seed, epoch, image, purpose) or
(seed, step, purpose). Weights, optimizer, average and counters are therefore all that a checkpoint must hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from resnetkit.data.batches import Shard
from resnetkit.data.randomness import Purpose, derive_seed
from resnetkit.data.types import LoadedData
from resnetkit.images.types import Indices
from resnetkit.machine.allocator import give_back_freed_memory
from resnetkit.machine.device import default_generator
from resnetkit.machine.runtime import Runtime
from resnetkit.recipes.recipe import Recipe
from resnetkit.recipes.schedule import learning_rate_share, num_frozen_parts, schedule_epochs
from resnetkit.training.batches import Feed, TrainingBatch
from resnetkit.training.distributed import gradient_exchange, make_parallel
from resnetkit.training.divergence import Divergence, largest_loss
from resnetkit.training.freezing import hold_lowest_parts
from resnetkit.training.frozen_features import FrozenParts, UpperParts, ValidationFeatures, cuts_to_keep, run_parts
from resnetkit.training.kept_features import KeptFeatures, kept_features
from resnetkit.training.loss import cross_entropy, make_class_weights
from resnetkit.training.optimizer import Updates, clip_gradients, set_learning_rate
from resnetkit.training.running_sums import Sums, Tally
from resnetkit.training.state import TrainingState

ONE_PROCESS = Shard()


class Steps:
    """Updates of a training state by the batches of a train split, each with a learning rate of the caller's choice.

    All of a step is here, and nothing of a run: no folder, no validation, no end.

    Args:
        data: has a train split, of whole images if the recipe crops them at random.
        shard: this process's part of every batch.

    Attributes:
        num_frozen: so many parts of the network, from below, are held still; at first as many as the recipe says.
        upper: the network above the frozen parts whose features are kept: all of it where none are.
        val_features: those of the validation images; None where they are not kept.
        notes: sentences for the user on what need not be computed; who tells them takes them out.
    """

    def __init__(
        self, recipe: Recipe, state: TrainingState, data: LoadedData, runtime: Runtime, shard: Shard = ONE_PROCESS
    ) -> None:
        self.recipe, self.state, self.data, self.runtime, self.shard = recipe, state, data, runtime, shard
        device, split, num_classes = runtime.device, data.splits["train"], len(data.class_names)
        self._parameters = list(state.network.parameters())
        self._generator = default_generator(device)
        self._class_weights = make_class_weights(recipe, split.labels, data.class_names).to(device)
        self._feed = Feed(recipe, split, num_classes, device, shard)
        self._largest_loss = largest_loss(num_classes)
        self._tally = Tally(device, shard, self._largest_loss)
        self._rates: list[float] = []  # of the updates since the sums were read
        self._apply = Updates(state.optimizer, self._parameters, self._tally.is_bad, by_copy=device.type == "cuda")
        self.num_frozen = -1
        self.val_features: ValidationFeatures | None = None
        self.notes: list[str] = []
        self._frozen = FrozenParts(state.network)
        self.hold(num_frozen_parts(recipe.fine_tuning, recipe.parts, state.progress.epoch))

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch."""
        return self._feed.steps_per_epoch

    def hold(self, num_frozen: int) -> None:
        """Put the network into training mode, so many of its parts, from below, held still."""
        recipe, network = self.recipe, self.state.network
        hold_lowest_parts(network, num_frozen, hold_statistics=recipe.fine_tuning.hold_statistics)
        if num_frozen == self.num_frozen:
            return
        # Wrapped anew at every thaw: the wrapper for several processes looks only once at what has gradients.
        self.num_frozen, self._is_settled = num_frozen, False
        cuts = cuts_to_keep(recipe, num_frozen, self.data, self._run, self.runtime.device)
        self.upper = UpperParts(network, max(cuts, default=0))
        self._feed.read_through(self.run_frozen, cuts, partial(self._kept, "train"))
        if not cuts or "val" not in self.data.splits:
            self.val_features = None
        elif self.val_features is None:
            val, kept = self.data.splits["val"], self._kept("val")
            self.val_features = ValidationFeatures(self._frozen, self.runtime.device, val, recipe.preprocessing, kept)
        if self.val_features is not None:
            self.val_features.keep(cuts)
        # The network as it exchanges gradients, and the same as it is called: perhaps compiled, which hides the first.
        self._parallel: nn.Module = self.upper  # lets go of the earlier wrapper
        self._forward: nn.Module = self.upper
        self._parallel = self._forward = make_parallel(self.upper, self.shard)
        if self.runtime.compile:
            # A step of a small network is hundreds of short kernels: a GPU runs them sooner than Python starts them, so
            # they are recorded as CUDA graphs. Gradients that are added up or exchanged would be overwritten there.
            whole = self.runtime.device.type == "cuda" and self.shard.num_ranks == recipe.accumulate_steps == 1
            mode = "reduce-overhead" if whole else "default"
            self._forward = torch.compile(self._parallel, mode=mode)  # type: ignore[assignment]

    def _in_precision(self) -> torch.autocast:
        return torch.autocast(self.runtime.device.type, torch.bfloat16, enabled=self.runtime.bf16)

    def _run(self, x: Tensor, first: int, last: int) -> Tensor:
        with self._in_precision():
            return run_parts(self.state.network, x, first, last)

    def run_frozen(self, x: Tensor, first: int, last: int) -> Tensor:
        """The output of frozen parts ``first`` to ``last`` (exclusive), as they are run while the others train."""
        with self._in_precision():
            return self._frozen.run(x, first, last)

    def _kept(self, split: str) -> KeptFeatures:
        """Features of earlier runs: for training in the run's precision, for validation in float32."""
        precision = "bf16" if self.runtime.bf16 and split == "train" else "fp32"
        return kept_features(self.recipe, self.state.network, self.data.splits[split], precision, self.notes.append)

    def scheduled_rate(self, step: int) -> float:
        """The learning rate that the recipe has for an update, counted from 0 over the whole run."""
        recipe, per_epoch = self.recipe, self.steps_per_epoch
        epochs = schedule_epochs(recipe.fine_tuning, recipe.parts, recipe.epochs, step // per_epoch)
        share = learning_rate_share(recipe.schedule, step - epochs.start * per_epoch, len(epochs) * per_epoch)
        return recipe.optimizer.learning_rate * share

    def views(self, groups: list[Indices], view: int) -> Iterator[Tensor]:
        """Images of the train split at some indices, group by group, in one of their views, before anything runs."""
        return self._feed.views(groups, view)

    def make_ready(self) -> None:
        """Compute what the epoch's batches share, where parts are frozen; it is in no step's time then."""
        self._feed.make_ready(self.state.progress.epoch)

    def batches(self) -> Iterator[TrainingBatch]:
        """Batches that are left of the epoch which the state is in."""
        return self._feed.batches(self.state.progress.epoch, self.state.progress.step_in_epoch)

    def updates(self, rate_of: Callable[[int], float] | None = None) -> Iterator[int]:
        """Do what is left of the epoch; give the number of updates whose sums it is time to :meth:`read`.

        That is after each, but on a GPU after some: it works on what it was given while the host asks it for nothing.

        Args:
            rate_of: the learning rate of an update, counted from 0 over the whole run; as scheduled where left out.
        """
        batches = self.batches()
        batch = next(batches, None)
        while batch is not None:
            self.update(batch, (rate_of or self.scheduled_rate)(self.state.progress.step))
            # The next one is made ready before the sums are read, which makes the host wait for a GPU.
            is_time, batch = batch.ends_group, next(batches, None)
            if is_time:
                yield len(self._rates)

    def update(self, batch: TrainingBatch, learning_rate: float) -> None:
        """Do one update; nothing here waits for the device."""
        recipe, state, progress = self.recipe, self.state, self.state.progress
        # For what draws inside the network (dropout): a function of the step and of the process.
        position = progress.step * self.shard.num_ranks + self.shard.rank
        self._generator.manual_seed(derive_seed(recipe.seed, position, Purpose.LAYERS))
        set_learning_rate(state.optimizer, learning_rate)
        state.optimizer.zero_grad()

        parts = recipe.accumulate_steps
        for part, (inputs, targets) in enumerate(
            zip(batch.inputs.chunk(parts), batch.targets.chunk(parts), strict=True), start=1
        ):
            with gradient_exchange(self._parallel, now=part == parts):
                loss, num_correct = self._backward(inputs, targets, parts)
            self._tally.add(loss / parts / self.shard.num_ranks, num_correct)
        self._tally.end_step(clip_gradients(self._parameters, recipe.max_gradient_norm))

        self._apply()
        self._rates.append(learning_rate)
        progress.step += 1
        progress.step_in_epoch += 1
        state.average.update(progress.step)

    def _backward(self, inputs: Tensor, targets: Tensor, parts: int) -> tuple[Tensor, Tensor]:
        """Add the gradients of one part of the batch; its mean loss (float64) and number of right answers."""
        with self._in_precision():
            logits = self._forward(inputs)
        loss = cross_entropy(
            logits, targets, label_smoothing=self.recipe.label_smoothing, class_weights=self._class_weights
        )
        (loss / parts).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            correct = (logits.argmax(1) == targets.argmax(1)).sum()
        return loss.detach().double(), correct

    def read(self, votes: Sequence[float] = ()) -> Sums:
        """Take into the state's progress what the updates since the last reading added up to, in all processes.

        The first whose loss or gradient is out of bounds, and all after it, changed no weight and are not counted.

        Args:
            votes: what else is to be summed over the processes.
        """
        progress, batch_size = self.state.progress, self.recipe.batch_size
        sums = self._tally.read(votes)
        if not self._is_settled:  # the first step compiles, and takes memory that no other needs
            give_back_freed_memory()
            self._is_settled = True
        progress.loss_sum += sums.loss * batch_size
        progress.num_correct += sums.num_correct
        progress.num_images += sums.good_steps * batch_size
        rates, self._rates = self._rates, []
        if sums.good_steps < len(rates):
            sums = replace(sums, divergence=self._divergence(sums, rates))
        return sums

    def _divergence(self, sums: Sums, rates: Sequence[float]) -> Divergence:
        """The first update that was held back, of those with these learning rates."""
        progress = self.state.progress
        num_held_back = len(rates) - sums.good_steps
        is_gradient = sums.bad_loss <= self._largest_loss  # NaN is not
        return Divergence(
            quantity="gradient" if is_gradient else "loss",
            value=sums.bad_norm if is_gradient else sums.bad_loss,
            epoch=progress.epoch + 1,
            step=progress.step_in_epoch - num_held_back + 1,
            update=progress.step - num_held_back,
            learning_rate=rates[sums.good_steps],
            mean_loss=progress.mean_loss,
        )
