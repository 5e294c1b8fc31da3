"""A network to analyse, with the images that it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from resnetkit.analysis.sample import Sample
from resnetkit.analysis.sample_reading import USUAL, Choice, read_image, read_sample
from resnetkit.classifier.classifier import Classifier
from resnetkit.data.loading import open_data
from resnetkit.data.spec import DataSpec
from resnetkit.errors import Code, require
from resnetkit.images.spec import SMALL_PX, Limits
from resnetkit.machine.device import exact_float32
from resnetkit.models.catalog.entry import Entry
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import ResNetSpec
from resnetkit.sources.locate import Located, Source, locate
from resnetkit.sources.origins import usual_preprocessing
from resnetkit.sources.own_data import find_data
from resnetkit.sources.weights import open_classifier


@dataclass(frozen=True)
class Subject:
    """A network to analyse.

    Attributes:
        name: as it was given.
        network: in the mode for use, on the device that is to compute.
        is_trained: False where its weights are as training starts, drawn from ``seed``.
        sample: the images that it is shown; None where none were given.
        image: the one that pictures are made of, without a label; None: the first of ``sample``.
        data: where they are from, in words: ``cifar10, split test``; empty where there are none.
        seed: of all that is drawn at random.
        remarks: sentences the user should read, e.g. about images that it was trained on.
    """

    name: str
    network: ResNet
    is_trained: bool = True
    sample: Sample | None = None
    image: Sample | None = None
    data: str = ""
    seed: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def spec(self) -> ResNetSpec:
        """The network as a value."""
        return self.network.spec

    @property
    def device(self) -> torch.device:
        """Device that it is on."""
        return next(self.network.parameters()).device

    def shown(self) -> Sample:
        """The images; asked for where a measurement has said that it needs them."""
        assert self.sample is not None
        return self.sample

    def pictured(self) -> Sample:
        """The one image that pictures are made of; asked for where a measurement has said that it needs one."""
        return self.shown().some(1) if self.image is None else self.image


def draw_network(spec: ResNetSpec, *, seed: int, device: torch.device | str = "cpu") -> ResNet:
    """A network as training starts, in the mode for use; the same one for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ResNet(spec).eval().to(device)


def settle_norms(network: ResNet, sample: Sample) -> None:
    """Give batch norms the statistics of images, as a fresh network's have in training; those that it starts with say
    that there is nothing to divide by.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
        norm.train()
    device = next(network.parameters()).device
    with torch.inference_mode(), exact_float32(device):
        for images, _ in sample.batches(device):
            network(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def open_subject(
    source: Source | Classifier,
    data: str | None = None,
    choice: Choice = USUAL,
    *,
    seed: int = 0,
    device: str | torch.device = "cpu",
    progress: bool = False,
    reading: Mapping[str, Any] | None = None,
) -> Subject:
    """Open what :func:`~resnetkit.sources.locate.locate` finds, with images to show it.

    A network's name alone stands for one with fresh weights; on data it has their classes and channels, and its norms
    the statistics of the images.

    Args:
        data: a data set or folder; None: a run's own, and none for anything else. Images of other classes than the
            network's can be looked at, not scored.
        reading: what a third-party weight file does not say, as :func:`resnetkit.open_classifier` takes it.

    Raises:
        ResnetkitError: for what is neither, for weights that are no numbers, and for data that do not fit it.
    """
    located = Located("a classifier", "classifier") if isinstance(source, Classifier) else locate(source)
    if data is None and located.run is None:
        require(choice.split is None, "a split of which data?", fix="give the data too")
    if located.entry is not None:
        require(not reading, f"{located.text} is a network's name, of which no weights are read")
        if data is None:
            network = draw_network(located.entry.spec, seed=seed, device=device)
            usual = usual_preprocessing(located.entry.image_size_px, located.entry.spec.in_channels)
            image = read_image(choice.image, usual, Limits())
            return Subject(located.text, network, is_trained=False, image=image, seed=seed)
        opened = _fresh_classifier(located.entry, data, choice, seed=seed, device=device)
    elif isinstance(source, Classifier):
        opened = source
    else:
        opened = open_classifier(located, device=device, **(reading or {}))
    _check_weights(located.text, opened.network)
    told = tuple(opened.provenance.get("warnings", ()))
    image = read_image(choice.image, opened.preprocessing, opened.limits)
    subject = Subject(located.text, opened.network, located.entry is None, image=image, seed=seed, remarks=told)
    if data is None and located.run is None:
        return subject
    spec, num_recorded = find_data(located, data, opened.limits)
    spec = replace(spec, data_dir=choice.data_dir or spec.data_dir)
    found = read_sample(opened, spec, choice, num_recorded=num_recorded, seed=seed, progress=progress)
    if not subject.is_trained:
        settle_norms(subject.network, found.sample)
    data = f"{spec.source}, split {found.split}"
    return replace(subject, sample=found.sample, data=data, remarks=(*told, *found.remarks))


def _check_weights(name: str, network: ResNet) -> None:
    for tensor_name, tensor in network.state_dict().items():
        require(
            bool(tensor.isfinite().all()),
            f"{name} has weights that are no numbers",
            why=f"{tensor_name} is not finite: nothing can be measured of it",
            fix="train it again, at a lower learning rate",
            code=Code.WEIGHTS,
        )


def _fresh_classifier(entry: Entry, data: str, choice: Choice, *, seed: int, device: str | torch.device) -> Classifier:
    """A named network with fresh weights, for the classes and channels of some data."""
    source = open_data(replace(DataSpec(data, validation_fraction=0.0, test_fraction=0.0), data_dir=choice.data_dir))
    spec = replace(entry.spec, num_classes=len(source.class_names), in_channels=source.channels)
    size = source.shapes.shorter_px if source.shapes.shorter_px <= SMALL_PX else entry.image_size_px
    network = draw_network(spec, seed=seed, device=device)
    return Classifier(network, usual_preprocessing(size, source.channels), source.class_names)
