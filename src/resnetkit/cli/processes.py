"""One command in several processes that torchrun started, of which the first one speaks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resnetkit.classifier.classifier import Classifier
    from resnetkit.classifier.description import Description
    from resnetkit.classifier.engine import Engine
    from resnetkit.classifier.prediction import Predictor
    from resnetkit.data.batches import Shard
    from resnetkit.data.prepared_images import Examination, Originals
    from resnetkit.data.source import Examine
    from resnetkit.images.types import Images
    from resnetkit.inference.conditions import Conditions


@contextmanager
def among_others() -> Iterator[Shard | None]:
    """Join the others for the duration of the block, silently but in the first process; None where there are none."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield None
        return
    import torch

    from resnetkit.training.distributed import process_group

    with process_group(torch.device("cpu")) as shard:  # what is exchanged are findings, not tensors of a device
        if shard.rank == 0:
            yield shard
            return
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            yield shard


def device_of_rank(name: str, shard: Shard | None) -> str:
    """Name of the device of one process: of several GPUs, each takes its own."""
    if shard is None:
        return name
    from resnetkit.training.distributed import local_device_name

    return local_device_name(name)


def open_alike(classifier: Classifier | Description, conditions: Conditions, shard: Shard) -> Engine:
    """Open the engine that the first process chooses, in all of them."""
    from resnetkit.inference.engine_choice import open_engine
    from resnetkit.training.distributed import from_first_rank

    engine = open_engine(classifier, conditions) if shard.rank == 0 else None
    name = from_first_rank(engine and engine.name, shard)
    return engine or open_engine(classifier, replace(conditions, engines=(name,)))


def examine_together(predictor: Predictor, num_workers: int, shard: Shard) -> Examine:
    """Examine and answer a split's images, each process its share; what is answered comes to the first alone."""
    import numpy as np

    from resnetkit.evaluation.sharing import answer_originals, joined, own_share
    from resnetkit.training.distributed import from_all_ranks, to_first_rank

    def examine(originals: Originals) -> tuple[Images, Examination]:
        own = originals.select(own_share(len(originals), shard.rank, shard.num_ranks))
        mine = answer_originals(predictor, own, num_workers=num_workers)
        found = joined(from_all_ranks(replace(mine, probabilities=mine.probabilities[:, :0]), shard))
        answers = to_first_rank(mine.probabilities, shard)
        return (found if answers is None else replace(found, probabilities=np.concatenate(answers))).as_loaded()

    return examine
