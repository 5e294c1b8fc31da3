"""The contract between those who answer requests and those who speak HTTP: a classifier as it is served."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from resnetkit.classifier.decision import Logits, Mask, Probabilities
from resnetkit.classifier.description import Description
from resnetkit.images.types import UInt8Images

State = Literal["starting", "ready", "restarting", "failed", "stopped"]


class NotAnswered(Exception):  # noqa: N818 - a name for what became of a request
    """A request that was not answered; the text says why, for whoever sent it."""


class Overloaded(NotAnswered):
    """More requests or pixels wait than may.

    Attributes:
        retry_after_seconds: when to come again, at least 1.
    """

    def __init__(self, why: str, retry_after_seconds: int = 1) -> None:
        super().__init__(why)
        self.retry_after_seconds = retry_after_seconds


class NotReady(Overloaded):
    """The classifier is being opened, or opened again, or the server is draining."""


class WorkerLost(NotAnswered):
    """The process that computed it has died."""


class DeadlinePassed(NotAnswered):
    """It took longer than it might."""


@dataclass(frozen=True)
class ImageAnswer:
    """Answer for one image.

    Attributes:
        status: as of a :class:`~resnetkit.classifier.prediction.Prediction`; ``error`` for an image that could not be
            read, then ``reason`` says why, and there are no numbers.
        note: what of the image the classifier could not look at; empty where nothing was lost.
        probabilities: float32 ``(K,)``.
        logits: float32 ``(V, K)`` of V views.
        in_set: bool ``(K,)``, the classes in its set; None where the classifier's decision makes none.
    """

    status: Literal["ok", "unsure", "unknown", "error"]
    reason: str = ""
    note: str = ""
    probabilities: Probabilities | None = None
    logits: Logits | None = None
    in_set: Mask | None = None


class Answers(list[ImageAnswer]):
    """The answers for a request's images, one each and in order, with whose they are: all are one version's.

    Attributes:
        description: of the classifier that answered; by then another version may be served, with other classes.
        version: as :attr:`Served.version`, of that classifier.
    """

    def __init__(self, answers: Iterable[ImageAnswer], description: Description, version: str) -> None:
        super().__init__(answers)
        self.description, self.version = description, version


class Served(Protocol):
    """A classifier that is served under a name; another version may take its place between two requests.

    Attributes:
        name: under which it is asked for.
    """

    name: str

    @property
    def description(self) -> Description:
        """Everything that its file says; of third-party weights, what a file of ours would say.

        Raises:
            NotReady: before it was first opened.
        """
        ...

    @property
    def version(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of what it answers by; raises as :attr:`description`."""
        ...

    @property
    def state(self) -> State:
        """``ready`` where requests are taken."""
        ...

    @property
    def problem(self) -> str:
        """A sentence on what is wrong with it, e.g. why it failed, or why a file that replaces its own is not taken;
        empty for nothing.
        """
        ...

    @property
    def source(self) -> str:
        """The text that the user named it by, e.g. a run's folder."""
        ...

    async def answer_files(self, files: Sequence[bytes], *, deadline_seconds: float) -> Answers:
        """Answer for image files, one each and in order.

        Raises:
            NotAnswered: one of its kinds; then none of the request's images has an answer.
        """
        ...

    async def answer_pixels(self, pixels: UInt8Images, *, deadline_seconds: float) -> Answers:
        """Answer for prepared images, uint8 ``(N, C, S, S)``; raises as :meth:`answer_files`."""
        ...

    async def explain(self, file: bytes, asked: dict[str, Any], *, deadline_seconds: float) -> dict[str, Any]:
        """Explain the answer for one image file.

        Args:
            asked: ``method``, ``class_name``, ``against`` and ``layer`` as of :func:`resnetkit.explain`, each optional.

        Returns:
            JSON-ready, as :func:`~resnetkit.serving.explained.explained` says; besides, the ``version`` that it is of,
            and ``overlay`` and ``image``, files in base64: the map alone over the whole upright image, a PNG with
            opacity, and that image, a PNG or JPEG, both of 1024 px at most.

        Raises:
            NotAnswered: as :meth:`answer_files`.
            ResnetkitError: for what cannot be explained so, or an image that cannot be read.
        """
        ...
