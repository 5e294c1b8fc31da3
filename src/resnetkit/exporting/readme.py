"""The README of an export, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from resnetkit.classifier.decision import Decision
from resnetkit.classifier.decision_words import iter_facts
from resnetkit.exporting.proof import Proof
from resnetkit.exporting.subject import Subject
from resnetkit.exporting.targets import Target
from resnetkit.terminal import shown


def write_readme(subject: Subject, target: Target, proof: Proof) -> str:
    """The text: three commands, how to call the model, what it does by itself, how it was proved."""
    return (
        "\n".join(
            [
                *titled(subject, target),
                *_commands(target),
                *thresholds(subject.classifier.decision, "`decide` in `predict.py`"),
                *_model(subject, target),
                *proof_told(target, proof),
            ]
        )
        + "\n"
    )


def titled(subject: Subject, target: Target) -> Iterator[str]:
    """The beginning of any README."""
    yield f"# {_words(subject.name)} for {target.title}"
    yield ""
    count = len(subject.classifier.class_names)
    yield f"A residual network that tells {count:,} classes apart, in {subject.precision}, exported by resnetkit."


def _commands(target: Target) -> Iterator[str]:
    yield "The folder stands alone: neither resnetkit nor the training's libraries are needed to use it."
    yield ""
    yield "```"
    yield f"pip install numpy pillow {target.needs}"
    yield "python predict.py photo.jpg"
    yield "python predict.py a-folder-of-photos/"
    yield "```"
    yield ""
    yield "Each file gets a line: its class, the probability, and the best five. A file that cannot be read gets the"
    yield "reason, and the exit code is then 1."


def thresholds(decision: Decision, where: str) -> Iterator[str]:
    """A paragraph on what thresholds make of answers; nothing where there are none.

    Args:
        where: what applies them.
    """
    if not decision.has_thresholds:
        return
    yield ""
    yield f"Thresholds in `classifier.json` are no part of the model: {where} applies them."
    yield ""
    for heading, told in iter_facts(replace(decision, temperature=1)):
        yield f"- {heading}: {told}"


def _model(subject: Subject, target: Target) -> Iterator[str]:
    preprocessing = subject.classifier.preprocessing
    size, channels = preprocessing.image_size_px, preprocessing.channels
    num_views = 2 if preprocessing.average_mirrored else 1
    yield ""
    yield "## The model"
    yield ""
    for line in target.usage.strip().splitlines():
        yield f"    {line}"
    yield ""
    if target.resizes(preprocessing):
        yield f"- `image`: one decoded image, uint8 `(H, W, {channels})` of any size, upright"
    yield f"- `pixels`: prepared images, uint8 `(N, {channels}, {size}, {size})`, any number of them"
    yield f"- `probabilities`: float32 `(N, {len(subject.classifier.class_names)})`; the classes' names are in"
    yield "  `classifier.json`"
    yield f"- `logits`: float32 `(N, {num_views}, {len(subject.classifier.class_names)})`" + (
        ", of the image and its mirror image" if num_views == 2 else ""
    )
    yield ""
    done = "Normalisation, the order of channels and the temperature are in the model"
    if target.resizes(preprocessing):
        yield f"{done}, and so are resizing and cutting where it is given an `image`."
    else:
        yield f"{done}; resizing and cutting are done by `prepare` in `predict.py`, with Pillow."
        yield target.why_outside
    if preprocessing.jpeg_scaling == "reduced":
        yield "Large JPEGs are to be shrunk while they are decoded, as `read_image` in `predict.py` does."


def proof_told(target: Target, proof: Proof) -> Iterator[str]:
    """The end of any README: the proof."""
    yield ""
    yield "## How it was proved"
    yield ""
    yield f"On {_words(proof.images)} it answered"
    yield f"{proof.answered_by}."
    yield ""
    yield f"{proof.num_changed:,} of {proof.num_images:,} answers changed, the largest difference of a probability is"
    yield f"{proof.max_difference:.2g}. `proof.html` says more."
    if proof.decided is not None:
        yield f"{proof.decided.num_other:,} images have another status or set of classes than the classifier gives."
    if proof.refused:
        yield f"{target.reader} refused {len(proof.refused):,} of the images, which the classifier itself reads."


def _words(text: str) -> str:
    """A name as Markdown that stays one."""
    return shown(text).replace("\\", "\\\\").replace("`", "\\`").replace("*", "\\*").replace("<", "&lt;")
