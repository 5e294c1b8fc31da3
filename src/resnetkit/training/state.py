"""The whole state of a run between two steps, and its way into a checkpoint and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from resnetkit.config import from_dict
from resnetkit.data.randomness import Purpose, derive_seed
from resnetkit.models.resnet import ResNet
from resnetkit.recipes.recipe import Recipe
from resnetkit.training.averaging import WeightAverage
from resnetkit.training.checkpoint import Checkpoint
from resnetkit.training.optimizer import make_optimizer, optimizer_tensors, restore_optimizer, restores_optimizer


@dataclass
class Progress:
    """Position of a run, and what it has come to.

    Attributes:
        epoch, step_in_epoch: where it goes on, from 0.
        step: updates done.
        loss_sum, num_correct, num_images: over this epoch's steps so far.
        seconds: spent in steps and validation, over all sessions.
        best_epoch, best_score, best_top1, best_loss: the epoch (from 1) with the best validation score, that score
            (top-1, or balanced accuracy if the recipe says so), and the top-1 and loss of that epoch.
        kept_epoch: the epoch (from 1) whose weights are kept as the best; 0: none yet.
    """

    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    num_correct: int = 0
    num_images: int = 0
    seconds: float = 0.0
    best_epoch: int = 0
    best_score: float = 0.0
    best_top1: float = 0.0
    best_loss: float = 0.0
    stopped_early: bool = False
    kept_epoch: int = 0

    @property
    def mean_loss(self) -> float:
        """Mean loss over this epoch's images so far, in nats; 0 before the first."""
        return self.loss_sum / max(self.num_images, 1)

    @property
    def top1(self) -> float:
        """The share of right answers over the same."""
        return self.num_correct / max(self.num_images, 1)

    def is_better(self, score: float, loss: float) -> bool:
        """Tell whether a validation score beats the best so far; the loss decides between equal ones."""
        return self.best_epoch == 0 or (score, -loss) > (self.best_score, -self.best_loss)

    def kept(self, keep: str) -> str:
        """``best`` where the weights kept, by ``Recipe.keep``, are the best that were validated, else ``last``."""
        return "best" if self.best_epoch > 0 and keep == "best" else "last"

    def start_next_epoch(self) -> None:
        """Reset what belongs to one epoch."""
        self.epoch, self.step_in_epoch = self.epoch + 1, 0
        self.loss_sum, self.num_correct, self.num_images = 0.0, 0, 0


@dataclass
class TrainingState:
    """Network, optimizer, average, best weights and progress."""

    network: ResNet
    optimizer: torch.optim.Optimizer
    average: WeightAverage[ResNet]
    progress: Progress = field(default_factory=Progress)
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def keep_as_best(self, network: ResNet) -> None:
        """Remember the weights of the network that was just evaluated."""
        self.best_weights = {
            name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
            for name, tensor in network.state_dict().items()
        }

    def to_checkpoint(self, resume_conditions: dict[str, Any]) -> Checkpoint:
        """All of it, and beside it what must be the same for a resume to be bit-exact."""
        tensors = {
            "weights": self.network.state_dict(),
            "optimizer": optimizer_tensors(self.optimizer, self.network),
            "average": self.average.tensors(),
            "best": self.best_weights,
        }
        state = {"progress": asdict(self.progress), "resume_conditions": resume_conditions}
        return Checkpoint(self.progress.step, self.progress.epoch, tensors, state)

    def misfit(self, checkpoint: Checkpoint) -> str:
        """The reason why :meth:`restore` cannot go on from a checkpoint; empty where it can.

        Raises:
            KeyError, TypeError, ResnetkitError: where it lacks a part, or has one of another kind.
        """
        own = _shapes(self.network.state_dict())
        tensors = {name: _shapes(group) for name, group in checkpoint.tensors.items()}
        if tensors["weights"] != own or tensors["average"] != _shapes(self.average.tensors()):
            return "its tensors are not those of the network"
        if tensors["best"] not in ({}, own):
            return "the best weights are not those of the network"
        if not restores_optimizer(self.optimizer, self.network, checkpoint.tensors["optimizer"]):
            return "its tensors are not those of the optimizer"
        progress = _progress(checkpoint)
        numbers = [value for value in asdict(progress).values() if not isinstance(value, bool)]
        is_sound = all(math.isfinite(n) for n in numbers) and all(n >= 0 for n in numbers if isinstance(n, int))
        if not is_sound or (progress.step, progress.epoch) != (checkpoint.step, checkpoint.epoch):
            return "its progress is none"
        from_dict(Recipe, conditions_of(checkpoint)["recipe"])
        return ""

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on where the checkpoint was written."""
        self.network.load_state_dict(checkpoint.tensors["weights"])
        restore_optimizer(self.optimizer, self.network, dict(checkpoint.tensors["optimizer"]))
        self.average.restore(dict(checkpoint.tensors["average"]))
        self.best_weights = dict(checkpoint.tensors["best"])
        self.progress = _progress(checkpoint)


def conditions_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """Resume conditions that :meth:`TrainingState.to_checkpoint` was given; the recipe is among them."""
    state = checkpoint.state
    key = "resume_conditions" if "resume_conditions" in state else "facts"  # as checkpoints of earlier versions have it
    return state[key]  # type: ignore[no-any-return]


def _progress(checkpoint: Checkpoint) -> Progress:
    """Progress of a checkpoint's run; what the version that wrote it did not count follows from what it did."""
    counted = checkpoint.state["progress"]
    progress = from_dict(Progress, counted)
    if "best_score" not in counted:  # top-1 was the only score
        progress.best_score = progress.best_top1
    if "kept_epoch" not in counted and checkpoint.tensors["best"]:
        kept = progress.kept(conditions_of(checkpoint)["recipe"]["keep"])
        progress.kept_epoch = progress.best_epoch if kept == "best" else progress.epoch
    return progress


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}


def new_network(recipe: Recipe) -> ResNet:
    """The recipe's network with weights drawn from its seed."""
    torch.manual_seed(derive_seed(recipe.seed, 0, Purpose.INITIAL_WEIGHTS))
    return ResNet(recipe.model)


def new_state(recipe: Recipe, network: ResNet, device: torch.device) -> TrainingState:
    """State that a run with this network starts from; the network is moved to the device."""
    network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = make_optimizer(recipe.optimizer, network, recipe.fine_tuning)
    return TrainingState(network, optimizer, WeightAverage(network, recipe.ema_decay))
