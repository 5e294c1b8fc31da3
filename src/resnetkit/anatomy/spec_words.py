"""Words for what a field of a network's spec means and why it matters: sentences with sources (no torch here).

Accuracies are those of the papers' own tables, for the papers' own networks and recipes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from resnetkit.anatomy.skip_words import (
    join_error,
    join_words,
    order_error,
    order_words,
    projection_words,
    tell_joins,
    tell_orders,
)
from resnetkit.models.spec import ResNetSpec, Stem


@dataclass(frozen=True)
class Meaning:
    """A choice in the spec.

    Attributes:
        fields: dotted paths that make the choice together; a difference in any of them is one difference.
        words: the choice of one network in words.
        why: what follows from it, for any two networks or for the two at hand.
        source: where that is shown; empty where it follows from the definition.
        error: what a paper reports for the choice, in its own network; empty where it reports nothing.
        measured_on: that network, its data and the paper.
        is_of_skip: whether it says nothing about a network without skips.
    """

    name: str
    fields: tuple[str, ...]
    words: Callable[[ResNetSpec], str]
    why: str | Callable[[ResNetSpec, ResNetSpec], str]
    source: str = ""
    error: Callable[[ResNetSpec], str] = lambda spec: ""
    measured_on: str = ""
    is_of_skip: bool = False

    def tell(self, a: ResNetSpec, b: ResNetSpec) -> str:
        """Tell what follows from the choices of two networks."""
        return self.why if isinstance(self.why, str) else self.why(a, b)


_POOLS = {
    "none": "no pool",
    "max": "3×3 max-pool",
    "zero_padded_max": "3×3 max-pool padded with zeros",
    "blurred_max": "3×3 max-pool and blur",
    "avg": "2×2 mean",
    "conv": "3×3 conv of stride 2",
}


def _block_words(spec: ResNetSpec) -> str:
    block = spec.block
    sizes = " – ".join(f"{size}×{size}" for size in block.kernel_sizes)
    num_convs = len(block.kernel_sizes)
    by_number = f"{num_convs} conv{'s' * (num_convs > 1)}"
    name = {(3, 3): "basic", (1, 3, 1): "bottleneck"}.get(block.kernel_sizes, by_number)
    widening = f", output {block.expansion} × the stage's width" if block.expansion > 1 else ""
    return f"{name}: {sizes}{widening}"


def _strided_words(spec: ResNetSpec) -> str:
    block = spec.block
    size = block.kernel_sizes[block.strided_conv]
    version = {0: " (v1)", 1: " (v1.5)"}.get(block.strided_conv, "") if block.kernel_sizes == (1, 3, 1) else ""
    return f"on conv {block.strided_conv + 1} of {len(block.kernel_sizes)}, the {size}×{size}{version}"


def _stem_words(stem: Stem) -> str:
    convs = " – ".join(f"{k}×{k}, {w}" for k, w in zip(stem.kernel_sizes, stem.widths, strict=True))
    steps = "" if stem.steps is None else f", then {' and '.join(stem.steps) or 'nothing'}"
    return f"{convs}, stride {stem.stride}{steps}, {_POOLS[stem.pool]}"


def _field(path: str) -> Callable[[ResNetSpec], str]:
    """Words for a plain value."""

    def words(spec: ResNetSpec) -> str:
        value: Any = spec
        for name in path.split("."):
            value = getattr(value, name)
        if isinstance(value, tuple):
            return ", ".join(map(str, value)) or "none"
        if value is None or isinstance(value, bool):  # by what it is: 1 equals True
            return {None: "none", True: "yes", False: "no"}[value]
        return f"{value:g}" if isinstance(value, float) else str(value)

    return words


def _kind(path: str) -> Callable[[ResNetSpec], str]:
    """Words for one of several alternatives with fields of its own."""

    def words(spec: ResNetSpec) -> str:
        value: Any = spec
        for name in path.split("."):
            value = getattr(value, name)
        return _alternative_words(value)

    return words


def _alternative_words(value: Any) -> str:
    """Kind of an alternative, with its other fields in parentheses."""
    fields: Mapping[str, Any] = {name: getattr(value, name) for name in value.__dataclass_fields__ if name != "kind"}
    texts = [f"{name} {item:g}" if isinstance(item, int | float) else f"{name} {item}" for name, item in fields.items()]
    kind = str(value.kind).replace("_", " ")
    return f"{kind} ({', '.join(texts)})" if texts else kind


def _first_block_words(spec: ResNetSpec) -> str:
    if spec.first_block is None:
        return "like the others"
    first = replace(spec, block=spec.first_block)
    pairs = ((m.name, m.words(first), m.words(spec)) for m in MEANINGS if m.fields[0].startswith("block."))
    return "; ".join(f"{name}: {own}" for name, own, other in pairs if own != other) or "like the others"


MEANINGS: tuple[Meaning, ...] = (
    Meaning(
        "depth",
        ("depths",),
        lambda spec: f"{', '.join(map(str, spec.depths))} blocks: {sum(spec.depths)} in all",
        "More blocks cost parameters, time and memory in proportion. With skips a deeper network still trains: each "
        "block only has to learn a correction, and the gradient reaches the first blocks along the skips. Without "
        "skips the training error itself rises with depth (ImageNet top-1 error, 10 crops: plain 18 layers 27.94 %, "
        "plain 34 layers 28.54 %, with skips 27.88 % and 25.03 %).",
        "arXiv:1512.03385, Figure 1 and Table 2",
    ),
    Meaning(
        "kind of block",
        ("block.kernel_sizes", "block.expansion", "block.strided_conv"),
        lambda spec: f"{_block_words(spec)}; stride {_strided_words(spec)}",
        "A basic block works at full width throughout. A bottleneck first reduces the channels by a 1×1 conv, does the "
        "3×3 conv, which costs nine weights per pair of channels, on the few, and widens again by a 1×1 conv: at about "
        "the cost of a basic block it is one conv deeper and hands on several times the features.",
        "arXiv:1512.03385, Section 4.1 and Figure 5",
    ),
    Meaning(
        "place of the stride",
        ("block.strided_conv",),
        _strided_words,
        "A strided 1×1 conv looks at one pixel in four and never sees the others (v1); a strided 3×3 conv sees them "
        "all (v1.5), for more multiply-adds, since the conv before it still works at the larger size. All weights have "
        "the same shapes: those of one load into the other without an error, and it then answers wrongly.",
        "v1: arXiv:1512.03385; v1.5: arXiv:1706.02677, Section 5.1",
    ),
    Meaning(
        "activation order",
        ("block.order",),
        lambda spec: order_words(spec.block.order),
        tell_orders,
        "arXiv:1603.05027, Section 4 and Tables 2 and 3",
        error=order_error,
        measured_on="the paper's networks of 110 and 164 layers on CIFAR-10 (arXiv:1603.05027, Table 2)",
    ),
    Meaning(
        "addition",
        ("block.join",),
        lambda spec: join_words(spec.block.join),
        tell_joins,
        "arXiv:1512.03385, Figure 1 and Table 2; arXiv:1603.05027, Section 3",
        error=lambda spec: join_error(spec.block.join),
        measured_on="the paper's ResNet-110 on CIFAR-10 (arXiv:1603.05027, Table 1)",
    ),
    Meaning(
        "projection",
        ("block.projection",),
        lambda spec: projection_words(spec.block.projection),
        "Where the shape changes the skip cannot be an identity. A projection learns how to match it, option A costs "
        "nothing (ImageNet top-1 error of 34 layers, 10 crops: A 25.03 %, B 24.52 %, C 24.19 %). A strided 1×1 conv "
        "drops three pixels in four; a mean before it keeps them.",
        "arXiv:1512.03385, Table 3; mean: arXiv:1812.01187",
        is_of_skip=True,
    ),
    Meaning(
        "which skips project",
        ("block.project",),
        lambda spec: {
            "shape_change": "those where the shape changes",
            "stage_start": "the first of every stage (basic networks of MXNet and TensorFlow's TPU models)",
            "always": "all (option C)",
        }[spec.block.project],
        "Projections on skips whose shape stays cost parameters and stand in the way of signal and gradient; the gain "
        "is small in a shallow network (34 layers: B 24.52 %, C 24.19 % ImageNet top-1 error), and with 110 layers it "
        "turns into harm (CIFAR-10 error 12.22 % against 6.61 % with identities).",
        "arXiv:1512.03385, Table 3; arXiv:1603.05027, Table 1",
        is_of_skip=True,
    ),
    Meaning(
        "skip where only the size changes",
        ("block.shrink",),
        lambda spec: projection_words(spec.block.shrink),
        "A bare subsampling has no weights and drops pixels; a projection there has weights to learn.",
        is_of_skip=True,
    ),
    Meaning(
        "fork of identity skips",
        ("block.identity_reads",),
        lambda spec: {"input": "before the pre-activation", "preact": "behind it"}[spec.block.identity_reads],
        "A skip that forks off behind the pre-activation carries normalised, positive values, and the ReLU stands on "
        "the path that should be clean.",
        "arXiv:1603.05027, Section 4; the first block: Appendix",
        is_of_skip=True,
    ),
    Meaning(
        "cardinality",
        ("block.groups", "block.group_width"),
        lambda spec: f"{spec.block.groups} groups, {spec.block.group_width} channels each where the width is 64",
        "Groups split the 3×3 conv into parallel ones that do not see each other's channels: its weights and "
        "multiply-adds fall by their number, so that more channels fit into the same cost. A larger group width "
        "without groups makes the inner convs wider.",
        "arXiv:1611.05431; width: arXiv:1605.07146",
    ),
    Meaning(
        "biases of convs",
        ("block.conv_bias", "stem.bias"),
        lambda spec: (", ".join(spec.block.conv_bias) or "none") + (", stem" if spec.stem.bias else ""),
        "Batch norm right behind a conv subtracts the mean, and with it any bias: such a bias costs parameters and "
        "changes nothing. It has an effect where no norm follows.",
        "arXiv:1502.03167, Section 3.2",
    ),
    Meaning(
        "channel attention",
        ("block.attention",),
        _kind("block.attention"),
        "Each channel of the branch is weighed by a gate that sees the whole image; few multiply-adds, two more layers "
        "per block for squeeze-and-excitation, a handful of weights for efficient channel attention.",
        "arXiv:1709.01507, arXiv:1910.03151",
    ),
    Meaning(
        "what shrinks the branch",
        ("block.downsampling",),
        _field("block.downsampling"),
        "A low-pass filter before pixels are dropped keeps a shifted image from giving another answer, a max-pool keeps"
        " the strongest one of neighbours; the strided conv then works at the larger size, which costs multiply-adds.",
        "arXiv:1904.11486; max-pool: arXiv:2404.00498",
    ),
    Meaning(
        "dropout in the branch",
        ("block.drop_rate",),
        _field("block.drop_rate"),
        "Acts in training only: it costs nothing in use and regularises wide blocks.",
        "arXiv:1605.07146, Section 2.4",
    ),
    Meaning(
        "stochastic depth",
        ("stochastic_depth_rate",),
        _field("stochastic_depth_rate"),
        "In training whole branches are dropped at random, so that gradients pass a shorter network; in use nothing "
        "changes.",
        "arXiv:1603.09382",
    ),
    Meaning(
        "stem",
        ("stem.kernel_sizes", "stem.widths", "stem.stride", "stem.steps", "stem.pool"),
        lambda spec: _stem_words(spec.stem),
        "The stem decides at which size the first stage works, and so what everything behind it costs. A stride-4 stem "
        "(7×7 conv and pool) suits photographs of some 200 pixels; on 32 pixels it would throw away what there is.",
        "arXiv:1512.03385, Table 1 and Section 4.2",
    ),
    Meaning(
        "widths of the stages",
        ("widths",),
        _field("widths"),
        "Weights and multiply-adds of a conv grow with the product of its input and output channels: twice the width "
        "costs four times as much.",
        "arXiv:1605.07146",
    ),
    Meaning(
        "strides of the stages",
        ("strides", "strided_block"),
        lambda spec: f"{', '.join(map(str, spec.strides))}, in a stage's {spec.strided_block} block",
        "The later the size shrinks, the larger the maps that blocks work on: more multiply-adds and memory for the "
        "same parameters. The receptive field grows faster the earlier it shrinks.",
    ),
    Meaning(
        "first block",
        ("first_block",),
        _first_block_words,
        "It is the one block that receives the stem's output. Where blocks are pre-activated, that output is activated "
        "before this block forks, so that its skip carries what its branch reads.",
        "arXiv:1603.05027, Appendix",
    ),
    Meaning(
        "tail",
        ("tail",),
        lambda spec: "what the blocks start with" if spec.tail is None else (" ".join(spec.tail) or "nothing"),
        "After pre-activated blocks the last addition is not yet normalised; the tail does it.",
        "arXiv:1603.05027, Appendix",
    ),
    Meaning("global pooling", ("pooling",), _field("pooling"), "How a feature map becomes one vector of features."),
    Meaning(
        "classes",
        ("num_classes",),
        _field("num_classes"),
        "Only the head depends on it: one row of weights and a bias per class.",
    ),
    Meaning(
        "input channels",
        ("in_channels",),
        _field("in_channels"),
        "Only the first conv depends on it: 1 grey, 3 colour.",
    ),
    Meaning(
        "normalisation",
        ("norm",),
        _kind("norm"),
        "Batch norm uses the statistics of the batch in training and stored ones in use, so it wants batches that are "
        "not tiny; group norm treats every image by itself, alike in training and use. Weights for one eps are not "
        "exactly right for another.",
        "arXiv:1502.03167, arXiv:1803.08494",
    ),
    Meaning(
        "filters",
        ("conv",),
        _field("conv"),
        "Standardised filters take over what batch statistics do for training, which lets group norm train as well as "
        "batch norm.",
        "arXiv:1903.10520",
    ),
    Meaning(
        "padding",
        ("padding",),
        _field("padding"),
        "TensorFlow's 'same' pads a strided layer by one more at the right and bottom where the size is even: the same "
        "weights then see an image shifted by a pixel.",
    ),
    Meaning(
        "initialization",
        ("initialization",),
        lambda spec: ", ".join(
            [
                f"convs {_alternative_words(spec.initialization.conv)}",
                f"head {_alternative_words(spec.initialization.head)}",
                "branches start at zero" if spec.initialization.zero_last else "branches start random",
                *(["stem starts as pairs of cosines"] if spec.initialization.stem == "cosine_pairs" else []),
            ]
        ),
        "It decides where training starts; a trained network keeps no trace of it but its weights.",
        "arXiv:1502.01852; zero start: arXiv:1706.02677, Section 5.1; cosines: arXiv:2404.00498",
    ),
)

# Errors the papers report for networks as they describe them, and how those differ from ours where they do.
PUBLISHED: dict[str, str] = {
    **{
        f"resnet{depth}": f"CIFAR-10 test error {error} % (arXiv:1512.03385, Table 6)"
        for depth, error in {20: 8.75, 32: 7.51, 44: 7.17, 56: 6.97, 1202: 7.93}.items()
    },
    "resnet110": "CIFAR-10 test error 6.43 % in the best of five runs, 6.61 ± 0.16 % over them (arXiv:1512.03385, "
    "Table 6)",
    **{
        f"{name}{depth}{option}": f"ImageNet top-1 error, 10 crops, {error} % (arXiv:1512.03385, {table})"
        for name, depth, option, error, table in (
            ("plain", 18, "", 27.94, "Table 2"),
            ("plain", 34, "", 28.54, "Table 2"),
            ("resnet", 18, "_a", 27.88, "Table 2, option A"),
            ("resnet", 34, "_a", 25.03, "Tables 2 and 3, option A"),
            ("resnet", 34, "", 24.52, "Table 3, option B"),
            ("resnet", 34, "_c", 24.19, "Table 3, option C"),
            ("resnet", 50, "_v1", 22.85, "Table 3"),
            ("resnet", 101, "_v1", 21.75, "Table 3"),
            ("resnet", 152, "_v1", 21.43, "Table 3"),
        )
    },
    "resnet18": "ImageNet top-1 error, 10 crops, 27.88 %, with option A (arXiv:1512.03385, Table 2)",
    **{
        f"resnet{depth}": f"ImageNet top-1 error, 10 crops, {error} %, with the stride on the 1×1 (arXiv:1512.03385, "
        "Table 3)"
        for depth, error in {50: 22.85, 101: 21.75, 152: 21.43}.items()
    },
    "resnet164": "CIFAR-10 test error 5.93 % (arXiv:1603.05027, Table 2)",
    "resnet1001": "CIFAR-10 test error 7.61 % (arXiv:1603.05027, Table 3)",
    "preact_resnet110": "CIFAR-10 test error 6.37 % (arXiv:1603.05027, Table 2)",
    "preact_resnet164": "CIFAR-10 test error 5.46 % (arXiv:1603.05027, Table 2)",
    "preact_resnet1001": "CIFAR-10 test error 4.92 % (arXiv:1603.05027, Table 3)",
}
