"""Images that weights have met: what they were trained on, what watched over it, what was held back to score them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from resnetkit.config import frozen
from resnetkit.data.splitting import SPLITS
from resnetkit.data.types import Split
from resnetkit.errors import Code, ResnetkitError
from resnetkit.images.digests import NOT_MET, Digests

Mask = npt.NDArray[np.bool_]


@frozen
class SeenImages:
    """The images that weights have met, each list of them as :func:`pack_digests` makes it.

    Attributes:
        train: what they were trained on.
        val: what watched over their training.
        test: what was held back, to score them once.
        earlier_train, earlier_val: of all weights before, from which those of this training started, what they were
            trained on, and what chose among epochs.
        val_chose: ``val`` chose among the epochs of this training; False where it only watched.
        is_complete: False where training started from weights that do not say what they have seen.
    """

    train: str = ""
    val: str = ""
    test: str = ""
    earlier_train: str = ""
    earlier_val: str = ""
    val_chose: bool = True
    is_complete: bool = True

    def then(self, splits: Mapping[str, Split], *, val_chose: bool) -> SeenImages:
        """The images met by weights that had met these, and were then trained on these splits.

        Args:
            val_chose: of the new training.
        """
        before = SeenImages(
            earlier_train=_joined(self.train, self.earlier_train),
            earlier_val=_joined(self._choosing, self.earlier_val),
            val_chose=val_chose,
            is_complete=self.is_complete,
        )
        return before.and_met(splits)

    def and_met(self, splits: Mapping[str, Split]) -> SeenImages:
        """These, and the images of the splits that have been read since; for data that are checked when first read."""
        now = {name: self.packed(name) for name in SPLITS}
        for name, split in splits.items():
            now[name] = _joined(now[name], pack_digests(split.digests[split.digests != NOT_MET]))
        return replace(self, train=now["train"], val=now["val"], test=now["test"])

    def packed(self, split: str) -> str:
        """The list of one split of this training."""
        return {"train": self.train, "val": self.val, "test": self.test}[split]

    def trained_on(self, digests: Digests) -> Mask:
        """Mask of the images that the weights were trained on, in this training or before."""
        return contains(unpack_digests(self.train), digests) | contains(unpack_digests(self.earlier_train), digests)

    def chose(self, digests: Digests) -> Mask:
        """Mask of the images that chose among the epochs of a training without being trained on."""
        own, earlier = unpack_digests(self._choosing), unpack_digests(self.earlier_val)
        return (contains(own, digests) | contains(earlier, digests)) & ~self.trained_on(digests)

    @property
    def _choosing(self) -> str:
        return self.val if self.val_chose else ""


def pack_digests(digests: Digests) -> str:
    """The different ones among some digests as text: base64 of ascending 64-bit numbers, 11 characters for each.

    >>> unpack_digests(pack_digests(np.array([7, 5, 7], np.uint64)))
    array([5, 7], dtype=uint64)
    """
    return base64.b64encode(np.unique(digests).astype("<u8").tobytes()).decode()


def unpack_digests(text: str) -> Digests:
    """The digests in a text, ascending.

    Raises:
        ResnetkitError: where it is damaged.
    """
    try:
        values = np.frombuffer(base64.b64decode(text, validate=True), "<u8").astype(np.uint64)
        if (values[1:] > values[:-1]).all():
            return values
    except ValueError:
        pass
    raise ResnetkitError(
        Code.WEIGHTS, "the list of images that the weights have seen is damaged", fix="give the file that train wrote"
    )


def contains(known: Digests, digests: Digests) -> Mask:
    """Mask of the digests that are among those known, which are ascending."""
    if not len(known):
        return np.zeros(len(digests), np.bool_)
    places = np.searchsorted(known, digests)
    found: Mask = known[np.minimum(places, len(known) - 1)] == digests
    return found


def _joined(first: str, second: str) -> str:
    if not first or not second:
        return first or second
    return pack_digests(np.concatenate([unpack_digests(first), unpack_digests(second)]))
