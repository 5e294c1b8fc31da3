"""A classifier's scores on data, with classes matched by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from resnetkit.classifier.classifier import Classifier, class_probabilities
from resnetkit.data.batches import evaluation_order, read_batches, resident_pixels
from resnetkit.data.loading import DataSource, open_data
from resnetkit.data.spec import DataSpec
from resnetkit.data.types import Split
from resnetkit.errors import Code, ResnetkitError, did_you_mean, require
from resnetkit.evaluation.metrics import SMALLEST_PROBABILITY, Scores, score
from resnetkit.evaluation.mistakes import Mistake
from resnetkit.evaluation.recorded import as_recorded, holds_all, load_recorded
from resnetkit.folders.names import alike, apart, listed, one_form
from resnetkit.images.spec import Preprocessing
from resnetkit.images.types import BadImage, Indices

BATCH_SIZE = 256


@dataclass(frozen=True)
class Evaluation:
    """Scores, and what they were computed from.

    Attributes:
        split: what was scored: ``train``, ``val``, ``test`` or ``all``.
        splits: where the images are, in the order of the rows below.
        scores: of the images that the weights were not trained on; None where they were trained on all of them.
        trained_on: of the others; None where there are none.
        probabilities: ``(N, K)``.
        labels: positions in the classifier's class names, ``(N,)``.
        num_watched: how many of the images that were scored watched over the training, and chose among its epochs.
        bad_images: files that could not be read and were left out.
        warnings: sentences the user should read, e.g. about the same image in two splits.
    """

    split: str
    splits: tuple[Split, ...]
    scores: Scores | None
    trained_on: Scores | None
    probabilities: npt.NDArray[np.float32]
    labels: Indices
    num_watched: int = 0
    bad_images: tuple[BadImage, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def num_trained_on(self) -> int:
        """How many of the images the weights were trained on."""
        return 0 if self.trained_on is None else self.trained_on.top1.num_images


def evaluate(
    classifier: Classifier,
    data: str | DataSpec | DataSource,
    *,
    split: str | None = None,
    num_recorded: int | None = None,
    progress: bool = False,
) -> Evaluation:
    """Score a classifier on a data set or image folder.

    Images that it was trained on, known by their pixels, are scored apart.

    Args:
        data: the name of a data set, a folder, how to find and split either, or what was opened already. A name or
            folder is read within the classifier's limits.
        split: ``train``, ``val``, ``test``, or ``all`` of them together; None: ``test`` where there is one. Without
            one, all images, but of data that hold all of its training's, those which that held back as ``test``.
        num_recorded: of the data that the classifier was trained with, the number of images then: a split is what it
            was then, by its images' digests.

    Raises:
        ResnetkitError: where the split is missing, images cannot be read, or the classifier lacks a class of the data.
    """
    if isinstance(data, str):
        data = DataSpec(data, limits=classifier.limits)
        # To be scored, nothing need be held back: a folder without splits is scored whole.
        data = replace(data, validation_fraction=0.0, test_fraction=0.0) if split is None else data
    source = data if isinstance(data, DataSource) else open_data(data, classifier.class_names)
    sizes, seen = source.split_sizes, classifier.seen
    asked = split or ("test" if "test" in sizes else "all")
    names = list(sizes) if asked == "all" else [asked]
    is_recorded = num_recorded is not None and seen is not None and asked != "all" and bool(seen.packed(asked))
    if not is_recorded and not set(names) <= set(sizes):
        raise ResnetkitError(
            Code.DATA,
            f"{source.name} has no {asked} split",
            fix=did_you_mean(asked, [*sizes, "all"]),
        )
    match_classes(source.class_names, classifier.class_names)  # before any image is read
    wanted = classifier.preprocessing
    if is_recorded:
        assert seen is not None
        assert num_recorded is not None
        loaded = load_recorded(source, wanted, seen, asked, num_images=num_recorded, progress=progress)
    else:
        loaded = source.load(names, wanted, whole=(), progress=progress)
        if split is None and asked == "all" and seen is not None and holds_all(loaded, seen):
            asked, loaded = "test", as_recorded(loaded, seen, "test")
            told = "these are the images of its training: scored are those that it held back as test (--split all: all)"
            loaded = replace(loaded, warnings=(*loaded.warnings, told))
    parts = [_answers(classifier, part, source.class_names) for part in loaded.splits.values()]
    evaluation = _judged(
        classifier, asked, tuple(loaded.splits.values()), *map(np.concatenate, zip(*parts, strict=True))
    )
    told_too = _absent_classes(evaluation)
    if source.channels > wanted.channels:
        told_too += ("the images are in colour, which the classifier, made for grey ones, does not see",)
    return replace(evaluation, bad_images=loaded.bad_images, warnings=(*loaded.warnings, *told_too))


def evaluate_split(classifier: Classifier, split: Split, class_names: Sequence[str]) -> Evaluation:
    """Score a classifier on a loaded split whose labels are positions in ``class_names``."""
    return _judged(classifier, split.name, (split,), *_answers(classifier, split, class_names))


def _answers(
    classifier: Classifier, split: Split, class_names: Sequence[str]
) -> tuple[npt.NDArray[np.float32], Indices]:
    """Probabilities ``(N, K)`` and the labels ``(N,)`` as the classifier numbers the classes."""
    labels = match_classes(class_names, classifier.class_names)[split.labels]
    batches = read_batches(split, evaluation_order(len(split), BATCH_SIZE))
    probabilities = np.concatenate([classifier.probabilities(batch.images).cpu().numpy() for batch in batches])
    num_bad = np.count_nonzero(~np.isfinite(probabilities).all(1))
    require(
        num_bad == 0,
        f"the classifier answers {num_bad:,} of {len(split):,} {split.name} images with what is no number",
        why="its weights, or what they compute, are not finite",
        fix="train again with a lower learning rate, or use other weights",
        code=Code.WEIGHTS,
    )
    return probabilities, labels


def _judged(
    classifier: Classifier,
    name: str,
    splits: tuple[Split, ...],
    probabilities: npt.NDArray[np.float32],
    labels: Indices,
) -> Evaluation:
    """The scores of answers, apart for the images that the classifier was trained on."""
    digests, seen = np.concatenate([split.digests for split in splits]), classifier.seen
    is_old = np.zeros(len(digests), np.bool_) if seen is None else seen.trained_on(digests)
    scores, trained_on = (
        score(probabilities[rows], labels[rows], classifier.class_names) if rows.any() else None
        for rows in (~is_old, is_old)
    )
    num_watched = 0 if seen is None else int(seen.chose(digests).sum())
    return Evaluation(name, splits, scores, trained_on, probabilities, labels, num_watched)


def _absent_classes(evaluation: Evaluation) -> tuple[str, ...]:
    """A sentence about classes of the classifier without an image among those that were scored."""
    judged = evaluation.scores or evaluation.trained_on
    assert judged is not None
    absent = [entry.name for entry in judged.classes if not entry.num_images]
    num_present = len(judged.classes) - len(absent)
    others = "1 class" if num_present == 1 else f"{num_present:,} classes"
    return (f"no images of {listed(absent, 5)}: scored over the other {others}",) if absent else ()


def match_classes(names: Sequence[str], known: Sequence[str]) -> Indices:
    """For each class name of some data, its position among the classifier's; the data may lack others.

    Names are compared in one Unicode form.

    Raises:
        ResnetkitError: for a class that the classifier does not know.
    """
    position = {one_form(name): index for index, name in enumerate(known)}
    unknown = [name for name in names if one_form(name) not in position]
    if unknown:
        near = [apart([name, other]) for name in unknown for other in known if alike(name) == alike(other)]
        hint = f"; alike are {'; '.join(near[:3])}" if near else f"; it knows {listed(known, 5)}"
        raise ResnetkitError(
            Code.DATA,
            "the classes of the data are not the classifier's",
            why=f"the classifier does not know {listed(unknown, 5)}{hint}",
            fix="rename these class folders as the classifier's classes, or take them out",
        )
    return np.array([position[one_form(name)] for name in names], dtype=np.int64)


def quick_scores(network: nn.Module, preprocessing: Preprocessing, split: Split) -> dict[str, float]:
    """Scores of a network as training watches them.

    ``val_loss`` in nats, ``val_top1``, and ``val_balanced_top1``, the mean recall of the classes that are there. An
    answer that is not finite is a wrong one.
    """
    network.eval()
    device = next(network.parameters()).device
    loss_sum, rights = torch.zeros((), dtype=torch.float64, device=device), []
    order, resident = evaluation_order(len(split), BATCH_SIZE), resident_pixels(split, device)
    with torch.inference_mode():
        for batch in read_batches(split, order, resident=resident):
            labels = batch.labels.to(device, non_blocking=True)
            images = batch.images.to(device, non_blocking=True)
            probabilities = class_probabilities(network, images, preprocessing)
            log_probabilities = probabilities.clamp_min(SMALLEST_PROBABILITY).log()
            loss_sum += nn.functional.nll_loss(log_probabilities, labels, reduction="sum").double()
            rights.append((probabilities.argmax(1) == labels) & probabilities.isfinite().all(1))
    # Read at the end: each reading makes the host wait for a GPU.
    is_right, counts = torch.cat(rights).cpu().numpy(), np.bincount(split.labels)
    hits = np.bincount(split.labels, weights=is_right)
    return {
        "val_loss": float(loss_sum) / len(split),
        "val_top1": float(is_right.mean()),
        "val_balanced_top1": float((hits[counts > 0] / counts[counts > 0]).mean()),
    }


def worst_mistakes(classifier: Classifier, evaluation: Evaluation, *, limit: int = 24) -> list[Mistake]:
    """The wrong answers on one split given with the most confidence, worst first."""
    (split,) = evaluation.splits
    predicted = evaluation.probabilities.argmax(1)
    confidence = evaluation.probabilities.max(1)
    wrong = np.flatnonzero(predicted != evaluation.labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:limit]
    pixels = split.images.read(worst) if len(worst) else ()
    names = classifier.class_names
    return [
        Mistake(
            identifier=split.identifiers[i],
            pixels=image,
            true_name=names[evaluation.labels[i]],
            predicted_name=names[predicted[i]],
            probability=float(confidence[i]),
            true_probability=float(evaluation.probabilities[i, evaluation.labels[i]]),
        )
        for i, image in zip(worst, pixels, strict=True)
    ]
