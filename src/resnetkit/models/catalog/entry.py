"""A named network."""

from __future__ import annotations

from dataclasses import dataclass

from resnetkit.models.spec import ResNetSpec


@dataclass(frozen=True)
class Entry:
    """A named network.

    Attributes:
        image_size_px: what it was made for.
        summary: what it is.
        warnings: sentences about a variation that does not do all that its name says, or cannot learn.
    """

    spec: ResNetSpec
    image_size_px: int
    summary: str
    warnings: tuple[str, ...] = ()


def for_photos(spec: ResNetSpec, summary: str) -> Entry:
    """A network for ImageNet's 224 pixels."""
    return Entry(spec, 224, summary)


def for_small_images(spec: ResNetSpec, summary: str) -> Entry:
    """A network for CIFAR's 32 pixels."""
    return Entry(spec, 32, summary)
