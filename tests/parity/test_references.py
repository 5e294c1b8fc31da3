"""Networks that no installed library has, against ones written out by hand as the papers describe them.

The references here share no code with the package: one class per block, one for the networks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resnetkit.models.catalog.small_images import SMALL_IMAGES
from resnetkit.models.resnet import create_model


def conv3x3(in_channels: int, out_channels: int, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=bias)


def option(letter: str, in_channels: int, out_channels: int, stride: int) -> nn.Module | None:
    """The skip where shapes differ (arXiv:1512.03385, Section 3.3); in C everywhere."""
    if in_channels == out_channels and stride == 1 and letter != "C":
        return None
    return {"A": OptionA, "B": OptionB, "C": OptionB}[letter](in_channels, out_channels, stride)


class OptionA(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride, self.extra = stride, out_channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(x, 1, self.stride)
        return torch.cat([x, x.new_zeros(x.shape[0], self.extra, *x.shape[2:])], dim=1)


class OptionB(nn.Sequential):
    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))


class Basic(nn.Module):
    """arXiv:1512.03385, Figure 5 left; ``letter`` None: without a skip."""

    def __init__(self, in_channels: int, width: int, stride: int, letter: str | None) -> None:
        super().__init__()
        self.has_skip = letter is not None
        self.conv1, self.bn1 = conv3x3(in_channels, width, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv3x3(width, width), nn.BatchNorm2d(width)
        self.downsample = None if letter is None else option(letter, in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        skip = x if self.downsample is None else self.downsample(x)
        return F.relu(skip + branch if self.has_skip else branch)


class Bottleneck(nn.Module):
    """arXiv:1512.03385, Figure 5 right; the stride is on conv ``strided``."""

    def __init__(self, in_channels: int, width: int, stride: int, strided: int = 1) -> None:
        super().__init__()
        first, second = (stride, 1) if strided == 1 else (1, stride)
        self.conv1, self.bn1 = nn.Conv2d(in_channels, width, 1, first, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv3x3(width, width, second), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.downsample = option("B", in_channels, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.bn1(self.conv1(x)).relu()
        branch = self.bn3(self.conv3(self.bn2(self.conv2(branch)).relu()))
        return F.relu((x if self.downsample is None else self.downsample(x)) + branch)


class PreactBasic(nn.Module):
    """arXiv:1603.05027, Figure 4 (e): ``skip`` is what stands where the shape changes."""

    def __init__(self, in_channels: int, width: int, stride: int, skip: str, activated: bool = False) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(in_channels), conv3x3(in_channels, width, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(width), conv3x3(width, width)
        self.activated, self.skip, self.downsample = activated, skip, None
        if stride > 1 or in_channels != width:
            conv = nn.Conv2d(in_channels, width, 1, stride, bias=False)
            self.downsample = OptionA(in_channels, width, stride) if skip == "A" else nn.Sequential(conv)

    def forward(self, x: Tensor) -> Tensor:
        start = F.relu(self.bn1(x))
        branch = self.conv2(F.relu(self.bn2(self.conv1(start))))
        if self.downsample is None:
            # The first block's input is activated before it forks (Appendix).
            return branch + (start if self.activated else x)
        return branch + self.downsample(x if self.skip == "A" else start)


class PreactBottleneck(nn.Module):
    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(in_channels), nn.Conv2d(in_channels, width, 1, stride, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(width), conv3x3(width, width)
        self.bn3, self.conv3 = nn.BatchNorm2d(width), nn.Conv2d(width, 4 * width, 1, bias=False)
        self.downsample = None
        if stride > 1 or in_channels != 4 * width:
            self.downsample = nn.Sequential(nn.Conv2d(in_channels, 4 * width, 1, stride, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        start = F.relu(self.bn1(x))
        branch = self.conv2(F.relu(self.bn2(self.conv1(start))))
        branch = self.conv3(F.relu(self.bn3(branch)))
        return branch + (x if self.downsample is None else self.downsample(start))


class Stages(nn.Module):
    """Stem, stages, mean, linear; blocks that start with a norm have theirs at the end of the network."""

    def __init__(
        self,
        make: Callable[[int, int, int, bool], nn.Module],
        depths: tuple[int, ...],
        widths: tuple[int, ...],
        *,
        expansion: int = 1,
        stem: int = 16,
        photos: bool = False,
        preact: bool = False,
        num_classes: int = 10,
    ) -> None:
        super().__init__()
        self.photos, self.preact = photos, preact
        self.conv1 = nn.Conv2d(3, stem, 7, stride=2, padding=3, bias=False) if photos else conv3x3(3, stem)
        if not preact:
            self.bn1 = nn.BatchNorm2d(stem)
        channels = stem
        self.num_stages = len(depths)
        for number, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
            stage = nn.Sequential()
            for position in range(depth):
                stride = 2 if number > 1 and position == 0 else 1
                stage.append(make(channels, width, stride, number == 1 and position == 0))
                channels = width * expansion
            self.add_module(f"layer{number}", stage)
        if preact:
            self.norm = nn.BatchNorm2d(channels)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x) if self.preact else F.relu(self.bn1(self.conv1(x)))
        if self.photos:
            x = F.max_pool2d(x, 3, stride=2, padding=1)
        for number in range(1, self.num_stages + 1):
            x = self.get_submodule(f"layer{number}")(x)
        if self.preact:
            x = F.relu(self.norm(x))
        logits: Tensor = self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits


SMALL = (16, 32, 64)
IMAGENET = (64, 128, 256, 512)


def basic(depth: int, letter: str | None) -> nn.Module:
    return Stages(lambda i, w, s, _: Basic(i, w, s, letter), ((depth - 2) // 6,) * 3, SMALL)


def photo(depths: tuple[int, ...], letter: str | None) -> nn.Module:
    make = partial(Stages, depths=depths, widths=IMAGENET, stem=64, photos=True, num_classes=1000)
    return make(lambda i, w, s, _: Basic(i, w, s, letter))


def bottleneck(depth: int) -> nn.Module:
    depths = ((depth - 2) // 9,) * 3
    return Stages(lambda i, w, s, _: Bottleneck(i, w, s, strided=1), depths, SMALL, expansion=4)


def preact(depth: int) -> nn.Module:
    depths = ((depth - 2) // 6,) * 3
    return Stages(lambda i, w, s, first: PreactBasic(i, w, s, "A", activated=first), depths, SMALL, preact=True)


def preact_bottleneck(depth: int) -> nn.Module:
    depths = ((depth - 2) // 9,) * 3
    return Stages(lambda i, w, s, _: PreactBottleneck(i, w, s), depths, SMALL, expansion=4, preact=True)


def wide(depth: int, factor: int) -> nn.Module:
    """arXiv:1605.07146, Table 1."""
    widths = tuple(width * factor for width in SMALL)
    depths = ((depth - 4) // 6,) * 3
    return Stages(lambda i, w, s, _: PreactBasic(i, w, s, "conv"), depths, widths, preact=True)


def imagenet_width(depths: tuple[int, ...], *, bottlenecks: bool) -> nn.Module:
    """github.com/kuangliu/pytorch-cifar and weiaicunzai/pytorch-cifar100: ImageNet's stages behind a 3×3 stem."""
    if bottlenecks:
        return Stages(lambda i, w, s, _: Bottleneck(i, w, s, strided=2), depths, IMAGENET, expansion=4, stem=64)
    return Stages(lambda i, w, s, _: Basic(i, w, s, "B"), depths, IMAGENET, stem=64)


DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
CIFAR_DEPTHS = (20, 32, 44, 56, 110)
WIDE = ((16, 4), (16, 8), (28, 10), (40, 2), (40, 4))
REFERENCES: dict[str, Callable[[], nn.Module]] = {
    **{f"resnet{depth}": partial(basic, depth, "A") for depth in (*CIFAR_DEPTHS, 1202)},
    **{f"resnet{depth}_b": partial(basic, depth, "B") for depth in CIFAR_DEPTHS},
    **{f"resnet{depth}_c": partial(basic, depth, "C") for depth in CIFAR_DEPTHS},
    **{f"plain{depth}": partial(basic, depth, None) for depth in CIFAR_DEPTHS},
    **{f"resnet{depth}": partial(bottleneck, depth) for depth in (164, 1001)},
    **{f"preact_resnet{depth}": partial(preact, depth) for depth in CIFAR_DEPTHS},
    **{f"preact_resnet{depth}": partial(preact_bottleneck, depth) for depth in (164, 1001)},
    **{f"wrn_{depth}_{factor}": partial(wide, depth, factor) for depth, factor in WIDE},
    **{
        f"cifar_resnet{depth}": partial(imagenet_width, depths, bottlenecks=depth > 34)
        for depth, depths in DEPTHS.items()
    },
    # arXiv:1512.03385, Tables 2 and 3
    **{f"plain{depth}": partial(photo, DEPTHS[depth], None) for depth in (18, 34)},
    **{f"resnet{depth}_a": partial(photo, DEPTHS[depth], "A") for depth in (18, 34)},
    "resnet34_c": partial(photo, DEPTHS[34], "C"),
}
SLOW = {"resnet1202", "resnet1001", "preact_resnet1001", "cifar_resnet152"}  # their families are compared at 110 … 164


def marked(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name


def test_every_network_for_small_images_has_a_reference() -> None:
    in_test_repositories = ("akamaster", "kuangliu", "weiaicunzai")
    assert all(name.startswith(in_test_repositories) for name in set(SMALL_IMAGES) - set(REFERENCES))


@pytest.mark.parametrize("name", REFERENCES)
def test_same_names_in_the_same_order(name: str) -> None:
    with torch.device("meta"):
        ours, theirs = create_model(name).state_dict(), REFERENCES[name]().state_dict()
    shapes = [(key, tuple(tensor.shape)) for key, tensor in ours.items()]
    assert shapes == [(key, tuple(tensor.shape)) for key, tensor in theirs.items()]


@pytest.mark.parametrize("name", [marked(name) for name in REFERENCES])
def test_same_logits(name: str, compare: Any) -> None:
    size = (65, 75) if name in ("plain18", "plain34", "resnet18_a", "resnet34_a", "resnet34_c") else (21, 26)
    compare(lambda: create_model(name), REFERENCES[name], torch.randn(2, 3, *size)).assert_same_logits()


TRAINED = ["resnet20", "resnet20_c", "plain20", "resnet164", "preact_resnet20", "preact_resnet164", "wrn_16_4"]


@pytest.mark.parametrize("name", TRAINED)
def test_same_training(name: str, compare: Any) -> None:
    compare(lambda: create_model(name), REFERENCES[name], torch.randn(4, 3, 21, 26)).assert_same_training()


@pytest.mark.parametrize("name", ["resnet20", "preact_resnet20", "resnet56_b", "wrn_16_4"])
def test_any_image_size(name: str, compare: Any) -> None:
    networks = compare(lambda: create_model(name), REFERENCES[name], torch.randn(2, 3, 32, 32))
    for size in ((32, 32), (9, 8), (40, 31)):
        networks.assert_same_logits(torch.randn(2, 3, *size))
