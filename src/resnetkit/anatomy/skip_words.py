"""Words for the skip, the addition and the activation order of a block, and what follows from each of them.

Every sentence is derived from the value it is about, so that values without a name of their own have one too.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import assert_never

from resnetkit.models.spec import (
    ACT_AROUND_ADD,
    ACT_BEFORE_ADD,
    ACT_ONLY_PREACT,
    AVGPOOL_CONV_BN,
    AVGPOOL_CONV_OF_PREACT,
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
    Block,
    DropoutAdd,
    GatedAdd,
    Join,
    NoSkip,
    Projection,
    ResNetSpec,
    ScaledAdd,
)
from resnetkit.pages.formatting import set_percent

DEGRADATION = (
    "Without skips the training error itself rises with depth: a deeper plain network fits its training images worse, "
    "although it could copy the shallower one and leave its other layers at the identity (ImageNet top-1 error, 10 "
    "crops: plain 18 layers 27.94 %, plain 34 layers 28.54 %; with skips 27.88 % and 25.03 %). That is not "
    "overfitting, and with batch norm no gradient vanishes: the solver does not find the identity through layers of "
    "weights. A skip hands it over, and the branch learns only what to add: y = F(x) + x."
)

_ORDER_NAMES: dict[ActivationOrder, str] = {
    ORIGINAL: "original",
    NORM_AFTER_ADD: "norm after the addition",
    ACT_BEFORE_ADD: "ReLU before the addition",
    ACT_ONLY_PREACT: "ReLU-only pre-activation",
    FULL_PREACT: "full pre-activation",
    ACT_AROUND_ADD: "ReLU before the addition and behind it",
}
_ORDER_ERRORS = {  # of 110 and 164 layers
    ORIGINAL: (6.61, 5.93),
    NORM_AFTER_ADD: (8.17, 6.50),
    ACT_BEFORE_ADD: (7.84, 6.14),
    ACT_ONLY_PREACT: (6.71, 5.91),
    FULL_PREACT: (6.37, 5.46),
}
FAILS = "above 20 %: it fails"
CONV_SHORTCUT_ERROR = "12.22 %"  # of ResNet-110 with a 1×1 conv on every skip
_LAYER_WORDS = {"conv": "conv", "bn": "norm", "act": "ReLU"}
_PROJECTIONS: dict[Projection, str] = {
    CONV_BN: "1×1 conv and norm",
    ZERO_PAD: "every n-th pixel, new channels are zeros: nothing to learn (option A)",
    AVGPOOL_CONV_BN: "mean over the stride, then 1×1 conv and norm (ResNet-D)",
    AVGPOOL_CONV_OF_PREACT: "mean over the stride, then 1×1 conv, of the pre-activated input",
    CONV_OF_PREACT: "1×1 conv of the pre-activated input",
    OWN_BN_ACT_CONV: "norm, act and 1×1 conv of its own",
    SUBSAMPLE: "every n-th pixel",
}


def order_words(order: ActivationOrder) -> str:
    """An activation order by its name, where it has one, and its steps in a block of two convs.

    >>> order_words(ORIGINAL)
    'original: conv norm ReLU conv norm, addition, ReLU'
    >>> order_words(FULL_PREACT)
    'full pre-activation: norm ReLU, conv norm ReLU conv, addition'
    """
    preact, branch, after = (_step_words(names) for names in order.layer_names(2))
    steps = ", ".join(part for part in (preact, branch, "addition", after) if part)
    return f"{_ORDER_NAMES[order]}: {steps}" if order in _ORDER_NAMES else steps


def order_error(spec: ResNetSpec) -> str:
    """Give the paper's errors for a network's order; empty where it has none, or where there are no skips as there."""
    order = spec.block.order
    return "" if is_plain(spec) or order not in _ORDER_ERRORS else "{:.2f} and {:.2f} %".format(*_ORDER_ERRORS[order])


def tell_orders(a: ResNetSpec, b: ResNetSpec) -> str:
    """Tell what follows from two activation orders, each in its own network."""
    told = dict.fromkeys(
        f"{_capital(_order_name(spec.block.order))}: {'; '.join(_consequences(spec.block))}."
        for spec in (a, b)
        if not is_plain(spec)
    )
    if not told:
        return (
            "Without skips there is no addition: an order only says where the one stream of conv, norm and ReLU is cut "
            "into blocks, and what each layer does stays as it is. Only what stands at a branch's end (attention, "
            "stochastic depth, a start at zero) moves with it."
        )
    very_deep = (
        "What stands on the skips' path shows in very deep networks: with 1001 layers the error on CIFAR-10 is 7.61 % "
        "in the original order and 4.92 % fully pre-activated."
    )
    return " ".join([*told, very_deep])


def _consequences(block: Block) -> list[str]:
    preact, branch, after = block.order.layer_names(2)
    told, is_whole = [], keeps_skip_whole(block.join)
    if preact and block.identity_reads == "preact":
        told.append("the skips fork off behind the pre-activation, which so stands on their path")
    elif not after and not is_whole:
        told.append("no layer stands on the path from one addition to the next; the addition itself changes the skip")
    elif not after:
        told.append(
            "nothing stands on the path from one addition to the next, so signal and gradient pass every identity "
            "block unchanged"
        )
    elif any(name.startswith("bn") for name in after):
        told.append(
            "the norm behind the addition rescales the skip's own signal in every block, which hinders it as a factor "
            "on the skip does"
        )
    else:
        told.append("each sum goes through a ReLU, which cuts off what is negative on the skip's path too")
    if branch[-1].startswith("act"):
        grows = ", so along the identity blocks of a stage the sum can only grow" if is_whole else ""
        told.append(
            f"a branch that ends in a ReLU is never negative{grows}, where a correction should be able to take away too"
        )
    if preact and not any(name.startswith("bn") for name in preact):
        told.append("the ReLU in front has no norm before it, so it reads sums of any scale")
    return told


def _order_name(order: ActivationOrder) -> str:
    return _ORDER_NAMES.get(order) or order_words(order)


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def _step_words(names: tuple[str, ...]) -> str:
    return " ".join(_LAYER_WORDS[name.rstrip("0123456789")] for name in names)


def projection_words(projection: Projection | None) -> str:
    """Tell what a skip does to change its shape; None: as where the width changes."""
    if projection is None:
        return "as where the width changes"
    return _PROJECTIONS.get(projection, f"{', '.join(projection.steps)} of the {projection.reads}")


def join_words(join: Join) -> str:
    """Tell how skip and branch become one map."""
    match join:
        case Add():
            return "skip + branch"
        case ScaledAdd():
            return f"{join.skip_scale:g} × skip + {join.branch_scale:g} × branch"
        case GatedAdd():
            branch = "g × branch" if join.exclusive else "branch"
            return f"(1 − g) × skip + {branch}, gate's bias {join.gate_bias:g} at the start"
        case DropoutAdd():
            return f"dropout {join.drop_rate:g} on the skip, + branch"
        case NoSkip():
            return "no skip: a plain network"
        case _ as unknown:
            assert_never(unknown)


def join_error(join: Join) -> str:
    """Give the paper's error for a join, in its ResNet-110; empty where it has none."""
    match join:
        case Add():
            return "6.61 %"
        case ScaledAdd(skip_scale=skip, branch_scale=branch):
            return {(0.5, 0.5): "12.35 %", (0.5, 1.0): FAILS, (0.0, 1.0): FAILS}.get((skip, branch), "")
        case GatedAdd(exclusive=exclusive, gate_bias=bias):
            known = {(True, -6.0): "8.70 %", (True, -7.0): "9.81 %", (False, 0.0): "12.86 %", (False, -6.0): "6.91 %"}
            fails = exclusive and bias in range(-5, 1)
            return FAILS if fails else known.get((exclusive, bias), "")
        case DropoutAdd(drop_rate=rate):
            return FAILS if rate == 0.5 else ""
        case NoSkip():
            return FAILS
        case _ as unknown:
            assert_never(unknown)


def tell_joins(a: ResNetSpec, b: ResNetSpec) -> str:
    """Tell what follows from how two networks add, with their own factors and numbers of blocks."""
    if is_plain(a) != is_plain(b):
        (with_skips,) = (spec for spec in (a, b) if not is_plain(spec))
        is_sum = isinstance(with_skips.block.join, Add)
        return DEGRADATION if is_sum else f"{DEGRADATION} {_join_fact(with_skips)}"
    return " ".join(dict.fromkeys(_join_fact(spec) for spec in (a, b)))


def _join_fact(spec: ResNetSpec) -> str:
    num_blocks = sum(spec.depths)
    match spec.block.join:
        case Add():
            return (
                "A plain sum leaves the skip whole: along the skips signal and gradient pass every block with factor 1."
            )
        case ScaledAdd(skip_scale=1.0, branch_scale=branch):
            return f"The skip stays whole and the branch counts {branch:g} times: a smaller or larger correction."
        case ScaledAdd(skip_scale=scale):
            fades = (
                " Signal and gradient must then come through the branches, as in a plain network; norms scale "
                "gradients too, so what one measures in the whole network can grow where the skips fade."
            )
            return (
                f"A factor on the skip is multiplied once per block: along the skips alone {scale:g} becomes "
                f"{_power(scale, num_blocks)} over {num_blocks} blocks, forwards and backwards."
            ) + fades * (abs(scale) < 1)
        case GatedAdd(exclusive=exclusive, gate_bias=bias):
            kept = (1 - math.tanh(bias / 2)) / 2  # a sigmoid, of any bias
            taken = f", and the branch counts {1 - kept:.2g} times, so that what one gains the other loses" * exclusive
            return (
                f"A gate that starts at bias {bias:g} leaves {kept:.3g} of the skip in each block, "
                f"{_power(kept, num_blocks)} over {num_blocks}{taken}; training can open or close it."
            )
        case DropoutAdd(drop_rate=rate):
            return (
                f"Dropout on the skip blocks {set_percent(rate)} of its numbers in training, in every block anew. Here "
                f"the others are scaled by {1 / (1 - rate):.3g}, so the skip is whole in the mean, but its noise, and "
                "with it the size of the signal, grows from block to block; the paper's dropout leaves them as they "
                f"are, which is a factor of {1 - rate:g} per block in the mean."
            )
        case NoSkip():
            return "A plain network has no path around its layers."
        case _ as unknown:
            assert_never(unknown)


def _power(factor: float, exponent: int) -> str:
    """A factor taken so many times, however small or large that is."""
    return f"{Decimal(factor) ** exponent:.1e}"


def keeps_skip_whole(join: Join) -> bool:
    """Tell whether an addition takes the skip as it comes."""
    return isinstance(join, Add) or (isinstance(join, ScaledAdd) and join.skip_scale == 1)


def is_plain(spec: ResNetSpec) -> bool:
    """Tell whether a network has no skips."""
    return isinstance(spec.block.join, NoSkip)
