"""Weights at hand to look at images with, where nobody names a network."""

from __future__ import annotations

from resnetkit.data.source import DataSource
from resnetkit.images.spec import SMALL_PX
from resnetkit.machine.threads import find_num_threads, may_have_gpu
from resnetkit.sources.network_choice import A_GPU, Effort, cores
from resnetkit.sources.weight_store import find_at_hand
from resnetkit.sources.weights import Embedder, open_embedder
from resnetkit.terminal import tell
from resnetkit.training.automatic_weights import choose_at_hand, is_photo_network


def embedder_at_hand(source: DataSource) -> Embedder | None:
    """The network at hand that ``train`` would start from on photographs, which is told; None where none suits them."""
    if source.shapes.shorter_px <= SMALL_PX:
        return None
    weights = [one for one in find_at_hand() if is_photo_network(one, None) and one.spec is not None]
    if not weights:
        return None
    effort = Effort(sum(source.split_sizes.values()), A_GPU if may_have_gpu() else cores(find_num_threads()), passes=1)
    best, why = choose_at_hand(weights, effort)
    tell(f"looked at by the weights {best.name}: {why}")
    return open_embedder(str(best.path))
