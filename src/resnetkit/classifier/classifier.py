"""A classifier: network + preprocessing + class names, in one file. Whatever comes after training uses only this."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from resnetkit.classifier.decision import Decision
from resnetkit.classifier.description import Description, to_text
from resnetkit.classifier.file import find_classifier, invalid, read_description, unreadable
from resnetkit.classifier.reference import Reference
from resnetkit.classifier.yardstick import Yardstick
from resnetkit.data.seen import SeenImages
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.files import write_durably
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.models.resnet import ResNet
from resnetkit.pages.showing import show
from resnetkit.weights import load_weights


@dataclass(frozen=True)
class Classifier:
    """A trained network with all that its answers depend on: how images are prepared, class names, a decision.

    It computes nothing itself: :func:`resnetkit.open_predictor` gives what answers for it.

    Attributes:
        provenance: where it comes from (data, epochs, validation score …), JSON-ready, for people to read.
        limits: images beyond these are refused; those of its training, unless it is given others.
        seen: the images that the weights have met, for honest scores; None where that is not known.
        decision: how the network's logits become answers.
        reference: logits of the network as it was made, by which others can tell that theirs answers the same.
        yardstick: by which thresholds of the decision are set; None where no images were kept for that.
    """

    network: ResNet
    preprocessing: Preprocessing
    class_names: tuple[str, ...]
    provenance: dict[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    seen: SeenImages | None = field(default=None, repr=False)
    decision: Decision = field(default_factory=Decision)
    reference: Reference | None = field(default=None, repr=False)
    yardstick: Yardstick | None = field(default=None, repr=False)

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
        require(
            self.reference is None or self.reference.shape[2] == len(self.class_names),
            f"the reference is of another number of classes than {len(self.class_names)}",
            fix="leave it out with the network it was made with: reference=None",
        )
        self.network.eval()

    @property
    def device(self) -> torch.device:
        """Device that the network is on, and computes on."""
        return next(self.network.parameters()).device

    @property
    def description(self) -> Description:
        """Everything that it is, but for its weights."""
        return Description(
            self.network.spec,
            self.preprocessing,
            self.class_names,
            self.provenance,
            self.limits,
            self.decision,
            self.seen,
            self.reference,
            self.yardstick,
        )

    def to_bytes(self) -> bytes:
        """The content of the classifier's file; the same classifier always gives the same bytes."""
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.network.state_dict().items()}
        # One metadata key only: the format does not keep the order of several. And no tensors beside the network's own:
        # others load it strictly.
        return save(tensors, metadata={"resnetkit": to_text(self.description)})

    def save(self, path: str | Path) -> None:
        """Write the classifier durably."""
        write_durably(Path(path), self.to_bytes())

    def _repr_html_(self) -> str:
        return show(self)


def load_classifier(source: str | Path | Description, *, device: str | torch.device = "cpu") -> Classifier:
    """The classifier of a run folder or file, or of a file whose description has been read.

    Raises:
        ResnetkitError: for a file that is missing, damaged or of another kind; nothing in it is executed.
    """
    description = source if isinstance(source, Description) else read_description(find_classifier(source))
    file = description.file
    try:
        with safe_open(file, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise unreadable(file, error) from None
    try:
        with torch.device("meta"):  # that all shapes are those of the file is known before anything is allocated
            load_weights(ResNet(description.model), tensors, source=str(file), only_check=True)
        network = ResNet(description.model)
        load_weights(network, tensors, source=str(file))
        classifier = Classifier(
            network,
            description.preprocessing,
            description.class_names,
            description.provenance,
            description.limits,
            description.seen,
            description.decision,
            description.reference,
            description.yardstick,
        )
    except ResnetkitError as error:
        raise error if error.code is Code.WEIGHTS else invalid(file, error) from None
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return classifier
