"""Answers of a page for its proof: from a browser, or where there is none from its model by ONNX Runtime."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from resnetkit.classifier.decision import Decision, familiarity
from resnetkit.config import from_dict, to_dict
from resnetkit.exporting.browser import find_browser
from resnetkit.exporting.decided_alike import Statuses
from resnetkit.exporting.exported_answers import ExportedAnswers
from resnetkit.exporting.targets import Target
from resnetkit.exporting.web_page import MODEL_FILE
from resnetkit.exporting.web_proof import PageAnswer, answer_in_browser
from resnetkit.graphs.runtimes import import_onnxruntime
from resnetkit.images.decoding import decode_for_use
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.images.types import UnreadableImage

SETTINGS = tuple(to_dict(Preprocessing(1, 1)))
DECISION = tuple(to_dict(Decision()))
UNPROVED = (
    "by its model alone, in ONNX Runtime and with images that Python decoded: the page itself is not proved, because "
    "no browser was found to open it in"
)


def answer_by_page(target: Target, folder: Path, paths: Sequence[str], silence_seconds: float) -> ExportedAnswers:
    """The answers of the page in ``folder``, in a browser of this machine if there is one.

    Raises:
        ResnetkitError: where the page gives none.
    """
    browser = find_browser()
    if browser is None:
        return _gathered(_answers_of_model(folder, paths), UNPROVED, _versions())
    where, answers = answer_in_browser(
        folder, [Path(path) for path in paths], browser, patience_seconds=silence_seconds
    )
    threads = f"{where.threads} thread{'s' if where.threads > 1 else ''}"
    told = f"by its page, opened in a browser of this machine, on {threads}: from the file to the answer"
    return _gathered(answers, told, {"browser": where.browser, "onnxruntime-web": where.runtime})


def _gathered(answers: Sequence[PageAnswer], told: str, versions: dict[str, str]) -> ExportedAnswers:
    positions = [position for position, answer in enumerate(answers) if not answer.refused]
    return ExportedAnswers(
        np.array(positions, np.int64),
        np.array([answers[position].logits for position in positions], np.float32),
        np.array([answers[position].probabilities for position in positions], np.float32),
        _statuses([answers[position] for position in positions]),
        {str(position): answer.refused for position, answer in enumerate(answers) if answer.refused},
        versions,
        told,
    )


def _statuses(answers: Sequence[PageAnswer]) -> Statuses:
    sets = [
        np.isin(np.arange(len(answer.probabilities)), answer.in_set) for answer in answers if answer.in_set is not None
    ]
    return Statuses([answer.status for answer in answers], np.array(sets, np.bool_) if sets else None)


def _versions() -> dict[str, str]:
    return {"onnxruntime": import_onnxruntime().__version__}


def _answers_of_model(folder: Path, paths: Sequence[str]) -> list[PageAnswer]:
    session = import_onnxruntime().InferenceSession(folder / MODEL_FILE, providers=["CPUExecutionProvider"])
    described = json.loads((folder / "classifier.json").read_text(encoding="utf-8"))
    own = {name: described["preprocessing"][name] for name in SETTINGS}
    wanted, limits = from_dict(Preprocessing, own), from_dict(Limits, described["limits"])
    decision = from_dict(Decision, {name: described["decision"][name] for name in DECISION})

    def answer(path: str) -> PageAnswer:
        try:
            image = np.asarray(decode_for_use(path, limits, wanted).image)
        except UnreadableImage as error:
            return PageAnswer(np.empty(0, np.float32), np.empty((0, 0), np.float32), refused=str(error))
        given = {"image": image.reshape(*image.shape[:2], wanted.channels)}
        probabilities, logits = session.run(["probabilities", "logits"], given)
        decided = decision.judge(probabilities, familiarity(logits))
        in_set = None if decided.in_set is None else tuple(np.flatnonzero(decided.in_set[0]).tolist())
        return PageAnswer(probabilities[0], logits[0], decided.statuses[0], in_set)

    return [answer(path) for path in paths]
