"""The images that a run's weights have met: all from the start, or where they are read unchecked, as they are met."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from resnetkit.data.batches import Shard
from resnetkit.data.seen import SeenImages
from resnetkit.data.types import LoadedData
from resnetkit.data.unchecked_images import UncheckedImages
from resnetkit.images.types import BadImage
from resnetkit.runs.events import Listener
from resnetkit.runs.folder import RunFolder
from resnetkit.training.distributed import from_all_ranks

SHOWN_BAD_IMAGES = 20
LEFT_OUT = "left_out"  # the event of a file that cannot be read


@dataclass
class MetImages:
    """The images that a run has met; what could not be read before it was resumed is left out again.

    Attributes:
        before: what was known of them when this process began.
    """

    folder: RunFolder
    before: SeenImages
    data: LoadedData
    shard: Shard
    listener: Listener

    def __post_init__(self) -> None:
        self._told: set[BadImage] = set()
        left_out = {(event.get("split"), event.get("image")): event for event in self.folder.events(LEFT_OUT)}
        for split in self.data.splits.values() if left_out else ():
            for index, identifier in enumerate(split.identifiers):
                event = left_out.get((split.name, identifier))
                if event is not None and isinstance(split.images, UncheckedImages):
                    self._told.add(split.images.leave_out(index, str(event.get("reason"))))

    def now(self) -> SeenImages:
        """All that this process knows of."""
        return self.before if self.data.is_checked else self.before.and_met(self.data.splits)

    def gather(self) -> None:
        """Tell all processes what each has met; to be called by all of them, before the first one writes it down.

        Of files that cannot be read there is nothing to tell: several processes end with the first.
        """
        if self.data.is_checked or self.shard.num_ranks == 1:
            return
        own = {name: split.digests for name, split in self.data.splits.items()}
        for met in from_all_ranks(own, self.shard):
            for name, digests in own.items():
                np.maximum(digests, met[name], out=digests)  # each is the same everywhere, or not known

    def write(self) -> None:
        """Write them down, before the weights that have met them are."""
        if not self.data.is_checked:
            self.folder.write_seen(self.now())

    def tell_of_bad(self) -> None:
        """Tell, and record, which files have turned out to be unreadable since this was last asked."""
        if self.data.is_checked:
            return
        for split in self.data.splits.values():
            for index, bad in split.bad.copy().items():  # threads that read ahead may find another
                if bad in self._told:
                    continue
                self._told.add(bad)
                self.folder.record(LEFT_OUT, split=split.name, image=split.identifiers[index], reason=bad.reason)
                if len(self._told) <= SHOWN_BAD_IMAGES + 1:
                    more = " (and more: the end of the run has all)" if len(self._told) > SHOWN_BAD_IMAGES else ""
                    self.listener.warning(f"left out: {bad.path} {bad.reason}{more}")
