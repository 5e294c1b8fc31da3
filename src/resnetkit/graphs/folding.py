"""A network made cheaper without changing what it computes: constants that meet are multiplied beforehand."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator

import torch
from torch import nn

from resnetkit.models.block import ResidualBlock
from resnetkit.models.layers import STANDARDIZATION_EPS, FlexibleConv2d
from resnetkit.models.resnet import ResNet


def fold(network: ResNet) -> ResNet:
    """A copy for inference: batch norms behind a conv are part of that conv, standardised weights are stored so.

    A batch norm that reads a sum, as the first of a pre-activated block does, stays: no conv stands before it. Folding
    is done in float64, so that each weight is rounded once.
    """
    folded = copy.deepcopy(network).eval().requires_grad_(False)
    for module in folded.modules():
        if isinstance(module, FlexibleConv2d) and module.standardizes:
            _standardize(module)
    for owner, names in _streams(folded):
        for conv_name, norm_name in itertools.pairwise(names):
            conv, norm = owner.get_submodule(conv_name), owner.get_submodule(norm_name)
            # The stem's first layer can itself be a sequence, which its norm follows.
            conv = conv[-1] if isinstance(conv, nn.Sequential) and len(conv) else conv
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                _fold_norm(conv, norm)
                owner.set_submodule(norm_name, nn.Identity())
    return folded


def _standardize(conv: FlexibleConv2d) -> None:
    """Store the filters as they are used."""
    weight = conv.weight.double()
    variance, mean = torch.var_mean(weight, dim=(1, 2, 3), keepdim=True, correction=0)
    conv.weight.copy_((weight - mean) * torch.rsqrt(variance + STANDARDIZATION_EPS))
    conv.standardizes = False


def _streams(network: ResNet) -> Iterator[tuple[nn.Module, tuple[str, ...]]]:
    """Modules with the names of their children that run one after the other, nothing between them."""
    yield network, ("conv1", "bn1")
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            yield module, tuple(name for name, _ in module.named_children())
        elif isinstance(module, ResidualBlock):
            yield module, module.branch


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
