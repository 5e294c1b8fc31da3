"""Padding, pooling and shape-changing layers against their definitions."""

from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from resnetkit.models.layers import SamePadConv2d, Subsample, ZeroPad, make_conv, make_max_pool, pad_same

SIZES = range(1, 14)


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
    conv = make_conv(3, 4, kernel_size, stride=stride, bias=True, padding="same").double()
    assert conv.bias is not None
    x = torch.randn(1, 3, *size, dtype=torch.float64)
    result = conv(x)[0]
    seen = windows(x[0], kernel_size, stride, 0.0)
    assert result.shape == (4, len(seen), len(seen[0]))
    for i, row in enumerate(seen):
        for j, window in enumerate(row):
            torch.testing.assert_close(result[:, i, j], (conv.weight * window).sum((1, 2, 3)) + conv.bias)


def test_same_differs_from_symmetric_only_where_the_stride_leaves_a_pixel_over() -> None:
    conv = make_conv(1, 1, 3, stride=2, padding="same")
    symmetric = make_conv(1, 1, 3, stride=2)
    symmetric.load_state_dict(conv.state_dict())
    odd, even = torch.randn(1, 1, 9, 9), torch.randn(1, 1, 8, 8)
    torch.testing.assert_close(conv(odd), symmetric(odd))
    assert not torch.allclose(conv(even), symmetric(even))
    assert not isinstance(make_conv(1, 1, 3, stride=1, padding="same"), SamePadConv2d)
    assert not isinstance(make_conv(1, 1, 1, stride=2, padding="same"), SamePadConv2d)


@pytest.mark.parametrize("padding", ["symmetric", "same"])
def test_every_conv_gives_ceil_of_size_over_stride(padding: str) -> None:
    for size, kernel_size, stride in product(SIZES, (1, 3, 5, 7), (1, 2, 3)):
        conv = make_conv(1, 1, kernel_size, stride=stride, padding=padding)  # type: ignore[arg-type]
        assert conv(torch.empty(1, 1, size, 6)).shape[2] == -(-size // stride)


@pytest.mark.parametrize("zero_padded", [False, True])
@pytest.mark.parametrize("size", [(8, 8), (7, 10), (1, 2)], ids=str)
def test_max_pool_pixel_by_pixel(zero_padded: bool, size: tuple[int, int]) -> None:
    x = torch.randn(1, 2, *size) - 3  # all but surely negative, so that a padding of zeros would win
    outside = 0.0 if zero_padded else float("-inf")
    same = make_max_pool("same", zero_padded=zero_padded)(x)[0]
    seen = windows(x[0], 3, 2, outside)
    assert same.shape == (2, len(seen), len(seen[0]))
    for i, row in enumerate(seen):
        for j, window in enumerate(row):
            assert torch.equal(same[:, i, j], window.amax((1, 2)))
    symmetric = make_max_pool("symmetric", zero_padded=zero_padded)(x)
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
