"""A classifier: network + preprocessing + class names, in one file. Whatever comes after training uses only this."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from resnetkit.classifier.decision import Decision
from resnetkit.classifier.file import FORMAT, find_classifier, invalid, read_description, unreadable
from resnetkit.classifier.prediction import BATCH_SIZE, Engine, Prediction, Predictor, Probabilities
from resnetkit.config import to_dict
from resnetkit.data.seen import SeenImages
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.files import write_durably
from resnetkit.images.image_inputs import ImageInput
from resnetkit.images.normalization import normalize
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.images.types import UInt8Images
from resnetkit.machine.device import exact_float32
from resnetkit.models.resnet import ResNet
from resnetkit.weights import load_weights


def class_probabilities(network: Callable[[Tensor], Tensor], pixels: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Probabilities ``(N, K)`` of prepared images, uint8 ``(N, C, S, S)``, as the preprocessing says."""
    images = normalize(pixels, preprocessing)
    views = [images, images.flip(3)] if preprocessing.average_mirrored else [images]
    with exact_float32(pixels.device):
        return torch.stack([network(view).float().softmax(1) for view in views]).mean(0)


@dataclass
class Classifier:
    """Classifies images with a trained network.

    Attributes:
        provenance: where it comes from (data, epochs, validation score …), JSON-ready, for people to read.
        limits: images beyond these are refused; those of its training, unless it is given others.
        seen: the images that the weights have met, for honest scores; None where that is not known.
        decision: how the network's logits become probabilities.
        engine: what computes the probabilities, from :func:`resnetkit.inference.engine_choice.open_engine`; None:
            the network as it is. An engine holds a copy of the weights and of the preprocessing, so
            ``dataclasses.replace`` leaves it behind; take a new one after changing the network.
    """

    network: ResNet
    preprocessing: Preprocessing
    class_names: tuple[str, ...]
    provenance: dict[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    seen: SeenImages | None = field(default=None, repr=False)
    decision: Decision = field(default_factory=Decision)
    engine: Engine | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        require(
            self.network.spec.num_classes == len(self.class_names),
            f"the network has {self.network.spec.num_classes} classes, {len(self.class_names)} names were given",
        )
        require(
            self.network.spec.in_channels == self.preprocessing.channels,
            f"the network reads {self.network.spec.in_channels} channels, the preprocessing gives "
            f"{self.preprocessing.channels}",
        )
        self.network.eval()

    @property
    def device(self) -> torch.device:
        """Where the network computes."""
        return next(self.network.parameters()).device

    def probabilities(self, pixels: Tensor) -> Tensor:
        """Class probabilities ``(N, K)`` of preprocessed images, uint8 ``(N, C, S, S)``."""
        if self.engine is not None:
            return torch.from_numpy(self.engine.probabilities(pixels.cpu().numpy()))
        with torch.inference_mode():
            return class_probabilities(self.network, pixels.to(self.device), self.preprocessing)

    def predict_proba(self, images: Iterable[ImageInput], *, batch_size: int = BATCH_SIZE) -> Probabilities:
        """As :meth:`Predictor.predict_proba <resnetkit.classifier.prediction.Predictor.predict_proba>`."""
        return self.predictor.predict_proba(images, batch_size=batch_size)

    def predict(self, images: Iterable[ImageInput], *, top: int = 5, batch_size: int = BATCH_SIZE) -> list[Prediction]:
        """One ``Prediction`` per image, in order; an unreadable file is a row too."""
        return self.predictor.predict(images, top=top, batch_size=batch_size)

    def iter_predictions(
        self, images: Iterable[ImageInput], *, top: int = 5, batch_size: int = BATCH_SIZE
    ) -> Iterator[Prediction]:
        """As :meth:`predict`, row by row, so that any number of files needs little memory."""
        return self.predictor.iter_predictions(images, top=top, batch_size=batch_size)

    @property
    def predictor(self) -> Predictor:
        """What answers for this classifier's images, with its engine."""
        engine = PlainNetwork(self.network, self.preprocessing) if self.engine is None else self.engine
        return Predictor(engine, self.preprocessing, self.class_names, self.limits)

    def to_bytes(self) -> bytes:
        """The content of the classifier's file; the same classifier always gives the same bytes."""
        description: dict[str, Any] = {
            "format": FORMAT,
            "model": to_dict(self.network.spec),
            "preprocessing": to_dict(self.preprocessing),
            "class_names": list(self.class_names),
            "provenance": self.provenance,
            "limits": to_dict(self.limits),
        }
        if self.seen is not None:
            description["seen"] = to_dict(self.seen)
        if self.decision != Decision():
            description["decision"] = to_dict(self.decision)
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.network.state_dict().items()}
        # One metadata key only: the format does not keep the order of several. In ASCII, because a class has the name
        # of a folder, which need not be UTF-8.
        return save(tensors, metadata={"resnetkit": json.dumps(description)})

    def save(self, path: str | Path) -> None:
        """Write the classifier durably."""
        write_durably(Path(path), self.to_bytes())


@dataclass(frozen=True)
class PlainNetwork:
    """The network as it is, as an engine: what every other engine must agree with."""

    network: nn.Module
    preprocessing: Preprocessing
    name: str = "network"

    def probabilities(self, pixels: UInt8Images) -> Probabilities:
        """Class probabilities ``(N, K)`` of preprocessed images, uint8 ``(N, C, S, S)``."""
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            images = torch.from_numpy(pixels).to(device)
            result: Probabilities = class_probabilities(self.network, images, self.preprocessing).cpu().numpy()
            return result


def load_classifier(path: str | Path, *, device: str | torch.device = "cpu") -> Classifier:
    """The classifier of a run folder or file.

    Raises:
        ResnetkitError: for a file that is missing, damaged or of another kind; nothing in it is executed.
    """
    file = find_classifier(path)
    description = read_description(file)
    try:
        with safe_open(file, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise unreadable(file, error) from None
    try:
        with torch.device("meta"):  # that all shapes are those of the file is known before anything is allocated
            load_weights(ResNet(description.spec), tensors, source=str(file), only_check=True)
        network = ResNet(description.spec)
        load_weights(network, tensors, source=str(file))
        classifier = Classifier(
            network,
            description.preprocessing,
            description.class_names,
            description.provenance,
            description.limits,
            description.seen,
            description.decision,
        )
    except ResnetkitError as error:
        raise error if error.code is Code.WEIGHTS else invalid(file, error) from None
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return classifier
