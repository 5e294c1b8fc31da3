"""Networks with weights from wherever these are: a run, a classifier, a third-party file, the hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from resnetkit.classifier.classifier import load_classifier
from resnetkit.errors import Code, require
from resnetkit.models import resnet
from resnetkit.models.catalog import CATALOG
from resnetkit.models.differences import differing_fields
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import ResNetSpec
from resnetkit.sources.locate import Source, locate_weights
from resnetkit.sources.weights import open_weights, refuse_for_own
from resnetkit.weights import loading


def create_model(
    model: str | ResNetSpec,
    *,
    weights: Source | None = None,
    entry: str | None = None,
    reset_head: bool = False,
    adapt_channels: bool = False,
    **settings: Any,
) -> ResNet:
    """Make a network by catalog name or spec, with fields of the spec replaced, and with weights where they are given.

    >>> create_model("resnet20", num_classes=100, in_channels=1).fc.out_features
    100

    Args:
        weights, entry, reset_head, adapt_channels: as for :func:`load_weights`; None: weights as training starts.
        settings: fields of the spec, as ``num_classes=10``.

    Raises:
        ResnetkitError: for an unknown name, field or value, with the nearest one, and as :func:`load_weights` does.

    Warns:
        UserWarning: of a setting in a name that has no effect, and of a network that cannot learn.
    """
    network = resnet.create_model(model, **settings)
    if weights is None:
        given = {"entry": entry is not None, "reset_head": reset_head, "adapt_channels": adapt_channels}
        vain = [name for name, is_given in given.items() if is_given]
        require(not vain, f"{' and '.join(vain)} without weights", fix="give weights=, or leave them out")
        return network
    name = model if isinstance(model, str) else _find_name(network.spec)
    _load(network, name, weights, entry, reset_head=reset_head, adapt_channels=adapt_channels)
    return network


def load_weights(
    network: ResNet,
    source: Source,
    *,
    entry: str | None = None,
    reset_head: bool = False,
    adapt_channels: bool = False,
) -> None:
    """Put the weights of a run, a classifier, a third-party file or ``hf://OWNER/NAME`` into a network: all or none.

    >>> import tempfile, torch
    >>> trained, network = create_model("resnet20"), create_model("resnet20", num_classes=3)
    >>> with tempfile.NamedTemporaryFile(suffix=".pth") as file:
    ...     torch.save({"state_dict": trained.state_dict(), "epoch": 90}, file.name)
    ...     load_weights(network, file.name, reset_head=True)
    >>> torch.equal(network.conv1.weight, trained.conv1.weight)
    True

    Args:
        entry: which of several networks a checkpoint holds.
        reset_head: keep the network's own head, e.g. for other classes.
        adapt_channels: fit the first conv to the network's input channels.

    Raises:
        ResnetkitError: for what is missing, damaged, unsafe or unknown; for tensors that do not fit, listed, with the
            likely reason; and for those that fit, but were made for a network that computes otherwise.
    """
    _load(network, _find_name(network.spec), source, entry, reset_head=reset_head, adapt_channels=adapt_channels)


def _load(network: ResNet, name: str | None, source: Source, entry: str | None, **adaptation: bool) -> None:
    """Look for what speaks against it once the tensors are known to fit, because that says more where they do not."""
    located = locate_weights(source)
    if located.is_own:
        refuse_for_own(located, {"one entry": entry})
        theirs = load_classifier(located.description or located.file).network
        tensors: Mapping[str, Tensor] = theirs.state_dict()
    else:
        weights = open_weights(located, entry=entry)
        tensors = weights.native.tensors
    loading.load_weights(network, tensors, source=located.text, only_check=True, **adaptation)
    if located.is_own:
        differing = differing_fields(theirs.spec, network.spec)
        require(
            not differing,
            f"the weights in {located.text} were made for a network that computes otherwise",
            why=f"their tensors fit, but it has another {', '.join(differing)}",
            fix="take the network from the file: resnetkit.open_classifier(…).network",
            code=Code.WEIGHTS,
        )
    elif name is not None:
        weights.choose(name, source=located.text)
    loading.load_weights(network, tensors, source=located.text, **adaptation)


def _find_name(spec: ResNetSpec) -> str | None:
    """A name of the catalog, under which evidence of which network a file is can be weighed; None for none."""
    for name, entry in CATALOG.items():
        like = replace(
            entry.spec,
            num_classes=spec.num_classes,
            in_channels=spec.in_channels,
            initialization=spec.initialization,
        )
        if like == spec:
            return name
    return None
