"""Networks of other libraries that compute as ours: which one a network is there, and how it is loaded."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.catalog import CATALOG
from resnetkit.models.catalog.imagenet import IMAGENET
from resnetkit.models.catalog.preactivation import PREACTIVATION
from resnetkit.models.differences import differing_fields
from resnetkit.models.spec import ResNetSpec

# Networks of the catalog that compute as the library's own of that name.
PEERS: dict[str, tuple[str, ...]] = {
    "torchvision": (
        *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
        *("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2"),
    ),
    "timm": tuple(name for name in (*IMAGENET, *PREACTIVATION) if not re.search(r"_v1$|_a$|_c$|^plain", name)),
}


@dataclass(frozen=True)
class Peer:
    """The network of another library that is nearest to one of ours.

    Attributes:
        spec: of our network.
        name: of theirs.
        sizes: fields that its tensors' shapes show, where they are not those of that name: (ours, theirs).
        differing: all other fields in which it computes otherwise.
    """

    library: str
    spec: ResNetSpec
    name: str
    sizes: dict[str, tuple[Any, Any]]
    differing: dict[str, tuple[Any, Any]]

    def loading(self, path: Path) -> list[str]:
        """Python lines that load a state dict of the network, written to ``path``, into theirs.

        Empty for a network of other sizes, which theirs has no name for.
        """
        if self.sizes:
            return []
        read = f"safetensors.torch.load_file({str(path)!r})"
        if path.suffix != ".safetensors":
            read = f"torch.load({str(path)!r}, weights_only=True)"
        return [*self._making(), f"network.load_state_dict({read})"]

    def _making(self) -> list[str]:
        classes, channels = self.spec.num_classes, self.spec.in_channels
        if self.library == "timm":
            in_chans = "" if channels == 3 else f", in_chans={channels}"
            return [f"network = timm.create_model({self.name!r}, num_classes={classes or 0}{in_chans})"]
        head = "" if classes is None else f"num_classes={classes}"
        lines = [f"network = torchvision.models.{self.name}({head})"]
        if classes is None:
            lines.append("network.fc = torch.nn.Identity()")
        if channels != 3:
            lines.append(f"network.conv1 = torch.nn.Conv2d({channels}, 64, 7, stride=2, padding=3, bias=False)")
        return lines


def find_peer(spec: ResNetSpec, library: str) -> Peer:
    """The network of ``library``, one of :data:`PEERS`, that computes as this one does, or comes nearest."""
    differing: dict[ResNetSpec, dict[str, tuple[Any, Any]]] = {}  # many names are one network in several sizes
    peers = []
    for name in PEERS[library]:
        theirs = replace(CATALOG[name].spec, initialization=spec.initialization)
        sized = _with_sizes(theirs, spec)
        if sized not in differing:
            differing[sized] = differing_fields(spec, sized)
        peers.append(Peer(library, spec, name, _differing_sizes(spec, theirs), differing[sized]))
    return min(peers, key=lambda peer: (len(peer.differing), _distance(peer.sizes)))


def require_peer(spec: ResNetSpec, library: str) -> Peer:
    """The network of ``library`` that computes as this one does, though perhaps of other sizes.

    Where a stride or a filter stands shows neither in names nor in shapes: the weights would load, and answer wrongly.

    Raises:
        ResnetkitError: where there is none, with the nearest one and what differs.
    """
    peer = find_peer(spec, library)
    if not peer.differing:
        return peer
    others = [other for other in PEERS if not find_peer(spec, other).differing]
    raise ResnetkitError(
        Code.WEIGHTS,
        f"{library} has no network that computes as this one does",
        why=f"nearest is its {peer.name}, where {in_words(peer.differing)}",
        fix=f"write it for {others[0]}, which has it" if others else "save it as a classifier",
    )


def in_words(differing: dict[str, tuple[Any, Any]]) -> str:
    """Say what theirs has instead of ours, e.g. ``block.strided_conv is 1, not 0``."""
    return ", ".join(
        f"{path} is {json.dumps(theirs)}, not {json.dumps(ours)}" for path, (ours, theirs) in differing.items()
    )


def _with_sizes(theirs: ResNetSpec, ours: ResNetSpec) -> ResNetSpec:
    """Their network with all that shapes show as in ours, where it can have that."""
    try:
        return replace(
            theirs,
            depths=ours.depths,
            widths=ours.widths,
            stem=replace(theirs.stem, widths=ours.stem.widths),
            block=replace(theirs.block, groups=ours.block.groups, group_width=ours.block.group_width),
            num_classes=ours.num_classes,
            in_channels=ours.in_channels,
        )
    except ResnetkitError:  # of another number of stages, or of convs in the stem
        return theirs


def _differing_sizes(ours: ResNetSpec, theirs: ResNetSpec) -> dict[str, tuple[Any, Any]]:
    one, other = (
        {
            "depths": spec.depths,
            "widths": spec.widths,
            "stem.widths": spec.stem.widths,
            "block.groups": (spec.block.groups,),
            "block.group_width": (spec.block.group_width,),
        }
        for spec in (ours, theirs)
    )
    return {path: (one[path], other[path]) for path in one if one[path] != other[path]}


def _distance(sizes: dict[str, tuple[Any, Any]]) -> int:
    return sum(one != other for pair in sizes.values() for one, other in zip_longest(*pair))
