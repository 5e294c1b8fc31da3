"""Opening what the command line names, and telling on stderr what had to be assumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from resnetkit.machine.precision import Precision
from resnetkit.terminal import warn

if TYPE_CHECKING:
    from resnetkit.classifier.classifier import Classifier
    from resnetkit.classifier.decision import Logits
    from resnetkit.classifier.engine import Engine
    from resnetkit.classifier.prediction import Predictor
    from resnetkit.images.types import UInt8Images
    from resnetkit.inference.remembered import Cache


@dataclass(frozen=True)
class Reading:
    """How to read what a command names, as its options say; all but the device is for third-party weights."""

    model: str | None = None
    entry: str | None = None
    class_names: str | None = None
    preprocess: tuple[str, ...] = ()
    device: str = "cpu"

    @property
    def describes_weights(self) -> bool:
        """Whether it says anything that a classifier of our own says itself."""
        return any((self.model, self.entry, self.class_names, self.preprocess))


@dataclass(frozen=True)
class Computing:
    """What is to compute: an engine's name, its precision, and how many images it is given at once."""

    engine: str
    precision: Precision
    batch_size: int

    def check(self) -> None:
        """Tell a mistyped or unfit name before anything is loaded."""
        from resnetkit.inference.engines import find_kinds

        find_kinds(self.engine, self.precision)

    def cache_beside(self, source: str) -> Cache | None:
        """:func:`resnetkit.inference.engine_choice.cache_beside` a classifier of our own; None for other weights."""
        from resnetkit.inference.engine_choice import cache_beside
        from resnetkit.inference.engines import find_kinds

        file = _own_file(source)
        return None if file is None else cache_beside(file, find_kinds(self.engine, self.precision), self.precision)

    def open_engine(self, classifier: Classifier, cache: Cache | None = None) -> Engine:
        """:func:`resnetkit.inference.engine_choice.open_engine` for a classifier, and the cache beside its own file."""
        from resnetkit.inference.engine_choice import open_engine

        return open_engine(classifier, self.engine, precision=self.precision, batch_size=self.batch_size, cache=cache)

    def open_predictor(self, file: Path, device: str) -> Predictor:
        """:func:`resnetkit.inference.engine_choice.open_predictor` for a file of our own."""
        from resnetkit.inference.engine_choice import open_predictor

        return open_predictor(
            file, engine=self.engine, precision=self.precision, batch_size=self.batch_size, device=device
        )


def chosen_file(source: str, checkpoint: Literal["best"] | None) -> str:
    """What to open: the source as it stands, or what ``--checkpoint`` chooses of a run."""
    from resnetkit.classifier.file import find_best

    return source if checkpoint is None else str(find_best(source))


def open_and_warn(source: str, reading: Reading) -> Classifier:
    """:func:`~resnetkit.sources.weights.open_classifier` with the command line's options."""
    from resnetkit.config import parse_settings
    from resnetkit.machine.device import find_device
    from resnetkit.sources.class_names import read_class_names
    from resnetkit.sources.weights import open_classifier

    classifier = open_classifier(
        source,
        model=reading.model,
        entry=reading.entry,
        class_names=None if reading.class_names is None else read_class_names(reading.class_names),
        preprocessing=parse_settings(list(reading.preprocess), option="--preprocess"),
        device=find_device(reading.device),
    )
    _warn(classifier.provenance)
    return classifier


def open_with_engine(source: str, reading: Reading, computing: Computing) -> Predictor:
    """:func:`open_and_warn` for third-party weights, with an engine."""
    from resnetkit.classifier.prediction import Predictor

    computing.check()
    classifier = open_and_warn(source, reading)
    return Predictor.of(classifier, computing.open_engine(classifier))


def open_for_prediction(
    source: str, reading: Reading, computing: Computing, *, expects_images: bool = True
) -> Predictor:
    """What answers for images; where the engine to use is known and needs no torch, torch is not loaded.

    Args:
        expects_images: False where nothing will have to be computed, so that nobody waits for engines to be measured.
    """
    if not expects_images and reading.device in ("auto", "cpu"):  # whether there is a GPU of some name is told as ever
        computing.check()
        return _open_on_demand(source, reading, computing)
    file = _own_file(source)
    if file is None or reading.describes_weights:
        return open_with_engine(source, reading, computing)
    from resnetkit.classifier.file import read_description

    _warn(read_description(file).provenance)
    return computing.open_predictor(file, reading.device)


def _open_on_demand(source: str, reading: Reading, computing: Computing) -> Predictor:
    """As :func:`open_for_prediction`, but the engine waits for the first image, should one turn up after all."""
    from resnetkit.classifier.prediction import Predictor

    file = _own_file(source)
    if file is None or reading.describes_weights:
        classifier = open_and_warn(source, reading)
        return Predictor.of(classifier, _EngineOnDemand(lambda: computing.open_engine(classifier)))
    from resnetkit.classifier.file import read_description

    description = read_description(file)
    _warn(description.provenance)
    engine = _EngineOnDemand(lambda: computing.open_predictor(file, reading.device).engine)
    return Predictor.of(description, engine)


@dataclass(frozen=True)
class _EngineOnDemand:
    """An engine that is opened when there is something to compute."""

    opener: Callable[[], Engine]

    @cached_property
    def _engine(self) -> Engine:
        return self.opener()

    @property
    def name(self) -> str:
        return self._engine.name

    def logits(self, pixels: UInt8Images) -> Logits:
        return self._engine.logits(pixels)


def _warn(provenance: Mapping[str, Any]) -> None:
    """Tell what had to be assumed about a classifier."""
    for text in provenance.get("warnings", ()):
        warn(text)


def _own_file(source: str) -> Path | None:
    """The classifier file that a source is or holds; None for third-party weights, or nothing."""
    from resnetkit.classifier.file import FILE_NAME, is_classifier

    path = Path(source).expanduser()
    path = path / FILE_NAME if path.is_dir() else path
    return path if path.is_file() and is_classifier(path) else None
