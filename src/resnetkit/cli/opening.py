"""Opening what the command line names, and telling on stderr what had to be assumed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resnetkit.classifier import Classifier
    from resnetkit.prediction import Predictor


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
    _warn(classifier.provenance)
    return classifier


def open_with_engine(
    source: str,
    *,
    engine: str,
    batch_size: int,
    model: str | None = None,
    entry: str | None = None,
    class_names: str | None = None,
    preprocess: list[str] | None = None,
    device: str = "cpu",
) -> Classifier:
    """:func:`open_and_warn`, with an engine by name for batches of that size."""
    from resnetkit.inference.engines import find_kinds
    from resnetkit.inference.opening import open_engine

    find_kinds(engine)  # a mistyped name is told before anything is loaded
    classifier = open_and_warn(
        source, model=model, entry=entry, class_names=class_names, preprocess=preprocess, device=device
    )
    classifier.engine = open_engine(classifier, engine, batch_size=batch_size, file=_own_file(source))
    return classifier


def open_for_prediction(
    source: str,
    *,
    engine: str,
    batch_size: int,
    model: str | None = None,
    entry: str | None = None,
    class_names: str | None = None,
    preprocess: list[str] | None = None,
    device: str = "cpu",
) -> Predictor:
    """What answers for images; where the engine to use is known and needs no torch, torch is not loaded."""
    file = _own_file(source)
    if file is not None and not (model or entry or class_names or preprocess):
        from resnetkit.classifier_file import read_description
        from resnetkit.inference.opening import open_predictor

        _warn(read_description(file).provenance)
        return open_predictor(file, engine=engine, batch_size=batch_size, device=device)
    return open_with_engine(
        source,
        engine=engine,
        batch_size=batch_size,
        model=model,
        entry=entry,
        class_names=class_names,
        preprocess=preprocess,
        device=device,
    ).predictor


def _warn(provenance: Mapping[str, Any]) -> None:
    """Tell what had to be assumed about a classifier."""
    for text in provenance.get("warnings", ()):
        print(f"warning: {text}", file=sys.stderr)


def _own_file(source: str) -> Path | None:
    """The classifier file that a source is or holds; None for anybody's weights, or nothing."""
    from resnetkit.classifier_file import FILE_NAME, is_classifier

    path = Path(source).expanduser()
    path = path / FILE_NAME if path.is_dir() else path
    return path if path.is_file() and is_classifier(path) else None
