"""A small network of each kind in the catalog: the same parts, fewer and narrower."""

from dataclasses import replace

from resnetkit.models.catalog import find_entry
from resnetkit.models.spec import ResNetSpec


def shrunk(name: str, **settings: object) -> ResNetSpec:
    """The spec of a name with one block in each of its first two stages, narrow where it is one for photographs."""
    spec = find_entry(name).spec
    widths = (32, 32) if len(spec.depths) == 4 else spec.widths[:2]
    few = {"num_classes": 3, "depths": (1, 1), "widths": widths, "strides": spec.strides[:2]}
    return replace(spec, **few, **settings)  # type: ignore[arg-type]


KINDS: dict[str, ResNetSpec] = {
    "pooling stem": shrunk("resnet18"),
    "bottleneck": shrunk("resnet50"),
    "stride first": shrunk("resnet50_v1"),
    "deep stem": shrunk("resnet50d"),
    "groups": shrunk("resnext50_32x4d"),
    "squeeze and excitation": shrunk("seresnet50"),
    "channel attention": shrunk("ecaresnet50d"),
    "small images, option A": shrunk("resnet20"),
    "plain": shrunk("plain20"),
    "pre-activated": shrunk("preact_resnet20"),
    "pre-activated bottleneck": shrunk("resnetv2_50"),
    "activated only before convs": shrunk("resnet20[order=act_only_preact]"),
    "gated": shrunk("resnet20[join=exclusive_gate]"),
    "Keras v2": shrunk("keras_resnet50v2"),
    "Big Transfer": shrunk("resnetv2_50x1_bit"),  # its norm groups 32 channels
    "one channel": shrunk("tutorial_preact"),
    "max pooling": shrunk("resnet20", pooling="max"),
}
