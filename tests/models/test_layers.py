"""Padding, pooling and shape-changing layers against their definitions."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from resnetkit.errors import ResnetkitError
from resnetkit.models.block_plan import Layers
from resnetkit.models.catalog import find_entry
from resnetkit.models.layers import (
    Blur,
    FlexibleConv2d,
    StochasticDepth,
    Subsample,
    ZeroPad,
    build,
    build_child,
    pad_same,
)
from resnetkit.models.plan import plan_stem_pool
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import STEM_7X7, Add, BatchNorm, GatedAdd, GroupNorm, Join, Stem

SIZES = range(1, 14)
SYMMETRIC = Layers(BatchNorm())
SAME = Layers(BatchNorm(), padding="same")


def stem_pool(make: Layers, stem: Stem, channels: int) -> nn.Module:
    return build_child("maxpool", plan_stem_pool(replace(stem, widths=(channels,)), make))


def brute_force_same(size: int, kernel_size: int, stride: int) -> tuple[int, int]:
    """The least padding with which ceil(size / stride) windows fit, the odd pixel at the end."""
    num_windows = -(-size // stride)
    total = 0
    while size + total < (num_windows - 1) * stride + kernel_size:
        total += 1
    return total // 2, total - total // 2


def test_same_padding_is_the_least_that_fits() -> None:
    for height, width, kernel_size, stride in product(SIZES, (1, 4, 7), range(1, 8), range(1, 5)):
        x = torch.arange(1.0, height * width + 1).view(1, 1, height, width)
        padded = pad_same(x, kernel_size, stride, value=-1)
        top, bottom = brute_force_same(height, kernel_size, stride)
        left, right = brute_force_same(width, kernel_size, stride)
        assert padded.shape == (1, 1, height + top + bottom, width + left + right)
        assert torch.equal(padded[:, :, top : top + height, left : left + width], x)
        assert int((padded == -1).sum()) == padded.numel() - x.numel()


def windows(x: Tensor, kernel_size: int, stride: int, value: float) -> list[list[Tensor]]:
    """What each output pixel of a same-padded layer sees, ``(C, k, k)`` each."""
    top, _ = brute_force_same(x.shape[1], kernel_size, stride)
    left, _ = brute_force_same(x.shape[2], kernel_size, stride)
    big = torch.full((x.shape[0], x.shape[1] + 20, x.shape[2] + 20), value, dtype=x.dtype)
    big[:, 10 : 10 + x.shape[1], 10 : 10 + x.shape[2]] = x
    return [
        [
            big[:, 10 - top + i * stride :, 10 - left + j * stride :][:, :kernel_size, :kernel_size]
            for j in range(-(-x.shape[2] // stride))
        ]
        for i in range(-(-x.shape[1] // stride))
    ]


@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 2), (5, 2), (3, 3), (5, 4), (7, 2), (1, 2)])
@pytest.mark.parametrize("size", [(8, 8), (7, 10), (5, 3)], ids=str)
def test_same_padded_conv_pixel_by_pixel(kernel_size: int, stride: int, size: tuple[int, int]) -> None:
    conv = build(SAME.make_conv(3, 4, kernel_size, stride=stride, bias=True)).double()
    assert conv.bias is not None
    x = torch.randn(1, 3, *size, dtype=torch.float64)
    result = conv(x)[0]
    seen = windows(x[0], kernel_size, stride, 0.0)
    assert result.shape == (4, len(seen), len(seen[0]))
    for i, row in enumerate(seen):
        for j, window in enumerate(row):
            torch.testing.assert_close(result[:, i, j], (conv.weight * window).sum((1, 2, 3)) + conv.bias)


def test_same_differs_from_symmetric_only_where_the_stride_leaves_a_pixel_over() -> None:
    conv = build(SAME.make_conv(1, 1, 3, stride=2))
    symmetric = build(SYMMETRIC.make_conv(1, 1, 3, stride=2))
    symmetric.load_state_dict(conv.state_dict())
    odd, even = torch.randn(1, 1, 9, 9), torch.randn(1, 1, 8, 8)
    torch.testing.assert_close(conv(odd), symmetric(odd))
    assert not torch.allclose(conv(even), symmetric(even))
    assert not isinstance(build(SAME.make_conv(1, 1, 3, stride=1)), FlexibleConv2d)
    assert not isinstance(build(SAME.make_conv(8, 8, 1, stride=2)), FlexibleConv2d)


@pytest.mark.parametrize("make", [SYMMETRIC, SAME], ids=["symmetric", "same"])
def test_every_conv_gives_ceil_of_size_over_stride(make: Layers) -> None:
    for size, kernel_size, stride in product(SIZES, (1, 3, 5, 7), (1, 2, 3)):
        conv = build(make.make_conv(1, 1, kernel_size, stride=stride))
        assert conv(torch.empty(1, 1, size, 6)).shape[2] == -(-size // stride)


@pytest.mark.parametrize("pool", ["max", "zero_padded_max"])
@pytest.mark.parametrize("size", [(8, 8), (7, 10), (1, 2)], ids=str)
def test_max_pool_pixel_by_pixel(pool: str, size: tuple[int, int]) -> None:
    stem = replace(STEM_7X7, pool=pool)  # type: ignore[arg-type]
    x = torch.randn(1, 2, *size) - 3  # all but surely negative, so that a padding of zeros would win
    outside = float("-inf") if pool == "max" else 0.0
    same = stem_pool(SAME, stem, 2)(x)[0]
    seen = windows(x[0], 3, 2, outside)
    assert same.shape == (2, len(seen), len(seen[0]))
    for i, row in enumerate(seen):
        for j, window in enumerate(row):
            assert torch.equal(same[:, i, j], window.amax((1, 2)))
    symmetric = stem_pool(SYMMETRIC, stem, 2)(x)
    assert torch.equal(symmetric, F.max_pool2d(F.pad(x, (1, 1, 1, 1), value=outside), 3, 2))
    assert symmetric.shape == (1, *same.shape)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_subsample_is_a_max_pool_of_kernel_1(stride: int) -> None:
    x = torch.randn(2, 3, 7, 6)
    assert torch.equal(Subsample(stride)(x), F.max_pool2d(x, 1, stride))


def test_zero_pad_appends_channels_at_the_end() -> None:
    x = torch.randn(2, 3, 5, 4)
    padded = ZeroPad(2)(x)
    assert torch.equal(padded[:, :3], x)
    assert padded.shape == (2, 5, 5, 4)
    assert not padded[:, 3:].any()


# --- filters, norms and standardised weights ---


def test_blur_is_the_binomial_filter_over_mirrored_borders() -> None:
    x = torch.randn(2, 3, 7, 6, dtype=torch.float64)
    mirrored = F.pad(x, (1, 1, 1, 1), mode="reflect")
    smooth = torch.zeros(2, 3, 7, 6, dtype=torch.float64)
    for i, j in product(range(3), range(3)):
        smooth += (1, 2, 1)[i] * (1, 2, 1)[j] / 16 * mirrored[:, :, i : i + 7, j : j + 6]
    torch.testing.assert_close(Blur(2).double()(x), smooth[:, :, ::2, ::2])
    flat = torch.full((1, 1, 1, 5), 3.0)
    torch.testing.assert_close(Blur(2)(flat), torch.full((1, 1, 1, 3), 3.0))
    assert not Blur(2).state_dict(), "a fixed filter is no weight"


@pytest.mark.parametrize("pool", ["max", "zero_padded_max", "blurred_max", "conv"])
def test_stem_pools_round_the_half_up_and_the_mean_down(pool: str) -> None:
    layer = stem_pool(SYMMETRIC, replace(STEM_7X7, pool=pool), 4)  # type: ignore[arg-type]
    for size in (2, 5, 8):
        assert layer(torch.randn(2, 4, size, 6)).shape == (2, 4, -(-size // 2), 3)
        assert stem_pool(SYMMETRIC, replace(STEM_7X7, pool="avg"), 4)(torch.randn(1, 4, size, 6)).shape[2] == size // 2


def test_group_norm_is_over_groups_of_each_image() -> None:
    norm = build(Layers(GroupNorm(groups=2, eps=1e-3)).make_norm(6))
    x = torch.randn(3, 6, 4, 5)
    groups = x.view(3, 2, -1)
    expected = (groups - groups.mean(2, keepdim=True)) / (groups.var(2, keepdim=True, correction=0) + 1e-3).sqrt()
    torch.testing.assert_close(norm(x), expected.view_as(x))
    with pytest.raises(ResnetkitError, match="4 groups for 6 channels"):
        Layers(GroupNorm(groups=4)).make_norm(6)


@pytest.mark.parametrize("padding", ["symmetric", "same"])
def test_standardised_filters_do_not_care_about_scale_and_shift(padding: str) -> None:
    make = Layers(BatchNorm(), conv="weight_standardized", padding=padding)  # type: ignore[arg-type]
    conv, x = build(make.make_conv(3, 4, 3, stride=2)), torch.randn(2, 3, 8, 8)
    before = conv(x)
    with torch.no_grad():
        filters = conv.weight.flatten(1)
        filters = (filters - filters.mean(1, keepdim=True)) / filters.std(1, keepdim=True, correction=0)
        conv.weight.mul_(3).add_(0.5)
    torch.testing.assert_close(conv(x), before, rtol=1e-4, atol=1e-4)
    padded = pad_same(x, 3, 2) if padding == "same" else F.pad(x, (1, 1, 1, 1))
    torch.testing.assert_close(before, F.conv2d(padded, filters.view_as(conv.weight), stride=2), rtol=1e-4, atol=1e-4)


def test_stochastic_depth_drops_images_and_keeps_the_mean() -> None:
    layer, x = StochasticDepth(0.25), torch.ones(4000, 2, 3, 3)
    torch.manual_seed(0)
    kept = layer(x)
    whole = kept.flatten(1)
    assert bool((whole == whole[:, :1]).all()), "an image is dropped as a whole"
    torch.testing.assert_close(whole[:, 0].unique(), torch.tensor([0.0, 4 / 3]))
    assert float((whole[:, 0] == 0).float().mean()) == pytest.approx(0.25, abs=0.03)
    assert torch.equal(layer.eval()(x), x)


class Convs(TorchDispatchMode):
    """Notes kernel size, stride and input channels of each conv whose gradient is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.met: set[tuple[int, int, int]] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution_backward.default:
            _, x, weight, _, stride, *_ = args
            self.met.add((weight.shape[-1], stride[0], x.shape[1]))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("join", [Add(), GatedAdd()])
def test_no_gradient_is_asked_of_a_1x1_conv_that_strides_over_few_channels(join: Join) -> None:
    spec = find_entry("resnet20_b").spec
    block = replace(spec.block, join=join)
    network = ResNet(replace(spec, block=block, depths=(1, 1, 1), widths=(4, 8, 16))).to(
        memory_format=torch.channels_last
    )  # type: ignore[call-overload]
    with Convs() as convs:
        network(torch.randn(2, 3, 8, 8)).sum().backward()
    assert (1, 1, 4) in convs.met  # what it became
    assert (1, 2, 8) in convs.met
    assert (1, 2, 4) not in convs.met


@pytest.mark.parametrize("size", [7, 8])
def test_a_1x1_conv_that_strides_over_few_channels_is_one_all_the_same(size: int) -> None:
    conv = FlexibleConv2d(4, 6, 1, stride=2)
    images = torch.randn(3, 4, size, size)
    expected = F.conv2d(images, conv.weight, conv.bias, stride=2)
    torch.testing.assert_close(conv(images), expected)
