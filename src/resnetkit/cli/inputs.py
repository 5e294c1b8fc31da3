"""Opening what the command line names, and telling on stderr what had to be assumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

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

    def arguments(self) -> dict[str, Any]:
        """Those given, as :func:`resnetkit.open_classifier` takes them."""
        from resnetkit.config import parse_settings

        class_names = None
        if self.class_names is not None:
            from resnetkit.sources.class_names import read_class_names

            class_names = read_class_names(self.class_names)
        preprocessing = parse_settings(list(self.preprocess), option="--preprocess")
        stated = {
            "model": self.model,
            "entry": self.entry,
            "class_names": class_names,
            "preprocessing": preprocessing,
        }
        return {name: value for name, value in stated.items() if value}


def chosen_of(located: Located, checkpoint: Literal["best"] | None) -> Located:
    """Return what to open: what was named as it stands, or what ``--checkpoint`` chooses of a run."""
    if checkpoint is None:
        return located
    from resnetkit.classifier.file import find_best
    from resnetkit.sources.locate import locate

    return locate(find_best(located.path or located.text))


def open_and_warn(source: Source, reading: Reading, device: str = "cpu") -> Classifier | Description:
    """:func:`~resnetkit.sources.described.open_described` with the command line's options."""
    from resnetkit.sources.described import open_described

    classifier = open_described(source, device=device, **reading.arguments())
    for text in classifier.provenance.get("warnings", ()):
        warn(text)
    return classifier
