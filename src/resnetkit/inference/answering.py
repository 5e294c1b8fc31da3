"""Predictors said in plain values, to be opened where they are to compute, and their rows as tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from resnetkit.classifier.demanding import demanding
from resnetkit.classifier.description import Description
from resnetkit.classifier.engine import Engine
from resnetkit.classifier.prediction import BATCH_SIZE, Prediction, Predictor
from resnetkit.config import to_dict
from resnetkit.data.prepared_images import FolderImages
from resnetkit.errors import Code, require
from resnetkit.evaluation.sharing import SHA256, AnsweredRows, answer_originals
from resnetkit.images.image_rows import state_of
from resnetkit.images.prepared_pixels import prepare_seen
from resnetkit.images.spec import Limits
from resnetkit.inference.conditions import Conditions, find_conditions
from resnetkit.inference.engine_choice import open_engine
from resnetkit.inference.on_demand import EngineOnDemand
from resnetkit.inference.row_folder import as_text, make_table
from resnetkit.machine.precision import UsePrecision
from resnetkit.recipes.demands import NO_DEMANDS, Demands
from resnetkit.sources.described import digest_of, open_described
from resnetkit.terminal import tell

if TYPE_CHECKING:
    from resnetkit.classifier.classifier import Classifier

# Gives a table for some paths: a row each.
Answer = Callable[[Sequence[str]], Any]


@dataclass(frozen=True)
class Opening:
    """Arguments that open a predictor on any machine that sees the same files.

    Attributes:
        source: the text of a user, whole where it is a path; e.g. of a run folder.
        digest: of what that is, by :func:`digest_of`; anything else is refused.
        limits: within which images are read.
        calibrate: for int8, a folder of images, from the root on; None: the run's own training images.
        reading: how third-party weights are read, as :func:`~resnetkit.sources.described.open_described` takes it.
        demands: on its answers, in place of the thresholds in its file.
    """

    source: str
    digest: str
    limits: Limits
    reading: Mapping[str, Any] = field(default_factory=dict)
    engine: str = "auto"
    precision: UsePrecision = "fp32"
    batch_size: int = BATCH_SIZE
    device: str = "auto"
    calibrate: str | None = None
    demands: Demands = NO_DEMANDS

    def about(self) -> dict[str, Any]:
        """All that its answers depend on, JSON-ready: that is, not where or how fast they are computed."""
        about = {"classifier": self.digest, "precision": self.precision, "limits": to_dict(self.limits)}
        if self.calibrate is not None:
            about["calibrate"] = as_text(self.calibrate)
        return {**about, "demands": to_dict(self.demands)} if self.demands else about

    def open(self) -> Predictor:
        """Open it here, silently."""
        conditions = find_conditions(
            self.engine,
            precision=self.precision,
            calibrate=self.calibrate,
            batch_size=self.batch_size,
            device=self.device,
        )
        opened = demanding(open_described(self.source, device=conditions.device, **self.reading), self.demands)
        return self.predictor(opened, conditions, tell=lambda _: None)

    def predictor(
        self, opened: Classifier | Description, conditions: Conditions, *, tell: Callable[[str], None] = tell
    ) -> Predictor:
        """The predictor of what was opened already; its engine opens when there is something to compute."""

        def open_the_same() -> Engine:
            engine = open_engine(opened, conditions, tell=tell)
            # Last, because the file's tensors may have been read only now.
            require(
                digest_of(opened) == self.digest,
                f"{self.source} has changed since these rows were begun",
                why="they would come from two classifiers",
                fix="give another --out; or put the file back, and run the command again",
                code=Code.WEIGHTS,
            )
            return engine

        return replace(Predictor.of(opened, EngineOnDemand(open_the_same)), limits=self.limits)


@dataclass(frozen=True)
class Predicting:
    """Classify image files, by their whole paths: a row with the ``top`` most probable classes."""

    opening: Opening
    top: int
    root: ClassVar[str] = "/"

    def about(self) -> dict[str, Any]:
        """All that a row depends on, beside its image."""
        return {"command": "predict", "top": self.top, **self.opening.about()}

    def answer_with(self, predictor: Predictor) -> Answer:
        """Tables by a predictor that was opened."""

        def answer(paths: Sequence[str]) -> Any:
            known = _paths_and_states(paths, self.root)
            table = _prediction_table(known, predictor.predict(list(paths), top=self.top))
            return table if predictor.decision.sets is not None else table.drop_columns(["set"])

        return answer


@dataclass(frozen=True)
class Scoring:
    """Answer for the images of a folder with all that scores need.

    Attributes:
        root: the folder, from the root on; paths are relative to it.
        num_workers: how many threads decode.
    """

    opening: Opening
    root: str
    num_workers: int = 2

    def about(self) -> dict[str, Any]:
        """All that a row depends on, beside its image."""
        return {"command": "evaluate", "data": as_text(self.root), **self.opening.about()}

    def answer_with(self, predictor: Predictor) -> Answer:
        """Tables by a predictor that was opened."""

        def answer(paths: Sequence[str]) -> Any:
            known = _paths_and_states(paths, self.root)
            images = FolderImages(self.root, paths, predictor.limits, prepare_seen, predictor.preprocessing)
            return _scoring_table(known, answer_originals(predictor, images, num_workers=self.num_workers))

        return answer


def _paths_and_states(paths: Sequence[str], root: str) -> dict[str, Any]:
    """Columns by which a row is known, and known to hold; to be asked for before the images are read."""
    states = [state_of(os.path.join(root, path)) for path in paths]
    return {
        "path": [as_text(path) for path in paths],
        "bytes": [size for size, _ in states],
        "changed_ns": [changed_ns for _, changed_ns in states],
    }


def _prediction_table(known: dict[str, Any], predictions: Sequence[Prediction]) -> Any:
    # Types are named where there may be no value in all rows of a part.
    return make_table(
        {
            **known,
            "status": [row.status for row in predictions],
            "reason": [row.reason for row in predictions],
            "note": [row.note for row in predictions],
            "class": [row.class_name for row in predictions],
            "probability": [row.probability for row in predictions],
            "top_classes": [[name for name, _ in row.top] for row in predictions],
            "top_probabilities": [[share for _, share in row.top] for row in predictions],
            "set": [None if row.classes is None else list(row.classes) for row in predictions],
        },
        {"class": "", "probability": 0.0, "top_classes": [""], "top_probabilities": [0.0], "set": [""]},
    )


def _scoring_table(known: dict[str, Any], rows: AnsweredRows) -> Any:
    """Rows as a table; ``probabilities`` are in the order of the classifier's classes."""
    return make_table(
        {
            **known,
            "reason": rows.reasons.tolist(),
            "sha256": [value.tobytes() for value in rows.sha256],
            "digest": rows.digests,
            "aspect_ratio": rows.aspect_ratios,
            "probabilities": list(rows.probabilities),
            "familiarity": rows.familiarity,
        }
    )


def rows_of(tables: Iterable[Any], paths: Sequence[str], num_classes: int) -> AnsweredRows:
    """The rows of some paths, in their order, from the tables of :class:`Scoring`; one table is held at a time.

    Every path has a row in them; rows of other paths are passed over.
    """
    places: dict[str, int] = {}
    of_paths = np.array([places.setdefault(as_text(path), len(places)) for path in paths], np.int64)
    found = AnsweredRows.empty(len(places), num_classes)
    for table in tables:
        in_table = [row for row, path in enumerate(table.column("path").to_pylist()) if path in places]
        wanted = table.take(np.array(in_table, np.int64))
        at = [places[path] for path in wanted.column("path").to_pylist()]
        for name, values in _columns(wanted, num_classes).items():
            getattr(found, name)[at] = values
    return found if len(places) == len(paths) else found.select(of_paths)


def _columns(table: Any, num_classes: int) -> dict[str, Any]:
    """Columns of rows by name; rows of earlier versions have no familiarity."""
    columns = {name: table.column(name).combine_chunks() for name in table.column_names}
    familiar = (
        {"familiarity": columns["familiarity"].to_numpy(zero_copy_only=False)} if "familiarity" in columns else {}
    )
    return {
        **familiar,
        "reasons": np.array(columns["reason"].to_pylist(), object),
        "sha256": np.array(columns["sha256"].to_pylist(), SHA256),
        "digests": columns["digest"].to_numpy(zero_copy_only=False),
        "aspect_ratios": columns["aspect_ratio"].to_numpy(zero_copy_only=False),
        "probabilities": columns["probabilities"].flatten().to_numpy(zero_copy_only=False).reshape(-1, num_classes),
    }
