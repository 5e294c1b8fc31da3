"""A classifier from whatever holds one: a run, a classifier file, third-party weights, a name on the hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch

from resnetkit.classifier.classifier import Classifier, load_classifier
from resnetkit.config import override
from resnetkit.data.seen import SeenImages
from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.models.catalog import find_entry
from resnetkit.models.plan import FIRST_CONVS
from resnetkit.models.resnet import ResNet
from resnetkit.sources.locate import Located, Source, locate_weights
from resnetkit.sources.origins import Origin, find_origin, usual_preprocessing
from resnetkit.weights.files import read_weights
from resnetkit.weights.identification import Candidate, Identification, identify
from resnetkit.weights.loading import load_weights
from resnetkit.weights.naming import Native, to_native
from resnetkit.weights.weight_file import WeightFile


@dataclass(frozen=True)
class Weights:
    """A third-party weight file, read."""

    file: WeightFile
    native: Native
    origin: Origin

    @cached_property
    def identification(self) -> Identification:
        """Networks that it can be, found by a search of the whole catalog when it is first asked for."""
        return identify(self.native.tensors, self.origin.evidence)

    def choose(self, model: str | None, *, source: str) -> Candidate:
        """The network it is, or the one that ``model`` names, where nothing contradicts it.

        Raises:
            ResnetkitError: where the file leaves a choice open, or contradicts the name.
        """
        named = None if model is None else self._named(model)
        if named is not None and all(piece.fits(named) for piece in self.origin.evidence):
            return named  # nothing speaks against it: what else has these tensors need not be known
        return self.identification.choose(model, source=source)

    def build(self, model: str | None, *, source: str) -> tuple[Candidate, ResNet]:
        """The network of :meth:`choose`, with its weights."""
        candidate = self.choose(model, source=source)
        network = ResNet(candidate.spec).eval()
        load_weights(network, self.native.tensors, source=source)
        return candidate, network

    def _named(self, model: str) -> Candidate | None:
        """A network by its name, with the classes and channels of the tensors; None where they do not tell."""
        tensors, spec = self.native.tensors, find_entry(model).spec
        first = next((tensors[name] for name in FIRST_CONVS if name in tensors), None)
        if first is None or first.ndim != 4:
            return None
        num_classes = tensors["fc.weight"].shape[0] if "fc.weight" in tensors else None
        return Candidate(model, replace(spec, num_classes=num_classes, in_channels=first.shape[1]))

    def preprocessing(self, candidate: Candidate) -> tuple[Preprocessing, bool]:
        """Find how images are prepared for it, and whether that is known rather than assumed."""
        if self.origin.preprocessing is not None:
            return self.origin.preprocessing, True
        assumed = self.origin.assumed
        if assumed is None or assumed.channels != candidate.spec.in_channels:
            size = find_entry(candidate.name).image_size_px
            assumed = usual_preprocessing(size, candidate.spec.in_channels)
        return assumed, False


def open_weights(source: Source, *, entry: str | None = None) -> Weights:
    """Read a weight file, a folder as the hub keeps it, or ``hf://OWNER/NAME``.

    Args:
        entry: which of several networks a checkpoint holds.

    Raises:
        ResnetkitError: for a missing, damaged, unsafe or unknown file; nothing in it is executed.
    """
    located = locate_weights(source)
    file = read_weights(located.file, entry=entry)
    native = to_native(file)
    return Weights(file, native, find_origin(file, native.naming, located.fetched))


def open_network(
    source: Source,
    *,
    model: str | None = None,
    entry: str | None = None,
    tell: Callable[[str], None] | None = None,
) -> ResNet:
    """The network alone, of anything :func:`open_classifier` opens; weights without a head too.

    Args:
        tell: called with what was chosen of the file's content, and what was left aside.
    """
    located = locate_weights(source)
    if located.is_own:
        refuse_for_own(located, {"a network": model, "one entry": entry})
        return load_classifier(located.description or located.file).network
    weights = open_weights(located, entry=entry)
    network = weights.build(model, source=located.text)[1]
    if tell is not None:
        for text in weights.file.choices:
            tell(text)
    return network


def refuse_for_own(located: Located, stated: Mapping[str, object]) -> None:
    """Refuse statements about a classifier, which says everything about itself."""
    given = [what for what, value in stated.items() if value]
    require(not given, f"{located.text} is a classifier and has {' and '.join(given)} of its own", fix="leave them out")


def open_classifier(
    source: Source,
    *,
    model: str | None = None,
    entry: str | None = None,
    class_names: Sequence[str] | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    device: str | torch.device = "cpu",
) -> Classifier:
    """The classifier of a run folder, a classifier file, a third-party weight file, or ``hf://OWNER/NAME``.

    A classifier file says everything about itself. Of a weight file, what it does not say is asked for or, where
    there is a usual answer, assumed; ``provenance["warnings"]`` lists what was assumed.

    Args:
        model: the weights' network, where their tensors leave a choice.
        entry: which of several networks a checkpoint holds.
        class_names: of the weights' outputs, in order.
        preprocessing: fields of :class:`~resnetkit.images.spec.Preprocessing` to replace, e.g.
            ``{"mean": (0.5, 0.5, 0.5)}``.

    Raises:
        ResnetkitError: for a file that is missing, damaged or unknown, or weights that leave a choice open.
    """
    located = locate_weights(source)
    if located.is_own:
        refuse_for_own(
            located,
            {"a network": model, "one entry": entry, "class names": class_names, "a preprocessing": preprocessing},
        )
        return load_classifier(located.description or located.file, device=device)
    weights = open_weights(located, entry=entry)
    candidate, network = weights.build(model, source=located.text)
    prepared, assumed = _prepared(weights, candidate, preprocessing)
    names, named = _names(located.text, candidate, class_names, weights.origin)
    warnings = [*weights.file.choices, *assumed]
    if not named:
        warnings.append("the file does not name its classes; they are called 0, 1, 2 … (--class-names gives names)")
    reasons = weights.identification.reasons if model is None else ("its network was named",)
    notes = [*weights.native.notes, *reasons]
    provenance = {**weights.origin.provenance, "model": candidate.name, "notes": notes, "warnings": warnings}
    classifier = Classifier(network, prepared, names, provenance)
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return classifier


@dataclass(frozen=True)
class Embedder:
    """A network for its features: with a head or without, and how images are prepared for it.

    Attributes:
        warnings: sentences on what was assumed, because the file does not say it.
        seen: the images that the weights have met; None where that is not known.
    """

    network: ResNet
    preprocessing: Preprocessing
    limits: Limits = field(default_factory=Limits)
    warnings: tuple[str, ...] = ()
    seen: SeenImages | None = field(default=None, repr=False)


def open_embedder(
    source: Source,
    *,
    model: str | None = None,
    entry: str | None = None,
    preprocessing: Mapping[str, Any] | None = None,
) -> Embedder:
    """The network of anything :func:`open_classifier` opens, for its features; weights without a head too.

    Raises:
        ResnetkitError: as :func:`open_classifier` does.
    """
    located = locate_weights(source)
    if located.is_own:
        refuse_for_own(located, {"a network": model, "one entry": entry, "a preprocessing": preprocessing})
        own = load_classifier(located.description or located.file)
        return Embedder(own.network, own.preprocessing, own.limits, seen=own.seen)
    weights = open_weights(located, entry=entry)
    candidate, network = weights.build(model, source=located.text)
    prepared, assumed = _prepared(weights, candidate, preprocessing)
    return Embedder(network, prepared, warnings=(*weights.file.choices, *assumed))


def _prepared(
    weights: Weights, candidate: Candidate, given: Mapping[str, Any] | None
) -> tuple[Preprocessing, tuple[str, ...]]:
    """Tell how images are prepared, with a sentence where that is assumed."""
    prepared, is_known = weights.preprocessing(candidate)
    if given:
        return override(prepared, given), ()
    if is_known:
        return prepared, ()
    return prepared, (
        "the file does not say how its images are prepared; assumed: "
        f"{say_preprocessing(prepared)} (--preprocess says otherwise)",
    )


def _names(
    source: str, candidate: Candidate, given: Sequence[str] | None, origin: Origin
) -> tuple[tuple[str, ...], bool]:
    """The class names, and whether they are names rather than numbers."""
    num_classes = candidate.spec.num_classes
    if num_classes is None:
        raise ResnetkitError(
            Code.WEIGHTS,
            f"the weights in {source} have no head, so they cannot classify",
            fix=f"train one on your images: resnetkit train DATA --weights {source} --reset-head",
        )
    if given is not None and len(given) != num_classes:
        raise ResnetkitError(
            Code.USAGE, f"the network in {source} has {num_classes} classes, {len(given)} names were given"
        )
    names = given or origin.class_names
    if names is not None and len(names) == num_classes:
        return tuple(names), True
    return tuple(map(str, range(num_classes))), False


def say_preprocessing(preprocessing: Preprocessing) -> str:
    """Say how images are prepared."""
    mean, std = (", ".join(f"{value:.4g}" for value in values) for values in (preprocessing.mean, preprocessing.std))
    size = preprocessing.image_size_px
    fit = {
        "crop": f"shorter side {preprocessing.resize_px} px, centre {size} px",
        "squeeze": f"squeezed into {size} × {size} px",
        "pad": f"longer side {size} px, padded to a square",
    }[preprocessing.fit]
    colours = preprocessing.channel_order.upper() if preprocessing.channels == 3 else "grey"
    return f"{fit}, {colours}, mean {mean}, std {std}"
