"""Opening what the command line names, and telling on stderr what had to be assumed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resnetkit.classifier import Classifier


def open_and_warn(
    source: str,
    *,
    model: str | None = None,
    entry: str | None = None,
    class_names: str | None = None,
    preprocess: list[str] | None = None,
    device: str = "cpu",
) -> Classifier:
    """:func:`~resnetkit.pretrained.opening.open_classifier` with the command line's options."""
    from resnetkit import runtime
    from resnetkit.config import parse_settings
    from resnetkit.pretrained.class_names import read_class_names
    from resnetkit.pretrained.opening import open_classifier

    classifier = open_classifier(
        source,
        model=model,
        entry=entry,
        class_names=None if class_names is None else read_class_names(class_names),
        preprocessing=parse_settings(preprocess or [], option="--preprocess"),
        device=runtime.find_device(device),
    )
    for text in classifier.provenance.get("warnings", ()):
        print(f"warning: {text}", file=sys.stderr)
    return classifier
