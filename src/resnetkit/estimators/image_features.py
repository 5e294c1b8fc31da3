"""Features of images for scikit-learn: what a trained network sees, for other estimators to learn from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from resnetkit.classifier.classifier import Classifier
from resnetkit.classifier.prediction import BATCH_SIZE
from resnetkit.classifier.views import view_logits
from resnetkit.errors import did_you_mean, require
from resnetkit.estimators.conventions import iter_pixels, on_device, tag_images, warn
from resnetkit.images.types import UInt8Images
from resnetkit.machine.device import find_device
from resnetkit.models.plan import map_names
from resnetkit.models.resnet import ResNet
from resnetkit.sources.weights import Embedder, open_embedder

CPU = torch.device("cpu")
Features = npt.NDArray[np.float32]


class ResNetFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Features of images by a network that is trained already, with scikit-learn's methods.

    A few images are learned from in seconds by what comes after it in a pipeline, e.g. a logistic regression. It takes
    the images that :class:`resnetkit.ResNetClassifier` takes.

    >>> import numpy as np
    >>> from resnetkit import Classifier, create_model
    >>> from resnetkit.images.spec import Preprocessing
    >>> network = create_model("resnet20", num_classes=2, in_channels=1)
    >>> classifier = Classifier(network, Preprocessing(8, 8, 1, (0.5,), (0.5,)), ("a", "b"))
    >>> ResNetFeatures(weights=classifier).fit_transform(np.zeros((3, 8, 8))).shape
    (3, 64)

    Args:
        network: the weights' network, by name, where their tensors leave a choice.
        weights: a run folder, a classifier file, a third-party weight file, ``hf://OWNER/NAME``, or a
            :class:`resnetkit.Classifier`, e.g. the ``classifier_`` of a fitted estimator.
        layer: the feature map to average over height and width: ``stem``, ``stage1``, ``stage2`` …; None: the features
            that the head reads.
        preprocessing: fields of the preprocessing to replace, where a weight file does not say how its images are
            prepared: ``{"mean": (0.5, 0.5, 0.5)}``.
        batch_size: images that are computed at once.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Attributes:
        network_: the network, on the CPU.
        preprocessing_: the way of images to it.
    """

    def __init__(
        self,
        network: str | None = None,
        weights: str | Path | Classifier | None = None,
        *,
        layer: str | None = None,
        preprocessing: Mapping[str, Any] | None = None,
        batch_size: int = BATCH_SIZE,
        device: str = "auto",
    ) -> None:
        self.network = network
        self.weights = weights
        self.layer = layer
        self.preprocessing = preprocessing
        self.batch_size = batch_size
        self.device = device

    def fit(self, X: Any = None, y: Any = None) -> Self:  # noqa: N803 - scikit-learn's names
        """Open the weights; the images teach nothing here.

        Raises:
            ResnetkitError: for no weights, or such as cannot be opened, and for an unknown layer.
        """
        opened = self._open()
        layers = map_names(opened.network.spec)
        require(
            self.layer is None or self.layer in layers,
            f"no layer '{self.layer}': the network has {', '.join(layers)}",
            fix=did_you_mean(str(self.layer), layers),
        )
        for text in opened.warnings:
            warn(text)
        self.network_ = on_device(opened.network, CPU)  # a classifier's may be elsewhere, and stays there
        self.preprocessing_, self.limits_ = opened.preprocessing, opened.limits
        black = np.zeros((1, *self.preprocessing_.image_shape), np.uint8)
        self._n_features_out = self._features(self.network_, black).shape[1]
        return self

    def transform(self, X: Any) -> Features:  # noqa: N803
        """Features ``(N, F)``, float32; where the network answers by the mirror image too, the mean of both images'.

        Raises:
            ResnetkitError: for what are no images, and for the first one that cannot be read.
        """
        check_is_fitted(self)
        network = on_device(self.network_, find_device(self.device))
        batches = iter_pixels(X, self.preprocessing_, self.limits_, batch_size=self.batch_size)
        rows = [self._features(network, pixels) for pixels in batches]
        return np.concatenate([np.empty((0, self._n_features_out), np.float32), *rows])

    def _features(self, network: ResNet, pixels: UInt8Images) -> Features:
        def compute(images: Tensor) -> Tensor:
            features = network.embed(images) if self.layer is None else network.forward_to(self.layer, images)
            return features if features.ndim == 2 else features.mean((2, 3))

        device = next(network.parameters()).device
        with torch.inference_mode():
            views = view_logits(compute, torch.from_numpy(pixels).to(device), self.preprocessing_)
            features: Features = views.mean(1).cpu().numpy()
        return features

    def _open(self) -> Embedder:
        require(
            self.weights is not None,
            "features of which weights?",
            why="a network that has learned nothing sees nothing",
            fix="give weights=: a file, a run folder or a classifier",
        )
        if not isinstance(self.weights, Classifier):
            return open_embedder(str(self.weights), model=self.network, preprocessing=self.preprocessing)
        given = {"network": self.network, "preprocessing": self.preprocessing}
        vain = [name for name, value in given.items() if value]
        require(not vain, f"a classifier has {' and '.join(vain)} of its own", fix="leave them out")
        return Embedder(self.weights.network, self.weights.preprocessing, self.weights.limits)

    def __sklearn_tags__(self) -> Any:
        tags = tag_images(super().__sklearn_tags__())
        tags.transformer_tags.preserves_dtype = []  # features are float32, whatever the images are
        return tags
