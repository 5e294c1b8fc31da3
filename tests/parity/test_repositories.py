"""The networks of three repositories that many start from, written as they are there, names included.

github.com/akamaster/pytorch_resnet_cifar10: option A with half of the zero channels in front.
github.com/kuangliu/pytorch-cifar, pre-activated: a projection reads what the block's start made of its input, and the
network ends without a norm. github.com/weiaicunzai/pytorch-cifar100, pre-activated: a projection reads the block's
input itself, every conv has a bias, and the stem normalises and activates.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resnetkit.models.catalog.small_images import SMALL_IMAGES
from resnetkit.models.resnet import create_model

DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
WIDTHS = (64, 128, 256, 512)


class AkamasterBlock(nn.Module):
    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.widens = in_channels != width

    def forward(self, x: Tensor) -> Tensor:
        branch = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.widens:
            zeros = branch.shape[1] // 4
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, zeros, zeros))
        return F.relu(branch + x)


class Akamaster(nn.Module):
    def __init__(self, depth: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        for number, width in enumerate((16, 32, 64), start=1):
            first = AkamasterBlock(max(width // 2, 16), width, 1 if number == 1 else 2)
            others = [AkamasterBlock(width, width, 1) for _ in range((depth - 2) // 6 - 1)]
            self.add_module(f"layer{number}", nn.Sequential(first, *others))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits


class KuangliuBlock(nn.Module):
    def __init__(self, in_channels: int, width: int, stride: int, *, bottleneck: bool) -> None:
        super().__init__()
        out_channels = 4 * width if bottleneck else width
        self.bottleneck = bottleneck
        self.bn1 = nn.BatchNorm2d(in_channels)
        if bottleneck:
            self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
            self.bn3 = nn.BatchNorm2d(width)
            self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        else:
            self.conv1 = nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        start = F.relu(self.bn1(x))
        skip = self.shortcut(start) if hasattr(self, "shortcut") else x
        branch = self.conv2(F.relu(self.bn2(self.conv1(start))))
        return skip + (self.conv3(F.relu(self.bn3(branch))) if self.bottleneck else branch)


class Kuangliu(nn.Module):
    def __init__(self, depth: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        channels, bottleneck = 64, depth > 34
        for number, (num_blocks, width) in enumerate(zip(DEPTHS[depth], WIDTHS, strict=True), start=1):
            stage = nn.Sequential()
            for position in range(num_blocks):
                stride = 2 if number > 1 and position == 0 else 1
                stage.append(KuangliuBlock(channels, width, stride, bottleneck=bottleneck))
                channels = 4 * width if bottleneck else width
            self.add_module(f"layer{number}", stage)
        self.linear = nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.conv1(x)))))
        logits: Tensor = self.linear(x.mean((2, 3)))
        return logits


class WeiaicunzaiBlock(nn.Module):
    def __init__(self, in_channels: int, width: int, stride: int, *, bottleneck: bool) -> None:
        super().__init__()
        out_channels = 4 * width if bottleneck else width
        start = [nn.BatchNorm2d(in_channels), nn.ReLU()]
        if bottleneck:
            first, second = nn.Conv2d(in_channels, width, 1, stride), nn.Conv2d(width, width, 3, padding=1)
            end = [nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, out_channels, 1)]
        else:
            first, second = nn.Conv2d(in_channels, width, 3, stride, padding=1), nn.Conv2d(width, width, 3, padding=1)
            end = []
        self.residual = nn.Sequential(*start, first, nn.BatchNorm2d(width), nn.ReLU(), second, *end)
        self.shortcut: nn.Module = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.residual(x) + self.shortcut(x)


class Weiaicunzai(nn.Module):
    def __init__(self, depth: int) -> None:
        super().__init__()
        self.pre = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU())
        channels, bottleneck = 64, depth > 34
        for number, (num_blocks, width) in enumerate(zip(DEPTHS[depth], WIDTHS, strict=True), start=1):
            stage = nn.Sequential()
            for position in range(num_blocks):
                stride = 2 if number > 1 and position == 0 else 1
                stage.append(WeiaicunzaiBlock(channels, width, stride, bottleneck=bottleneck))
                channels = 4 * width if bottleneck else width
            self.add_module(f"stage{number}", stage)
        self.linear = nn.Linear(channels, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stage4(self.stage3(self.stage2(self.stage1(self.pre(x)))))
        logits: Tensor = self.linear(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits


NETWORKS = {
    **{f"akamaster_resnet{depth}": partial(Akamaster, depth) for depth in (20, 32, 44, 56, 110, 1202)},
    **{f"kuangliu_preact_resnet{depth}": partial(Kuangliu, depth) for depth in DEPTHS},
    **{f"weiaicunzai_preact_resnet{depth}": partial(Weiaicunzai, depth) for depth in DEPTHS},
}


def marked(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.slow) if name.endswith(("152", "1202")) else name


def test_every_network_has_a_reference() -> None:
    assert {name for name in SMALL_IMAGES if name.startswith(("akamaster", "kuangliu", "weiaicunzai"))} == set(NETWORKS)


@pytest.mark.parametrize("name", [marked(name) for name in NETWORKS])
def test_same_logits(name: str, compare: Any) -> None:
    compare(lambda: create_model(name), NETWORKS[name], torch.randn(2, 3, 17, 22)).assert_same_logits()


@pytest.mark.parametrize(
    "name",
    ["akamaster_resnet20"]
    + [f"{repository}_preact_resnet{depth}" for repository in ("kuangliu", "weiaicunzai") for depth in (18, 50)],
)
def test_same_training(name: str, compare: Any) -> None:
    compare(lambda: create_model(name), NETWORKS[name], torch.randn(4, 3, 17, 22)).assert_same_training()
