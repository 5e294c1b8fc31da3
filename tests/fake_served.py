"""A classifier as it is served, without processes: it answers at once, or when it is told to; and a client of it."""

import asyncio
import base64
import io
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
from PIL import Image
from tests.small_classifiers import SMALL

from resnetkit.classifier.description import Description
from resnetkit.classifier.engine import Engine
from resnetkit.classifier.prediction import Predictor
from resnetkit.images.prepared_inputs import iter_prepared
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.serving.app import Application
from resnetkit.serving.authorization import TokenFile
from resnetkit.serving.front import Front
from resnetkit.serving.served import Answers, ImageAnswer, State
from resnetkit.serving.settings import ServerSettings

CLASSES = ("café", "<script>alert(1)</script>", 'a "quoted" one')
LIMITS = Limits(max_pixels=250_000)


class FirstPixels:
    """An engine whose logits are means over parts of the image."""

    name = "means"

    def logits(self, pixels: Any) -> Any:
        parts = np.stack([pixels[:, i].mean((1, 2)) for i in range(3)], axis=1) / 64
        return np.stack([parts, parts[:, ::-1]], axis=1).astype(np.float32)


def describe(class_names: tuple[str, ...] = CLASSES, **provenance: Any) -> Description:
    preprocessing = Preprocessing(16, 16, average_mirrored=True)
    return Description(SMALL, preprocessing, class_names, provenance, limits=LIMITS)


class FakeServed:
    """Answers by :class:`FirstPixels`.

    Attributes:
        gate: what it waits for before each answer.
        raises: it answers with this instead.
        next: description and version that take its place after it has answered the next request.
    """

    def __init__(self, name: str = "shapes", source: str = "/nowhere/run") -> None:
        self.name, self.source = name, source
        self.description, self.version = describe(model="small"), "0123456789ab"
        self.state: State = "ready"
        self.problem = ""
        self.gate: asyncio.Event | None = None
        self.raises: Exception | None = None
        self.next: tuple[Description, str] | None = None
        self.deadlines: list[float] = []
        self.num_waiting = 0

    @property
    def predictor(self) -> Predictor:
        engine: Engine = FirstPixels()  # type: ignore[assignment]
        return Predictor.of(self.description, engine)

    async def answer_files(self, files: Sequence[bytes], *, deadline_seconds: float) -> Answers:
        await self._come(deadline_seconds)
        predictor, answers = self.predictor, Answers([], self.description, self.version)
        for (image,) in iter_prepared(list(files), predictor.preprocessing, predictor.limits, batch_size=1):
            if image.pixels is None:
                answers.append(ImageAnswer("error", image.problem))
            else:
                answers += self._answers(predictor, image.pixels[None], image.note)
        if self.next is not None:
            (self.description, self.version), self.next = self.next, None
        return answers

    async def answer_pixels(self, pixels: Any, *, deadline_seconds: float) -> Answers:
        await self._come(deadline_seconds)
        return Answers(self._answers(self.predictor, pixels), self.description, self.version)

    async def explain(self, file: bytes, asked: dict[str, Any], *, deadline_seconds: float) -> dict[str, Any]:
        await self._come(deadline_seconds)
        return {
            "class": CLASSES[0],
            "probability": 0.5,
            "asked": asked,
            "words": [],
            "method": "grad_cam",
        } | dict.fromkeys(("overlay", "image"), "")

    def _answers(self, predictor: Predictor, pixels: Any, note: str = "") -> list[ImageAnswer]:
        logits = predictor.engine.logits(pixels)
        decided = predictor.decision.decide(logits)
        return [
            ImageAnswer(decided.statuses[row], "", note, shares, logits[row], decided.set_of(row))
            for row, shares in enumerate(decided.probabilities)
        ]

    async def _come(self, deadline_seconds: float) -> None:
        self.deadlines.append(deadline_seconds)
        if self.gate is not None:
            self.num_waiting += 1
            await self.gate.wait()
            self.num_waiting -= 1
        if self.raises is not None:
            raise self.raises


def client_of(*served: FakeServed, token_file: TokenFile | None = None, **settings: Any) -> httpx.AsyncClient:
    """A client of a server in this process; ``client.front`` is the server's."""
    front = Front.of(served or (FakeServed(),), ServerSettings(**settings), token_file)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(Application(front)), base_url="http://server")
    client.front = front  # type: ignore[attr-defined]
    return client


def picture(seed: int = 0, size: tuple[int, int] = (20, 24), format: str = "PNG") -> bytes:
    """An image file of noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, format)
    return file.getvalue()


def in_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
