"""Tensors into a network: every one fits, or none is copied."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.plan import FIRST_CONVS
from resnetkit.weights.mismatch import Mismatch, explain

HEAD = ("fc.weight", "fc.bias")


def load_weights(
    network: nn.Module,
    tensors: Mapping[str, Tensor],
    *,
    source: str,
    reset_head: bool = False,
    adapt_channels: bool = False,
    only_check: bool = False,
) -> None:
    """Copy tensors into a network: every one fits, or none is copied.

    Args:
        source: where the tensors come from, for the error's text.
        reset_head: keep the network's own freshly drawn head, e.g. for other classes.
        only_check: copy nothing.
        adapt_channels: fit the stem's conv to the network's input channels, see :func:`adapt_input`.

    Raises:
        ResnetkitError: listing missing, unexpected and mis-shaped tensors, with the likely reason.
    """
    own = network.state_dict()
    given = dict(tensors)
    if reset_head:
        own = {name: tensor for name, tensor in own.items() if name not in HEAD}
        given = {name: tensor for name, tensor in given.items() if not name.startswith("fc.")}
    if adapt_channels:
        for name in FIRST_CONVS:
            if name in own and name in given and given[name].ndim == 4:
                given[name] = adapt_input(given[name], own[name].shape[1])
    mismatch = Mismatch.between(given, own)
    if mismatch:
        why, fix = explain(mismatch, given, own)
        raise ResnetkitError(Code.WEIGHTS, f"the weights in {source} do not fit the network", why=why, fix=fix)
    if only_check:
        return
    network.load_state_dict(given, strict=False)


def adapt_input(weight: Tensor, in_channels: int) -> Tensor:
    """A stem conv ``(out, C, H, W)`` for another number of input channels.

    To one channel the filters are summed, which is what they give for an image of equal channels. To any other
    number C' they are repeated in turn and scaled by C / C', so that activations keep their size.

    >>> import torch
    >>> adapt_input(torch.ones(8, 3, 7, 7), 1).unique()
    tensor([3.])
    >>> adapt_input(torch.ones(8, 3, 7, 7), 4).unique()
    tensor([0.7500])
    """
    channels = weight.shape[1]
    if in_channels == channels:
        return weight
    if in_channels == 1:
        return weight.sum(1, keepdim=True)
    repeats = -(-in_channels // channels)
    return weight.repeat(1, repeats, 1, 1)[:, :in_channels] * (channels / in_channels)
