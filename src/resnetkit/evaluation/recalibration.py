"""A classifier's decision fitted anew, to labelled images that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from resnetkit.classifier.decision import Decision, familiarity
from resnetkit.classifier.prediction import Predictor
from resnetkit.classifier.yardstick import Yardstick
from resnetkit.data.source import DataSource
from resnetkit.errors import Code, require
from resnetkit.evaluation.answers import join_answers
from resnetkit.evaluation.calibration import Calibrated, measure_calibration
from resnetkit.evaluation.fitted_decision import fit_decision
from resnetkit.evaluation.scoring import as_answers, load_to_score, read_logits
from resnetkit.recipes.demands import Demands


@dataclass(frozen=True)
class Recalibrated:
    """A decision that was fitted, and what it changes.

    Attributes:
        split: which images it was fitted to.
        calibration: of the classifier as it was, and with this decision, on these very images.
        warnings: sentences the user should read.
    """

    decision: Decision
    yardstick: Yardstick
    split: str
    calibration: Calibrated
    warnings: tuple[str, ...] = ()


def recalibrate(
    predictor: Predictor,
    source: DataSource,
    demands: Demands,
    *,
    split: str | None = None,
    num_recorded: int | None = None,
    progress: bool = False,
) -> Recalibrated:
    """Fit temperature and thresholds to the images of some data.

    A threshold that the classifier has is set anew for what it was set for, unless something else is demanded.

    Args:
        split: ``train``, ``val``, ``test`` or ``all``; None: ``val``, or all of data without splits.
        num_recorded: as :func:`~resnetkit.evaluation.scoring.evaluate` takes it.

    Raises:
        ResnetkitError: for images that the weights were trained on, for too few of them for a demand, and where
            :func:`~resnetkit.evaluation.scoring.evaluate` raises one.
    """
    sizes = source.split_sizes
    asked = split or ("val" if "val" in sizes else "all")
    require(
        split is not None or asked == "val" or len(sizes) == 1,
        f"{source.name} has {' and '.join(sizes)}, and no val: which images is the decision to be fitted to?",
        fix="name those that the weights were not trained on: --split test; no others can then judge it",
    )
    _, loaded, _ = load_to_score(predictor, source, split=asked, num_recorded=num_recorded, progress=progress)
    read = [read_logits(predictor.engine, one) for one in loaded.splits.values()]
    parts = [
        as_answers(predictor, one, loaded.class_names, predictor.decision.probabilities(logits), familiarity(logits))
        for one, logits in zip(loaded.splits.values(), read, strict=True)
    ]
    answers, logits = join_answers(asked, parts), np.concatenate(read)
    num_old = int(answers.trained_on.sum())
    require(
        num_old == 0,
        f"the weights were trained on {num_old:,} of these {len(answers):,} images",
        why="on those it is surer than on any others, so that no temperature or threshold set by them would hold",
        fix="give images that it has not seen",
        code=Code.DATA,
    )
    images = f"{asked} of {source.name}"
    fitted = fit_decision(logits, answers.labels, answers.digests, images)
    decision = fitted.yardstick.decision(fitted.temperature, _renewed(demands, predictor.decision))
    after = measure_calibration(decision.probabilities(logits), answers.labels)
    before = measure_calibration(answers.probabilities, answers.labels)
    return Recalibrated(decision, fitted.yardstick, asked, Calibrated(before, after), loaded.warnings)


def _renewed(demands: Demands, own: Decision) -> Demands:
    """The demands, and where there is none, that which the decision was made for."""
    keeps_sets = demands.coverage is None and own.sets is not None
    return Demands(
        own.unknown.rate if demands.unknown_at is None and own.unknown else demands.unknown_at,
        own.sets.coverage if keeps_sets and own.sets else demands.coverage,
        own.sets.rule if keeps_sets and own.sets else demands.set_rule,
        own.sure.precision if demands.precision_at is None and own.sure else demands.precision_at,
    )
