"""Muon: momentum whose step is made orthogonal, so that all directions of a weight matrix learn at one pace.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024), kellerjordan.github.io/posts/muon.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

# A polynomial that brings every singular value in (0, 1] near 1 in five turns.
TURNS, A, B, C = 5, 3.4445, -4.7750, 2.0315


def orthogonalize(stacks: Sequence[Tensor]) -> list[Tensor]:
    """Stacks of matrices ``(N, R, C)`` with the same singular vectors as those given, and singular values near 1.

    Those above a hundredth of the length of all entries of a matrix come to 0.7 to 1.2; smaller ones stay lower, and
    zeros zero.

    The iteration ``x = (A + B s + C s²) x`` with ``s = x xᵀ`` is done on ``s``, whose side is the shorter one: a turn
    multiplies ``s`` from both sides by what it would multiply ``x`` by, and ``x`` is needed at the two ends only. What
    has the same shorter side is multiplied together: on a GPU, starting so small a product takes longer than doing it.
    """
    wide = [stack.mT if stack.shape[1] > stack.shape[2] else stack for stack in stacks]
    alike: dict[int, list[int]] = defaultdict(list)
    for number, x in enumerate(wide):
        alike[x.shape[1]].append(number)
    results = list(stacks)
    for numbers in alike.values():
        square = torch.cat([torch.bmm(wide[number], wide[number].mT) for number in numbers])
        # Singular values above 1 would run away; none is above the length of all entries.
        length = square.diagonal(dim1=1, dim2=2).sum(1).clamp_min(1e-14).sqrt()[:, None, None]
        factors = torch.split(_iterate(square / length**2) / length, [len(wide[number]) for number in numbers])
        for number, factor in zip(numbers, factors, strict=True):
            result = torch.bmm(factor, wide[number])
            results[number] = result.mT if wide[number] is not stacks[number] else result
    return results


def _iterate(square: Tensor) -> Tensor:
    """Matrix that all turns together multiply ``x`` by, from the left."""
    unit = A * torch.eye(square.shape[1], device=square.device)
    whole = factor = torch.baddbmm(unit + B * square, square, square, alpha=C)
    for _ in range(TURNS - 1):
        square = torch.bmm(torch.bmm(factor, square), factor)
        factor = torch.baddbmm(unit + B * square, square, square, alpha=C)
        whole = torch.bmm(factor, whole)
    return whole


class OrthogonalSGD(torch.optim.SGD):
    """SGD in which the parameters of some groups take orthogonal steps.

    A conv's kernel is a matrix for each of its groups, with a row for each output channel. In the groups of parameters
    that hold matrices, weight decay is decoupled: ``w = w - rate * (decay * w + step)``.

    Args:
        groups: of parameters; ``num_matrices`` says of how many matrices each parameter consists, 0 for plain SGD.
        momentum, sgd_momentum: of groups with matrices, and of the others.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        *,
        learning_rate: float,
        momentum: float,
        sgd_momentum: float,
    ) -> None:
        # Steps that have their momentum already are what plain SGD is given as gradients.
        plain = {"momentum": 0.0, "nesterov": False}
        described = [{**group, **(plain if group["num_matrices"] else {})} for group in groups]
        super().__init__(described, lr=learning_rate, momentum=sgd_momentum, nesterov=True, fused=True)
        self._matrix_momentum = momentum

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update; the gradients of matrices are overwritten with their steps."""
        assert closure is None
        alike: dict[tuple[torch.Size, int], list[Tensor]] = defaultdict(list)
        for group in self.param_groups:
            for parameter in group["params"]:
                if group["num_matrices"] and parameter.grad is not None:
                    alike[parameter.shape, group["num_matrices"]].append(parameter)
        self._direct(alike)
        super().step()

    def _direct(self, alike: Mapping[tuple[torch.Size, int], list[Tensor]]) -> None:
        """Put orthogonal steps into the place of gradients; parameters of one shape and number of matrices together."""
        stacks, targets = [], []
        for (shape, num_matrices), some in alike.items():
            gradients = [parameter.grad for parameter in some if parameter.grad is not None]
            memories = [self._memory(parameter) for parameter in some]
            torch._foreach_mul_(memories, self._matrix_momentum)
            torch._foreach_add_(memories, gradients)
            steps = torch._foreach_add(gradients, memories, alpha=self._matrix_momentum)  # Nesterov's
            rows = shape[0] // num_matrices
            stacks.append(torch.cat([step.reshape(num_matrices, rows, -1) for step in steps]))
            targets.append(gradients)
        for gradients, directions in zip(targets, orthogonalize(stacks), strict=True):
            ours = directions.reshape(len(gradients), *gradients[0].shape)
            torch._foreach_copy_(gradients, list(ours.unbind()))

    def _memory(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        memory: Tensor = state["momentum_buffer"]
        return memory
