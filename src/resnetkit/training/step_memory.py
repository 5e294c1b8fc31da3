"""Memory that an update needs beside the weights, estimated from the network's shapes."""

from __future__ import annotations

from dataclasses import dataclass

from resnetkit.anatomy.memory import measure_memory
from resnetkit.models.resnet import ResNet
from resnetkit.recipes.recipe import AdamW, Muon, Recipe, Sgd
from resnetkit.recipes.schedule import num_frozen_parts
from resnetkit.training.freezing import parts_of


@dataclass(frozen=True)
class StepMemory:
    """Bytes that are there at once during an update, in the epoch in which most of the network trains.

    Attributes:
        gradients: one number for each that trains.
        optimizer: its memory of them.
        maps: what is kept of the images of a batch, or of one part of it where gradients are added up.
    """

    gradients: int
    optimizer: int
    maps: int

    @property
    def total(self) -> int:
        """All together."""
        return self.gradients + self.optimizer + self.maps


def estimate_step_memory(recipe: Recipe, network: ResNet, *, bf16: bool) -> StepMemory:
    """Memory of an update beside the weights, their averages and the images.

    Args:
        bf16: maps take half of what they take in float32.
    """
    num_frozen = min(num_frozen_parts(recipe.fine_tuning, recipe.parts, epoch) for epoch in range(recipe.epochs))
    training = list(parts_of(network).values())[num_frozen:]
    gradients = sum(4 * parameter.numel() for part in training for parameter in part.parameters())
    trained, part = set(recipe.parts[num_frozen:]), recipe.parts[0]
    kept = 0
    for row in measure_memory(recipe.model, recipe.preprocessing.image_size_px).parts:
        own = row.name.replace(" ", "")
        part = own if own in recipe.parts else part  # pooling and the like belong to the part below
        kept += row.kept_bytes if part in trained else 0
    together = recipe.batch_size // recipe.accumulate_steps
    return StepMemory(gradients, _numbers_kept(recipe) * gradients, kept * together // (2 if bf16 else 1))


def _numbers_kept(recipe: Recipe) -> int:
    """Numbers that an optimizer keeps for each that it changes."""
    match recipe.optimizer:
        case Sgd(momentum=momentum):
            return 1 if momentum else 0
        case AdamW():
            return 2
        case Muon():
            return 1
