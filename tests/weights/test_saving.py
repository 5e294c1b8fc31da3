"""Weights under other libraries' names; that Keras reads its own is shown with Keras' files."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from safetensors.torch import load_file

from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.catalog import find_entry
from resnetkit.models.resnet import ResNet, create_model
from resnetkit.models.spec import CONV_BN, NORM_AFTER_ADD, GatedAdd, ResNetSpec
from resnetkit.weights import load_weights, read_weights, save_weights, to_native
from resnetkit.weights.peers import PEERS, find_peer, in_words
from resnetkit.weights.saving import rename

WIDTHS = (8, 16, 24, 32)


def spec_of(name: str, **fields: Any) -> ResNetSpec:
    spec = find_entry(name).spec
    widths = WIDTHS if len(spec.widths) == 4 else spec.widths
    return replace(spec, **{"num_classes": 5, "widths": widths, **fields})


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize(
    ("name", "naming"),
    [
        ("resnet18", "torchvision"),
        ("resnet18", "timm"),
        ("resnet26t", "timm"),
        ("ecaresnet26t", "timm"),
        ("seresnet50", "timm"),
        ("resnetv2_18", "timm"),
        ("resnetv2_50d", "timm"),
        ("wide_resnet50_2", "torchvision"),
        ("resnetblur18", "timm"),
    ],
)
def test_what_is_saved_is_read_again(tmp_path: Path, randomize: Any, name: str, naming: Any, suffix: str) -> None:
    spec = spec_of(name)
    network = randomize(ResNet(spec))
    path = tmp_path / f"w{suffix}"
    save_weights(network, path, naming)
    native = to_native(read_weights(path))
    again = ResNet(spec)
    load_weights(again, native.tensors, source=str(path))
    for key, tensor in network.state_dict().items():
        assert torch.equal(again.state_dict()[key], tensor), key
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_torchvision_reads_its_names(torchvision: Any, tmp_path: Path) -> None:
    ours = create_model("resnet18", num_classes=5)
    save_weights(ours, tmp_path / "w.pth")
    theirs = torchvision.models.resnet18(num_classes=5)
    theirs.load_state_dict(torch.load(tmp_path / "w.pth", weights_only=True), strict=True)
    assert torch.equal(theirs.layer4[1].conv2.weight, ours.layer4[1].conv2.weight)


@pytest.mark.parametrize("name", ["resnetv2_34", "resnetv2_50", "resnetv2_50d", "resnet26d", "seresnet50"])
def test_timm_reads_its_names(timm: Any, randomize: Any, tmp_path: Path, name: str) -> None:
    spec = spec_of(name)
    ours = randomize(ResNet(spec))
    save_weights(ours, tmp_path / "w.safetensors", naming="timm")
    factor = spec.block.expansion if "v2" in name else 1
    theirs = timm.create_model(name, num_classes=5, channels=tuple(factor * width for width in WIDTHS)).eval()
    theirs.load_state_dict(load_file(tmp_path / "w.safetensors"), strict=True)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(theirs(images), ours(images), rtol=1e-5, atol=1e-5)


GATED = replace(find_entry("resnet20").spec, block=replace(find_entry("resnet20").spec.block, join=GatedAdd()))
V2 = spec_of("resnetv2_50")
KERAS_V1 = spec_of("keras_resnet50")


@pytest.mark.parametrize(
    ("spec", "naming", "why", "fix"),
    [
        (spec_of("resnetv2_50"), "torchvision", "block.order.unit", "write it for timm"),
        (spec_of("seresnet50"), "torchvision", "block.attention", "write it for timm"),
        (spec_of("resnet50d"), "torchvision", "stem.kernel_sizes", "write it for timm"),
        (spec_of("resnetblur18"), "torchvision", 'block.downsampling is "stride", not "blur"', "write it for timm"),
        (spec_of("resnet50_v1"), "torchvision", "resnet50, where block.strided_conv is 1, not 0", "classifier"),
        (spec_of("resnet50_v1"), "timm", "resnet50, where block.strided_conv is 1, not 0", "classifier"),
        (spec_of("resnet34_c"), "timm", "block.project is", "classifier"),
        (spec_of("plain18"), "timm", "block.join.kind", "classifier"),
        (spec_of("resnet20"), "timm", "stem.kernel_sizes is [7], not [3]", "classifier"),
        (spec_of("preact_resnet20"), "timm", "stem.kernel_sizes", "classifier"),
        (GATED, "timm", "block.join.kind", "classifier"),
        (find_entry("tutorial_preact").spec, "timm", "stem", "classifier"),
        (replace(V2, block=replace(V2.block, projection=CONV_BN)), "timm", "block.projection.steps", "classifier"),
        (replace(V2, norm=replace(V2.norm, eps=1e-3)), "timm", "norm.eps is 1e-05, not 0.001", "classifier"),
    ],
)  # fmt: skip
def test_a_network_the_library_does_not_have(tmp_path: Path, spec: ResNetSpec, naming: Any, why: str, fix: str) -> None:
    """Some would fit names and shapes of one that computes something else."""
    with torch.device("meta"):
        network = ResNet(spec)
    with pytest.raises(ResnetkitError, match=f"{naming} has no network that computes") as raised:
        save_weights(network, tmp_path / "w.pth", naming)
    assert raised.value.code is Code.WEIGHTS
    assert why in raised.value.why
    assert fix in raised.value.fix
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "naming", "found"),
    [
        ("resnet34", "torchvision", "resnet34"),
        ("wide_resnet50_2", "torchvision", "wide_resnet50_2"),
        ("resnext50_32x4d[classes=3,channels=1]", "timm", "resnext50_32x4d"),
        ("resnetv2_50t", "timm", "resnetv2_50t"),
        ("resnet18[zero_last=false]", "timm", "resnet18"),
    ],
)
def test_the_network_that_it_is_there(name: str, naming: str, found: str) -> None:
    peer = find_peer(find_entry(name).spec, naming)
    assert (peer.name, peer.sizes, peer.differing) == (found, {}, {})


def test_sizes_without_a_name_there_are_told() -> None:
    peer = find_peer(find_entry("resnet34[depths=[2,4,6,3]]").spec, "torchvision")
    assert peer.name == "resnet34"
    assert in_words(peer.sizes) == "depths is [3, 4, 6, 3], not [2, 4, 6, 3]"
    assert not peer.differing
    assert not peer.loading(Path("w.pth"))


@pytest.mark.parametrize("name", [name for name in PEERS["timm"] if sum(find_entry(name).spec.depths) <= 16])
def test_timm_has_each_name_and_shape(timm: Any, name: str) -> None:
    """Deeper ones have no other names."""
    with torch.device("meta"):
        ours, theirs = create_model(name), timm.create_model(name)
    renamed = {key: tuple(tensor.shape) for key, tensor in rename(ours, "timm").items()}
    assert renamed == {key: tuple(tensor.shape) for key, tensor in theirs.state_dict().items()}


def test_torchvision_has_each_name_and_shape(torchvision: Any) -> None:
    residual = torchvision.models.list_models(torchvision.models, include=("*resnet*", "resnext*"))
    assert set(PEERS["torchvision"]) == set(residual)
    for name in residual:
        with torch.device("meta"):
            ours, theirs = create_model(name), torchvision.models.get_model(name)
        renamed = {key: tuple(tensor.shape) for key, tensor in rename(ours, "torchvision").items()}
        assert renamed == {key: tuple(tensor.shape) for key, tensor in theirs.state_dict().items()}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    ("name", "naming"),
    [
        ("resnet18[classes=5,channels=1]", "torchvision"),
        ("resnet18", "torchvision"),
        ("resnet10t[classes=5,channels=1]", "timm"),
        ("resnetv2_18[classes=5]", "timm"),
    ],
)
def test_the_lines_that_are_told_load_it(
    torchvision: Any, timm: Any, randomize: Any, tmp_path: Path, name: str, naming: Any, suffix: str
) -> None:
    ours = randomize(create_model(name)).eval()
    path = tmp_path / f"w{suffix}"
    peer = save_weights(ours, path, naming)
    names: dict[str, Any] = {"torch": torch, "torchvision": torchvision, "timm": timm, "safetensors": safetensors}
    assert peer is not None
    exec("\n".join(peer.loading(path)), names)
    images = torch.randn(2, ours.spec.in_channels, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(names["network"].eval()(images), ours(images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("naming", ["torchvision", "timm"])
def test_the_lines_load_a_network_without_a_head(
    torchvision: Any, timm: Any, randomize: Any, tmp_path: Path, naming: Any
) -> None:
    ours = randomize(create_model("resnet18", num_classes=None)).eval()
    peer = save_weights(ours, tmp_path / "w.pth", naming)
    names: dict[str, Any] = {"torch": torch, "torchvision": torchvision, "timm": timm}
    assert peer is not None
    exec("\n".join(peer.loading(tmp_path / "w.pth")), names)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(names["network"].eval()(images), ours(images).flatten(1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (replace(spec_of("resnet50_v1"), norm=KERAS_V1.norm), "has no 'conv1.bias'"),
        (spec_of("resnet18"), "bottlenecks"),
        (replace(KERAS_V1, block=replace(KERAS_V1.block, strided_conv=1)), "stride on the first conv"),
        (spec_of("resnetv2_50"), "stride in a stage's last block"),
        (spec_of("resnet50d"), "7×7"),
        (replace(KERAS_V1, block=replace(KERAS_V1.block, order=NORM_AFTER_ADD)), "v1 or full pre-activation"),
        (replace(KERAS_V1, num_classes=5, norm=replace(KERAS_V1.norm, eps=1e-3)), "1.001e-5"),
    ],
    ids=["no biases", "basic", "v1.5", "v2 of timm", "deep stem", "order", "epsilon"],
)
def test_a_network_keras_does_not_have(tmp_path: Path, spec: ResNetSpec, why: str) -> None:
    with pytest.raises(ResnetkitError, match=r"keras.applications has no such network") as raised:
        save_weights(ResNet(spec), tmp_path / "w.weights.h5", "keras")
    assert raised.value.code is Code.WEIGHTS
    assert why in raised.value.why
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["keras_resnet50", "keras_resnet50v2", "keras_resnet50v2_no_preact"])
def test_keras_files_are_read_again(tmp_path: Path, randomize: Any, name: str) -> None:
    pytest.importorskip("h5py")
    network = randomize(ResNet(spec_of(name)))
    save_weights(network, tmp_path / "w.weights.h5", "keras")
    native = to_native(read_weights(tmp_path / "w.weights.h5"))
    again = ResNet(spec_of(name)).eval()
    load_weights(again, native.tensors, source="w.weights.h5")
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(again(images), network(images))


@pytest.mark.parametrize(
    ("file_name", "naming", "message"),
    [
        ("w.pth", "torchvison", "did you mean 'torchvision'"),
        ("w.bin2", "timm", "end the name in .safetensors"),
        ("w.h5", "keras", ".weights.h5"),
        ("w.pth", "keras", ".weights.h5"),
        ("w.weights.h5", "timm", ".weights.h5"),
    ],
)
def test_names_and_formats_that_do_not_go_together(tmp_path: Path, file_name: str, naming: Any, message: str) -> None:
    with pytest.raises(ResnetkitError) as raised:
        save_weights(create_model("resnet20"), tmp_path / file_name, naming)
    assert raised.value.code is Code.USAGE
    assert message in raised.value.fix
    assert not list(tmp_path.iterdir())


def test_without_h5py_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ResnetkitError) as raised:
        save_weights(ResNet(KERAS_V1), tmp_path / "w.weights.h5", "keras")
    assert "resnetkit[keras]" in raised.value.fix


def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    network = ResNet(spec_of("resnet18"))
    for name in ("a.safetensors", "b.safetensors"):
        save_weights(network, tmp_path / name)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
