"""The parts of a network that fine-tuning tells apart, and holding the lowest of them still."""

from __future__ import annotations

from torch import nn

from resnetkit.models.resnet import ResNet
from resnetkit.recipes.recipe import part_names


def parts_of(network: ResNet) -> dict[str, nn.ModuleList]:
    """All modules of a network by part, from below: what comes before the stages, each stage, the head.

    What stands between the last stage and the head (the tail of pre-activation networks) belongs to that stage.
    """
    stem, *stages, head = part_names(len(network.stage_names))
    starts = dict(zip(network.stage_names, stages, strict=True)) | {"fc": head}
    parts = {name: nn.ModuleList() for name in (stem, *stages, head)}
    part = stem
    for name, child in network.named_children():  # in the order in which images pass through them
        part = starts.get(name, part)
        parts[part].append(child)
    return parts


def hold_lowest_parts(network: ResNet, num_frozen: int, *, hold_statistics: bool = False) -> None:
    """Put a network in training mode, but for its lowest parts: no gradients, norms with fixed statistics, no dropout.

    No gradient is computed below the lowest part that trains, because nothing there asks for one.

    Args:
        hold_statistics: batch norms of the other parts have fixed statistics too; their weights and biases train.
    """
    for number, part in enumerate(parts_of(network).values()):
        trains = number >= num_frozen
        part.train(trains).requires_grad_(trains)
        for module in part.modules() if hold_statistics else ():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    network.training = True  # as nn.Module.train() leaves it


def count_trainable(network: nn.Module) -> int:
    """Count the numbers that an update may change."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
