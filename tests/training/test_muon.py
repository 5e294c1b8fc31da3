"""Muon: orthogonal steps for the convs of the stages, SGD for the rest."""

import copy

import pytest
import torch
from torch import nn

from resnetkit.models.resnet import ResNet, create_model
from resnetkit.recipes.recipe import FineTuning, Muon, Sgd
from resnetkit.training.muon import orthogonalize
from resnetkit.training.optimizer import make_optimizer, set_learning_rate

HIDDEN = ("layer1", "layer2", "layer3")


def small_network(name: str = "resnet20", **variation: object) -> ResNet:
    torch.manual_seed(0)
    network = create_model(name, **{"depths": (1, 1, 1), "widths": (16, 16, 32), "num_classes": 3, **variation})
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def compute_gradients(network: nn.Module, seed: int = 0) -> None:
    torch.manual_seed(seed)
    network.zero_grad()
    network(torch.randn(4, 3, 8, 8)).square().mean().backward()


@pytest.mark.parametrize("shape", [(3, 16, 40), (2, 40, 16), (1, 8, 8)])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    matrices = torch.randn(shape)
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    (result,) = orthogonalize([matrices])
    # In the basis of the singular vectors the result is diagonal, with values near 1.
    diagonal = u.mT @ result @ vh.mT
    values = diagonal.diagonal(dim1=1, dim2=2)
    assert values.min() > 0.5
    assert values.max() < 1.3
    torch.testing.assert_close(diagonal, torch.diag_embed(values), atol=1e-4, rtol=0)


def test_the_short_way_gives_what_the_iteration_on_the_matrix_itself_gives() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(24, 60) * torch.logspace(0, -3, 24)[:, None]  # singular values over three decades
    x = matrix / matrix.norm()
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    torch.testing.assert_close(orthogonalize([matrix[None]])[0][0], x, atol=1e-3, rtol=0)


def test_a_matrix_of_zeros_stays_finite() -> None:
    assert orthogonalize([torch.zeros(1, 4, 6)])[0].abs().max() == 0


def test_the_step_is_the_one_written_by_hand() -> None:
    network = small_network()
    spec = Muon(learning_rate=0.2, momentum=0.5, weight_decay=0.1, sgd_learning_rate=0.05, sgd_weight_decay=0.01)
    optimizer = make_optimizer(spec, network, FineTuning())
    twin = copy.deepcopy(network)
    plain = make_optimizer(Sgd(learning_rate=0.05, weight_decay=0.01), twin, FineTuning())
    memory: dict[str, torch.Tensor] = {}
    for seed in range(3):
        compute_gradients(network, seed)
        compute_gradients(twin, seed)
        expected = {}
        for name, parameter in network.named_parameters():
            if parameter.ndim == 4 and name.startswith(HIDDEN):
                gradient = parameter.grad.clone()
                memory[name] = 0.5 * memory.get(name, torch.zeros_like(gradient)) + gradient
                step = (gradient + 0.5 * memory[name]).flatten(1)
                direction = orthogonalize([step[None]])[0][0].view_as(parameter)
                expected[name] = parameter.detach() - 0.2 * (direction + 0.1 * parameter.detach())
        set_learning_rate(optimizer, 0.2)
        set_learning_rate(plain, 0.05)
        optimizer.step()
        plain.step()
        assert len(expected) == 6  # two convs in each of three blocks, whose skips have none
        others = dict(twin.named_parameters())
        for name, parameter in network.named_parameters():
            torch.testing.assert_close(parameter, expected.get(name, others[name]), atol=1e-6, rtol=1e-5, msg=name)
        twin.load_state_dict(network.state_dict())


@pytest.mark.parametrize("widths", [(16, 16, 32), (256, 256, 256)])  # matrices that are wide, and some that are tall
def test_groups_of_a_conv_are_matrices_of_their_own(widths: tuple[int, ...]) -> None:
    network = small_network("resnet20_b", **{"block.groups": 4, "widths": widths})
    optimizer = make_optimizer(Muon(learning_rate=1.0, weight_decay=0.0), network, FineTuning())
    convs = [m for m in network.layer1.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
    assert convs
    before = [conv.weight.detach().clone() for conv in convs]
    compute_gradients(network)
    set_learning_rate(optimizer, 1.0)
    optimizer.step()
    for conv, old in zip(convs, before, strict=True):
        steps = (old - conv.weight.detach()).reshape(conv.groups, conv.out_channels // conv.groups, -1)
        values = torch.linalg.svdvals(steps)
        assert 0.5 < values.min() <= values.max() < 1.3


def test_the_rates_of_both_halves_follow_the_schedule() -> None:
    network = small_network()
    optimizer = make_optimizer(Muon(learning_rate=0.2, sgd_learning_rate=0.05), network, FineTuning())
    set_learning_rate(optimizer, 0.1)  # half of the full rate
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in network.named_parameters():
        hidden = parameter.ndim == 4 and name.startswith(HIDDEN)
        assert rates[id(parameter)] == pytest.approx(0.1 if hidden else 0.025), name
