"""Reasons why weights do not fit a network, in the words of networks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from resnetkit.models.plan import FIRST_CONVS
from resnetkit.terminal import first_few

CHOOSE = "choose the network these weights were made for (--model)"
ADAPT = "fit the first conv to them (--adapt-channels)"
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Mismatch:
    """Names that are missing in the file, unexpected there, or of another shape."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mis_shaped: tuple[str, ...]

    @classmethod
    def between(cls, given: Tensors, own: Tensors) -> Mismatch:
        """Compare ``given`` with ``own``: what does not fit. Batch counters are no weights, and old files lack them."""
        return cls(
            tuple(name for name in own if name not in given and not name.endswith("num_batches_tracked")),
            tuple(name for name in given if name not in own),
            tuple(name for name in own if name in given and given[name].shape != own[name].shape),
        )

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.mis_shaped)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return self.missing + self.unexpected + self.mis_shaped


def explain(mismatch: Mismatch, given: Tensors, own: Tensors) -> tuple[str, str]:
    """The likely reason with the list of what does not fit, and what to do about it."""
    reasons, fixes, explained = [], [], set[str]()
    for reason, fix, names in (_head(mismatch, given, own), _channels(mismatch, given, own)):
        if reason:
            reasons.append(reason)
            fixes.append(fix)
            explained |= names
    if explained.issuperset(mismatch.names):
        return "; ".join(reasons), "; ".join(fixes)
    structure = [f"the file has {theirs}, the network {ours}" for theirs, ours in _structure(given, own)]
    shapes = [f"{name} {tuple(given[name].shape)} instead of {tuple(own[name].shape)}" for name in mismatch.mis_shaped]
    lists = [("missing", mismatch.missing), ("unexpected", mismatch.unexpected), ("wrong shape", shapes)]
    misfits = [f"{len(names)} {kind}: {first_few(names, 4)}" for kind, names in lists if names]
    return "; ".join([*structure, *misfits]), CHOOSE


def _head(mismatch: Mismatch, given: Tensors, own: Tensors) -> tuple[str, str, set[str]]:
    names = {name for name in mismatch.names if name.startswith("fc.")}
    fix = "start with a new head (--reset-head)"
    if not names:
        return "", "", names
    if "fc.weight" in mismatch.mis_shaped and given["fc.weight"].shape[1:] == own["fc.weight"].shape[1:]:
        return f"the file has {len(given['fc.weight'])} classes, the network {len(own['fc.weight'])}", fix, names
    layers = sorted({name.rpartition(".")[0] for name in names if name.count(".") > 1})
    if layers:
        return f"the file's head has several layers ({', '.join(layers)}), the network's one", fix, names
    if "fc.weight" in mismatch.missing:
        return "the file has no head", fix, names
    if "fc.weight" in mismatch.unexpected:
        return "the file has a head, the network none", "leave it out (--reset-head)", names
    return "", "", names


def _channels(mismatch: Mismatch, given: Tensors, own: Tensors) -> tuple[str, str, set[str]]:
    for name in FIRST_CONVS:
        if name in mismatch.mis_shaped and given[name].ndim == 4:
            theirs, ours = given[name].shape, own[name].shape
            if theirs[1] != ours[1] and (theirs[0], *theirs[2:]) == (ours[0], *ours[2:]):
                return f"the file reads {theirs[1]} channels, the network {ours[1]}", ADAPT, {name}
    return "", "", set()


def _structure(given: Tensors, own: Tensors) -> list[tuple[str, str]]:
    """Describe the kind of network that each is, where they differ."""
    theirs, ours = _traits(given), _traits(own)
    differ = [(theirs[trait], ours[trait]) for trait in theirs if theirs[trait] != ours[trait]]
    return [pair for pair in differ if all(pair)]


def _traits(tensors: Tensors) -> dict[str, str]:
    blocks = {(int(m[1]), int(m[2])) for name in tensors if (m := re.match(r"layer(\d+)\.(\d+)\.", name))}
    if not blocks:
        return dict.fromkeys(("depths", "block", "order", "norm", "stem", "attention", "bias"), "")
    depths = [sum(stage == s for s, _ in blocks) for stage in sorted({s for s, _ in blocks})]
    num_convs = len({name for name in tensors if re.fullmatch(r"layer1\.0\.conv\d\.weight", name)})
    kinds = {2: "basic blocks", 3: "bottlenecks"}
    has_stem_norm = "bn1.weight" in tensors
    return {
        "depths": f"{' + '.join(map(str, depths))} blocks",
        "block": kinds.get(num_convs, f"{num_convs} convs a block"),
        "order": "pre-activation" if "norm.weight" in tensors or not has_stem_norm else "post-activation",
        "norm": "batch norm" if any(name.endswith("running_mean") for name in tensors) else "group norm",
        "stem": "a deep stem" if "conv1.0.weight" in tensors else "one conv in the stem",
        "attention": "attention" if any(".se." in name for name in tensors) else "no attention",
        "bias": "a bias on convs" if any(re.search(r"conv\d\.bias$", name) for name in tensors) else "none on convs",
    }
