"""Compute runs on a Ray cluster, one task a run; the extra ``ray``. Nothing else of studies knows of Ray.

Every machine of the cluster has this package, and sees the study's folder and the data under the same paths.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from resnetkit.errors import Code
from resnetkit.machine.ray_cluster import connect
from resnetkit.study.places import LocalProcess

POLL_SECONDS = 0.2


class RayPlace:
    """A place that starts each command as a task of a Ray cluster, which lets it wait for a machine with room.

    Where the cluster has GPUs, each run has one of them.

    Args:
        address: ``local`` starts a cluster of this machine, ``auto`` is the one that this machine belongs to, or
            ``HOST:PORT`` of another one.
        threads: CPU threads of one run.

    Raises:
        ResnetkitError: where Ray is not installed, or no cluster answers in time.
    """

    def __init__(self, address: str, threads: int) -> None:
        ray = connect(address)
        num_gpus = 1 if ray.cluster_resources().get("GPU") else 0
        self._ray, self._task = ray, ray.remote(num_cpus=threads, num_gpus=num_gpus, max_retries=0)(train_as_told)

    def __call__(self, command: Sequence[str], said: Path) -> RayProcess:
        """Hand a command to the cluster."""
        return RayProcess(self._ray, self._task.remote(tuple(command), str(said.absolute()), str(Path.cwd())))


class RayProcess:
    """A command that runs, or waits to run, on a cluster."""

    def __init__(self, ray: Any, task: Any) -> None:
        self._ray, self._task = ray, task

    def poll(self) -> int | None:
        """Its exit code; None while it runs, or waits for room."""
        ready, _ = self._ray.wait([self._task], timeout=0)
        if not ready:
            return None
        try:
            return int(self._ray.get(self._task))
        except self._ray.exceptions.RayError:  # its machine is gone, or it was cancelled
            return int(Code.IO)

    def stop(self) -> None:
        """Ask it to write a checkpoint and end."""
        self._ray.cancel(self._task)

    def kill(self) -> None:
        """End it at once."""
        with suppress(self._ray.exceptions.RayError):
            self._ray.cancel(self._task, force=True)


def train_as_told(command: tuple[str, ...], said: str, folder: str) -> int:
    """Run a command on the machine that this is called on, in a folder; its exit code."""
    os.chdir(folder)  # paths in it may start there
    process = LocalProcess(command, Path(said))
    try:
        while (code := process.poll()) is None:
            time.sleep(POLL_SECONDS)
    except BaseException:  # the task was cancelled
        process.stop()
        while process.poll() is None:
            time.sleep(POLL_SECONDS)
        raise
    return code
