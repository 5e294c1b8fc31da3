"""One version of a classifier: a worker that has opened it, with what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from resnetkit.classifier.description import Description, from_sections, parse
from resnetkit.config import to_dict
from resnetkit.serving import worker
from resnetkit.serving.opening import ToServe
from resnetkit.serving.settings import ServerSettings
from resnetkit.serving.worker_process import WorkerProcess


@dataclass(frozen=True)
class Version:
    """A classifier as a worker has opened it.

    Attributes:
        name: the first digits of the SHA-256 of what it answers by.
    """

    name: str
    description: Description
    engine: str
    worker: WorkerProcess


async def open_version(to_serve: ToServe, file: Path, settings: ServerSettings) -> Version:
    """Start a worker on what a source holds now.

    Args:
        file: where its weights are.

    Raises:
        ResnetkitError: for what cannot be opened.
        WorkerLost: where the worker ends instead.
    """
    process = await WorkerProcess.start(worker.START, hang_seconds=settings.hang_seconds)
    opened = await process.open({"to_serve": to_dict(to_serve), "settings": to_dict(settings)})
    description = from_sections(parse(opened.blobs[0].decode(), to_serve.source), file)
    return Version(opened.head["version"], description, opened.head["engine"], process)
