"""Initial weights have the spread the spec asks for."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from resnetkit.models.initialization import draw, initialize, whitening_cosines
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import (
    BASIC,
    BASIC_PREACT,
    STEM_3X3,
    BatchNorm,
    Distribution,
    EfficientChannelAttention,
    FanInUniform,
    GatedAdd,
    GlorotUniform,
    HeNormal,
    Initialization,
    Normal,
    ResNetSpec,
)

FAN_IN, FAN_OUT = 32 * 9, 64 * 9
SMALL = ResNetSpec(BASIC, (2,), (8,), (1,), stem=replace(STEM_3X3, widths=(8,)), num_classes=5)


def wide_conv() -> nn.Conv2d:
    return nn.Conv2d(32, 64, 3)


@pytest.mark.parametrize(
    ("distribution", "std"),
    [
        (HeNormal("out"), math.sqrt(2 / FAN_OUT)),
        (HeNormal("in"), math.sqrt(2 / FAN_IN)),
        (Normal(0.05), 0.05),
    ],
    ids=str,
)
def test_normal_draws(distribution: Distribution, std: float) -> None:
    conv = wide_conv()
    draw(conv, distribution)
    weight = conv.weight.detach()
    assert float(weight.std()) == pytest.approx(std, rel=0.02)
    assert float(weight.mean()) == pytest.approx(0, abs=0.02 * std)
    assert float(weight.abs().max()) > 3 * std, "a normal distribution has tails"
    assert conv.bias is not None
    assert not conv.bias.any()


@pytest.mark.parametrize(
    ("distribution", "bound"),
    [(GlorotUniform(), math.sqrt(6 / (FAN_IN + FAN_OUT))), (FanInUniform(), 1 / math.sqrt(FAN_IN))],
    ids=str,
)
def test_uniform_draws(distribution: Distribution, bound: float) -> None:
    conv = wide_conv()
    draw(conv, distribution)
    weight = conv.weight.detach()
    assert 0.99 * bound < float(weight.max()) <= bound
    assert -0.99 * bound > float(weight.min()) >= -bound
    assert float(weight.std()) == pytest.approx(bound / math.sqrt(3), rel=0.02)


def test_only_torchs_own_distribution_draws_the_bias_too() -> None:
    linear = nn.Linear(100, 50)
    draw(linear, FanInUniform())
    assert 0 < float(linear.bias.detach().abs().max()) <= 0.1
    draw(linear, GlorotUniform())
    assert not linear.bias.any()


def test_head_and_convs_have_distributions_of_their_own() -> None:
    network = ResNet(replace(SMALL, widths=(64,), initialization=Initialization(Normal(0.01), Normal(1.0))))
    assert float(network.layer1[1].conv1.weight.detach().std()) == pytest.approx(0.01, rel=0.05)
    assert float(network.fc.weight.detach().std()) == pytest.approx(1, rel=0.15)


def test_norms_start_as_nothing_and_a_second_start_forgets_the_first() -> None:
    network = ResNet(replace(SMALL, block=replace(BASIC, attention=EfficientChannelAttention())))
    network(torch.randn(4, 3, 8, 8))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    initialize(network, SMALL.initialization)
    for name, tensor in network.state_dict().items():
        if name.endswith(("running_mean", "num_batches_tracked")) or (".bn" in name and name.endswith("bias")):
            assert not tensor.any(), name
        elif name.endswith("running_var") or ".bn" in name:
            assert bool((tensor == 1).all()), name
        elif name.endswith("weight") and tensor.dim() > 1:
            assert not torch.equal(tensor, before[name]), name


def test_norm_settings_reach_every_norm() -> None:
    network = ResNet(replace(SMALL, block=BASIC_PREACT, norm=BatchNorm(eps=0.25, momentum=0.5)))
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 5
    assert {(norm.eps, norm.momentum) for norm in norms} == {(0.25, 0.5)}


def test_gates_start_at_their_bias() -> None:
    network = ResNet(replace(SMALL, block=replace(BASIC, join=GatedAdd(gate_bias=-7))))
    for block in network.layer1:
        assert bool((block.joiner.gate.bias == -7).all())
        assert bool(block.joiner.gate.weight.any())


@pytest.mark.parametrize("block", [BASIC, BASIC_PREACT], ids=["v1", "v2"])
def test_zero_last_starts_the_network_as_its_skips(block: object) -> None:
    spec = replace(SMALL, block=block, initialization=Initialization(zero_last=True))  # type: ignore[arg-type]
    network = ResNet(spec).eval()
    stem = network.act1(network.bn1(network.conv1(torch.randn(2, 3, 8, 8))))
    torch.testing.assert_close(network.layer1(stem.clone()), stem)
    ordinary = ResNet(replace(SMALL, block=block)).eval()  # type: ignore[arg-type]
    assert not torch.allclose(ordinary.layer1(stem.clone()), stem)


@pytest.mark.parametrize(("channels", "size"), [(1, 3), (3, 3), (3, 7), (4, 5)])
def test_whitening_cosines_are_orthogonal_and_the_mean_of_a_patch_comes_first(channels: int, size: int) -> None:
    filters = whitening_cosines(channels, size).flatten(1)
    assert filters.shape == (channels * size**2, channels * size**2)
    lengths = filters.norm(dim=1)
    torch.testing.assert_close(filters @ filters.mT, torch.diag(lengths**2), atol=1e-4, rtol=0)
    assert filters[0].std() == pytest.approx(0, abs=1e-6)
    assert bool((lengths.diff() >= -1e-4).all())  # what varies less is made larger


def test_whitening_cosines_answer_to_smooth_images_with_unit_variance() -> None:
    """Images drawn as the filters assume: neighbours alike by 0.95 along rows and columns, channels by 0.9."""
    generator = torch.Generator().manual_seed(0)
    size = 32
    distance = (torch.arange(size)[:, None] - torch.arange(size)).abs()
    rows = torch.linalg.cholesky(0.95**distance)
    channels = torch.linalg.cholesky(torch.full((3, 3), 0.9).fill_diagonal_(1.0))
    noise = torch.randn(400, 3, size, size, generator=generator)
    images = torch.einsum("ij,cd,ndjk,lk->ncil", rows, channels, noise, rows)
    answers = nn.functional.conv2d(images, whitening_cosines(3, 3))
    deviations = answers.std((0, 2, 3))
    torch.testing.assert_close(deviations[:5], torch.ones(5), atol=0.1, rtol=0)
    assert bool((deviations < 1.1).all())  # noise is not blown up
    assert deviations.min() > 0.1


@pytest.mark.parametrize(("width", "num_pairs"), [(16, 8), (64, 27), (5, 2)])
def test_a_stem_of_cosine_pairs_keeps_the_rest_as_drawn(width: int, num_pairs: int) -> None:
    spec = replace(SMALL, stem=replace(SMALL.stem, widths=(width,)), initialization=Initialization(stem="cosine_pairs"))
    torch.manual_seed(0)
    weight = ResNet(spec).conv1.weight
    torch.manual_seed(0)
    drawn = ResNet(replace(spec, initialization=Initialization())).conv1.weight
    torch.testing.assert_close(weight[:num_pairs], whitening_cosines(3, 3)[:num_pairs])
    torch.testing.assert_close(weight[num_pairs : 2 * num_pairs], -weight[:num_pairs])
    assert torch.equal(weight[2 * num_pairs :], drawn[2 * num_pairs :])
