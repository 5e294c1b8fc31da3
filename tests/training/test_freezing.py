"""The parts of a network, and holding the lowest of them still."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from resnetkit.models.resnet import ResNet, create_model
from resnetkit.training.freezing import count_trainable, hold_lowest_parts, parts_of


def small(name: str = "resnet20_b") -> ResNet:
    return create_model(name, depths=(1, 1, 1), num_classes=3)


@pytest.mark.parametrize("name", ["resnet20_b", "tutorial_preact", "resnet18"])
def test_the_parts_hold_every_parameter_once(name: str) -> None:
    network = create_model(name)
    parts = parts_of(network)
    assert list(parts) == ["stem", *(f"stage{i + 1}" for i in range(len(network.stage_names))), "head"]
    held = [id(parameter) for part in parts.values() for parameter in part.parameters()]
    assert sorted(held) == sorted(id(parameter) for parameter in network.parameters())
    assert {id(p) for p in parts["head"].parameters()} == {id(p) for p in network.fc.parameters()}
    assert network.layer1 in list(parts["stage1"])


def test_a_tail_belongs_to_the_last_stage() -> None:
    network = create_model("tutorial_preact")
    assert isinstance(network.norm, nn.BatchNorm2d)
    assert network.norm in list(parts_of(network)["stage3"])


def traced(network: ResNet) -> Iterator[tuple[str, Tensor]]:
    """Each part's output for one batch, in order."""
    outputs: list[tuple[str, Tensor]] = []
    last = {"stem": network.maxpool, **{f"stage{i}": getattr(network, f"layer{i}") for i in (1, 2, 3)}}
    handles = [
        module.register_forward_hook(lambda *call, name=name: outputs.append((name, call[2])))
        for name, module in last.items()
    ]
    logits = network(torch.randn(4, 3, 8, 8))
    for handle in handles:
        handle.remove()
    return iter([*outputs, ("head", logits)])


@pytest.mark.parametrize("num_frozen", range(5))
def test_nothing_is_computed_for_gradients_below_the_lowest_part_that_trains(num_frozen: int) -> None:
    network = small()
    hold_lowest_parts(network, num_frozen)
    for number, (name, output) in enumerate(traced(network)):
        assert output.requires_grad == (number >= num_frozen), name


@pytest.mark.parametrize("num_frozen", range(5))
def test_frozen_norms_keep_their_statistics_and_the_others_take_new_ones(num_frozen: int) -> None:
    network = small()
    hold_lowest_parts(network, num_frozen)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(torch.randn(8, 3, 8, 8) * 3 + 1)
    frozen = {id(m) for part in list(parts_of(network).values())[:num_frozen] for m in part.modules()}
    norms = [(name, m) for name, m in network.named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    for name, norm in norms:
        for key in ("running_mean", "running_var", "num_batches_tracked"):
            same = torch.equal(before[f"{name}.{key}"], norm.state_dict()[key])
            assert same == (id(norm) in frozen), (name, key)


def test_statistics_can_be_held_where_weights_train() -> None:
    network = small()
    everything = count_trainable(network)
    hold_lowest_parts(network, 0, hold_statistics=True)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(torch.randn(8, 3, 8, 8) * 3 + 1).sum().backward()
    assert count_trainable(network) == everything
    assert network.bn1.weight.grad is not None
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    hold_lowest_parts(network, 0)
    assert all(module.training for module in network.modules())


def test_what_thaws_trains_again() -> None:
    network = small()
    everything = count_trainable(network)
    hold_lowest_parts(network, 4)
    assert count_trainable(network) == sum(p.numel() for p in network.fc.parameters())
    hold_lowest_parts(network, 0)
    assert count_trainable(network) == everything
    assert all(module.training for module in network.modules())
