"""Optimizers: groups, a memory that can be put back, and updates that can be held back."""

import copy
from typing import get_args

import pytest
import torch
from torch import nn

from resnetkit.models.resnet import ResNet, create_model
from resnetkit.recipes.recipe import AdamW, FineTuning, Muon, Optimizer, Sgd
from resnetkit.training.freezing import hold_lowest_parts
from resnetkit.training.optimizer import (
    Updates,
    make_optimizer,
    optimizer_tensors,
    restore_optimizer,
    restores_optimizer,
    set_learning_rate,
)

SPECS = [Sgd(), Sgd(momentum=0, nesterov=False), AdamW(), Muon(sgd_weight_decay=0.1)]


def small_network() -> ResNet:
    torch.manual_seed(0)
    network = create_model("resnet20", depths=(1, 1, 1), widths=(16, 16, 32), num_classes=3)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def update(network: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    torch.manual_seed(seed)
    optimizer.zero_grad()
    network(torch.randn(4, 3, 8, 8)).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.kind}")
def test_norms_and_biases_are_not_decayed(spec: Optimizer) -> None:
    network = small_network()
    optimizer = make_optimizer(spec, network, FineTuning())
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert len(decay) == len(list(network.parameters()))
    for parameter in network.parameters():
        assert decay[id(parameter)] == (spec.weight_decay if parameter.ndim > 1 else 0)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.kind}")
def test_restored_memory_goes_on_bit_for_bit(spec: Optimizer) -> None:
    network = small_network()
    optimizer = make_optimizer(spec, network, FineTuning())
    for seed in range(3):
        update(network, optimizer, seed)
    twin = copy.deepcopy(network)
    twin_optimizer = make_optimizer(spec, twin, FineTuning())
    # Contiguous, as a file gives them.
    tensors = {name: value.contiguous() for name, value in optimizer_tensors(optimizer, network).items()}
    assert restores_optimizer(twin_optimizer, twin, tensors), "or its checkpoints would be taken for damaged"
    restore_optimizer(twin_optimizer, twin, tensors)
    for seed in range(3, 5):
        update(network, optimizer, seed)
        update(twin, twin_optimizer, seed)
    for name, value in network.state_dict().items():
        assert torch.equal(value, twin.state_dict()[name]), name


def test_forgetting_the_memory_would_be_noticed() -> None:
    network = small_network()
    optimizer = make_optimizer(Sgd(), network, FineTuning())
    update(network, optimizer, 0)
    twin = copy.deepcopy(network)
    update(network, optimizer, 1)
    update(twin, make_optimizer(Sgd(), twin, FineTuning()), 1)
    assert not torch.equal(network.fc.weight, twin.fc.weight)


def test_set_learning_rate_reaches_every_group() -> None:
    optimizer = make_optimizer(Sgd(), small_network(), FineTuning())
    set_learning_rate(optimizer, 0.125)
    assert {group["lr"] for group in optimizer.param_groups} == {0.125}


def test_each_part_has_its_own_rate() -> None:
    network = small_network()
    optimizer = make_optimizer(Sgd(), network, FineTuning(layer_decay=0.5, head_factor=3))
    set_learning_rate(optimizer, 0.16)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    # By hand: 0.16 × 3 for the head, then half of 0.16, half of that …
    expected = {"fc.": 0.48, "layer3.": 0.08, "layer2.": 0.04, "layer1.": 0.02, "conv1.": 0.01, "bn1.": 0.01}
    for name, parameter in network.named_parameters():
        (rate,) = [rate for prefix, rate in expected.items() if name.startswith(prefix)]
        assert rates[id(parameter)] == pytest.approx(rate), name


def test_half_the_rate_is_half_the_step() -> None:
    plain, halved = small_network(), small_network()
    before = {name: value.clone() for name, value in plain.named_parameters()}
    for network, fine_tuning in ((plain, FineTuning()), (halved, FineTuning(layer_decay=0.5))):
        optimizer = make_optimizer(Sgd(weight_decay=0, momentum=0, nesterov=False), network, fine_tuning)
        set_learning_rate(optimizer, 0.1)
        update(network, optimizer, 0)
    for name, share in (("layer3.0.conv1.weight", 0.5), ("conv1.weight", 0.0625), ("fc.weight", 1.0)):
        full, part = (n.get_parameter(name) - before[name] for n in (plain, halved))
        torch.testing.assert_close(part, full * share)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.kind}")
def test_what_has_no_gradient_is_neither_updated_nor_decayed_and_joins_in_later(spec: Optimizer) -> None:
    network = small_network()
    optimizer = make_optimizer(spec, network, FineTuning(freeze="stage2"))
    before = {name: value.clone() for name, value in network.named_parameters()}
    hold_lowest_parts(network, 3)  # stem, stages 1 and 2
    for seed in range(2):
        update(network, optimizer, seed)
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, before[name]) == (not name.startswith(("layer3.", "fc."))), name
    hold_lowest_parts(network, 2)
    update(network, optimizer, 2)
    assert not torch.equal(network.layer2[0].conv1.weight, before["layer2.0.conv1.weight"])
    assert torch.equal(network.conv1.weight, before["conv1.weight"])


# --- updates that are held back ---


class Careless(torch.optim.Optimizer):
    """Knows of nothing but gradients, and changes weights without any, too."""

    def __init__(self, parameters: object) -> None:
        super().__init__(parameters, {"lr": 0.1})  # type: ignore[arg-type]

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(0.9).sub_(group["lr"] * parameter.grad.sign())


KINDS = [type(spec) for spec in SPECS]
OPTIMIZERS = [*dict.fromkeys(KINDS), Careless]


def optimizer_of(kind: type, network: ResNet) -> torch.optim.Optimizer:
    return Careless(network.parameters()) if kind is Careless else make_optimizer(kind(), network, FineTuning())


def test_every_optimizer_of_the_recipe_is_tried_here() -> None:
    union, *_ = get_args(Optimizer)
    assert set(get_args(union)) == set(KINDS), "enter the new optimizer into SPECS"


@pytest.mark.parametrize("by_copy", [False, True], ids=["asked", "by copy"])
@pytest.mark.parametrize("num_good", [0, 2])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_no_optimizer_changes_weights_that_are_held(kind: type, num_good: int, by_copy: bool) -> None:
    network, is_bad = small_network(), torch.zeros((), dtype=torch.bool)
    optimizer = optimizer_of(kind, network)
    step = Updates(optimizer, list(network.parameters()), is_bad, by_copy=by_copy)
    for _ in range(num_good):
        optimizer.zero_grad()
        network(torch.randn(4, 3, 8, 8)).square().mean().backward()
        step()
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    is_bad.fill_(True)
    for poison in (torch.inf, torch.nan, 0.25):  # once bad stays bad, whatever comes then
        for parameter in network.parameters():
            parameter.grad = torch.full_like(parameter, poison)
        step()
        for name, value in network.named_parameters():
            assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_an_update_that_is_not_held_is_the_optimizers_own(kind: type) -> None:
    networks = [small_network() for _ in range(3)]
    for network, by_copy in zip(networks, (None, False, True), strict=True):
        optimizer, good = optimizer_of(kind, network), torch.zeros((), dtype=torch.bool)
        step = optimizer.step
        if by_copy is not None:
            step = Updates(optimizer, list(network.parameters()), good, by_copy=by_copy)
        for seed in range(2):
            torch.manual_seed(seed)
            optimizer.zero_grad()
            network(torch.randn(4, 3, 8, 8)).square().mean().backward()
            step()
    plain, *others = (network.state_dict() for network in networks)
    for other in others:
        for name, value in plain.items():
            assert torch.equal(value, other[name]), name
