"""Exports a classifier: a folder that stands alone, there whole and proved, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnetkit.classifier.decision import ROUNDING, Decision
from resnetkit.config import to_dict
from resnetkit.errors import Code, ResnetkitError
from resnetkit.exporting.page import render_proof
from resnetkit.exporting.proof import Asked, Proof
from resnetkit.exporting.proof_images import ProofImages
from resnetkit.exporting.proving import prove
from resnetkit.exporting.subject import Subject
from resnetkit.exporting.targets import Target
from resnetkit.files import check_new_folder, durable_folder, sha256_of
from resnetkit.images.preprocessing import LONGEST_SIDE_RATIO
from resnetkit.images.spec import Preprocessing
from resnetkit.machine.runtime import environment
from resnetkit.pages.templates import fill_template

FORMAT = "resnetkit export 1"
PLACE = "exports"
CLASSIFIER_FILE, PREDICT_FILE, README_FILE = "classifier.json", "predict.py", "README.md"
PROOF_FILE, PROOF_PAGE = "proof.json", "proof.html"


@dataclass(frozen=True)
class Exported:
    """A folder as it was exported, with its files' sizes by name."""

    folder: Path
    num_bytes: dict[str, int]
    proof: Proof


def export(
    subject: Subject,
    target: Target,
    images: ProofImages,
    out: Path,
    *,
    max_loss: float,
    moved: Callable[[int], None] = lambda more: None,
) -> Exported:
    """Export a classifier into a new folder.

    Args:
        images: what the export is proved on.
        max_loss: points of top-1 that a precision other than float32 may lose.
        moved: called with how many images more have been answered for the proof.

    Raises:
        ResnetkitError: where the folder is there, the network has no such form, or the export does not answer as its
            classifier does; nothing is left behind.
    """
    check_new_folder(out)
    with _parent_of(out), durable_folder(out) as folder:
        target.write(subject, folder)
        if target.runtime is not None:
            script = predict_script(target, subject.classifier.preprocessing, subject.classifier.decision)
            (folder / PREDICT_FILE).write_text(script, encoding="utf-8")
        _write_json(folder / CLASSIFIER_FILE, _describe(subject, target, folder))
        asked = Asked(target.name, subject.precision, max_loss)
        proof = prove(folder, subject.classifier, images, asked, target=target, moved=moved)
        if not proof.holds:
            raise _refusal(proof)
        _write_json(folder / PROOF_FILE, {**to_dict(proof), CLASSIFIER_FILE: sha256_of(folder / CLASSIFIER_FILE)})
        (folder / PROOF_PAGE).write_text(render_proof(proof, subject.name, target), encoding="utf-8")
        (folder / README_FILE).write_text(target.write_readme(subject, proof), encoding="utf-8")
    return Exported(out, {name: file.stat().st_size for name, file in _files_in(out).items()}, proof)


def predict_script(target: Target, preprocessing: Preprocessing, decision: Decision) -> str:
    """The text of an export's ``predict.py``: no more than its classifier needs."""
    return (
        fill_template(
            "exporting/predict.py.jinja",
            runtime=target.runtime,
            needs=target.needs,
            resizes=target.resizes(preprocessing),
            preprocessing=preprocessing,
            decision=decision,
            longest_side_ratio=LONGEST_SIDE_RATIO,
        )
        + "\n"
    )


def _describe(subject: Subject, target: Target, folder: Path) -> dict[str, Any]:
    """All that ``classifier.json`` says."""
    classifier, machine = subject.classifier, environment()
    preprocessing = classifier.preprocessing
    own = {"fill": preprocessing.fill, "least_decoded_px": preprocessing.least_decoded_px}
    in_model = ["channel_order", "mean", "std", "average_mirrored"]
    if target.resizes(preprocessing):
        in_model += ["fit", "resize_px", "image_size_px", "interpolation"]
    return {
        "format": FORMAT,
        "name": subject.name,
        "target": target.name,
        "precision": subject.precision,
        "class_names": classifier.class_names,
        "preprocessing": {**to_dict(preprocessing), **own},
        "decision": {**to_dict(classifier.decision), "rounding": ROUNDING},
        "in_model": [*in_model, "decision.temperature"],
        "limits": to_dict(classifier.limits),
        "files": {
            name: {"sha256": sha256_of(file), "bytes": file.stat().st_size} for name, file in _files_in(folder).items()
        },
        "classifier_sha256": hashlib.sha256(classifier.to_bytes()).hexdigest(),
        "versions": {name: machine[name] for name in ("resnetkit", "torch", "numpy", "pillow", "python")},
        "provenance": classifier.provenance,
    }


def _files_in(folder: Path) -> dict[str, Path]:
    """The files in a folder and those below it, by their paths in it."""
    return {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}


def _refusal(proof: Proof) -> ResnetkitError:
    changes = "; ".join(
        f"{one.image} is {one.exported_answer} ({one.exported_probability:.3f}), not {one.answer} "
        f"({one.probability:.3f})"
        for one in proof.changes[:3]
    )
    if proof.precision == "fp32":
        fix = "this is a fault of the runtime here, or of ours: please report it"
    elif proof.num_labelled:
        fix = "--precision fp32, a larger --max-loss, or more labelled images: --images FOLDER"
    else:
        fix = "--precision fp32, or images whose classes are known, in folders called like them: --images FOLDER"
    return ResnetkitError(
        Code.CHECK_FAILED,
        f"the export to {proof.target} in {proof.precision} does not answer as the classifier does: nothing is written",
        why="; ".join([*proof.failures, *([changes] if changes else [])]) + f" ({proof.images})",
        fix=fix,
    )


@contextmanager
def _parent_of(out: Path) -> Iterator[None]:
    """Folders above a new one, made within the block, that are gone again where it is not made."""
    missing = [above for above in out.parents if not above.exists()]
    try:
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):
                os.rmdir(folder)
        raise


def _write_json(path: Path, values: Any) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
