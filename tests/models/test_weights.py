"""Weight files: what is read, what is refused, and that a refusal changes nothing."""

import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import BASIC, STEM_3X3, ResNetSpec
from resnetkit.models.weights import load_weights, read_weights

SMALL = ResNetSpec(BASIC, (1, 1), (4, 6), (1, 2), stem=replace(STEM_3X3, widths=(4,)), num_classes=5)


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    torch.manual_seed(7)
    return ResNet(SMALL).state_dict()


def assert_equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


# --- reading ---


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt", "a.pth", "a.th", "a.bin", "without_suffix"])
def test_what_was_saved_is_read(tmp_path: Path, tensors: dict[str, Tensor], name: str) -> None:
    path = tmp_path / name
    if name.endswith("safetensors"):
        save_file(tensors, path)
    else:
        torch.save(tensors, path)
    assert_equal(read_weights(path), tensors)
    assert_equal(read_weights(str(path)), tensors)


def test_the_format_before_torch_1_6_is_read(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    torch.save(tensors, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert_equal(read_weights(tmp_path / "old.pth"), tensors)


def test_a_state_dict_nested_and_prefixed_by_a_training_script(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    wrapped = {f"module.{name}": tensor for name, tensor in tensors.items()}
    torch.save({"epoch": 3, "best": 0.9, "state_dict": wrapped}, tmp_path / "checkpoint.th")
    assert_equal(read_weights(tmp_path / "checkpoint.th"), tensors)
    torch.save(wrapped, tmp_path / "parallel.th")
    assert_equal(read_weights(tmp_path / "parallel.th"), tensors)


# --- refusing ---


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("kind", ["zip", "legacy", "bare pickle", "beside good tensors"])
def test_a_hostile_file_is_refused_and_nothing_in_it_runs(
    tmp_path: Path, tensors: dict[str, Tensor], kind: str
) -> None:
    sprung, path = tmp_path / "sprung", tmp_path / "weights.pt"
    content = {**tensors, "trap": Trap(sprung)} if kind == "beside good tensors" else {"trap": Trap(sprung)}
    if kind == "bare pickle":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind != "legacy")
    with pytest.raises(ResnetkitError) as raised:
        read_weights(path)
    assert not sprung.exists()
    assert raised.value.code is Code.WEIGHTS
    assert "nothing in it was run" in raised.value.why or "damaged" in raised.value.why
    assert "weights_only" not in str(raised.value), "torch's own message advises to run the file"
    pickle.loads(pickle.dumps(Trap(sprung)))
    assert sprung.exists(), "the trap must be one that springs"


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path, tensors: dict[str, Tensor], kind: str) -> None:
    path = tmp_path / ("a.safetensors" if kind == "safetensors" else "a.pt")
    if kind == "safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=kind == "zip")
    content = path.read_bytes()
    for length in [0, 1, 7, 8, 9, *range(10, len(content), max(1, len(content) // 60)), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(ResnetkitError, match="cannot be read as weights") as raised:
            read_weights(path)
        assert raised.value.code is Code.WEIGHTS


def test_what_is_no_weight_file(tmp_path: Path) -> None:
    (tmp_path / "notes.pt").write_text("hello")
    (tmp_path / "notes.safetensors").write_text("hello, this is not a header")
    torch.save([torch.ones(2)], tmp_path / "list.pt")
    torch.save({"lr": 0.1}, tmp_path / "settings.pt")
    torch.save({}, tmp_path / "empty.pt")
    messages = {
        "notes.pt": "cannot be read",
        "notes.safetensors": "cannot be read",
        "list.pt": "holds no state dict",
        "settings.pt": "holds no state dict",
        "empty.pt": "holds no state dict",
        "missing.pt": "no weight file",
        ".": "no weight file",
    }
    for name, message in messages.items():
        with pytest.raises(ResnetkitError, match=message) as raised:
            read_weights(tmp_path / name)
        assert raised.value.code is Code.WEIGHTS
        assert str(tmp_path / name) in raised.value.what


# --- loading ---


def test_loading_copies_every_tensor(tensors: dict[str, Tensor]) -> None:
    network = ResNet(SMALL)
    load_weights(network, tensors, source="a.pt")
    assert_equal(network.state_dict(), tensors)
    tensors["conv1.weight"].zero_()
    assert bool(network.conv1.weight.any()), "the network must not share memory with the file's tensors"


def test_batch_counters_may_be_missing(tensors: dict[str, Tensor]) -> None:
    network = ResNet(SMALL)
    load_weights(network, {k: v for k, v in tensors.items() if "num_batches" not in k}, source="a.pt")
    assert_equal(network.state_dict(), tensors)


def spoilt(tensors: dict[str, Tensor], kind: str) -> dict[str, Tensor]:
    result = dict(tensors)
    if kind != "unexpected":
        del result["layer2.0.conv2.weight"]
    if kind != "missing":
        result["layer3.0.conv1.weight"] = torch.ones(1)
    if kind == "all":
        result["conv1.weight"] = torch.ones(4, 1, 3, 3)
    return result


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("missing", "1 missing: layer2.0.conv2.weight"),
        ("unexpected", "1 unexpected: layer3.0.conv1.weight"),
        (
            "all",
            "1 missing: layer2.0.conv2.weight; 1 unexpected: layer3.0.conv1.weight; "
            "1 wrong shape: conv1.weight (4, 1, 3, 3) instead of (4, 3, 3, 3)",
        ),
    ],
)
def test_what_does_not_fit_is_listed_and_nothing_is_copied(tensors: dict[str, Tensor], kind: str, why: str) -> None:
    network = ResNet(SMALL)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(ResnetkitError) as raised:
        load_weights(network, spoilt(tensors, kind), source="a.pt")
    assert raised.value.code is Code.WEIGHTS
    assert raised.value.why == why
    assert "a.pt" in raised.value.what
    assert "--model" in raised.value.fix
    assert_equal(network.state_dict(), before)


def test_a_long_list_is_shortened(tensors: dict[str, Tensor]) -> None:
    with pytest.raises(ResnetkitError) as raised:
        load_weights(ResNet(SMALL), {"conv1.weight": tensors["conv1.weight"]}, source="a.pt")
    num_missing = sum("num_batches" not in name for name in tensors) - 1
    assert raised.value.why.startswith(f"{num_missing} missing: bn1.weight, ")
    assert raised.value.why.endswith(f"({num_missing - 4} more)")


def test_other_classes_need_a_new_head(tensors: dict[str, Tensor]) -> None:
    network = ResNet(replace(SMALL, num_classes=3))
    head = network.fc.weight.detach().clone()
    with pytest.raises(ResnetkitError, match="--reset-head"):
        load_weights(network, tensors, source="a.pt")
    load_weights(network, tensors, source="a.pt", reset_head=True)
    assert torch.equal(network.fc.weight, head)
    assert torch.equal(network.layer2[0].conv2.weight, tensors["layer2.0.conv2.weight"])


def test_a_new_head_excuses_nothing_else(tensors: dict[str, Tensor]) -> None:
    network = ResNet(SMALL)
    with pytest.raises(ResnetkitError, match=r"1 missing: layer2.0.conv2.weight"):
        load_weights(network, spoilt(tensors, "missing"), source="a.pt", reset_head=True)
    without_head = {name: tensor for name, tensor in tensors.items() if not name.startswith("fc")}
    load_weights(network, without_head, source="a.pt", reset_head=True)
    assert torch.equal(network.conv1.weight, tensors["conv1.weight"])
