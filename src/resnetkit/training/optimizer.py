"""Optimizers: built from a recipe, saved and restored by parameter name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from resnetkit.models.resnet import ResNet
from resnetkit.recipes.recipe import AdamW, FineTuning, Muon, Optimizer, Sgd
from resnetkit.recipes.schedule import rate_factors
from resnetkit.training.freezing import parts_of
from resnetkit.training.muon import OrthogonalSGD


def make_optimizer(spec: Optimizer, network: ResNet, fine_tuning: FineTuning) -> torch.optim.Optimizer:
    """The optimizer over all parameters, frozen ones too, which it passes over for as long as they have no gradient.

    1-D tensors (norms and biases) are not decayed. Parameters share groups where they are updated alike, unless some
    are frozen at first: a fused update needs all parameters of a group to have a memory or none.
    """
    parts = parts_of(network)
    factors = rate_factors(fine_tuning, tuple(parts))
    matrices = _hidden_matrices(parts) if isinstance(spec, Muon) else {}
    groups: dict[tuple[Any, ...], list[Tensor]] = defaultdict(list)
    for name, part in parts.items():
        apart = name if fine_tuning.freeze != "none" else None
        for parameter in part.parameters():
            groups[apart, factors[name], parameter.ndim > 1, matrices.get(parameter, 0)].append(parameter)
    described = []
    for (_, factor, is_decayed, num_matrices), parameters in groups.items():
        decay = spec.weight_decay
        if isinstance(spec, Muon) and not num_matrices:
            decay, factor = spec.sgd_weight_decay, factor * spec.sgd_learning_rate / spec.learning_rate
        group = {"params": parameters, "rate_factor": factor, "weight_decay": decay if is_decayed else 0.0}
        described.append(group | ({"num_matrices": num_matrices} if isinstance(spec, Muon) else {}))
    match spec:
        case Sgd():
            return torch.optim.SGD(
                described, lr=spec.learning_rate, momentum=spec.momentum, nesterov=spec.nesterov, fused=True
            )
        case AdamW():
            return torch.optim.AdamW(described, lr=spec.learning_rate, betas=spec.betas, eps=spec.eps, fused=True)
        case Muon():
            return OrthogonalSGD(
                described,
                learning_rate=spec.learning_rate,
                momentum=spec.momentum,
                sgd_momentum=spec.sgd_momentum,
            )


def _hidden_matrices(parts: dict[str, nn.ModuleList]) -> dict[Tensor, int]:
    """The kernels of the stages' convs, and of how many matrices each consists: one for each group of the conv."""
    _, *stages, _ = parts.values()
    return {
        module.weight: module.groups for stage in stages for module in stage.modules() if isinstance(module, nn.Conv2d)
    }


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """The learning rate of the next update, before each part's factor."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["rate_factor"]


def clip_gradients(parameters: list[nn.Parameter], max_norm: float | None) -> Tensor:
    """The length of the whole gradient, which is shortened to ``max_norm`` where it is longer; None: never."""
    norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if max_norm is not None:
        nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)
    return norm


class Updates:
    """Updates by any optimizer, of which those where something is not finite change no parameter.

    On a CPU the host looks before it updates. A GPU works ahead of the host, which must not wait for it: there the
    parameters are put back from a copy, by whole-number arithmetic on their bits, which no value can spoil.

    Args:
        parameters: float32, all that the optimizer may change.
        is_bad: bool scalar on their device, true where the next update is to be held back.
        by_copy: as on a GPU.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], is_bad: Tensor, *, by_copy: bool
    ) -> None:
        self._optimizer, self._is_bad, self._by_copy = optimizer, is_bad, by_copy
        if by_copy:
            self._parameters = [parameter.detach() for parameter in parameters]
            self._before = [torch.empty_like(parameter) for parameter in self._parameters]
            self._bits, self._bits_before = (
                [tensor.view(torch.int32) for tensor in tensors] for tensors in (self._parameters, self._before)
            )

    @torch.no_grad()
    def __call__(self) -> None:
        """Update the parameters by their gradients, or leave them as they are."""
        if self._by_copy:
            torch._foreach_copy_(self._before, self._parameters)
            self._optimizer.step()
            back = torch._foreach_sub(self._bits_before, self._bits)
            torch._foreach_mul_(back, self._is_bad.to(torch.int32))
            torch._foreach_add_(self._bits, back)
        elif not self._is_bad:
            self._optimizer.step()


def optimizer_tensors(optimizer: torch.optim.Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """The optimizer's memory (momentum and the like), named ``parameter/key``."""
    return {
        f"{name}/{key}": value
        for name, parameter in network.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def restores_optimizer(optimizer: torch.optim.Optimizer, network: nn.Module, tensors: Mapping[str, Tensor]) -> bool:
    """Tell whether :func:`restore_optimizer` can take these: each of a parameter and of its shape, or a number."""
    parameters, kept = dict(network.named_parameters()), defaultdict[str, set[str]](set)
    for full_name, value in tensors.items():
        name, _, key = full_name.rpartition("/")
        if name not in parameters or value.shape not in (parameters[name].shape, ()):
            return False
        kept[name].add(key)
    keys = {"step", "exp_avg", "exp_avg_sq"} if isinstance(optimizer, torch.optim.AdamW) else {"momentum_buffer"}
    return all(found == keys for found in kept.values())


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
