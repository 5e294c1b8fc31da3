"""The images that a run's weights have met: all from the start, or where they are read unchecked, as they are met."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from resnetkit.data.batches import Shard
from resnetkit.data.seen import SeenImages
from resnetkit.data.types import LoadedData
from resnetkit.images.types import BadImage
from resnetkit.runs.events import Listener
from resnetkit.runs.folder import RunFolder
from resnetkit.training.distributed import from_all_ranks

SHOWN_BAD_IMAGES = 20


@dataclass
class MetImages:
    """The images that a run has met.

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

    def now(self) -> SeenImages:
        """All that this process knows of."""
        return self.before if self.data.is_checked else self.before.and_met(self.data.splits)

    def gather(self) -> None:
        """Tell all processes what each has met; to be called by all of them, at the end of an epoch."""
        if self.data.is_checked or self.shard.num_ranks == 1:
            return
        own = {name: split.digests for name, split in self.data.splits.items()}
        for met in from_all_ranks(own, self.shard):
            for name, digests in own.items():
                np.maximum(digests, met[name], out=digests)  # each is the same everywhere, or not known

    def write(self, *, is_gathered: bool) -> None:
        """Write them down, before the weights that have met them are."""
        if not self.data.is_checked:
            now = self.now()
            is_complete = now.is_complete and (is_gathered or self.shard.num_ranks == 1)
            self.folder.write_seen(replace(now, is_complete=is_complete))

    def tell_of_bad(self) -> None:
        """Tell of files that turned out to be unreadable since this was last asked."""
        if self.data.is_checked:
            return
        for bad in self.data.bad_images_so_far():
            if bad not in self._told and len(self._told) <= SHOWN_BAD_IMAGES:
                more = " (and more: the end of the run has all)" if len(self._told) == SHOWN_BAD_IMAGES else ""
                self.listener.warning(f"left out: {bad.path} {bad.reason}{more}")
                self._told.add(bad)
