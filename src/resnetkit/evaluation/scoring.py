"""A classifier's scores on data, with classes matched by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from resnetkit.classifier.decision import Familiarities, Logits, Probabilities, familiarity
from resnetkit.classifier.engine import Engine
from resnetkit.classifier.prediction import Predictor
from resnetkit.data.loading import open_data
from resnetkit.data.reading import evaluation_order, read_in_turn
from resnetkit.data.source import DataSource, Examine
from resnetkit.data.spec import DataSpec
from resnetkit.data.splitting import SPLITS
from resnetkit.data.types import LoadedData, Split
from resnetkit.errors import Code, ResnetkitError, did_you_mean, require
from resnetkit.evaluation.answers import Answers, join_answers, score_answers
from resnetkit.evaluation.metrics import Scores
from resnetkit.evaluation.recorded import as_recorded, holds_all, load_recorded
from resnetkit.evaluation.sharing import BATCH_SIZE, given_answers
from resnetkit.folders.names import alike, apart, one_form
from resnetkit.images.types import BadImage, Indices, UInt8Images
from resnetkit.pages.showing import show
from resnetkit.terminal import listed

if TYPE_CHECKING:
    from resnetkit.classifier.classifier import Classifier


@dataclass(frozen=True)
class Evaluation:
    """Scores, and what they were computed from.

    Attributes:
        split: what was scored: ``train``, ``val``, ``test`` or ``all``.
        splits: where the images are.
        answers: what they were answered with; of ``all`` of several splits, split by split.
        scores: of the images that the weights were not trained on; None where they were trained on all of them.
        trained_on: of the others; None where there are none.
        num_chose: how many of the images that were scored chose among the epochs of a training.
        num_fitted: how many of them have set what there is of the classifier's temperature and thresholds.
        bad_images: files that could not be read and were left out.
        warnings: sentences the user should read, e.g. about the same image in two splits.
    """

    split: str
    splits: tuple[Split, ...] = field(repr=False)
    answers: tuple[Answers, ...] = field(repr=False)
    scores: Scores | None
    trained_on: Scores | None
    num_chose: int = 0
    num_fitted: int = 0
    bad_images: tuple[BadImage, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def num_images(self) -> int:
        """Number of images that were answered for."""
        return sum(map(len, self.answers))

    @property
    def num_trained_on(self) -> int:
        """Number of the images that the weights were trained on."""
        return 0 if self.trained_on is None else self.trained_on.top1.num_images

    def _repr_html_(self) -> str:
        return show(self)


def evaluate(
    predictor: Predictor,
    data: str | DataSpec | DataSource,
    *,
    split: str | None = None,
    num_recorded: int | None = None,
    examine: Examine | None = None,
    progress: bool = False,
) -> Evaluation:
    """Score what answers for a classifier, from :func:`resnetkit.open_predictor`, on a data set or image folder.

    Images that it was trained on, known by their pixels, are scored apart.

    Args:
        data: the name of a data set, a folder, how to find and split either, or what was opened already. A name or
            folder is read within the classifier's limits.
        split: ``train``, ``val``, ``test``, or ``all`` of them together; None: ``test`` where there is one. Without
            one, all images, but of data that hold all of its training's, those which that held back as ``test``.
        num_recorded: of the data that the classifier was trained with, the number of images then: a split is what it
            was then, by its images' digests.
        examine: examines and answers a split's images in place of this process, see
            :mod:`resnetkit.evaluation.sharing`.

    Raises:
        ResnetkitError: where the split is missing, images cannot be read, or the classifier lacks a class of the data.
    """
    asked, loaded, channels = load_to_score(
        predictor, data, split=split, num_recorded=num_recorded, examine=examine, progress=progress
    )
    evaluation = _judged(predictor, asked, tuple(loaded.splits.values()), loaded.class_names)
    told_too = _absent_classes(evaluation)
    if channels > predictor.preprocessing.channels:
        told_too += ("the images are in colour, which the classifier, made for grey ones, does not see",)
    return replace(evaluation, bad_images=loaded.bad_images, warnings=(*loaded.warnings, *told_too))


class ToScore(NamedTuple):
    """Images that a classifier is to be judged by, prepared for it.

    Attributes:
        split: ``train``, ``val``, ``test`` or ``all``.
        channels: of the images as they were; 1 where they are grey.
    """

    split: str
    loaded: LoadedData
    channels: int


def load_to_score(
    classifier: Predictor | Classifier,
    data: str | DataSpec | DataSource,
    *,
    split: str | None = None,
    num_recorded: int | None = None,
    examine: Examine | None = None,
    progress: bool = False,
) -> ToScore:
    """Load the images that :func:`evaluate` scores; the arguments are its own.

    Raises:
        ResnetkitError: as :func:`evaluate`.
    """
    if isinstance(data, str):
        data = DataSpec(data, limits=classifier.limits)
        # To be scored, nothing need be held back: a folder without splits is scored whole.
        data = replace(data, validation_fraction=0.0, test_fraction=0.0) if split is None else data
    source = data if isinstance(data, DataSource) else open_data(data, classifier.class_names)
    sizes, seen = source.split_sizes, classifier.seen
    asked = split or ("test" if "test" in sizes else "all")
    names = list(sizes) if asked == "all" else [asked]
    is_recorded = num_recorded is not None and seen is not None and asked in SPLITS and bool(seen.packed(asked))
    if not is_recorded and not set(names) <= set(sizes):
        raise ResnetkitError(
            Code.DATA,
            f"{source.name} has no {asked} split",
            fix=did_you_mean(asked, [*sizes, "all"]),
        )
    match_classes(source.class_names, classifier.class_names)  # before any image is read
    load = partial(
        source.load, preprocessing=classifier.preprocessing, trained=(), whole=(), examine=examine, progress=progress
    )
    if is_recorded:
        assert seen is not None
        assert num_recorded is not None
        loaded = load_recorded(load, source, seen, asked, num_images=num_recorded)
    else:
        loaded = load(names)
        if split is None and asked == "all" and seen is not None and holds_all(loaded, seen):
            asked, loaded = "test", as_recorded(loaded, seen, "test")
            told = "these are the images of its training: scored are those that it held back as test (--split all: all)"
            loaded = replace(loaded, warnings=(*loaded.warnings, told))
    return ToScore(asked, loaded, source.channels)


def answer(predictor: Predictor, split: Split, class_names: Sequence[str]) -> Answers:
    """A classifier's answers on a loaded split whose labels are positions in ``class_names``; their labels are its own.

    Raises:
        ResnetkitError: where the classifier lacks a class, or what it answers is no number.
    """
    match_classes(class_names, predictor.class_names)  # before any image is read
    given = given_answers(split.images)
    if given is not None:
        return as_answers(predictor, split, class_names, given.probabilities, given.familiarity)
    found = []
    for pixels in _batches(split):
        logits = predictor.engine.logits(pixels)
        found.append((predictor.decision.probabilities(logits), familiarity(logits)))
    probabilities, familiarities = (np.concatenate(column) for column in zip(*found, strict=True))
    return as_answers(predictor, split, class_names, probabilities, familiarities)


def read_logits(engine: Engine, split: Split) -> Logits:
    """An engine's logits ``(N, V, K)`` for the images of a split, those left out that turn out to be unreadable."""
    return np.concatenate([engine.logits(pixels) for pixels in _batches(split)])


def as_answers(
    predictor: Predictor,
    split: Split,
    class_names: Sequence[str],
    probabilities: Probabilities,
    familiarities: Familiarities,
) -> Answers:
    """The answers of :func:`answer`, from what was computed for all readable images of a split that has been read.

    Args:
        familiarities: ``(N,)``; NaN where they were not kept.

    Raises:
        ResnetkitError: as :func:`answer`.
    """
    split = split.without_bad()
    labels = match_classes(class_names, predictor.class_names)[split.labels]
    num_bad = np.count_nonzero(~np.isfinite(probabilities).all(1))
    require(
        num_bad == 0,
        f"the classifier answers {num_bad:,} of {len(split):,} {split.name} images with what is no number",
        why="its weights, or what they compute, are not finite",
        fix="train again with a lower learning rate, or use other weights",
        code=Code.WEIGHTS,
    )
    is_old = np.zeros(len(split), np.bool_) if predictor.seen is None else predictor.seen.trained_on(split.digests)
    return Answers(
        split.name,
        predictor.class_names,
        split.identifiers,
        split.digests,
        labels,
        is_old,
        probabilities,
        familiarity=None if np.isnan(familiarities).any() else familiarities,
    )


def _batches(split: Split) -> Iterator[UInt8Images]:
    return read_in_turn(split.images, evaluation_order(len(split), BATCH_SIZE))


def _judged(predictor: Predictor, name: str, splits: tuple[Split, ...], class_names: Sequence[str]) -> Evaluation:
    """The scores of a classifier's answers, apart for the images that it was trained on."""
    parts = tuple(answer(predictor, split, class_names) for split in splits)
    joined = join_answers(name, parts)
    seen = predictor.seen
    num_chose = 0 if seen is None else int(seen.chose(joined.digests).sum())
    yardstick = predictor.yardstick if predictor.decision.is_fitted else None
    return Evaluation(
        split=name,
        splits=splits,
        answers=parts if name == "all" and len(parts) > 1 else (joined,),
        scores=score_answers(joined),
        trained_on=score_answers(joined, trained_on=True),
        num_chose=num_chose,
        num_fitted=0 if yardstick is None else int(yardstick.made_by(joined.digests).sum()),
    )


def _absent_classes(evaluation: Evaluation) -> tuple[str, ...]:
    """A sentence about classes of the classifier without an image among those that were scored."""
    judged = evaluation.scores or evaluation.trained_on
    assert judged is not None
    absent = [entry.name for entry in judged.classes if not entry.num_images]
    num_present = len(judged.classes) - len(absent)
    others = "1 class" if num_present == 1 else f"{num_present:,} classes"
    return (f"no images of {listed(absent, 5)}: scored over the other {others}",) if absent else ()


def match_classes(names: Sequence[str], known: Sequence[str]) -> Indices:
    """Position of each class name of some data among the classifier's; the data may lack others.

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
