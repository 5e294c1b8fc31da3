"""The pixels of the image that one pixel of a feature map depends on (no torch here)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from resnetkit.models.block_plan import walk_block
from resnetkit.models.plan import Part
from resnetkit.models.sliding import Slide, slide_of
from resnetkit.models.steps import Attend, Steps, TimesGate


@dataclass(frozen=True)
class Window:
    """The image as a square feature map sees it: pixel ``i`` sees ``i * jump + low`` to ``i * jump + high``.

    Attributes:
        map_px: side of the feature map.
        jump: distance in the image between what two neighbours see: the product of the strides so far.
        low, high: ends of what pixel 0 sees; they lie outside the image where padding is seen.
    """

    map_px: int
    jump: int = 1
    low: int = 0
    high: int = 0

    @property
    def size_px(self) -> int:
        """Side of the receptive field: the smallest square around everything a pixel sees.

        >>> Window(224).slide(Slide(kernel_size=7, stride=2, before=3, after=3)).size_px
        7
        """
        return self.high - self.low + 1

    def slide(self, slide: Slide) -> Window:
        """The window behind a kernel that slides over this map."""
        return Window(
            map_px=slide.count(self.map_px),
            jump=self.jump * slide.stride,
            low=self.low - slide.before * self.jump,
            high=self.high + (slide.kernel_size - 1 - slide.before) * self.jump,
        )

    def join(self, other: Window) -> Window:
        """The window of a sum of two maps."""
        assert (self.map_px, self.jump) == (other.map_px, other.jump), f"{self} and {other} cannot be added"
        return replace(self, low=min(self.low, other.low), high=max(self.high, other.high))


def see_through(window: Window, part: Part) -> Window:
    """The window behind a part of a network: behind steps, or behind blocks along all their paths.

    Only layers that move information between neighbouring pixels count. What reads the whole map at once (the
    gates of channel attention, statistics of group or training-mode batch norm) does not.
    """
    window = _run(part.steps, window, None)
    for block in part.blocks:
        window = walk_block(block, window, _run, Window.join)
    return window


def _run(steps: Steps, window: Window, gate: Window | None) -> Window:
    for step in steps:
        match step.layer:
            case Attend():
                seen = _run(step.layer.steps, window, None)
                # A gate for the whole map, of one pixel, has no neighbours to tell of.
                window = window.join(seen) if seen.map_px == window.map_px else window
            case TimesGate():
                assert gate is not None
                window = window.join(gate)
            case layer:
                window = window.slide(slide_of(layer, window.map_px))
    return window
