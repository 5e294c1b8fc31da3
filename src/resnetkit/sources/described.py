"""Reads what a source says of itself, with no more loaded than that takes: no torch for classifiers of our own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from resnetkit.classifier.description import Description
from resnetkit.files import io_errors, sha256_of
from resnetkit.sources.locate import Source, locate_weights

if TYPE_CHECKING:
    from resnetkit.classifier.classifier import Classifier


def open_described(
    source: Source,
    *,
    model: str | None = None,
    entry: str | None = None,
    class_names: Sequence[str] | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    device: str = "cpu",
) -> Classifier | Description:
    """Open the head of a run's classifier or of a classifier file, and anything else as ``open_classifier`` does.

    Raises:
        ResnetkitError: as :func:`~resnetkit.sources.weights.open_classifier`, which says what the arguments mean.
    """
    located = locate_weights(source)
    is_stated = any((model, entry, class_names, preprocessing))
    # A file of the hub lies in its cache, where nothing is to be kept beside it.
    if located.description is not None and located.fetched is None and not is_stated:
        return located.description
    from resnetkit.sources.weights import open_classifier

    return open_classifier(
        located, model=model, entry=entry, class_names=class_names, preprocessing=preprocessing, device=device
    )


def digest_of(opened: Classifier | Description) -> str:
    """SHA-256 of all that a classifier answers by: of its file as it is now, or where it has none, of its content."""
    if isinstance(opened, Description):
        with io_errors(f"read {opened.file}"):
            return sha256_of(opened.file)
    return hashlib.sha256(replace(opened, provenance={}).to_bytes()).hexdigest()  # wherever its weights are from
