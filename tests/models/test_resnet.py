"""The whole network: any size, any channels, with and without head, and that it can be copied and exported."""

import copy
import pickle
from dataclasses import replace
from functools import cache

import pytest
import torch
from tests.deep_networks import deep_ones_slow
from torch import nn

from resnetkit.errors import ResnetkitError
from resnetkit.models.catalog import CATALOG
from resnetkit.models.resnet import ResNet, create_model
from resnetkit.models.spec import (
    ACT_ONLY_PREACT,
    BASIC,
    BASIC_PREACT,
    BOTTLENECK_PREACT,
    CONV_BN,
    FULL_PREACT,
    NORM_AFTER_ADD,
    STEM_3X3,
    STEM_7X7,
    SUBSAMPLE,
    ActivationOrder,
    EfficientChannelAttention,
    GroupNorm,
    NoSkip,
    ResNetSpec,
    Stem,
)

SMALL = ResNetSpec(BASIC, (1, 2), (8, 12), (1, 2), stem=replace(STEM_3X3, widths=(8,)), num_classes=5)
QUICK = ("resnet18", "resnet20", "resnet20_b", "plain20", "preact_resnet110", "tutorial_preact", "keras_resnet50v2")


@cache
def on_meta(name: str) -> ResNet:
    """Shapes without numbers, so that the deepest network is quick."""
    with torch.device("meta"):
        return create_model(name).eval()


@pytest.mark.parametrize("name", deep_ones_slow(CATALOG))
@pytest.mark.parametrize("size", [(8, 8), pytest.param((13, 9), marks=pytest.mark.slow)], ids=str)
def test_every_network_takes_any_image_size(name: str, size: tuple[int, int]) -> None:
    network = on_meta(name)
    images = torch.empty(2, network.spec.in_channels, *size, device="meta")
    with torch.inference_mode():
        assert network(images).shape == (2, network.spec.num_classes)


@pytest.mark.parametrize("name", QUICK)
def test_real_images_of_8_px_give_finite_logits_and_gradients(name: str) -> None:
    narrowest = 16 if CATALOG[name].image_size_px == 32 else 8  # zero padding cannot narrow the stem's 16
    widths = tuple(max(narrowest, width // 8) for width in CATALOG[name].spec.widths)
    network = create_model(name, widths=widths)
    logits = network(torch.randn(3, network.spec.in_channels, 8, 8))
    assert bool(logits.isfinite().all())
    logits.logsumexp(1).sum().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert bool(parameter.grad.isfinite().all()), parameter_name


@pytest.mark.parametrize("in_channels", [1, 2, 4])
def test_any_number_of_channels(in_channels: int) -> None:
    network = create_model(SMALL, in_channels=in_channels).eval()
    assert network(torch.randn(2, in_channels, 9, 8)).shape == (2, 5)
    with pytest.raises(RuntimeError):
        network(torch.randn(2, in_channels + 1, 9, 8))


def test_pooling() -> None:
    network, images = create_model(SMALL).eval(), torch.randn(2, 3, 9, 12)
    features = network.forward_features(images)
    assert features.shape == (2, network.num_features, 5, 6)
    flat = features.flatten(2)
    torch.testing.assert_close(network.embed(images), flat.mean(2))
    torch.testing.assert_close(network(images), flat.mean(2) @ network.fc.weight.T + network.fc.bias)
    by_max = create_model(SMALL, pooling="max").eval()
    by_max.load_state_dict(network.state_dict())
    torch.testing.assert_close(by_max.embed(images), flat.amax(2))
    torch.testing.assert_close(by_max(images), flat.amax(2) @ network.fc.weight.T + network.fc.bias)


@pytest.mark.parametrize(("pooling", "shape"), [("avg", (2, 12)), ("max", (2, 12)), ("none", (2, 12, 5, 6))])
def test_without_head_the_network_returns_features(pooling: str, shape: tuple[int, ...]) -> None:
    network = create_model(SMALL, num_classes=None, pooling=pooling).eval()
    images = torch.randn(2, 3, 9, 12)
    assert network(images).shape == shape
    assert torch.equal(network(images), network.embed(images))
    assert not any(name.startswith("fc") for name in network.state_dict())


def test_reset_head_changes_the_head_only() -> None:
    network = create_model(SMALL).double()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.reset_head(9)
    assert network.spec == replace(SMALL, num_classes=9)
    assert network.fc.weight.dtype == torch.float64
    assert network(torch.randn(2, 3, 8, 8, dtype=torch.float64)).shape == (2, 9)
    after = network.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before if not name.startswith(("fc", "bn", "layer")))
    assert torch.equal(after["layer1.0.conv1.weight"], before["layer1.0.conv1.weight"])
    assert bool(network.fc.weight.std() > 0)
    headless = create_model(SMALL, num_classes=None)
    headless.reset_head(4)
    assert headless.eval()(torch.randn(1, 3, 8, 8)).shape == (1, 4)
    headless.reset_head(None)
    assert headless.spec.num_classes is None
    assert torch.equal(headless(images := torch.randn(1, 3, 8, 8)), headless.embed(images))


def test_reset_head_refuses_what_has_no_head() -> None:
    with pytest.raises(ResnetkitError, match="num_classes must be at least 1"):
        create_model(SMALL).reset_head(0)
    feature_map = create_model(SMALL, num_classes=None, pooling="none")
    with pytest.raises(ResnetkitError, match="pooling 'none'"):
        feature_map.reset_head(3)
    assert feature_map.spec.num_classes is None


@pytest.mark.parametrize("name", ["resnet50", "resnet20", "keras_resnet50v2", "resnetv2_50x1_bit", "resnetaa34d"])
def test_stages_are_what_the_features_are_made_of(name: str) -> None:
    network = create_model(name, num_classes=None).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        stages = network.forward_stages(images)
        features = network.forward_features(images)
    assert list(stages) == ["stem", *(f"stage{i + 1}" for i in range(len(network.spec.depths)))]
    assert tuple(x.shape[1] for x in stages.values()) == (network.spec.stem.widths[-1], *network.stage_channels)
    for stage, x in network.iter_stages(images):  # taken before what follows could write into it
        torch.testing.assert_close(stages[stage], x)
    torch.testing.assert_close(network.act(network.norm(stages[stage].clone())), features)


def test_stochastic_depth_grows_linearly_and_rests_in_evaluation() -> None:
    network = create_model("resnet20", stochastic_depth_rate=0.45)
    blocks = [block for name in network.stage_names for block in getattr(network, name)]
    assert [block.drop_path.rate for block in blocks] == pytest.approx([0.05 * (i + 1) for i in range(9)])
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(network.eval()(images), network(images))
    assert not torch.equal(network.train()(images), network(images))
    assert network.state_dict().keys() == create_model("resnet20").state_dict().keys()


def test_group_normalised_networks_keep_no_statistics() -> None:
    network = create_model(SMALL, norm=GroupNorm(groups=4))
    assert not list(network.buffers())
    images = torch.randn(4, 3, 8, 8)
    torch.testing.assert_close(network.train()(images), network.eval()(images))


# --- stem and tail do what the blocks leave to them ---


def steps_of(network: ResNet) -> tuple[str, str]:
    def named(*layers: nn.Module) -> str:
        kinds = {nn.BatchNorm2d: "bn", nn.ReLU: "act"}
        return " ".join(kinds[type(layer)] for layer in layers if not isinstance(layer, nn.Identity))

    return named(network.bn1, network.act1), named(network.norm, network.act)


@pytest.mark.parametrize(
    ("order", "stem", "tail"),
    [
        (BASIC.order, "bn act", ""),
        (NORM_AFTER_ADD, "bn act", ""),
        (ACT_ONLY_PREACT, "bn", "act"),
        (FULL_PREACT, "", "bn act"),
    ],
)
def test_stem_and_tail_complete_the_stream(order: ActivationOrder, stem: str, tail: str) -> None:
    network = create_model(replace(SMALL, block=replace(BASIC, order=order)))
    assert steps_of(network) == (stem, tail)
    explicit = replace(network.spec, tail=("bn", "act"), stem=replace(SMALL.stem, steps=("act",)))
    assert steps_of(ResNet(explicit)) == ("act", "bn act")


def test_deep_stem_has_a_norm_and_act_between_its_convs() -> None:
    stem = Stem(kernel_sizes=(3, 3, 3), widths=(4, 6, 8), stride=2, bias=True)
    network = create_model(replace(SMALL, stem=stem)).eval()
    kinds = [type(layer).__name__ for layer in network.conv1]
    assert kinds == ["Conv2d", "BatchNorm2d", "ReLU", "Conv2d", "BatchNorm2d", "ReLU", "Conv2d"]
    assert [layer.stride[0] for layer in network.conv1 if isinstance(layer, nn.Conv2d)] == [2, 1, 1]
    assert network.forward_features(torch.randn(1, 3, 32, 32)).shape == (1, 12, 4, 4)


@pytest.mark.parametrize(("where", "strides"), [("first", [2, 1, 1]), ("last", [1, 1, 2])])
def test_the_stride_of_a_stage_is_in_the_named_block(where: str, strides: list[int]) -> None:
    spec = replace(
        SMALL,
        block=replace(BOTTLENECK_PREACT, shrink=SUBSAMPLE),
        depths=(3, 3),
        strides=(2, 2),
        strided_block=where,  # type: ignore[arg-type]
    )
    network = ResNet(spec).eval()
    for stage in (network.layer1, network.layer2):
        assert [block.plan.place.stride for block in stage] == strides
        assert [block.downsample is not None for block in stage] == (
            [True, False, False] if where == "first" else [True, False, True]
        )
        if where == "last":
            assert not list(stage[2].downsample.parameters())
    assert network.forward_features(torch.randn(1, 3, 17, 16)).shape == (1, 48, 5, 4)


def test_the_first_block_may_differ() -> None:
    first = replace(BASIC_PREACT, projection=CONV_BN, project="always")
    network = ResNet(replace(SMALL, block=BASIC_PREACT, first_block=first))
    blocks = [*network.layer1, *network.layer2]
    assert [block.plan.place.block for block in blocks] == [first, BASIC_PREACT, BASIC_PREACT]
    assert network(torch.randn(2, 3, 8, 8)).shape == (2, 5)


def test_plain_networks_have_no_skips_to_learn() -> None:
    plain = ResNet(replace(SMALL, block=replace(BASIC, join=NoSkip())))
    assert not any("downsample" in name for name, _ in plain.named_parameters())


# --- how it is made ---


def test_create_model_replaces_fields_by_dotted_name() -> None:
    settings = {"block.attention.kind": "se", "stem.stride": 2, "num_classes": 3, "block.join.kind": "scaled_add"}
    network = create_model("resnet20", **settings)
    assert network.layer1[0].se is not None
    assert (network.conv1.stride, network.fc.out_features) == ((2, 2), 3)
    assert network.spec.block.join.kind == "scaled_add"
    assert CATALOG["resnet20"].spec.num_classes == 10, "the catalog itself must not change"


def test_create_model_tells_what_it_does_not_know() -> None:
    with pytest.raises(ResnetkitError, match="did you mean 'resnet101'"):
        create_model("resnet-101")
    with pytest.raises(ResnetkitError, match="did you mean 'num_classes'"):
        create_model("resnet20", num_clases=3)
    with pytest.raises(ResnetkitError, match="'depths'"):
        create_model("resnet20", depths="many")


def test_the_seed_decides_the_weights() -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(create_model(SMALL).parameters())

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


# --- what others do with a network ---


@pytest.mark.parametrize("name", ["resnet18", "keras_resnet50v2", "tutorial_preact"])
def test_channels_last_memory_gives_the_same_logits(name: str) -> None:
    widths = tuple(max(8, width // 8) for width in CATALOG[name].spec.widths)
    network = create_model(name, widths=widths).double().eval()
    images = torch.randn(2, network.spec.in_channels, 19, 16, dtype=torch.float64)
    with torch.no_grad():
        logits = network(images)
        again = network.to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(again, logits, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_copies_compute_the_same_and_share_nothing(duplicate: object) -> None:
    network, images = create_model(SMALL).eval(), torch.randn(2, 3, 8, 8)
    before = network(images)
    second = duplicate(network)  # type: ignore[operator]
    assert torch.equal(second(images), before)
    assert second.spec == network.spec
    with torch.no_grad():
        for parameter in second.parameters():
            parameter.zero_()
    assert torch.equal(network(images), before)


def test_the_network_exports_for_any_batch_size() -> None:
    spec = replace(
        SMALL, block=replace(BASIC_PREACT, attention=EfficientChannelAttention()), stem=STEM_7X7, padding="same"
    )
    network = ResNet(spec).eval()
    exported = torch.export.export(
        network, (torch.randn(2, 3, 16, 16),), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},)
    )
    images = torch.randn(5, 3, 16, 16)
    torch.testing.assert_close(exported.module()(images), network(images))


def test_training_moves_towards_the_labels() -> None:
    network = create_model(SMALL)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    images, labels = torch.randn(10, 3, 8, 8), torch.arange(10) % 5
    losses = []
    for _ in range(25):
        loss = nn.functional.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 < 1 < losses[0]
