"""Opening what the command line names, and telling on stderr what had to be assumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from resnetkit.terminal import warn

if TYPE_CHECKING:
    from resnetkit.classifier.classifier import Classifier
    from resnetkit.classifier.description import Description
    from resnetkit.sources.locate import Located, Source


@dataclass(frozen=True)
class Reading:
    """Options on how to read third-party weights that a command names."""

    model: str | None = None
    entry: str | None = None
    class_names: str | None = None
    preprocess: tuple[str, ...] = ()


def chosen_of(located: Located, checkpoint: Literal["best"] | None) -> Located:
    """Return what to open: what was named as it stands, or what ``--checkpoint`` chooses of a run."""
    if checkpoint is None:
        return located
    from resnetkit.classifier.file import find_best
    from resnetkit.sources.locate import locate

    return locate(find_best(located.path or located.text))


def open_and_warn(source: Source, reading: Reading, device: str = "cpu") -> Classifier | Description:
    """:func:`~resnetkit.sources.described.open_described` with the command line's options."""
    from resnetkit.config import parse_settings
    from resnetkit.sources.described import open_described

    class_names = None
    if reading.class_names is not None:
        from resnetkit.sources.class_names import read_class_names

        class_names = read_class_names(reading.class_names)
    classifier = open_described(
        source,
        model=reading.model,
        entry=reading.entry,
        class_names=class_names,
        preprocessing=parse_settings(list(reading.preprocess), option="--preprocess"),
        device=device,
    )
    for text in classifier.provenance.get("warnings", ()):
        warn(text)
    return classifier
