"""A classifier's answers on images that it was not trained on, by which the thresholds of its decision are set."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from resnetkit.classifier.decision import (
    ROUNDING,
    Decision,
    Logits,
    Sets,
    Sure,
    Unknown,
    familiarity,
    strangeness,
)
from resnetkit.config import frozen
from resnetkit.data.seen import contains, pack_digests, unpack_digests
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.images.digests import Digests
from resnetkit.images.types import Indices
from resnetkit.pages.formatting import set_percent
from resnetkit.recipes.demands import Demands, SetRule

Numbers = npt.NDArray[np.float32]
NO_DIGESTS = np.empty(0, np.uint64)

MAX_IMAGES = 10_000  # of which numbers are kept, 27 characters for each
MORE_IMAGES = "ask for less, or set it by more images: resnetkit calibrate CLASSIFIER DATA --out FILE"
NUM_TRIES = 20
RISK = 0.05  # that a threshold for a wanted precision does not keep it


@frozen
class Yardstick:
    """Numbers of the N images that thresholds are set by, each list as :func:`pack_numbers` makes it, in one order.

    Attributes:
        images: what they are, for people to read: ``val of digits``.
        num_images: N.
        familiarity: of each image.
        confidence: the probability of its most probable class.
        is_right: 1 where that is the true one, else 0.
        lac, aps: the strangeness of its true class by these rules.
        digests: of the images, as :func:`~resnetkit.data.seen.pack_digests` makes it: they cannot judge how well the
            thresholds hold.
    """

    images: str
    num_images: int
    familiarity: str
    confidence: str
    is_right: str
    lac: str
    aps: str
    digests: str = ""

    @classmethod
    def of(
        cls, logits: Logits, labels: Indices, decision: Decision, images: str, digests: Digests = NO_DIGESTS
    ) -> Yardstick:
        """Make one of the logits ``(N, V, K)`` of images with their true classes ``(N,)``, by a decision's temperature.

        Of more than :data:`MAX_IMAGES` images, evenly spread ones are kept: :func:`kept_rows`.
        """
        require(len(labels) > 0, "thresholds need images to be set by", code=Code.DATA)
        rows = kept_rows(len(labels))
        probabilities, labels = decision.probabilities(logits[rows]), labels[rows]
        every = np.arange(len(rows))
        return cls(
            images,
            len(rows),
            pack_numbers(familiarity(logits[rows])),
            pack_numbers(probabilities.max(1)),
            pack_numbers(probabilities.argmax(1) == labels),
            pack_numbers(strangeness("lac", probabilities)[every, labels]),
            pack_numbers(strangeness("aps", probabilities)[every, labels]),
            pack_digests(digests[rows] if len(digests) else digests),
        )

    def made_by(self, digests: Digests) -> npt.NDArray[np.bool_]:
        """Mask of the images that it was made by."""
        return contains(unpack_digests(self.digests), digests)

    def decision(self, temperature: float, demands: Demands) -> Decision:
        """The decision with the thresholds that are demanded.

        Raises:
            ResnetkitError: for a demand that these images are too few, or their answers too poor, to set one for.
        """
        return Decision(
            temperature,
            self._unknown(demands.unknown_at) if demands.unknown_at else None,
            self._sure(demands.precision_at) if demands.precision_at else None,
            self._sets(demands.coverage, demands.set_rule) if demands.coverage else None,
        )

    def _numbers(self, name: str) -> Numbers:
        return unpack_numbers(getattr(self, name), self.num_images)

    def _unknown(self, rate: float) -> Unknown:
        """At most the ``rate`` of known images lie below, on average over all images that could have been these."""
        place = math.floor((self.num_images + 1) * rate + 1e-9)
        least = math.ceil(1 / rate) - 1
        self._require_images(place >= 1, least, f"a threshold by which {set_percent(rate)} of known images are unknown")
        return Unknown(float(np.sort(self._numbers("familiarity"))[place - 1]), rate)

    def _sets(self, coverage: float, rule: SetRule) -> Sets:
        """Split conformal prediction (Vovk et al. 2005; Angelopoulos and Bates 2021, arXiv:2107.07511, Sec. 1)."""
        place = math.ceil((self.num_images + 1) * coverage - 1e-9)
        least = math.ceil(coverage / (1 - coverage) - 1e-9)
        self._require_images(place <= self.num_images, least, f"a threshold of sets that cover {set_percent(coverage)}")
        return Sets(rule, float(np.sort(self._numbers(rule))[place - 1]), coverage)

    def _sure(self, precision: float) -> Sure:
        """The lowest threshold above which so many were right that the precision is kept but in :data:`RISK` of cases.

        The surest of the images are tried by the exact binomial bound: so few that a single wrong one would still pass
        (in small sets none), then a twentieth of all more and more, until some do not pass. An order that does not
        depend on the answers needs no correction for the number of tries (Angelopoulos et al. 2021, arXiv:2110.01052,
        fixed sequence testing).
        """
        from scipy.stats import beta

        def passes(right: npt.NDArray[Any], sure: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
            promised: npt.NDArray[np.float64] = np.nan_to_num(beta.ppf(RISK, right, sure - right + 1))
            return promised >= precision  # it is NaN where none is right

        confidence, is_right = self._numbers("confidence"), self._numbers("is_right")
        order = np.argsort(-confidence, kind="stable")
        # Only between two different numbers can a threshold lie.
        lasts = np.flatnonzero(np.append(np.diff(confidence[order]) < -ROUNDING, True))
        shares = np.ceil(np.arange(1, NUM_TRIES + 1) / NUM_TRIES * len(order)).astype(np.int64)
        sure = np.unique(lasts[np.searchsorted(lasts, shares - 1)]) + 1
        tries = [sure[passes(sure - wrong, sure)] for wrong in (1, 0)]
        sure = tries[0] if len(tries[0]) else tries[1]
        right = is_right[order].cumsum()[sure - 1]
        kept = sure[np.logical_and.accumulate(passes(right, sure))]
        if not len(kept):
            least = math.ceil(math.log(RISK) / math.log(precision))
            found = (
                f"{sure[0] - right[0]:,.0f} of the {sure[0]:,} surest are wrong" if len(sure) else "they are too few"
            )
            raise ResnetkitError(
                Code.DATA,
                f"{self.num_images:,} images ({self.images}) cannot promise {set_percent(precision)} of right answers",
                why=f"{found}; it takes {least:,} right ones without a wrong one, or more",
                fix=MORE_IMAGES,
            )
        return Sure(float(confidence[order][kept[-1] - 1]), precision)

    def _require_images(self, is_enough: bool, least: int, what: str) -> None:
        require(
            is_enough,
            f"it takes at least {least:,} images to set {what}, {self.images} has {self.num_images:,}",
            fix=MORE_IMAGES,
            code=Code.DATA,
        )


def kept_rows(num_images: int) -> Indices:
    """Positions, evenly spread, of the at most :data:`MAX_IMAGES` of so many images that a decision is fitted to."""
    return np.linspace(0, num_images - 1, min(num_images, MAX_IMAGES)).round().astype(np.int64)


def pack_numbers(numbers: npt.NDArray[np.generic]) -> str:
    """Numbers as text: base64 of little-endian float32.

    >>> unpack_numbers(pack_numbers(np.array([0.5, 2])), 2)
    array([0.5, 2. ], dtype=float32)
    """
    return base64.b64encode(numbers.astype("<f4").tobytes()).decode()


def unpack_numbers(text: str, size: int) -> Numbers:
    """The ``size`` numbers in a text.

    Raises:
        ResnetkitError: where it is damaged.
    """
    try:
        numbers = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
        if len(numbers) == size and np.isfinite(numbers).all():
            return numbers
    except ValueError:
        pass
    raise ResnetkitError(
        Code.WEIGHTS, "the numbers that thresholds are set by are damaged", fix="give the file that train wrote"
    )
