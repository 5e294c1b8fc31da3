"""The files of a run's repository on the hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from safetensors.torch import save
from torch import Tensor

from resnetkit.classifier.classifier import Classifier, load_classifier
from resnetkit.classifier.file import FILE_NAME, read_description
from resnetkit.errors import Code, ResnetkitError
from resnetkit.publishing.card import model_card
from resnetkit.publishing.subject import Subject
from resnetkit.publishing.timm_config import timm_config
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.result import finished_result
from resnetkit.weights.peers import find_peer, in_words
from resnetkit.weights.saving import rename

CARD, CONFIG, WEIGHTS = "README.md", "config.json", "model.safetensors"
ALL_NAMES = (CARD, CONFIG, WEIGHTS, FILE_NAME)
"""All that a repository of ours can hold."""
MOST_DIFFERENCES = 3  # that are told of one by one


@dataclass(frozen=True)
class Contents:
    """Content that a repository is to hold.

    Attributes:
        files: contents by name: the card, and the classifier; where timm has its network, config.json and, where timm
            calls tensors otherwise, them once more under its names.
        why_not_timm: what keeps timm from reading it; empty where it can.
    """

    files: Mapping[str, bytes]
    why_not_timm: str = ""


def contents_of(folder: RunFolder, repo: str, license: str | None = None) -> Contents:
    """Everything that is pushed of a finished run; never an image, nor a page that shows some.

    Raises:
        ResnetkitError: for a run that has not finished, or is damaged.
    """
    record, result = folder.read_record(), finished_result(folder)
    if result is None or not folder.classifier_file.is_file():
        raise ResnetkitError(
            Code.WEIGHTS, f"{folder.path} has not finished", fix=f"resnetkit train --resume {folder.path} goes on"
        )
    description = read_description(folder.classifier_file)
    for_timm = _for_timm(load_classifier(description))
    own = folder.classifier_file.read_bytes()
    subject = Subject(repo, record, result, description, license, for_timm.architecture, for_timm.why_not)
    files = {CARD: model_card(subject).encode(), **for_timm.files}
    # Where timm's names are ours, one file serves both: it holds the same tensors, and a description that timm ignores.
    name = WEIGHTS if for_timm.architecture and WEIGHTS not in files else FILE_NAME
    return Contents({**files, name: own}, for_timm.why_not)


@dataclass(frozen=True)
class _ForTimm:
    architecture: str | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    why_not: str = ""


def _for_timm(classifier: Classifier) -> _ForTimm:
    spec, preprocessing = classifier.network.spec, classifier.preprocessing
    if preprocessing.channel_order != "rgb":
        return _ForTimm(why_not="it reads blue first, which a config.json of timm cannot say")
    peer = find_peer(spec, "timm")
    differing = {**peer.differing, **peer.sizes}
    if len(differing) > MOST_DIFFERENCES:
        return _ForTimm(why_not="it has no such network")
    if differing:
        return _ForTimm(why_not=f"the nearest it has is {peer.name}, where {in_words(differing)}")
    tensors = {name: tensor.cpu().contiguous() for name, tensor in rename(classifier.network, "timm").items()}
    files = {CONFIG: timm_config(peer.name, list(tensors), preprocessing, classifier.class_names)}
    if not _are_same(tensors, classifier.network.state_dict()):
        files[WEIGHTS] = save(tensors, metadata={"format": "pt"})
    return _ForTimm(peer.name, files)


def _are_same(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return {name: tensor.shape for name, tensor in a.items()} == {name: tensor.shape for name, tensor in b.items()}
