"""A network made cheaper without changing what it computes: constants that meet are multiplied beforehand."""

from __future__ import annotations

import copy
import itertools

import torch
from torch import nn

from resnetkit.models.layers import FlexibleConv2d, standardize
from resnetkit.models.plan import plan_network
from resnetkit.models.resnet import ResNet


def fold(network: ResNet) -> ResNet:
    """A copy for inference: batch norms behind a conv are part of that conv, standardised weights are stored so.

    A batch norm that reads a sum, as the first of a pre-activated block does, stays: no conv stands before it. Folding
    is done in float64, so that each weight is rounded once.
    """
    folded = copy.deepcopy(network).eval().requires_grad_(False)
    for module in folded.modules():
        if isinstance(module, FlexibleConv2d) and module.standardizes:
            module.weight.copy_(standardize(module.weight.double()))
            module.standardizes = False
    for path in (path for part in plan_network(network.spec) for path in part.iter_paths()):
        for first, second in itertools.pairwise(path):
            # Arithmetic has no name, and by no name the network itself is got: no conv and no norm.
            conv, norm = folded.get_submodule(first.name), folded.get_submodule(second.name)
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                _fold_norm(conv, norm)
                folded.set_submodule(second.name, nn.Identity())
    return folded


def _fold_norm(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    """Let ``conv`` compute what ``norm(conv(x))`` does with running statistics."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = torch.zeros_like(scale) if conv.bias is None else conv.bias.double()
    shift = norm.bias.double() + (bias - norm.running_mean.double()) * scale
    dtype = conv.weight.dtype
    conv.weight = nn.Parameter((conv.weight.double() * scale.view(-1, 1, 1, 1)).to(dtype), requires_grad=False)
    conv.bias = nn.Parameter(shift.to(dtype), requires_grad=False)
