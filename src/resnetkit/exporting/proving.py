"""Proves an export: re-opened in its own runtime, in a fresh process, it answers as its classifier does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.decision import Logits, Probabilities
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.exporting.decided_alike import Statuses
from resnetkit.exporting.exported_answers import ExportedAnswers
from resnetkit.exporting.proof import Answered, Asked, Proof, Refused, compare
from resnetkit.exporting.proof_images import ProofImages
from resnetkit.exporting.targets import Target
from resnetkit.images.prepared_inputs import iter_prepared
from resnetkit.images.types import Indices
from resnetkit.inference.deadline import problem_of
from resnetkit.inference.torch_engines import open_plain

RUNNER = Path(__file__).with_name("runner.py")
BY_SCRIPT = (
    "in a process of its own, where resnetkit could not be imported, by its own predict.py: from the file to the answer"
)
BATCH_SIZE = 32
SILENCE_SECONDS = 120.0  # without another answer; opening a model takes seconds, on a busy machine longer
ABSENT = ("resnetkit", "torch", "onnx", "safetensors", "pydantic", "scipy", "sklearn")
"""Packages that we need, and no export may import, but for its own runtime."""


def prove(
    folder: Path,
    classifier: Classifier,
    images: ProofImages,
    asked: Asked,
    *,
    target: Target,
    silence_seconds: float = SILENCE_SECONDS,
    moved: Callable[[int], None] = lambda more: None,
) -> Proof:
    """Have the export in ``folder`` and its classifier answer for images, compare them, and judge.

    Args:
        target: says how the export is asked.
        silence_seconds: how long it may take for one image.
        moved: called with how many images more have been answered.

    Raises:
        ResnetkitError: where the export does not run, or there is no image that both can read.
    """
    own = _answer(classifier, images, moved)
    theirs = target.answer(folder, [images.paths[position] for position in own.positions], silence_seconds)
    names = [images.names[position] for position in own.positions]
    refused = [Refused(names[int(position)], reason) for position, reason in theirs.refused.items()]
    rows = theirs.positions
    require(
        len(rows) > 0,
        f"none of the {len(images):,} images can be used to prove the export",
        why=f"{refused[0].image} {refused[0].reason}" if refused else own.problem,
        fix="give others: --images FOLDER",
        code=Code.DATA,
    )
    answered = Answered(
        [names[row] for row in rows],
        images.labels[own.positions[rows]],
        own.logits[rows],
        theirs.logits,
        own.probabilities[rows],
        theirs.probabilities,
        classifier.decision,
        theirs.statuses,
    )
    return compare(
        answered,
        asked,
        classifier.class_names,
        images=images.told,
        num_unreadable=len(images) - len(own.positions),
        refused=refused,
        versions=theirs.versions,
        answered_by=theirs.told,
    )


@dataclass(frozen=True)
class _Own:
    """Answers of the classifier's network as it is, for the images at ``positions``; a problem of another."""

    positions: Indices
    logits: Logits
    probabilities: Probabilities
    problem: str


def _answer(classifier: Classifier, images: ProofImages, moved: Callable[[int], None]) -> _Own:
    engine, problem = open_plain(classifier, batch_size=BATCH_SIZE), ""
    positions: list[int] = []
    logits: list[Logits] = []
    start = 0
    for batch in iter_prepared(images.paths, classifier.preprocessing, classifier.limits, batch_size=BATCH_SIZE):
        readable = [number for number, image in enumerate(batch) if image.pixels is not None]
        if readable:
            logits.append(engine.logits(np.stack([image.pixels for image in batch if image.pixels is not None])))
        problem = next((f"{image.source} {image.problem}" for image in batch if image.pixels is None), problem)
        positions += [start + number for number in readable]
        start += len(batch)
        moved(len(batch))
    found = np.concatenate(logits) if logits else np.empty((0, 1, len(classifier.class_names)), np.float32)
    return _Own(np.array(positions, np.int64), found, classifier.decision.probabilities(found), problem)


def answer_by_script(target: Target, folder: Path, paths: Sequence[str], silence_seconds: float) -> ExportedAnswers:
    """The answers of the ``predict.py`` in ``folder``, in a process where nothing of ours can be imported.

    Raises:
        ResnetkitError: where it does not run, or is silent for too long.
    """
    with tempfile.TemporaryDirectory(prefix="resnetkit-") as place:
        request, answers, told, errors = (Path(place, name) for name in ("asked.json", "answers.npz", "told", "errors"))
        absent = [package for package in ABSENT if package != target.needs]
        whole = [os.path.abspath(path) for path in paths]
        request.write_text(json.dumps({"paths": whole, "absent": absent}))
        with told.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                # -I: neither the environment nor the script's folder says where modules are. -B: none are kept.
                [sys.executable, "-I", "-B", str(RUNNER), str(folder), str(request), str(answers)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
            try:
                _wait(process, told, silence_seconds)
            finally:  # also after Ctrl-C
                process.kill()
                process.wait()
        if process.returncode or not answers.is_file():
            why = problem_of(process.returncode, errors.read_text(errors="replace"))
            raise ResnetkitError(Code.CHECK_FAILED, f"the export does not run with {target.needs}", why=why)
        with np.load(answers, allow_pickle=False) as arrays:
            said = json.loads(arrays["said"].tobytes())
            return ExportedAnswers(
                arrays["positions"],
                arrays["logits"],
                arrays["probabilities"],
                Statuses(arrays["statuses"].tolist(), arrays["in_set"] if said["makes_sets"] else None),
                said["refused"],
                said["versions"],
                BY_SCRIPT,
            )


def _wait(process: subprocess.Popen[bytes], told: Path, silence_seconds: float) -> None:
    """Wait for a process that tells of each answer.

    Raises:
        ResnetkitError: where it has not told of any for too long.
    """
    size, since = 0, time.monotonic()
    while True:
        try:
            process.wait(0.1)
            return
        except subprocess.TimeoutExpired:
            now, grown = time.monotonic(), told.stat().st_size
            if grown > size:
                size, since = grown, now
            elif now - since > silence_seconds:
                what = f"the export has not answered for {silence_seconds:g} s"
                raise ResnetkitError(Code.CHECK_FAILED, what, why="it hangs, or the machine is too busy") from None
