"""Checkpoints of training scripts: which entry holds the weights, and what stands before every name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.weights import WeightFile, read_weights
from resnetkit.models.weights.unwrapping import AVERAGED, CURRENT, strip_wrappers


def weights(value: float = 1.0) -> dict[str, Tensor]:
    return {"conv1.weight": torch.full((2,), value), "fc.bias": torch.full((3,), value)}


@pytest.fixture
def saved(tmp_path: Path) -> Any:
    def save(content: object, entry: str | None = None) -> WeightFile:
        torch.save(content, tmp_path / "c.pth")
        return read_weights(tmp_path / "c.pth", entry=entry)

    return save


def value_of(file: WeightFile) -> float:
    assert list(file.tensors) == ["conv1.weight", "fc.bias"]
    return float(file.tensors["fc.bias"][0])


@pytest.mark.parametrize("entry", AVERAGED + CURRENT)
def test_the_usual_entries(saved: Any, entry: str) -> None:
    optimizer = torch.optim.SGD([torch.ones(3, requires_grad=True)], momentum=0.9)
    optimizer.param_groups[0]["params"][0].sum().backward()
    optimizer.step()
    file = saved({"epoch": 3, "arch": "resnet18", entry: weights(), "optimizer": optimizer.state_dict()})
    assert value_of(file) == 1
    assert file.metadata == {"epoch": 3, "arch": "resnet18"}
    assert file.notes == (f"took the entry '{entry}'", "left aside: 'optimizer'")


def test_averaged_weights_are_preferred_and_the_others_can_be_had(saved: Any) -> None:
    content = {"state_dict": weights(1), "state_dict_ema": weights(2)}
    file = saved(content)
    assert value_of(file) == 2
    assert file.notes == ("took the entry 'state_dict_ema'; --entry reads 'state_dict' instead",)
    assert value_of(saved(content, entry="state_dict")) == 1


@pytest.mark.parametrize("entry", ["state_dic", "optimizer", "epoch"])
def test_an_unknown_entry(saved: Any, entry: str) -> None:
    with pytest.raises(ResnetkitError, match="cannot be read") as raised:
        saved({"state_dict": weights(1), "ema": weights(2), "optimizer": {}, "epoch": 3}, entry=entry)
    assert raised.value.code is Code.WEIGHTS
    assert f"'{entry}'" in raised.value.why
    assert "state_dict" in raised.value.fix
    with pytest.raises(ResnetkitError, match="cannot be read") as raised:
        saved(weights(), entry="model")
    assert "'model'" in raised.value.why
    with pytest.raises(ResnetkitError, match="cannot be read") as raised:
        saved({"state_dict": weights()}, entry="model")
    assert "'model'" in raised.value.why


def test_nested_twice(saved: Any) -> None:
    file = saved({"model": {"state_dict": weights(), "step": 5}, "lr": 0.1})
    assert value_of(file) == 1
    assert file.metadata == {"lr": 0.1, "step": 5}
    file = saved({"checkpoint": {"model": weights(1), "ema": weights(2)}}, entry="model")
    assert value_of(file) == 1


def test_several_networks_of_unknown_names(saved: Any) -> None:
    with pytest.raises(ResnetkitError, match="cannot be read") as raised:
        saved({"teacher": weights(1), "student": weights(2)})
    assert "'teacher', 'student'" in raised.value.why
    assert value_of(saved({"teacher": weights(1), "student": weights(2)}, entry="student")) == 2
    assert value_of(saved({"student": weights(2)})) == 2


@pytest.mark.parametrize(
    "prefix",
    ["module.", "_orig_mod.", "model.", "net.", "backbone.", "encoder.", "module._orig_mod.model.", "net.module."],
)
def test_wrappers_come_off(saved: Any, prefix: str) -> None:
    file = saved({f"{prefix}{name}": tensor for name, tensor in weights().items()})
    assert value_of(file) == 1
    assert file.notes == (f"took the prefix '{prefix}' off the names",)


def test_a_prefix_that_not_all_have_stays() -> None:
    names = ["model.conv1.weight", "fc.weight"]
    assert strip_wrappers(dict.fromkeys(names, torch.ones(1))) == (dict.fromkeys(names, torch.ones(1)), "")


def test_a_head_may_stand_beside_a_backbone() -> None:
    names = ["module.backbone.conv1.weight", "module.head.fc.weight"]
    stripped, taken = strip_wrappers(dict.fromkeys(names, torch.ones(1)))
    assert list(stripped) == ["conv1.weight", "head.fc.weight"]
    assert taken == "module.backbone."
    assert strip_wrappers({"head.fc.weight": torch.ones(1)})[1] == ""


def test_counters_are_no_weights(saved: Any) -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    averaged = AveragedModel(network)
    counted = {"total_ops": torch.ones(1), "0.total_ops": torch.ones(1), "0.total_params": torch.ones(1)}
    file = saved({"model_ema": {**averaged.state_dict(), **counted}})
    assert file.tensors.keys() == network.state_dict().keys()
    assert "1.num_batches_tracked" in file.tensors
    assert "left out 4 counters that are no weights" in file.notes


@pytest.mark.parametrize(
    "content",
    [[torch.ones(2)], {"lr": 0.1}, {}, torch.ones(2), {"optimizer": {"state": weights()}}, 3, {1: torch.ones(1)}],
    ids=["list", "settings", "nothing", "a tensor", "an optimizer", "a number", "numbered"],
)
def test_what_holds_no_weights(saved: Any, content: object) -> None:
    with pytest.raises(ResnetkitError, match="cannot be read") as raised:
        saved(content)
    assert raised.value.code is Code.WEIGHTS
    assert "holds no state dict" in raised.value.why


def test_values_that_are_not_plain_are_left_out(saved: Any) -> None:
    file = saved({"net": weights(), "history": {"loss": [0.5, 0.25]}, "seed": torch.ones(1), "shape": torch.Size([2])})
    assert file.metadata == {"history": {"loss": [0.5, 0.25]}, "shape": [2]}
