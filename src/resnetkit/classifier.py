"""A classifier: network + preprocessing + class names, in one file. Whatever comes after training uses only this."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from resnetkit.config import from_dict, to_dict
from resnetkit.data.decoding import UnreadableImage, decode, develop
from resnetkit.data.preprocessing import normalize, stage_for_evaluation
from resnetkit.data.spec import Limits, Preprocessing
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.files import write_durably
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import ResNetSpec
from resnetkit.models.weights import load_weights

FORMAT = "resnetkit classifier 2"
FILE_NAME = "classifier.safetensors"

ImageInput = str | Path | Image.Image | npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Prediction:
    """The answer for one image.

    Attributes:
        source: the path, or the position in the input where it was no file.
        status: ``ok``, or ``error`` for an image that could not be read; then ``reason`` says why and there is
            no class.
        top: the most probable classes with their probabilities, best first.
    """

    source: str
    status: str
    reason: str = ""
    top: tuple[tuple[str, float], ...] = ()

    @property
    def class_name(self) -> str | None:
        """The most probable class; None where the image could not be read."""
        return self.top[0][0] if self.top else None

    @property
    def probability(self) -> float | None:
        """Its probability in [0, 1]."""
        return self.top[0][1] if self.top else None


def class_probabilities(network: nn.Module, pixels: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Probabilities ``(N, K)`` of staged images, uint8 ``(N, C, S, S)``, as the preprocessing says."""
    images = normalize(pixels, preprocessing)
    views = [images, images.flip(3)] if preprocessing.average_mirrored else [images]
    return torch.stack([network(view).float().softmax(1) for view in views]).mean(0)


@dataclass
class Classifier:
    """Classifies images with a trained network.

    Attributes:
        provenance: where it comes from (data, epochs, validation score …), JSON-ready, for people to read.
    """

    network: ResNet
    preprocessing: Preprocessing
    class_names: tuple[str, ...]
    provenance: dict[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

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
        with torch.inference_mode():
            return class_probabilities(self.network, pixels.to(self.device), self.preprocessing)

    def predict_proba(self, images: Iterable[ImageInput], *, batch_size: int = 64) -> npt.NDArray[np.float32]:
        """Class probabilities ``(N, K)`` of files, PIL images or uint8 arrays ``(H, W)`` or ``(H, W, 3)``.

        Raises:
            ResnetkitError: for the first image that cannot be read; :meth:`predict` gives a row for each instead.
        """
        rows = []
        for batch in _batched(enumerate(images), batch_size):
            pixels = []
            for number, image in batch:
                try:
                    pixels.append(self._prepare(image))
                except UnreadableImage as error:
                    source = _source(number, image)
                    raise ResnetkitError(
                        Code.DATA, f"image {source} {error}", fix="leave it out, or use predict()"
                    ) from None
            rows.append(self._compute(pixels))
        return np.concatenate(rows) if rows else np.empty((0, len(self.class_names)), np.float32)

    def predict(self, images: Iterable[ImageInput], *, top: int = 5, batch_size: int = 64) -> list[Prediction]:
        """One :class:`Prediction` per image, in order; an unreadable file is a row with status ``error``."""
        return list(self.iter_predictions(images, top=top, batch_size=batch_size))

    def iter_predictions(
        self, images: Iterable[ImageInput], *, top: int = 5, batch_size: int = 64
    ) -> Iterator[Prediction]:
        """As :meth:`predict`, row by row, so that any number of files needs little memory."""
        require(top >= 1, f"top must be at least 1, got {top}")
        numbered = enumerate(images)
        for batch in _batched(numbered, batch_size):
            rows: list[tuple[str, npt.NDArray[np.uint8] | str]] = []
            for number, image in batch:
                source = _source(number, image)
                try:
                    rows.append((source, self._prepare(image)))
                except UnreadableImage as error:
                    rows.append((source, str(error)))
            readable = [pixels for _, pixels in rows if not isinstance(pixels, str)]
            probabilities = iter(self._compute(readable) if readable else ())
            for source, pixels in rows:
                if isinstance(pixels, str):
                    yield Prediction(source, "error", pixels)
                else:
                    yield Prediction(source, "ok", top=self._ranked(next(probabilities), top))

    def _prepare(self, image: ImageInput) -> npt.NDArray[np.uint8]:
        if isinstance(image, np.ndarray):
            require(
                image.dtype == np.uint8 and (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)),
                f"an image array must be uint8 (H, W) or (H, W, 3), got {image.dtype} {image.shape}",
                fix="scale to 0..255 and convert with .astype('uint8')",
                code=Code.DATA,
            )
            image = Image.fromarray(image)
        channels = self.preprocessing.channels
        developed = develop(image, channels) if isinstance(image, Image.Image) else decode(image, self.limits, channels)
        return stage_for_evaluation(developed, self.preprocessing)

    def _compute(self, pixels: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        result: npt.NDArray[np.float32] = self.probabilities(torch.from_numpy(np.stack(pixels))).cpu().numpy()
        return result

    def _ranked(self, probabilities: npt.NDArray[np.float32], top: int) -> tuple[tuple[str, float], ...]:
        order = np.argsort(-probabilities, kind="stable")[:top]
        return tuple((self.class_names[i], float(probabilities[i])) for i in order)

    def save(self, path: str | Path) -> None:
        """Write the classifier durably; the same classifier always gives the same bytes."""
        description = {
            "format": FORMAT,
            "model": to_dict(self.network.spec),
            "preprocessing": to_dict(self.preprocessing),
            "class_names": list(self.class_names),
            "provenance": self.provenance,
        }
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.network.state_dict().items()}
        # One metadata key only: the format does not keep the order of several.
        metadata = {"resnetkit": json.dumps(description, ensure_ascii=False)}
        write_durably(Path(path), save(tensors, metadata=metadata))


def _source(number: int, image: ImageInput) -> str:
    """What to call an image: its path, or its position in the input."""
    return str(image) if isinstance(image, str | Path) else str(number)


def _batched(items: Iterable[Any], size: int) -> Iterator[Sequence[Any]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def find_classifier(path: str | Path) -> Path:
    """The classifier file of a run folder, or the file itself.

    Raises:
        ResnetkitError: where there is none, saying what the folder is instead.
    """
    path = Path(path)
    if path.is_dir():
        file = path / FILE_NAME
        if not file.exists():
            unfinished = (path / "recipe.json").is_file()
            raise ResnetkitError(
                Code.WEIGHTS,
                f"no {FILE_NAME} in {path}",
                why="the run has not finished" if unfinished else "it is not a run folder",
                fix=f"resnetkit train --resume {path}" if unfinished else "give a run folder or a classifier file",
            )
        return file
    if not path.exists():
        raise ResnetkitError(
            Code.WEIGHTS, f"no run folder or classifier file at {path}", fix="resnetkit train prints the run's folder"
        )
    return path


def is_classifier(file: Path) -> bool:
    """Whether a file is one of ours, as far as its head tells."""
    try:
        with safe_open(file, framework="pt") as opened:
            return "resnetkit" in (opened.metadata() or {})
    except (SafetensorError, OSError):
        return False


def load_classifier(path: str | Path, *, device: str | torch.device = "cpu") -> Classifier:
    """The classifier of a run folder or file.

    Raises:
        ResnetkitError: for a file that is missing, damaged or of another kind; nothing in it is executed.
    """
    file = find_classifier(path)
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = (opened.metadata() or {}).get("resnetkit")
            tensors = {name: opened.get_tensor(name) for name in opened.keys()} if metadata else {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ResnetkitError(
            Code.WEIGHTS, f"{file} is not a readable classifier", why=str(error), fix="give the file that train wrote"
        ) from None
    if metadata is None:
        raise ResnetkitError(
            Code.WEIGHTS,
            f"{file} holds weights, but no network, preprocessing and class names",
            fix="give the classifier.safetensors of a run",
        )
    try:
        description = json.loads(metadata)
        require(
            description.get("format") == FORMAT,
            f"{file} has the format '{description.get('format')}', this version reads '{FORMAT}'",
            fix="use the version of resnetkit that wrote it, or train again",
            code=Code.WEIGHTS,
        )
        network = ResNet(from_dict(ResNetSpec, description["model"], where=str(file)))
        preprocessing = from_dict(Preprocessing, description["preprocessing"], where=str(file))
        class_names = tuple(str(name) for name in description["class_names"])
        provenance = dict(description["provenance"])
        load_weights(network, tensors, source=str(file))
        classifier = Classifier(network, preprocessing, class_names, provenance)
    except ResnetkitError as error:
        if error.code is Code.WEIGHTS:
            raise
        raise ResnetkitError(
            Code.WEIGHTS,
            f"the description in {file} is not valid",
            why=error.what,
            fix="give the file that train wrote",
        ) from None
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ResnetkitError(Code.WEIGHTS, f"the description in {file} is damaged", why=repr(error)) from None
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return classifier
