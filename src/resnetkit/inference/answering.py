"""Predictors said in plain values, to be opened where they are to compute, and their rows as tables."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from resnetkit.classifier.description import Description
from resnetkit.classifier.prediction import BATCH_SIZE, Prediction, Predictor
from resnetkit.config import to_dict
from resnetkit.data.prepared_images import FolderImages
from resnetkit.data.spec import DataSpec
from resnetkit.evaluation.sharing import SHA256, AnsweredRows, answer_originals, joined
from resnetkit.files import sha256_of
from resnetkit.images.prepared_pixels import prepare_seen
from resnetkit.images.spec import Limits
from resnetkit.inference.conditions import find_conditions
from resnetkit.inference.engine_choice import open_engine
from resnetkit.inference.row_folder import as_text, make_table
from resnetkit.machine.precision import Precision
from resnetkit.sources.described import open_described

# Gives a table for some paths: a row each.
Answer = Callable[[Sequence[str]], Any]


@dataclass(frozen=True)
class Opening:
    """Arguments that open a predictor on any machine that sees the same files.

    Attributes:
        source: what the text of a user stands for, e.g. a run folder.
        reading: how third-party weights are read, as :func:`~resnetkit.sources.described.open_described` takes it.
        limits: within which images are read; None: those of the classifier.
    """

    source: str
    reading: Mapping[str, Any] = field(default_factory=dict)
    engine: str = "auto"
    precision: Precision = "fp32"
    batch_size: int = BATCH_SIZE
    device: str = "auto"
    limits: Limits | None = None

    def open(self) -> Predictor:
        """Open it here."""
        conditions = find_conditions(
            self.engine, precision=self.precision, batch_size=self.batch_size, device=self.device
        )
        opened = open_described(self.source, device=conditions.device, **self.reading)
        predictor = Predictor.of(opened, open_engine(opened, conditions, tell=lambda _: None))
        return predictor if self.limits is None else replace(predictor, limits=self.limits)

    def about(self) -> dict[str, Any]:
        """All that its answers depend on, JSON-ready: that is, not where or how fast they are computed."""
        opened = open_described(self.source, **self.reading)
        if isinstance(opened, Description):
            digest = sha256_of(opened.file)
        else:
            digest = hashlib.sha256(opened.to_bytes()).hexdigest()
        limits = self.limits or opened.limits
        return {"classifier": digest, "precision": self.precision, "limits": to_dict(limits)}


@dataclass(frozen=True)
class Predicting:
    """Classify image files: a row with the ``top`` most probable classes."""

    opening: Opening
    top: int

    def about(self) -> dict[str, Any]:
        """All that a row depends on."""
        return {"command": "predict", "top": self.top, **self.opening.about()}

    def open(self) -> Answer:
        """Open the predictor; what it answers is a table."""
        predictor = self.opening.open()
        top = min(self.top, len(predictor.class_names))
        return lambda paths: _prediction_table(predictor.predict(list(paths), top=top))


@dataclass(frozen=True)
class Scoring:
    """Answer for the images of a folder with all that scores need.

    Attributes:
        data: the folder; paths are relative to it.
    """

    opening: Opening
    data: DataSpec

    def about(self) -> dict[str, Any]:
        """All that a row depends on."""
        return {"command": "evaluate", "data": os.path.realpath(self.data.source), **self.opening.about()}

    def open(self) -> Answer:
        """Open the predictor; what it answers is a table."""
        predictor, data = self.opening.open(), self.data

        def answer(paths: Sequence[str]) -> Any:
            images = FolderImages(data.source, paths, data.limits, prepare_seen, predictor.preprocessing)
            return scoring_table(paths, answer_originals(predictor, images, num_workers=data.num_workers))

        return answer


def _prediction_table(predictions: Sequence[Prediction]) -> Any:
    return make_table(
        {
            "path": [as_text(row.source) for row in predictions],
            "status": [row.status for row in predictions],
            "reason": [row.reason for row in predictions],
            "class": [row.class_name for row in predictions],
            "probability": [row.probability for row in predictions],
            "top_classes": [[name for name, _ in row.top] for row in predictions],
            "top_probabilities": [[share for _, share in row.top] for row in predictions],
        }
    )


def scoring_table(paths: Sequence[str], rows: AnsweredRows) -> Any:
    """Rows as a table; ``probabilities`` are in the order of the classifier's classes."""
    return make_table(
        {
            "path": [as_text(path) for path in paths],
            "reason": rows.reasons.tolist(),
            "sha256": [value.tobytes() for value in rows.sha256],
            "digest": rows.digests,
            "aspect_ratio": rows.aspect_ratios,
            "probabilities": list(rows.probabilities),
        }
    )


def rows_of(tables: Sequence[Any], paths: Sequence[str]) -> AnsweredRows:
    """The rows of :func:`scoring_table` for some paths, in their order."""
    position: dict[str, int] = {}
    for table in tables:
        for path in table.column("path").to_pylist():
            position[path] = len(position)
    return joined([_rows(table) for table in tables]).select(np.array([position[as_text(path)] for path in paths]))


def _rows(table: Any) -> AnsweredRows:
    columns = {name: table.column(name).combine_chunks() for name in table.column_names}
    flat = columns["probabilities"].flatten().to_numpy(zero_copy_only=False)
    return AnsweredRows(
        np.array(columns["reason"].to_pylist(), object),
        np.array(columns["sha256"].to_pylist(), SHA256),
        columns["digest"].to_numpy(zero_copy_only=False),
        columns["aspect_ratio"].to_numpy(zero_copy_only=False),
        flat.reshape(len(table), -1),
    )
