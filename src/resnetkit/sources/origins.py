"""Reads what a weight file says besides its tensors: which network it is, how its images are prepared, its classes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resnetkit.data.datasets import DATASETS
from resnetkit.errors import ResnetkitError
from resnetkit.files import md5_of, sha256_of
from resnetkit.images.spec import Fit, Interpolation, Preprocessing, with_margin
from resnetkit.sources.class_names import from_json, tell_apart
from resnetkit.sources.hub import HubFile
from resnetkit.sources.published import (
    CIFAR10_USUAL,
    KERAS_V1,
    KERAS_V2,
    Published,
    find_by_address,
    find_by_md5,
    find_by_sha256,
)
from resnetkit.weights import keras_order
from resnetkit.weights.identification import Candidate, Evidence
from resnetkit.weights.weight_file import WeightFile

MAX_JSON_BYTES = 2**20

# What goes with each naming convention: the networks it names, and how its authors prepare images, if all do alike.
_CIFAR100 = Preprocessing(32, 32, mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762))
_HALF = Preprocessing(224, 256, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
_AS_IT_IS = Preprocessing(28, 28, 1, (0.0,), (1.0,))
_CONVENTIONS: dict[str, tuple[str, Preprocessing | None]] = {
    "akamaster / kuangliu": (r"akamaster_\w+|resnet\d+_b|cifar_resnet\d+|kuangliu_\w+", CIFAR10_USUAL),
    "weiaicunzai": (r"cifar_resnet\d+", _CIFAR100),
    "weiaicunzai, pre-activation": (r"weiaicunzai_\w+", _CIFAR100),
    "timm resnetv2": (r"resnetv2_\w+", None),
    "timm resnetv2 with a deep stem": (r"resnetv2_\w+", None),
    "Big Transfer": (r"\w+_bit", _HALF),
    "Hugging Face transformers": (r"resnet\d+(_v1)?", None),
    "keras.applications v1": (r"keras_resnet\d+", KERAS_V1),
    "keras.applications v2": (r"keras_resnet\d+v2", KERAS_V2),
    keras_order.NAME: (r"tutorial_preact", _AS_IT_IS),
    "the ResNet-50 tutorial": (r"tutorial_resnet50|resnet\d+", None),
    "the tutorial of identity and conv blocks": (r"tutorial_resnet18_\w+", None),
    "the ResNet50V2 tutorial": (r"tutorial_resnet50v2(_no_preact)?", None),
    "the Fashion-MNIST tutorial's subclassed Keras model": (r"tutorial_preact", _AS_IT_IS),
}
_CROP_MODES: dict[str, Fit] = {"center": "crop", "squash": "squeeze", "border": "pad"}  # timm's words
_INTERPOLATION: dict[int, Interpolation] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers


@dataclass(frozen=True)
class Origin:
    """Statements of a file besides its tensors.

    Attributes:
        evidence: what tells it from networks with the same tensors.
        preprocessing: what its publisher says; None where nobody does, then ``assumed`` is usual for its kind.
        class_names: None where it does not name them.
        provenance: where it comes from, JSON-ready; for the classifier's.
    """

    evidence: tuple[Evidence, ...] = ()
    preprocessing: Preprocessing | None = None
    assumed: Preprocessing | None = None
    class_names: tuple[str, ...] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


def find_origin(file: WeightFile, naming: str, hub: HubFile | None = None) -> Origin:
    """Everything that a file, its place and what lies beside it say."""
    digest = sha256_of(file.path)
    published = find_by_sha256(digest)
    if published is None and file.format == "hdf5":  # Keras', the only ones known by MD5
        published = find_by_md5(md5_of(file.path))
    provenance: dict[str, Any] = {"weights": str(file.path), "sha256": digest, "naming": naming}
    listed = None
    if hub is not None:
        provenance |= {"weights": f"hf://{hub.repo}/{file.path.name}", "revision": hub.revision}
        listed = find_by_address(str(provenance["weights"]))
    pattern, assumed = _CONVENTIONS.get(naming, (".*", None))
    evidence = [Evidence(f"its tensors are named as in {naming}", _named(pattern))]
    if published is not None:
        return _of_published(published, evidence, provenance)
    config = file.metadata.get("config", {})
    evidence += _evidence_of_config(config)
    said = _of_timm(config) or _of_transformers(_read_json(file.path.parent / "preprocessor_config.json"))
    if listed is not None:  # its checksum is not known, but it is where its publisher has it
        provenance |= provenance_of(listed)
        said = said or listed.preprocessing
    return Origin(
        tuple(evidence),
        said,
        assumed,
        _class_names(config),
        provenance,
    )


def usual_preprocessing(image_size_px: int, channels: int) -> Preprocessing:
    """Preprocessing that is assumed where nothing is known: ImageNet's statistics, photographs cut 224 of 256."""
    resize_px = with_margin(image_size_px)
    if channels == 3:
        return Preprocessing(image_size_px, resize_px)
    return Preprocessing(image_size_px, resize_px, channels, (0.5,) * channels, (0.5,) * channels)


def _named(pattern: str, *, whole: bool = False) -> Any:
    def fits(candidate: Candidate) -> bool:
        name = candidate.name if whole else candidate.name.partition("[")[0]
        return re.fullmatch(pattern, name) is not None

    return fits


def _of_published(published: Published, evidence: list[Evidence], provenance: dict[str, Any]) -> Origin:
    says = f"its checksum is that of {published.model} as {published.origin} published it"
    evidence.append(Evidence(says, _named(re.escape(published.model), whole=True)))
    provenance |= provenance_of(published)
    known = DATASETS.get(published.data)
    class_names = None if known is None else known.class_names
    return Origin(tuple(evidence), published.preprocessing, None, class_names, provenance)


def provenance_of(published: Published) -> dict[str, Any]:
    """Statements of the publisher about weights, for a classifier's provenance."""
    stated = {
        "published": published.name,
        "origin": published.origin,
        "data": published.data,
        "licence": published.licence,
        "published_top1": published.top1,
    }
    return {name: value for name, value in stated.items() if value is not None}


def _evidence_of_config(config: Mapping[str, Any]) -> list[Evidence]:
    evidence = []
    architecture = config.get("architecture")  # timm's
    if isinstance(architecture, str):
        name = architecture.partition(".")[0]
        evidence.append(Evidence(f"config.json says its network is {name}", _named(re.escape(name))))
    in_first = config.get("downsample_in_bottleneck")  # transformers'
    if isinstance(in_first, bool):
        says = f"config.json says downsample_in_bottleneck is {str(in_first).lower()}"
        evidence.append(
            Evidence(
                f"{says}: a bottleneck's stride is in its {'first 1×1' if in_first else '3×3'}",
                lambda c: len(c.spec.block.kernel_sizes) != 3 or (c.spec.block.strided_conv == 0) == in_first,
            )
        )
    return evidence


def _of_timm(config: Mapping[str, Any]) -> Preprocessing | None:
    settings = config.get("pretrained_cfg")
    if not isinstance(settings, dict):
        return None
    fit = _CROP_MODES.get(str(settings.get("crop_mode", "center")))
    if fit is None:
        return None
    try:
        channels, size, _ = settings["input_size"]
        crop_share = float(settings["crop_pct"])
        if fit != "crop" and crop_share != 1:  # a margin is cut off what was squeezed or padded
            return None
        return Preprocessing(
            int(size),
            max(int(size), int(size / crop_share)),
            int(channels),
            tuple(map(float, settings["mean"])),
            tuple(map(float, settings["std"])),
            settings["interpolation"],
            fit=fit,
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError, ResnetkitError):
        return None


def _of_transformers(settings: Mapping[str, Any]) -> Preprocessing | None:
    """Read a preprocessor_config.json (ConvNextImageProcessor, which its ResNets use)."""
    try:
        size = settings["size"]
        size = int(size["shortest_edge"] if isinstance(size, dict) else size)
        crop_share = float(settings.get("crop_pct") or 224 / 256)
        mean, std = tuple(map(float, settings["image_mean"])), tuple(map(float, settings["image_std"]))
        interpolation = _INTERPOLATION[settings.get("resample", 2)]
        if size >= 384:  # from here on it squeezes the whole image into a square
            return Preprocessing(size, size, len(mean), mean, std, interpolation, fit="squeeze")
        return Preprocessing(size, max(size, int(size / crop_share)), len(mean), mean, std, interpolation)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, ResnetkitError):
        return None


def _class_names(config: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Class names from transformers' ``id2label`` or timm's ``label_names``."""
    settings = config.get("pretrained_cfg")
    labels = config.get("id2label") or config.get("label_names")
    if labels is None and isinstance(settings, dict):
        labels = settings.get("label_names")
    try:
        return tell_apart(from_json(labels))
    except ValueError:
        return None


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size <= MAX_JSON_BYTES else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
