"""The file of an export to torch: a program that opens without this package."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch import Tensor, nn

from resnetkit.classifier.classifier import Classifier
from resnetkit.exporting.subject import Subject
from resnetkit.graphs.folding import fold
from resnetkit.graphs.names import INPUT
from resnetkit.machine.precision import Precision

MODEL_FILE = "classifier.pt2"
DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}


class WholeClassifier(nn.Module):
    """A classifier as one module: prepared images, uint8 ``(N, C, S, S)``, to probabilities ``(N, K)`` and logits
    ``(N, V, K)`` of V views, both float32.

    Args:
        dtype: what the network computes in.
    """

    def __init__(self, classifier: Classifier, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        preprocessing = classifier.preprocessing
        self.network = fold(classifier.network).to(device="cpu", dtype=dtype)
        # Channels last, as networks of a file are, torch doubts while it saves them that they are whole.
        plain = {name: tensor.contiguous() for name, tensor in self.network.state_dict().items()}
        self.network.load_state_dict(plain, assign=True)
        self.dtype, self.temperature = dtype, classifier.decision.temperature
        self.is_mirrored, self.is_reversed = preprocessing.average_mirrored, preprocessing.channel_order == "bgr"
        mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (preprocessing.mean, preprocessing.std))
        self.register_buffer("scale", 1 / (255 * std))
        self.register_buffer("shift", mean / std)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities and logits."""
        ordered = pixels.flip(1) if self.is_reversed else pixels
        images = ordered.float() * self.get_buffer("scale") - self.get_buffer("shift")
        views = [images, images.flip(3)] if self.is_mirrored else [images]
        logits = torch.stack([self.network(view.to(self.dtype)).float() for view in views], dim=1)
        return (logits / self.temperature).softmax(2).mean(1), logits


def export_program(classifier: Classifier, precision: Precision = "fp32") -> torch.export.ExportedProgram:
    """The classifier as a program of torch alone, for any number of images at a time."""
    example = torch.zeros(2, *classifier.preprocessing.image_shape, dtype=torch.uint8)
    free = {INPUT: {0: torch.export.Dim("N", min=1, max=2**31 - 1)}}
    with torch.no_grad():
        return torch.export.export(WholeClassifier(classifier, DTYPES[precision]), (example,), dynamic_shapes=free)


def write_torch(subject: Subject, folder: Path) -> None:
    """Write ``classifier.pt2``."""
    assert subject.precision != "int8"
    content = io.BytesIO()  # given a path, torch ends this process where the disk is full
    torch.export.save(export_program(subject.classifier, subject.precision), content)
    (folder / MODEL_FILE).write_bytes(content.getbuffer())
