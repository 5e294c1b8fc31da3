"""The model card of a run: its README.md on the hub, for people and, above them, for the hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from resnetkit.anatomy.table import describe
from resnetkit.classifier.decision_words import iter_facts
from resnetkit.classifier.description import Description
from resnetkit.config import to_dict
from resnetkit.evaluation import decision_score_words
from resnetkit.pages.formatting import counted, duration, flatten, plain_percent
from resnetkit.publishing.front_matter import front_matter, say_interval, say_range
from resnetkit.publishing.subject import Subject
from resnetkit.runs.result import warnings_about_recall
from resnetkit.sources.hub import NAME, SCHEME
from resnetkit.sources.weights import say_preprocessing
from resnetkit.terminal import shown

MOST_CLASSES = 100
OF_THE_MACHINE = ("data.source", "runtime.", "checkpoint_seconds")  # settings of no interest elsewhere


def model_card(subject: Subject) -> str:
    """The card, in Markdown; no path of this machine is in it."""
    sections = [*front_matter(subject), "", *_title(subject), *_scores(subject), *_classes(subject), *_data(subject),
                *_images(subject), *_training(subject), *_limits(subject), *_use(subject)]  # fmt: skip
    return "\n".join(sections) + "\n"


def _title(subject: Subject) -> Iterator[str]:
    recipe = subject.record.recipe
    parameters = describe(recipe.model, recipe.preprocessing.image_size_px).parameters
    yield f"# {_words(subject.repo.partition('/')[2])}"
    yield ""
    yield (
        f"A residual network ({_words(recipe.model_name)}, {parameters:,} parameters) that tells "
        f"{len(subject.description.class_names):,} classes of {_words(subject.data_name)} apart, "
        "trained with resnetkit."
    )


def _scores(subject: Subject) -> Iterator[str]:
    yield from _heading("Scores")
    if not subject.result.scores:
        yield "None: no images were held back to score it."
        return
    yield "| split | top-1 | top-5 | macro F1 | log loss | calibration error |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for split, one in subject.result.scores.items():
        yield (
            f"| {split} | {one.top1} | {one.top5 or ''} | {one.macro_f1:.4f} | {one.log_loss:.4f} | "
            f"{one.expected_calibration_error:.4f} |"
        )
    yield ""
    did = "chose the epoch, too" if subject.result.val_chose else "were watched in training, and chose nothing of it"
    told = {"test": "The test images were read once, after training.", "val": f"Validation images {did}."}
    yield " ".join(text for split, text in told.items() if split in subject.result.scores)
    if subject.result.decided is not None:
        yield ""
        for heading, words in decision_score_words.iter_facts(subject.result.decided):
            yield f"- {heading.strip().capitalize()}: {_words(words)}"


def _classes(subject: Subject) -> Iterator[str]:
    names, judged = subject.description.class_names, subject.result.judged_split
    yield from _heading("Classes")
    if judged is None or len(names) > MOST_CLASSES:
        yield _listed(names)
        return
    yield f"| class | {judged} images | found (95 % interval) | right where it is the answer |"
    yield "| --- | --- | --- | --- |"
    for one in subject.result.scores[judged].classes:
        found = "" if one.recall is None else f"{_percent(one.recall)} ({say_range(one.recall_low, one.recall_high)})"
        right = "" if one.precision is None else _percent(one.precision)
        yield f"| {_words(one.name)} | {one.num_images:,} | {found} | {right} |"


def _data(subject: Subject) -> Iterator[str]:
    data, is_lazy = subject.record.data, subject.record.recipe.data.check == "lazy"
    yield from _heading("Data")
    counts = ", ".join(f"{count:,} {name}" for name, count in data.num_images.items())
    yield f"{_words(subject.data_name)}: {counts} images."
    marked = "names and classes" if is_lazy else "names, classes and contents as they are stored"
    yield f"SHA-256 over their {marked}: `{data.fingerprint}`."
    if data.bad_images:
        yield f"{len(data.bad_images):,} files that could not be read were left out."
    yield ""
    yield (
        "No image is in this repository. The classifier's file holds digests of those that it has met, by which "
        "resnetkit keeps them out of later scores."
    )


def _images(subject: Subject) -> Iterator[str]:
    yield from _heading("How images are prepared")
    preprocessing = subject.description.preprocessing
    yield f"{say_preprocessing(preprocessing)}; interpolation {preprocessing.interpolation}."
    if preprocessing.average_mirrored:
        yield "The answer is the mean of those for the image and for its mirror image."


def _training(subject: Subject) -> Iterator[str]:
    recipe, environment = subject.record.recipe, subject.record.environment
    tuning = recipe.fine_tuning
    weights = tuning.weights and (tuning.weights if NAME.fullmatch(tuning.weights) else Path(tuning.weights).name)
    start = f"the weights of {_words(weights)}" if weights else "fresh weights"
    yield from _heading("How it was trained")
    versions = [f"{name} {environment[name]}" for name in ("resnetkit", "torch") if environment.get(name)]
    yield (
        f"From {start}, recipe {_words(recipe.name)}, {_say_epochs(subject)}, batches of {recipe.batch_size:,}, "
        f"seed {recipe.seed}; {duration(subject.result.seconds)}{''.join(f', {version}' for version in versions)}."
    )
    yield ""
    yield "<details><summary>The whole recipe</summary>"
    yield ""
    yield "| field | value |"
    yield "| --- | --- |"
    for path, value in flatten(to_dict(recipe)):
        if not path.startswith(OF_THE_MACHINE) and not re.search(r"[/\\]", value):  # of places nothing is told
            yield f"| {_words(path)} | {_words(value)} |"
    yield ""
    yield "</details>"


def _say_epochs(subject: Subject) -> str:
    """The epochs that ran, which an early stop makes fewer than were planned, and which of them is kept."""
    planned, made = subject.record.recipe.epochs, subject.description.provenance
    ran = made.get("epochs", planned)  # those of earlier versions may lack it
    kept = made.get("kept_epoch", ran)
    stopped = f" of {planned:,}, where validation stopped it" if ran < planned else ""
    taken = f", of which the weights of epoch {kept:,} are kept" if kept != ran else ""
    return counted(ran, "epoch") + stopped + taken


def _limits(subject: Subject) -> Iterator[str]:
    record, result, description = subject.record, subject.result, subject.description
    yield from _heading("Limits")
    if description.decision.unknown is None:
        count = len(description.class_names)
        yield f"- Every image is given one of the {count:,} classes, also one that shows none of them."
    for heading, told in iter_facts(description.decision, description.yardstick):
        yield f"- {heading.capitalize()}: {_words(told)}."
    yield f"- The scores are those of images like {_words(subject.data_name)}; of others nothing is known."
    judged = result.judged_split
    if judged is not None:
        known = say_interval(result.scores[judged].top1)
        yield f"- Of such images, the share that is answered rightly is known no better than this: {known}."
    for split, scores in result.scores.items():
        for warning in warnings_about_recall(record.recipe, split, scores):
            yield f"- {_words(warning)}"
    for split, count in result.num_trained_on.items():
        if count:
            yield f"- {count:,} images of {split} had been trained on, and are in no score."
    if description.seen is not None and not description.seen.is_complete:
        yield "- Training started from weights that do not say which images they had met."
    if subject.timm_name is None:
        yield f"- timm cannot read it: {_words(subject.why_not_timm)}."
    else:
        yield from _limits_of_timm(description)


def _limits_of_timm(description: Description) -> Iterator[str]:
    if description.preprocessing.average_mirrored:
        yield "- timm asks for the image alone, not for its mirror image too, so its answers differ a little."
    if description.decision.temperature != 1:
        yield f"- Divide timm's logits by {description.decision.temperature:g} before the softmax, as resnetkit does."


def _use(subject: Subject) -> Iterator[str]:
    source = f"{SCHEME}{subject.repo}"
    yield from _heading("How to use it")
    yield from _code("console", "$ pip install 'resnetkit[hub]'", f"$ resnetkit predict {source} photo.jpg")
    yield ""
    yield from _code("python", "import resnetkit", "", f'print(resnetkit.predict("{source}", ["photo.jpg"]))')
    if subject.timm_name is not None:
        yield ""
        yield from _code(
            "python",
            "import timm",
            "",
            f'network = timm.create_model("hf-hub:{subject.repo}", pretrained=True).eval()',
            "transform = timm.data.create_transform(**timm.data.resolve_model_data_config(network))",
        )


def _heading(text: str) -> Sequence[str]:
    return ("", f"## {text}", "")


def _code(language: str, *lines: str) -> Sequence[str]:
    return (f"```{language}", *lines, "```")


def _listed(names: Sequence[str]) -> str:
    more = f" … ({len(names):,})" if len(names) > MOST_CLASSES else ""
    return ", ".join(map(_words, names[:MOST_CLASSES])) + more


def _percent(share: float) -> str:
    return plain_percent(share, 2)


def _words(text: str) -> str:
    r"""A text as Markdown shows it, whatever it holds.

    >>> print(_words("great_tit <b>"))
    great\_tit \<b\>
    """
    return re.sub(r"([\\`*_\[\]<>|~#$&])", r"\\\1", shown(text))
