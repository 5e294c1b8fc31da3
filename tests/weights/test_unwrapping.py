"""Checkpoints of training scripts: which entry holds the weights, and what stands before every name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from resnetkit.errors import Code, ResnetkitError
from resnetkit.weights import WeightFile, read_weights, to_native
from resnetkit.weights.grouping import MAX_DEPTH
from resnetkit.weights.unwrapping import AVERAGED, CURRENT

BODY = ("conv1.weight", "layer1.0.conv1.weight", "layer1.0.conv2.weight")
NAMES = (*BODY, "fc.weight", "fc.bias")


def weights(value: float = 1.0, names: tuple[str, ...] = NAMES) -> dict[str, Tensor]:
    shapes = {"fc.weight": (3, 2), "fc.bias": (3,)}
    return {name: torch.full(shapes.get(name, (2, 2, 1, 1)), value) for name in names}


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


@pytest.fixture
def saved(tmp_path: Path) -> Any:
    def save(content: object, entry: str | None = None) -> WeightFile:
        torch.save(content, tmp_path / "c.pth")
        return read_weights(tmp_path / "c.pth", entry=entry)

    return save


def value_of(file: WeightFile) -> float:
    assert sorted(file.tensors) == sorted(NAMES)
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
    ["module.", "_orig_mod.", "model.", "backbone.", "resnet.", "a.b_c.d2.", "module._orig_mod.model.", "net.module."],
)
def test_a_network_stands_under_any_prefix(saved: Any, prefix: str) -> None:
    file = saved(under(prefix, weights()))
    assert value_of(file) == 1
    assert file.notes == (f"took the prefix '{prefix}' off the names",)
    assert file.choices == ()


def test_a_prefix_that_not_all_have_stays(saved: Any) -> None:
    names = ["model.conv1.weight", "fc.weight"]
    assert list(saved(dict.fromkeys(names, torch.ones(1))).tensors) == names
    deep = under("a." * (MAX_DEPTH + 1), weights())
    assert saved(deep).tensors.keys() == deep.keys()


@pytest.mark.parametrize("head", ["head.fc", "fc", "fc.1", "classifier", "classifier.0", "linear", "head"])
@pytest.mark.parametrize("prefix", ["backbone.", "module.encoder."])
def test_a_head_may_stand_beside_its_network(saved: Any, prefix: str, head: str) -> None:
    above = prefix.rpartition("backbone.")[0] or prefix.rpartition("encoder.")[0]
    ends = {f"{head}.weight": torch.ones(3, 2), f"{head}.bias": torch.ones(3)}
    file = saved({**under(prefix, weights(names=BODY)), **under(above, ends)})
    assert list(file.tensors) == [*BODY, *ends]
    assert to_native(file).tensors.keys() == set(NAMES)
    assert file.choices == ()


def test_a_second_head_is_told_and_chosen_against(saved: Any) -> None:
    content = {**under("encoder.", weights()), "head.weight": torch.ones(2, 3)}
    with pytest.raises(ResnetkitError, match="cannot be read") as raised:
        saved(content)
    assert "two heads" in raised.value.why
    assert "--entry encoder" in raised.value.fix
    file = saved(content, entry="encoder")
    assert value_of(file) == 1
    assert file.choices == ("left aside, as no part of the network: 'head.weight'",)


def test_a_head_in_a_container_is_a_head_and_one_of_several_layers_is_not_taken_for_one(saved: Any) -> None:
    body = weights(names=BODY)
    one = to_native(saved({**body, "fc.1.weight": torch.ones(3, 2), "fc.1.bias": torch.ones(3)}))
    assert one.tensors.keys() == set(NAMES)
    several = to_native(saved({**body, "fc.0.weight": torch.ones(4, 2), "fc.2.weight": torch.ones(3, 4)}))
    assert several.tensors.keys() == {*BODY, "fc.0.weight", "fc.2.weight"}


ASIDE = ("criterion.weight", "loss_fn.weight", "train_acc.tp", "val_accuracy.tp", "metrics.auroc.total", "focal_loss.a")


@pytest.mark.parametrize("prefix", ["model.", ""], ids=["beside", "in the network's own class"])
def test_what_trains_and_measures_is_left_aside_and_told(saved: Any, prefix: str) -> None:
    file = saved({"state_dict": {**dict.fromkeys(ASIDE, torch.ones(3)), **under(prefix, weights())}})
    assert value_of(file) == 1
    assert file.choices == ("left aside, as no part of the network: " + ", ".join(f"'{name}'" for name in ASIDE),)
    assert set(file.choices) < set(file.notes)


def test_what_may_belong_to_the_network_is_never_left_aside(saved: Any) -> None:
    for strange in ("ca.fc1.weight", "layer1.0.ca.fc.weight", "layer1.1.spatial.weight", "norm_out.weight"):
        file = saved({**weights(), strange: torch.ones(2, 2, 1, 1)})
        assert strange in file.tensors
        with pytest.raises(ResnetkitError, match="no known naming") as raised:
            to_native(file)
        assert strange in raised.value.why


def test_of_two_networks_in_one_state_dict_the_averaged_is_taken_and_others_are_asked_for(saved: Any) -> None:
    file = saved({**under("model.", weights(1)), **under("ema_model.module.", weights(2))})
    assert value_of(file) == 2
    assert file.choices == (
        "took 'ema_model.module', the averaged weights; --entry reads 'model' instead",
        "left aside, as no part of the network: 'model' (5 tensors)",
    )
    larger = {**weights(2), "layer1.1.conv1.weight": torch.ones(2, 2, 1, 1)}
    pair = {"state_dict": {**under("student.", weights(1)), **under("teacher.net.", larger)}}
    with pytest.raises(ResnetkitError, match="cannot be read") as raised:
        saved(pair)
    assert "'student', 'teacher.net'" in raised.value.why
    assert "--entry" in raised.value.fix
    for entry in ("student", "student.", "state_dict.student"):
        assert value_of(saved(pair, entry=entry)) == 1
    assert len(saved(pair, entry="teacher").tensors) == 6
    with pytest.raises(ResnetkitError, match="cannot be read") as raised:
        saved(pair, entry="teachers")
    assert "did you mean 'teacher" in raised.value.fix


def test_counters_are_no_weights(saved: Any) -> None:
    network = nn.ModuleDict({"conv1": nn.Conv2d(1, 1, 1, bias=False), "bn1": nn.BatchNorm2d(1)})
    network["layer1"] = nn.ModuleList([nn.ModuleDict({"conv1": nn.Conv2d(1, 1, 1)})])
    averaged = AveragedModel(network)
    counted = {"total_ops": torch.ones(1), "bn1.total_ops": torch.ones(1), "bn1.total_params": torch.ones(1)}
    file = saved({"model_ema": {**averaged.state_dict(), **counted}})
    assert file.tensors.keys() == network.state_dict().keys()
    assert "bn1.num_batches_tracked" in file.tensors
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
