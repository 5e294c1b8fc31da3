"""Optimizers: built from a recipe, saved and restored by parameter name."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from resnetkit.training.recipe import AdamW, Optimizer, Sgd


def make_optimizer(spec: Optimizer, network: nn.Module) -> torch.optim.Optimizer:
    """The optimizer over a network's parameters; 1-D tensors (norms and biases) are not decayed."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": spec.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    match spec:
        case Sgd():
            return torch.optim.SGD(
                groups, lr=spec.learning_rate, momentum=spec.momentum, nesterov=spec.nesterov, fused=True
            )
        case AdamW():
            return torch.optim.AdamW(groups, lr=spec.learning_rate, betas=spec.betas, eps=spec.eps, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """The learning rate of the next update."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def optimizer_tensors(optimizer: torch.optim.Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """The optimizer's memory (momentum and the like), named ``parameter/key``."""
    return {
        f"{name}/{key}": value
        for name, parameter in network.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, network: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Put back what :func:`optimizer_tensors` gave, each tensor laid out in memory like its parameter."""
    parameters = dict(network.named_parameters())
    optimizer.state.clear()
    for full_name, value in tensors.items():
        name, key = full_name.rsplit("/", 1)
        parameter = parameters[name]
        if value.shape == parameter.shape:
            restored = torch.empty_like(parameter, requires_grad=False).copy_(value)
        else:
            restored = value.to(parameter.device, copy=True)
        optimizer.state[parameter][key] = restored
