"""Optimizers: groups, and a memory that can be put back."""

import copy

import pytest
import torch
from torch import nn

from resnetkit.models.resnet import create_model
from resnetkit.training.optimizer import make_optimizer, optimizer_tensors, restore_optimizer, set_learning_rate
from resnetkit.training.recipe import AdamW, Optimizer, Sgd

SPECS = [Sgd(), Sgd(momentum=0, nesterov=False), AdamW()]


def small_network() -> nn.Module:
    torch.manual_seed(0)
    network = create_model("resnet20", depths=(1, 1, 1), widths=(16, 16, 32), num_classes=3)
    return network.to(memory_format=torch.channels_last)


def update(network: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    torch.manual_seed(seed)
    optimizer.zero_grad()
    network(torch.randn(4, 3, 8, 8)).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.kind}")
def test_norms_and_biases_are_not_decayed(spec: Optimizer) -> None:
    network = small_network()
    optimizer = make_optimizer(spec, network)
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert len(decay) == len(list(network.parameters()))
    for parameter in network.parameters():
        assert decay[id(parameter)] == (spec.weight_decay if parameter.ndim > 1 else 0)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.kind}")
def test_restored_memory_goes_on_bit_for_bit(spec: Optimizer) -> None:
    network = small_network()
    optimizer = make_optimizer(spec, network)
    for seed in range(3):
        update(network, optimizer, seed)
    twin = copy.deepcopy(network)
    twin_optimizer = make_optimizer(spec, twin)
    # Contiguous, as a file gives them.
    tensors = {name: value.contiguous() for name, value in optimizer_tensors(optimizer, network).items()}
    restore_optimizer(twin_optimizer, twin, tensors)
    for seed in range(3, 5):
        update(network, optimizer, seed)
        update(twin, twin_optimizer, seed)
    for name, value in network.state_dict().items():
        assert torch.equal(value, twin.state_dict()[name]), name


def test_forgetting_the_memory_would_be_noticed() -> None:
    network = small_network()
    optimizer = make_optimizer(Sgd(), network)
    update(network, optimizer, 0)
    twin = copy.deepcopy(network)
    update(network, optimizer, 1)
    update(twin, make_optimizer(Sgd(), twin), 1)
    assert not torch.equal(network.fc.weight, twin.fc.weight)


def test_set_learning_rate_reaches_every_group() -> None:
    optimizer = make_optimizer(Sgd(), small_network())
    set_learning_rate(optimizer, 0.125)
    assert {group["lr"] for group in optimizer.param_groups} == {0.125}
