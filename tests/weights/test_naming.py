"""Every naming convention: a file as its library writes it, read into our network, gives that library's answers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.catalog import find_entry
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import AVGPOOL_CONV_BN, BASIC, STEM_3X3, STEM_DEEP, ResNetSpec, SqueezeExcitation
from resnetkit.weights import WeightFile, to_native
from resnetkit.weights.conventions import CONVENTIONS

WIDTHS = (8, 16, 24, 32)
SMALL_STEM = replace(STEM_3X3, widths=(64,))


def spec_of(name: str, **fields: Any) -> ResNetSpec:
    return replace(find_entry(name).spec, **{"num_classes": 5, **fields})


# --- libraries that are installed ---


def test_torchvision(torchvision: Any, randomize: Any, compare: Any, tmp_path: Path) -> None:
    theirs = randomize(torchvision.models.resnet18(num_classes=5))
    torch.save(theirs.state_dict(), tmp_path / "resnet18.pth")
    native = compare(tmp_path / "resnet18.pth", spec_of("resnet18"), "torchvision / timm v1", theirs)
    assert native.tensors.keys() == theirs.state_dict().keys()
    assert native.notes == ()


@pytest.mark.parametrize("name", ["resnet26d", "seresnet50", "ecaresnet26t", "resnetblur18"])
def test_timm_v1(timm: Any, randomize: Any, compare: Any, tmp_path: Path, name: str) -> None:
    theirs = randomize(timm.create_model(name, num_classes=5, channels=WIDTHS))
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    compare(tmp_path / "w.pth", spec_of(name, widths=WIDTHS), "torchvision / timm v1", theirs, size=64)


@pytest.mark.parametrize(
    ("name", "naming"),
    [
        ("resnetv2_34", "timm resnetv2"),
        ("resnetv2_50", "timm resnetv2"),
        ("resnetv2_50d", "timm resnetv2 with a deep stem"),
    ],
)
def test_timm_v2(timm: Any, randomize: Any, compare: Any, tmp_path: Path, name: str, naming: str) -> None:
    expansion = find_entry(name).spec.block.expansion
    channels = tuple(width * expansion for width in WIDTHS)
    theirs = randomize(timm.create_model(name, num_classes=5, channels=channels))
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    compare(tmp_path / "w.pth", spec_of(name, widths=WIDTHS), naming, theirs, size=64)


@pytest.mark.parametrize("with_head", [True, False], ids=["classifier", "backbone"])
@pytest.mark.parametrize("layer_type", ["basic", "bottleneck"])
def test_transformers(
    transformers: Any, randomize: Any, compare: Any, tmp_path: Path, layer_type: str, with_head: bool
) -> None:
    basic = layer_type == "basic"
    config = transformers.ResNetConfig(
        embedding_size=64,
        hidden_sizes=[8, 16] if basic else [32, 64],
        depths=[1, 2],
        layer_type=layer_type,
        num_labels=5,
    )
    kind = transformers.ResNetForImageClassification if with_head else transformers.ResNetModel
    theirs = randomize(kind(config))
    theirs.save_pretrained(tmp_path)
    spec = spec_of("resnet18" if basic else "resnet50", depths=(1, 2), widths=(8, 16), strides=(1, 2))
    if with_head:
        native = compare(tmp_path, spec, "Hugging Face transformers", lambda x: theirs(x).logits, size=64)
    else:
        spec = replace(spec, num_classes=None)
        native = compare(
            tmp_path, spec, "Hugging Face transformers", lambda x: theirs(x).pooler_output.flatten(1), size=64
        )
    assert ("fc.weight" in native.tensors) is with_head


# --- libraries that are not: networks with their names, written plainly ---


def conv(reads: int, out: int, size: int = 3, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(reads, out, size, stride, size // 2, bias=bias)


class NamedAsKuangliu(nn.Module):
    """akamaster's ``option B`` too; ``v2`` as in preact_resnet.py: no norm in the stem and none at the end."""

    def __init__(self, v2: bool) -> None:
        super().__init__()
        self.conv1 = conv(3, 64)
        if not v2:
            self.bn1 = nn.BatchNorm2d(64)
        block = self.Block
        self.layer1 = nn.Sequential(block(64, 64, 1, v2))
        self.layer2 = nn.Sequential(block(64, 16, 2, v2), block(16, 16, 1, v2))
        self.linear = nn.Linear(16, 5)
        self.v2 = v2

    class Block(nn.Module):
        def __init__(self, reads: int, out: int, stride: int, v2: bool) -> None:
            super().__init__()
            self.v2 = v2
            self.bn1 = nn.BatchNorm2d(reads if v2 else out)
            self.conv1 = conv(reads, out, 3, stride)
            self.bn2 = nn.BatchNorm2d(out)
            self.conv2 = conv(out, out)
            self.shortcut = nn.Sequential()
            if stride > 1:
                self.shortcut = nn.Sequential(conv(reads, out, 1, stride), *([] if v2 else [nn.BatchNorm2d(out)]))

        def forward(self, x: Tensor) -> Tensor:
            if self.v2:
                y = self.bn1(x).relu()
                skip = self.shortcut(y) if len(self.shortcut) else x
                return self.conv2(self.bn2(self.conv1(y)).relu()) + skip
            y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
            return (y + self.shortcut(x)).relu()

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        x = x if self.v2 else self.bn1(x).relu()
        return self.linear(self.layer2(self.layer1(x)).mean((2, 3)))


@pytest.mark.parametrize("v2", [False, True], ids=["v1", "v2"])
def test_kuangliu_and_akamaster(v2: bool, randomize: Any, compare: Any, tmp_path: Path) -> None:
    theirs = randomize(NamedAsKuangliu(v2))
    torch.save({"net": theirs.state_dict(), "acc": 95.2, "epoch": 199}, tmp_path / "ckpt.pth")
    name = "kuangliu_preact_resnet18" if v2 else "cifar_resnet18"
    compare(
        tmp_path / "ckpt.pth",
        spec_of(name, depths=(1, 2), widths=(64, 16), strides=(1, 2)),
        "akamaster / kuangliu",
        theirs,
    )


class NamedAsCifar100(nn.Module):
    """weiaicunzai's resnet.py and preactresnet.py with two stages."""

    def __init__(self, v2: bool) -> None:
        super().__init__()
        stem = nn.Sequential(conv(3, 64, bias=v2), nn.BatchNorm2d(64), nn.ReLU())
        self.add_module("pre" if v2 else "conv1", stem)
        self.stages = ("stage1", "stage2") if v2 else ("conv2_x", "conv3_x")
        block = self.Block
        self.add_module(self.stages[0], nn.Sequential(block(64, 64, 1, v2)))
        self.add_module(self.stages[1], nn.Sequential(block(64, 16, 2, v2), block(16, 16, 1, v2)))
        self.add_module("linear" if v2 else "fc", nn.Linear(16, 5))
        self.v2 = v2

    class Block(nn.Module):
        def __init__(self, reads: int, out: int, stride: int, v2: bool) -> None:
            super().__init__()
            self.v2 = v2
            norm, first, second = nn.BatchNorm2d, conv(reads, out, 3, stride, v2), conv(out, out, bias=v2)
            if v2:
                self.residual = nn.Sequential(norm(reads), nn.ReLU(), first, norm(out), nn.ReLU(), second)
            else:
                self.residual_function = nn.Sequential(first, norm(out), nn.ReLU(), second, norm(out))
            self.shortcut: nn.Module = nn.Sequential()
            if stride > 1:
                skip = conv(reads, out, 1, stride, v2)
                self.shortcut = skip if v2 else nn.Sequential(skip, norm(out))

        def forward(self, x: Tensor) -> Tensor:
            if self.v2:
                return self.residual(x) + self.shortcut(x)
            return (self.residual_function(x) + self.shortcut(x)).relu()

    def forward(self, x: Tensor) -> Tensor:
        for name in ("pre" if self.v2 else "conv1", *self.stages):
            x = getattr(self, name)(x)
        return getattr(self, "linear" if self.v2 else "fc")(x.mean((2, 3)))


@pytest.mark.parametrize("v2", [False, True], ids=["v1", "v2"])
def test_weiaicunzai(v2: bool, randomize: Any, compare: Any, tmp_path: Path) -> None:
    theirs = randomize(NamedAsCifar100(v2))
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    compare(
        tmp_path / "w.pth",
        spec_of(
            "weiaicunzai_preact_resnet18" if v2 else "cifar_resnet18", depths=(1, 2), widths=(64, 16), strides=(1, 2)
        ),
        "weiaicunzai, pre-activation" if v2 else "weiaicunzai",
        theirs,
    )


class ConvModule(nn.Module):
    def __init__(self, reads: int, out: int, size: int, stride: int = 1, bare: bool = False) -> None:
        super().__init__()
        self.conv = conv(reads, out, size, stride, bias=bare)
        self.bn = None if bare else nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x if self.bn is None else self.bn(x).relu()


class NamedAsMMPretrain(nn.Module):
    """An ``ImageClassifier`` with a ResNetV1d (or, ``deep=False``, a plain) backbone; ``se`` adds its ``se_layer``."""

    def __init__(self, *, deep: bool, se: bool = False) -> None:
        super().__init__()
        self.backbone, self.head = nn.Module(), nn.Module()
        self.deep = deep
        body = self.backbone
        if deep:
            body.stem = nn.Sequential(ConvModule(3, 32, 3, 2), ConvModule(32, 32, 3), ConvModule(32, 64, 3))
        else:
            body.conv1, body.bn1 = conv(3, 64, 7, 2), nn.BatchNorm2d(64)
        body.layer1 = nn.Sequential(self.Block(64, 32, 1, deep, se))
        body.layer2 = nn.Sequential(self.Block(32, 16, 2, deep, se), self.Block(16, 16, 1, deep, se))
        self.head.fc = nn.Linear(16, 5)

    class Block(nn.Module):
        def __init__(self, reads: int, out: int, stride: int, avg_down: bool, se: bool) -> None:
            super().__init__()
            self.conv1, self.bn1 = conv(reads, out, 3, stride), nn.BatchNorm2d(out)
            self.conv2, self.bn2 = conv(out, out), nn.BatchNorm2d(out)
            self.se_layer = None
            if se:
                self.se_layer = nn.Module()
                self.se_layer.conv1 = ConvModule(out, 8, 1, bare=True)
                self.se_layer.conv2 = ConvModule(8, out, 1, bare=True)
            self.downsample = None
            if reads != out:
                pool = [nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False)]
                steps = pool if avg_down and stride > 1 else []
                skip = conv(reads, out, 1, 1 if avg_down else stride)
                self.downsample = nn.Sequential(*steps, skip, nn.BatchNorm2d(out))

        def forward(self, x: Tensor) -> Tensor:
            y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
            if self.se_layer is not None:
                y = y * self.se_layer.conv2(self.se_layer.conv1(y.mean((2, 3), keepdim=True)).relu()).sigmoid()
            return (y + (x if self.downsample is None else self.downsample(x))).relu()

    def forward(self, x: Tensor) -> Tensor:
        body = self.backbone
        x = body.stem(x) if self.deep else body.bn1(body.conv1(x)).relu()
        x = F.max_pool2d(x, 3, 2, 1)
        return self.head.fc(body.layer2(body.layer1(x)).mean((2, 3)))


@pytest.mark.parametrize("se", [False, True], ids=["", "se"])
@pytest.mark.parametrize("deep", [False, True], ids=["v1", "v1d"])
def test_mmpretrain(deep: bool, se: bool, randomize: Any, compare: Any, tmp_path: Path) -> None:
    theirs = randomize(NamedAsMMPretrain(deep=deep, se=se))
    torch.save({"meta": {"epoch": 100}, "state_dict": theirs.state_dict()}, tmp_path / "epoch_100.pth")
    block = replace(BASIC, attention=SqueezeExcitation()) if se else BASIC
    spec = ResNetSpec(block, (1, 2), (32, 16), (1, 2), num_classes=5)
    if deep:
        spec = replace(spec, stem=STEM_DEEP, block=replace(block, projection=AVGPOOL_CONV_BN))
    naming = "MMPretrain with average pooling" if deep else "MMPretrain"
    compare(tmp_path / "epoch_100.pth", spec, naming, theirs, size=64)


def big_transfer_arrays(network: nn.Module) -> dict[str, np.ndarray]:
    """timm's weights by the names of Google's files."""
    arrays = {}
    for name, tensor in network.state_dict().items():
        stage_block = re.match(r"stages\.(\d)\.blocks\.(\d+)\.(.*)\.(weight|bias)", name)
        if stage_block:
            part = stage_block[3]
            unit = f"resnet/block{int(stage_block[1]) + 1}/unit{int(stage_block[2]) + 1:02d}"
            letter = "abc"[int(part[-1]) - 1] if part[-1].isdigit() else ""
            module = {"conv": f"{unit}/{letter}/standardized_conv2d", "norm": f"{unit}/{letter}/group_norm"}.get(
                part[:4], ""
            )
            module = f"{unit}/a/proj/standardized_conv2d" if part == "downsample.conv" else module
        else:
            module = {
                "stem.conv": "resnet/root_block/standardized_conv2d",
                "norm": "resnet/group_norm",
                "head.fc": "resnet/head/conv2d",
            }[name.rpartition(".")[0]]
        if tensor.ndim == 4:
            arrays[f"{module}/kernel"] = tensor.permute(2, 3, 1, 0).numpy()
        else:
            variable = "gamma" if name.endswith("weight") else "bias" if "head" in name else "beta"
            arrays[f"{module}/{variable}"] = tensor.numpy()
    return arrays


def test_big_transfer(timm: Any, randomize: Any, compare: Any, tmp_path: Path) -> None:
    widths = (32, 32, 64, 64)
    settings = {"num_classes": 5, "channels": tuple(4 * width for width in widths)}
    writer = randomize(timm.create_model("resnetv2_50x1_bit", **settings))
    np.savez(tmp_path / "BiT.npz", **big_transfer_arrays(writer))
    theirs = timm.create_model("resnetv2_50x1_bit", **settings).eval()
    theirs.load_pretrained(str(tmp_path / "BiT.npz"))  # timm's own reading of these names
    spec = spec_of("resnetv2_50x1_bit", widths=widths)
    compare(tmp_path / "BiT.npz", spec, "Big Transfer", theirs, size=64)


# --- recognising ---


def file_of(tensors: dict[str, Tensor]) -> WeightFile:
    return WeightFile(Path("some.pth"), "torch", tensors)


def test_every_tensor_is_renamed_or_none_is() -> None:
    tensors = ResNet(spec_of("resnet18", widths=WIDTHS)).state_dict()
    with pytest.raises(ResnetkitError, match="no known naming") as raised:
        to_native(file_of({**tensors, "layer1.0.mystery.weight": torch.ones(1)}))
    assert raised.value.code is Code.WEIGHTS
    assert "'layer1.0.mystery.weight'" in raised.value.why
    assert raised.value.why.startswith("nearest is torchvision")


@pytest.mark.parametrize("name", ["resnet18", "ecaresnetlight", "resnet50d", "resnetrs50", "resnetv2_50", "wrn_16_4"])
def test_our_own_names_are_recognised_with_and_without_a_head(name: str) -> None:
    tensors = dict.fromkeys(ResNet(spec_of(name, depths=(1,) * len(spec_of(name).depths))).state_dict(), torch.ones(1))
    headless = {key: tensor for key, tensor in tensors.items() if not key.startswith("fc.")}
    for given in (tensors, headless):
        native = to_native(file_of(given))
        assert native.naming == "torchvision / timm v1"
        assert native.tensors.keys() == given.keys()


def test_names_of_another_kind_of_network() -> None:
    with pytest.raises(ResnetkitError, match="no known naming") as raised:
        to_native(file_of({f"blocks.{i}.attn.qkv.weight": torch.ones(1) for i in range(5)}))
    assert "blocks.0.attn.qkv.weight" in raised.value.why
    assert "torchvision" in raised.value.fix
    with pytest.raises(ResnetkitError, match="no known naming"):
        to_native(file_of({"fc.weight": torch.ones(1)}))


def test_two_tensors_of_one_name() -> None:
    kernel = torch.ones(1, 1, 4, 4)
    names = ["conv1_conv/kernel", "conv2_block1_3_bn/gamma", "dense/kernel", "predictions/kernel"]
    with pytest.raises(ResnetkitError, match=r"two tensors of some.pth are 'fc.weight'"):
        to_native(file_of(dict.fromkeys(names, kernel)))


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda c: c.name)
def test_a_convention_names_no_two_modules_alike(convention: Any) -> None:
    patterns = [pattern for pattern, _ in convention.rows]
    assert len(set(patterns)) == len(patterns)
    for pattern, template in convention.rows:
        groups = set(re.compile(pattern).groupindex)
        assert set(re.findall(r"{(\w+)", template)) == groups, "a row must use every part it reads"


def test_a_head_that_is_a_conv() -> None:
    tensors = {"stem.conv.weight": torch.ones(1), "stages.0.blocks.0.conv1.weight": torch.ones(1)}
    native = to_native(file_of({**tensors, "head.fc.weight": torch.ones(5, 16, 1, 1)}))
    assert native.tensors["fc.weight"].shape == (5, 16)
