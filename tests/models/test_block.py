"""The residual block: wiring, joins, skips, and that no axis disturbs another."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from itertools import product

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from resnetkit.config import from_dict, to_dict
from resnetkit.errors import ResnetkitError
from resnetkit.models.attention import EfficientChannelGate, SqueezeExcite
from resnetkit.models.block import Joiner, ResidualBlock
from resnetkit.models.block_plan import Layers, plan_block
from resnetkit.models.initialization import initialize
from resnetkit.models.places import Place
from resnetkit.models.spec import (
    ACT_AROUND_ADD,
    ACT_BEFORE_ADD,
    ACT_ONLY_PREACT,
    AVGPOOL_CONV_BN,
    BASIC,
    BASIC_PREACT,
    BOTTLENECK,
    BOTTLENECK_PREACT,
    CONV_BN,
    CONV_OF_PREACT,
    FULL_PREACT,
    NORM_AFTER_ADD,
    ORIGINAL,
    OWN_BN_ACT_CONV,
    SUBSAMPLE,
    ZERO_PAD,
    ActivationOrder,
    Add,
    BatchNorm,
    Block,
    DropoutAdd,
    EfficientChannelAttention,
    FanInUniform,
    GatedAdd,
    Initialization,
    Join,
    NoAttention,
    NoSkip,
    Padding,
    Projection,
    ScaledAdd,
    SqueezeExcitation,
)

ORDERS = {
    "original": ORIGINAL,
    "norm_after_add": NORM_AFTER_ADD,
    "act_before_add": ACT_BEFORE_ADD,
    "act_only_preact": ACT_ONLY_PREACT,
    "full_preact": FULL_PREACT,
    "act_around_add": ACT_AROUND_ADD,
}
ATTENTION = (NoAttention(), SqueezeExcitation(), EfficientChannelAttention())
JOINS: tuple[Join, ...] = (
    Add(),
    ScaledAdd(0.25, 2.0),
    GatedAdd(exclusive=False, gate_bias=-1),
    GatedAdd(exclusive=True, gate_bias=-1),
    DropoutAdd(0.4),
    NoSkip(),
)
# All that can change the number of channels; the last three hand on a view or the input itself before they act on it.
PROJECTIONS = (
    CONV_BN,
    ZERO_PAD,
    AVGPOOL_CONV_BN,
    CONV_OF_PREACT,
    OWN_BN_ACT_CONV,
    Projection(("act", "conv"), reads="input"),
    Projection(("subsample", "act", "conv"), reads="input"),
    Projection(("avgpool", "act", "conv"), reads="input"),
    Projection(("pad", "act", "subsample"), reads="preact"),
)
every_order = pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)


def make(
    block: Block,
    in_channels: int = 8,
    width: int = 8,
    stride: int = 1,
    padding: Padding = "symmetric",
    *,
    starts_stage: bool = False,
) -> ResidualBlock:
    """The block in double precision, with weights and statistics that leave nothing at 0 or 1."""
    place = Place(1, 1 if starts_stage else 2, block, in_channels, width, stride)
    made = ResidualBlock(plan_block(place, Layers(BatchNorm(), padding=padding))).double()
    for layer in made.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1, 0.3)
            nn.init.normal_(layer.bias)
            assert layer.running_mean is not None
            assert layer.running_var is not None
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 2)
    return made


def maps(channels: int = 8, height: int = 6, width: int = 5) -> Tensor:
    return torch.randn(2, channels, height, width, dtype=torch.float64)


class Record:
    """What goes into and comes out of a block's children, in the order of the calls."""

    def __init__(self, block: ResidualBlock) -> None:
        self.calls: list[str] = []
        self.inputs: dict[str, tuple[Tensor, ...]] = {}
        self.outputs: dict[str, Tensor] = {}
        for name, child in block.named_children():
            child.register_forward_pre_hook(lambda _, inputs, name=name: self._enter(name, inputs))
            child.register_forward_hook(lambda _, __, output, name=name: self._leave(name, output))

    def _enter(self, name: str, inputs: tuple[Tensor, ...]) -> None:
        self.calls.append(name)
        self.inputs[name] = tuple(tensor.detach().clone() for tensor in inputs)

    def _leave(self, name: str, output: Tensor) -> None:
        self.outputs[name] = output.detach().clone()


# --- the join ---


def join_maps(join: Join, skip: Tensor, branch: Tensor, fork: Tensor, *, training: bool = False) -> Tensor:
    joiner = Joiner(join, fork.shape[1], skip.shape[1], stride=1).double().train(training)
    with torch.no_grad():
        result: Tensor = joiner(skip, branch, fork)
    return result


def test_joins_that_only_add() -> None:
    skip, branch, fork = maps(), maps(), maps()
    assert torch.equal(join_maps(Add(), skip, branch, fork), skip + branch)
    torch.testing.assert_close(join_maps(ScaledAdd(0.25, 2.0), skip, branch, fork), skip / 4 + branch * 2)
    assert torch.equal(join_maps(NoSkip(), skip, branch, fork), branch)


@pytest.mark.parametrize("exclusive", [False, True])
def test_gate_is_a_1x1_conv_of_the_fork(exclusive: bool) -> None:
    joiner = Joiner(GatedAdd(exclusive=exclusive), in_channels=3, out_channels=8, stride=2).double()
    skip, branch, fork = maps(8, 3, 3), maps(8, 3, 3), maps(3, 5, 6)
    weight, bias = joiner.gate.weight[:, :, 0, 0], joiner.gate.bias
    assert bias is not None
    gate = 1 / (1 + torch.exp(-(torch.einsum("oc,nchw->nohw", weight, fork[:, :, ::2, ::2]) + bias[:, None, None])))
    expected = (1 - gate) * skip + (gate * branch if exclusive else branch)
    torch.testing.assert_close(joiner(skip, branch, fork), expected)


def test_dropout_falls_on_the_skip_only_and_only_in_training() -> None:
    skip, branch, fork = torch.ones_like(maps(16, 40, 40)), maps(16, 40, 40), maps(16, 40, 40)
    assert torch.equal(join_maps(DropoutAdd(0.4), skip, branch, fork), skip + branch)
    kept = join_maps(DropoutAdd(0.4), skip, branch, fork, training=True) - branch
    zero, scaled = kept.abs() < 1e-9, (kept - 1 / 0.6).abs() < 1e-9
    assert bool((zero | scaled).all())
    assert float(zero.double().mean()) == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize("join", JOINS, ids=str)
@every_order
def test_the_join_gets_the_ends_of_skip_and_branch(order: ActivationOrder, join: Join) -> None:
    block = make(replace(BASIC, order=order, join=join)).eval()
    record, x = Record(block), maps()
    output = block(x)
    skip, branch, _ = record.inputs["joiner"]
    assert torch.equal(skip, x)
    assert torch.equal(branch, record.outputs[block.branch[-1]])
    if block.after_add:
        assert torch.equal(record.inputs[block.after_add[0]][0], record.outputs["joiner"])
    else:
        assert torch.equal(output, record.outputs["joiner"])


# --- the order of the layers ---


@pytest.mark.parametrize("kernel_sizes", [(3,), (3, 3), (1, 3, 1)])
@every_order
def test_layers_are_called_in_the_order_of_the_stream(order: ActivationOrder, kernel_sizes: tuple[int, ...]) -> None:
    block = make(Block(kernel_sizes=kernel_sizes, order=order))
    record = Record(block)
    block(maps())
    preact, branch, after_add = order.layer_names(len(kernel_sizes))
    assert record.calls == [*preact, *branch, "joiner", *after_add]
    kinds = {"conv": nn.Conv2d, "bn": nn.BatchNorm2d, "act": nn.ReLU}
    for name in (*preact, *branch, *after_add):
        assert isinstance(getattr(block, name), kinds[name.rstrip("0123456789")])


@every_order
def test_dropout_stands_before_the_last_conv_and_attention_ends_the_branch(order: ActivationOrder) -> None:
    block = make(replace(BOTTLENECK, order=order, drop_rate=0.3, attention=SqueezeExcitation()))
    record = Record(block)
    block(maps())
    preact, branch, after_add = order.layer_names(3)
    last = branch.index("conv3")
    with_dropout = [*branch[:last], "drop", *branch[last:]]
    called = [name for name in record.calls if name != "downsample"]
    assert called == [*preact, *with_dropout, "se", "joiner", *after_add]
    assert torch.equal(record.inputs["conv3"][0], record.outputs["drop"])


def test_branch_dropout_is_off_outside_training() -> None:
    block = make(replace(BASIC, drop_rate=0.5))
    record, x = Record(block), maps()
    block.eval()(x)
    assert torch.equal(record.inputs["drop"][0], record.outputs["drop"])
    block.train()(x)
    assert not torch.equal(record.inputs["drop"][0], record.outputs["drop"])


# --- nothing is overwritten that another path still needs ---


def inplace_cases() -> Iterator[tuple[Block, int, int]]:
    """Blocks with the number of output channels and the stride."""
    for join, reads in product(JOINS, ("input", "preact")):
        yield replace(BASIC, join=join, identity_reads=reads), 8, 1
        yield replace(BASIC, join=join, shrink=SUBSAMPLE), 8, 2
        for projection, (width, stride) in product(PROJECTIONS, ((8, 1), (16, 1), (16, 2))):
            yield (
                replace(BASIC, join=join, projection=replace(projection, reads=reads), project="always"),
                width,
                stride,
            )


@pytest.mark.parametrize(
    "order",
    [
        pytest.param(order, id=name, marks=[] if name in ("original", "full_preact") else pytest.mark.slow)
        for name, order in ORDERS.items()
    ],
)
def test_acting_in_place_changes_neither_the_input_nor_the_result(order: ActivationOrder) -> None:
    x = maps()
    before = x.clone()
    for case, width, stride in inplace_cases():
        block = make(replace(case, order=order), width=width, stride=stride)
        careful = deepcopy(block)
        for layer in careful.modules():
            if isinstance(layer, nn.ReLU):
                layer.inplace = False
        with torch.no_grad():
            torch.manual_seed(1)
            result = block(x)
            assert torch.equal(x, before), case
            torch.manual_seed(1)
            assert torch.equal(result, careful(x)), case


# --- the skip ---


@every_order
def test_identity_skip_forks_before_or_after_the_pre_activation(order: ActivationOrder) -> None:
    x = maps()
    for reads in ("input", "preact"):
        block = make(replace(BASIC, order=order, identity_reads=reads)).eval()
        record = Record(block)
        block(x)
        fork = record.outputs[block.preact[-1]] if reads == "preact" and block.preact else x
        assert torch.equal(record.inputs["joiner"][0], fork)


@every_order
def test_projection_forks_before_or_after_the_pre_activation(order: ActivationOrder) -> None:
    x = maps()
    for reads in ("input", "preact"):
        block = make(
            replace(BASIC, order=order, projection=Projection(("conv", "bn"), reads)), width=16, stride=2
        ).eval()
        record = Record(block)
        block(x)
        fork = record.outputs[block.preact[-1]] if reads == "preact" and block.preact else x
        assert torch.equal(record.inputs["downsample"][0], fork)
        assert torch.equal(record.inputs["joiner"][0], record.outputs["downsample"])


def test_option_a_keeps_every_second_pixel_and_appends_zeros() -> None:
    block = make(replace(BASIC, projection=ZERO_PAD), in_channels=8, width=16, stride=2)
    record, x = Record(block), maps(8, 7, 6)
    block(x)
    skip = record.inputs["joiner"][0]
    assert skip.shape == (2, 16, 4, 3)
    assert torch.equal(skip[:, :8], x[:, :, ::2, ::2])
    assert not skip[:, 8:].any()
    assert not list(block.downsample.parameters()), "option A has nothing to learn"


def test_average_pool_projection_averages_before_its_conv_and_ignores_what_is_outside() -> None:
    block = make(replace(BASIC, projection=AVGPOOL_CONV_BN), width=16, stride=2).eval()
    assert block.downsample is not None
    pool, conv = block.downsample[0], block.downsample[1]
    x = maps(8, 5, 4)
    pooled = pool(x)
    assert pooled.shape == (2, 8, 3, 2)
    torch.testing.assert_close(pooled[:, :, 0, 1], x[:, :, 0:2, 2:4].mean((2, 3)))
    torch.testing.assert_close(pooled[:, :, 2, 0], x[:, :, 4:5, 0:2].mean((2, 3)))
    assert conv.stride == (1, 1)


@pytest.mark.parametrize(
    ("width", "stride", "project", "starts_stage", "kind"),
    [(8, 1, "shape_change", True, "identity"), (8, 1, "always", False, "conv"), (8, 1, "stage_start", True, "conv"),
     (8, 1, "stage_start", False, "identity"), (8, 2, "shape_change", True, "subsample"),
     (8, 2, "stage_start", False, "subsample"), (16, 1, "shape_change", False, "conv"),
     (16, 2, "shape_change", False, "conv"), (8, 2, "always", False, "conv")],
)  # fmt: skip
def test_which_skip_stands_where(width: int, stride: int, project: str, starts_stage: bool, kind: str) -> None:
    spec = replace(BASIC, shrink=SUBSAMPLE, project=project)  # type: ignore[arg-type]
    block = make(spec, width=width, stride=stride, starts_stage=starts_stage)
    if kind == "identity":
        assert block.downsample is None
    else:
        assert block.downsample is not None
        assert isinstance(block.downsample[0], nn.Conv2d) == (kind == "conv")


def test_a_shrinking_skip_without_weights_is_a_max_pool_of_kernel_1() -> None:
    block = make(replace(BOTTLENECK_PREACT, expansion=1, shrink=SUBSAMPLE), stride=2)
    record, x = Record(block), maps(8, 7, 6)
    block(x)
    assert torch.equal(record.inputs["joiner"][0], nn.functional.max_pool2d(x, 1, 2))


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_stride_is_on_the_named_conv(index: int) -> None:
    block = make(replace(BOTTLENECK, strided_conv=index), stride=2)
    assert [block.conv1.stride[0], block.conv2.stride[0], block.conv3.stride[0]] == [1 + (i == index) for i in range(3)]


# --- initial state, biases, widths ---


@every_order
def test_zero_last_makes_the_block_its_skip(order: ActivationOrder) -> None:
    block = make(replace(BASIC, order=order, conv_bias=("inner", "last"))).float()
    x = torch.randn(4, 8, 5, 5)
    initialize(block, Initialization())
    assert not torch.allclose(block(x), block._run(block.after_add, x.clone()))
    initialize(block, Initialization(conv=FanInUniform(), zero_last=True))
    torch.testing.assert_close(block(x), block._run(block.after_add, x.clone()))


def test_zero_last_is_the_norm_in_v1_and_the_conv_in_v2() -> None:
    for description, zero in (
        (replace(BOTTLENECK, expansion=1), "bn3"),
        (replace(BOTTLENECK_PREACT, expansion=1), "conv3"),
    ):
        block = make(description)
        initialize(block, Initialization(zero_last=True))
        zeros = {
            name for name, parameter in block.named_parameters() if name.endswith("weight") and not parameter.any()
        }
        assert zeros == {f"{zero}.weight"}


@pytest.mark.parametrize("roles", [(), ("inner",), ("last",), ("projection",), ("inner", "last", "projection")])
def test_biases_are_where_they_are_named_and_nowhere_else(roles: tuple[str, ...]) -> None:
    block = make(replace(BOTTLENECK, conv_bias=roles), stride=2)  # type: ignore[arg-type]
    convs = {name: module for name, module in block.named_modules() if isinstance(module, nn.Conv2d)}
    role_of = {"conv1": "inner", "conv2": "inner", "conv3": "last", "downsample.0": "projection"}
    assert set(convs) == set(role_of)
    assert {name for name, conv in convs.items() if conv.bias is not None} == {
        n for n, r in role_of.items() if r in roles
    }


@pytest.mark.parametrize(
    ("groups", "group_width", "inner"),
    [(1, 64, 64), (1, 128, 128), (32, 4, 128), (4, 16, 64)],
    ids=["plain", "wide", "32x4d", "4x16d"],
)
def test_cardinality_and_group_width_set_the_inner_width(groups: int, group_width: int, inner: int) -> None:
    spec = replace(BOTTLENECK, groups=groups, group_width=group_width)
    block = make(spec, 64, 64)
    assert block.conv2.weight.shape == (inner, inner // groups, 3, 3)
    assert (block.conv1.out_channels, block.conv3.in_channels, block.conv3.out_channels) == (inner, inner, 256)
    assert block.conv1.groups == block.conv3.groups == 1


@pytest.mark.parametrize(
    ("block", "in_channels", "width", "message"),
    [
        (replace(BASIC, projection=ZERO_PAD), 16, 8, "cannot reduce 16 channels to 8"),
        (replace(BASIC, projection=SUBSAMPLE), 8, 16, "gives 8 channels, the branch 16"),
        (replace(BASIC, groups=3), 8, 8, "block.groups=3 does not divide"),
        (replace(BOTTLENECK, group_width=4), 8, 8, "leaves no channels"),
    ],
)
def test_channels_that_do_not_meet_are_refused(block: Block, in_channels: int, width: int, message: str) -> None:
    with pytest.raises(ResnetkitError, match=message):
        make(block, in_channels, width)


# --- attention ---


@pytest.mark.parametrize(("channels", "hidden"), [(16, 8), (64, 8), (256, 16), (320, 24), (2048, 128)])
def test_squeeze_and_excite(channels: int, hidden: int) -> None:
    gate, x = SqueezeExcite(channels, SqueezeExcitation().hidden_channels(channels)), torch.randn(3, channels, 4, 5)
    assert gate.fc1.weight.shape == (hidden, channels, 1, 1)
    assert gate.fc2.weight.shape == (channels, hidden, 1, 1)
    squeezed = torch.relu(x.mean((2, 3)) @ gate.fc1.weight[:, :, 0, 0].T + gate.fc1.bias)
    excited = torch.sigmoid(squeezed @ gate.fc2.weight[:, :, 0, 0].T + gate.fc2.bias)
    torch.testing.assert_close(gate(x), x * excited[:, :, None, None])


@pytest.mark.parametrize(("channels", "size"), [(4, 3), (64, 3), (128, 5), (256, 5), (2048, 7)])
def test_efficient_channel_attention(channels: int, size: int) -> None:
    gate, x = EfficientChannelGate(EfficientChannelAttention().kernel_size(channels)), torch.randn(3, channels, 4, 5)
    kernel = gate.conv.weight[0, 0]
    assert kernel.shape == (size,)
    padded = nn.functional.pad(x.mean((2, 3)), (size // 2, size // 2))
    weights = torch.stack([padded[:, i : i + size] @ kernel for i in range(channels)], 1).sigmoid()
    torch.testing.assert_close(gate(x), x * weights[:, :, None, None])


# --- filters ---


@pytest.mark.parametrize("downsampling", ["blur", "avg"])
def test_an_antialiased_branch_shrinks_behind_the_activation_of_its_strided_conv(downsampling: str) -> None:
    spec = replace(BOTTLENECK, downsampling=downsampling)  # type: ignore[arg-type]
    block = make(spec, width=4, stride=2).eval()
    assert block.branch == ("conv1", "bn1", "act1", "conv2", "bn2", "act2", "aa", "conv3", "bn3")
    assert block.conv2.stride == (1, 1)
    assert make(spec, width=2).branch == BOTTLENECK.order.layer_names(3)[1], "nothing to filter at stride 1"
    x = maps(8, 6, 4)
    record = Record(block)
    block(x)
    assert record.outputs["act2"].shape[2:] == (6, 4)
    assert record.outputs["aa"].shape[2:] == (3, 2)
    with pytest.raises(ResnetkitError, match="the last conv cannot be the strided one"):
        replace(BASIC, downsampling=downsampling, strided_conv=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("strided_conv", [0, 1])
def test_a_max_pooled_branch_shrinks_between_its_strided_conv_and_the_norm(strided_conv: int) -> None:
    block = make(replace(BASIC, downsampling="max", strided_conv=strided_conv), width=4, stride=2).eval()
    names = ["conv1", "bn1", "act1", "conv2", "bn2"]
    names.insert(names.index(f"conv{strided_conv + 1}") + 1, "pool")
    assert block.branch == tuple(names)
    assert make(replace(BASIC, downsampling="max"), width=2).branch == BASIC.order.layer_names(2)[1]
    record = Record(block)
    block(maps(8, 7, 4))
    conv, pooled = record.outputs[f"conv{strided_conv + 1}"], record.outputs["pool"]
    assert conv.shape[2:] == (7, 4)
    assert torch.equal(pooled[:, :, 0, 0], conv[:, :, :2, :2].amax((2, 3)))
    assert torch.equal(pooled[:, :, 3, 1], conv[:, :, 6, 2:].amax(2)), "the last row stands alone where sizes are odd"


@pytest.mark.parametrize(("earlier", "now"), [("none", "stride"), ("blur", "blur"), ("avg", "avg")])
def test_files_of_earlier_versions_call_downsampling_antialias(earlier: str, now: str) -> None:
    values = to_dict(BASIC)
    del values["downsampling"]
    assert from_dict(Block, {**values, "antialias": earlier}) == replace(BASIC, downsampling=now)  # type: ignore[arg-type]


def test_stochastic_depth_ends_the_branch() -> None:
    place = Place(1, 1, replace(BASIC, attention=SqueezeExcitation()), 8, 8, stride=1)
    block = ResidualBlock(plan_block(place, Layers(BatchNorm()), drop_branch_rate=0.5))
    assert block.branch[-2:] == ("se", "drop_path")


# --- all axes together ---


@pytest.mark.parametrize("parent", [BASIC, BASIC_PREACT, BOTTLENECK], ids=["basic", "basic_preact", "bottleneck"])
@every_order
def test_every_parameter_learns(order: ActivationOrder, parent: Block) -> None:
    for join, attention in product(JOINS, ATTENTION):
        block = make(replace(parent, order=order, join=join, attention=attention), width=8, in_channels=4, stride=2)
        block(maps(4)).square().sum().backward()
        for name, parameter in block.named_parameters():
            assert parameter.grad is not None, (name, join)
            assert bool(parameter.grad.isfinite().all()), (name, join)
            # The bias of a norm or conv right before another norm has no effect, so its gradient is 0 by right.
            assert bool(parameter.grad.any()) or name.endswith("bias"), (name, join)


blocks = st.builds(
    Block,
    kernel_sizes=st.sampled_from([(3,), (3, 3), (1, 3, 1), (5, 1)]),
    expansion=st.sampled_from([1, 2]),
    groups=st.sampled_from([1, 2]),
    group_width=st.sampled_from([32, 64, 128]),
    order=st.sampled_from(list(ORDERS.values())),
    join=st.sampled_from(JOINS),
    projection=st.sampled_from(PROJECTIONS),
    project=st.sampled_from(["shape_change", "stage_start", "always"]),
    shrink=st.sampled_from([None, SUBSAMPLE, Projection(("avgpool", "bn", "act"))]),
    identity_reads=st.sampled_from(["input", "preact"]),
    conv_bias=st.sets(st.sampled_from(["inner", "last", "projection"])).map(lambda roles: tuple(sorted(roles))),
    attention=st.sampled_from(ATTENTION),
    drop_rate=st.sampled_from([0.0, 0.2]),
)


@settings(max_examples=150)
@given(
    block=blocks,
    strided_conv=st.integers(0, 2),
    channels=st.sampled_from([(4, 4), (4, 8), (8, 4), (8, 8)]),
    stride=st.integers(1, 3),
    size=st.tuples(st.integers(4, 9), st.integers(4, 9)),
    padding=st.sampled_from(["symmetric", "same"]),
    downsampling=st.sampled_from(["stride", "blur", "avg", "max"]),
)
def test_any_combination_of_axes_builds_runs_and_learns(
    block: Block,
    strided_conv: int,
    channels: tuple[int, int],
    stride: int,
    size: tuple[int, int],
    padding: Padding,
    downsampling: str,
) -> None:
    in_channels, width = channels
    assume("pad" not in block.projection.steps or width * block.expansion >= in_channels)
    num_strideable = len(block.kernel_sizes) - (downsampling in ("blur", "avg"))
    assume(num_strideable)
    block = replace(block, strided_conv=strided_conv % num_strideable, downsampling=downsampling)  # type: ignore[arg-type]
    built = make(block, in_channels, width, stride, padding)
    x = maps(in_channels, *size).requires_grad_()
    output = built(x)
    height, width_px = (-(-side // stride) for side in size)
    assert output.shape == (2, width * block.expansion, height, width_px)
    output.sum().backward()
    assert x.grad is not None
    assert bool(x.grad.isfinite().all())
    assert all(parameter.grad is not None for parameter in built.parameters())
