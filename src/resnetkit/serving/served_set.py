"""Opens classifiers to be served under their names, for whatever speaks with their users."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from resnetkit.errors import Code, ResnetkitError, require
from resnetkit.serving.opening import ToServe
from resnetkit.serving.served import WorkerLost
from resnetkit.serving.served_classifier import ServedClassifier
from resnetkit.serving.settings import ServerSettings


@asynccontextmanager
async def open_served(
    to_serve: Sequence[ToServe], settings: ServerSettings
) -> AsyncIterator[Mapping[str, ServedClassifier]]:
    """Serve classifiers for the duration of the block; at its end, what was accepted is answered.

    They are opened one after another: where engines are measured, nothing else is to be busy.

    Raises:
        ResnetkitError: for what cannot be opened, and a name that two have.
    """
    names = [each.name for each in to_serve]
    require(bool(names), "no classifier was given to be served")
    twice = next((name for name in names if names.count(name) > 1), None)
    require(twice is None, f"two classifiers are to be served as '{twice}'", fix="give each a name of its own")
    served = {each.name: ServedClassifier(each, settings) for each in to_serve}
    try:
        for each in served.values():
            await _start(each)
        yield served
    finally:
        await asyncio.gather(*(each.stop() for each in served.values()))


async def _start(served: ServedClassifier) -> None:
    try:
        await served.start()
    except WorkerLost as error:
        raise ResnetkitError(Code.BUG, f"{served.source} could not be opened", why=str(error)) from None
