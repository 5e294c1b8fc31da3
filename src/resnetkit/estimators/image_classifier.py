"""A classifier of images for scikit-learn: fitting it trains an ordinary run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from resnetkit.classifier.classifier import Classifier, load_classifier
from resnetkit.classifier.decision import Probabilities
from resnetkit.classifier.prediction import BATCH_SIZE
from resnetkit.data.given import GivenData
from resnetkit.errors import require
from resnetkit.estimators.conventions import iter_pixels, on_device, tag_images, warn
from resnetkit.evaluation.metrics import Scores
from resnetkit.images.image_inputs import take_images
from resnetkit.inference.torch_engines import plain_predictor
from resnetkit.machine.device import find_device
from resnetkit.models.spec import ResNetSpec
from resnetkit.runs.events import Listener
from resnetkit.training.interruption import stopping_as_others_do
from resnetkit.training.run import train

MAX_SEED = 2**31 - 1
KINDS: dict[str, tuple[type, ...]] = {
    "network": (str, ResNetSpec),
    "weights": (str, os.PathLike),
    "recipe": (str,),
    "settings": (Mapping,),
    "out": (str, os.PathLike),
}


class ResNetClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A residual network that learns classes of images, with scikit-learn's methods.

    It takes images as an array ``(N, H, W)`` or ``(N, H, W, 3)``, uint8 or floats in [0, 1], or as a list of paths,
    bytes of image files, Pillow images or uint8 arrays, of any sizes. What is left open is chosen for the images, as
    :func:`resnetkit.train` does, which ``fit`` calls; its warnings are Python's here.

    >>> import warnings
    >>> import numpy as np
    >>> images = np.zeros((40, 8, 8)); images[::2, :, :4] = 1
    >>> side = np.where(images[:, 0, 0] == 1, "left", "right")
    >>> tiny = {"model.depths": [1, 1, 1], "augmentation.flip_rate": 0}
    >>> with warnings.catch_warnings(action="ignore"):
    ...     fitted = ResNetClassifier("resnet20", epochs=2, settings=tiny, random_state=0).fit(images, side)
    >>> fitted.classes_, fitted.predict_proba(images[:3]).shape
    (array(['left', 'right'], dtype='<U5'), (3, 2))

    Args:
        network: a name of :func:`resnetkit.list_models`, or a spec.
        weights: to start from, a file, run folder or ``hf://OWNER/NAME``; their head gives way to one for the
            classes of ``y``, unless ``fine_tuning.reset_head`` is set to False.
        recipe: its name.
        epochs: passes over the images.
        validation_fraction: share of the images of each class, at least one, that is not trained on but chooses the
            epoch whose weights are kept; 0: all are trained on, and the last weights are kept. None are held back for a
            test, which is what ``score`` and cross-validation are for; ``{"data.test_fraction": 0.15}`` in ``settings``
            does.
        settings: fields of the recipe to replace, by their dotted names: ``{"optimizer.learning_rate": 0.05}``.
        random_state: the seed of weights, order and augmentation. The images that validate are chosen by their paths,
            or positions, and ``data.split_seed``.
        out: folder in which each fit makes a run folder, with report, scores and checkpoints; None: a temporary one.

    Attributes:
        classes_: the classes of ``y``, sorted; columns of probabilities.
        classifier_: the trained :class:`resnetkit.Classifier`, on the CPU. Its class names are the classes as texts.
        scores_: of ``classifier_`` on images that were held back, by split; those of ``val`` are a little optimistic
            where they chose the epoch, as they do with ``keep=best``.
        run_: the run folder; None for a temporary one.
    """

    def __init__(
        self,
        network: str | ResNetSpec | None = None,
        weights: str | Path | None = None,
        *,
        recipe: str | None = None,
        epochs: int | None = None,
        validation_fraction: float = 0.1,
        settings: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
        out: str | Path | None = None,
    ) -> None:
        self.network = network
        self.weights = weights
        self.recipe = recipe
        self.epochs = epochs
        self.validation_fraction = validation_fraction
        self.settings = settings
        self.random_state = random_state
        self.out = out

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 - scikit-learn's name
        """Train on images ``X`` of the classes ``y`` (N,): texts, whole numbers or truth values.

        Raises:
            ResnetkitError: for what are no images or cannot be read, unknown names or settings, and when training
                diverges.
            ValueError: for ``y`` that are no classes, are of several kinds, or not one for each image.
        """
        images = take_images(X)
        labels = column_or_1d(y, warn=True)
        check_consistent_length(images, labels)
        try:
            check_classification_targets(labels)
            classes, positions = np.unique(labels, return_inverse=True)
        except TypeError as error:
            raise ValueError("labels must be all texts or all numbers, and none missing") from error
        data = GivenData(images, positions.astype(np.int64), tuple(map(str, classes.tolist())))
        with _place(self.out) as out, stopping_as_others_do():
            result = train(
                data,
                model=self.network,
                recipe=self.recipe,
                settings=self._all_settings(),
                out=out,
                listener=_Warnings(),
            )
            self.classifier_: Classifier = load_classifier(result.run)
        self.classes_: npt.NDArray[Any] = classes
        self.scores_: dict[str, Scores] = result.scores
        self.run_: Path | None = None if self.out is None else result.run
        return self

    def predict_proba(self, X: Any) -> Probabilities:  # noqa: N803
        """Probabilities ``(N, K)`` of the classes, in the order of ``classes_``.

        Raises:
            ResnetkitError: for the first image that cannot be read.
        """
        check_is_fitted(self)
        device = find_device((self.settings or {}).get("runtime.device", "auto"))
        classifier = replace(self.classifier_, network=on_device(self.classifier_.network, device))
        predictor = plain_predictor(classifier)
        batches = iter_pixels(X, predictor.preprocessing, predictor.limits, batch_size=BATCH_SIZE)
        rows = [predictor.probabilities(pixels) for pixels in batches]
        return np.concatenate([np.empty((0, len(self.classes_)), np.float32), *rows])

    def predict(self, X: Any) -> npt.NDArray[Any]:  # noqa: N803
        """The most probable class of each image, ``(N,)``, as they were in ``y``."""
        chosen = self.predict_proba(X).argmax(1)
        return self.classes_[chosen]  # type: ignore[no-any-return]

    def save(self, path: str | Path) -> None:
        """Write the classifier to a file that holds no code; :func:`resnetkit.open_predictor` opens it.

        It is as the file of any run: the commands take it too, and its classes are texts.
        """
        check_is_fitted(self)
        self.classifier_.save(path)

    def _all_settings(self) -> dict[str, Any]:
        """The settings, with those that are parameters here."""
        self._check_kinds()
        given = dict(self.settings or {})
        own = {
            "epochs": ("epochs", self.epochs),
            "fine_tuning.weights": ("weights", None if self.weights is None else str(self.weights)),
            "data.validation_fraction": ("validation_fraction", self.validation_fraction),
            "seed": ("random_state", self._seed()),
        }
        for path, (parameter, _) in own.items():
            require(path not in given, f"{path} stands in settings", fix=f"give it as {parameter}=")
        chosen = {path: value for path, (_, value) in own.items() if value is not None}
        if self.weights is not None:
            given.setdefault("fine_tuning.reset_head", True)
        return {**given, **chosen}

    def _check_kinds(self) -> None:
        for name, kinds in KINDS.items():
            value = getattr(self, name)
            wanted = " or ".join(kind.__name__ for kind in kinds)
            require(value is None or isinstance(value, kinds), f"{name} must be {wanted}, got {type(value).__name__}")

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(MAX_SEED))

    def __sklearn_tags__(self) -> Any:
        return tag_images(super().__sklearn_tags__())


class _Warnings(Listener):
    """Gives the warnings of a run to Python's, and keeps quiet about the rest."""

    def warning(self, text: str) -> None:
        """Warn."""
        warn(text)


@contextmanager
def _place(out: str | Path | None) -> Iterator[str | Path]:
    """The folder for runs, or one that is gone afterwards."""
    if out is not None:
        yield out
        return
    with tempfile.TemporaryDirectory(prefix="resnetkit-fit-") as folder:
        yield folder
