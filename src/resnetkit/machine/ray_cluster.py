"""The one way to a Ray cluster, for studies and for answers; the extra ``ray``.

Every machine of the cluster has this package, and sees files under the same paths as this one.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future
from threading import Event, Thread
from typing import Any

from resnetkit.errors import Code, ResnetkitError, summarize
from resnetkit.extras import import_extra

START_SECONDS = 60.0


def connect(address: str) -> Any:
    """The module ``ray``, connected to a cluster; one that this process has connected to already is kept.

    Args:
        address: ``local`` starts a cluster of this machine, ``auto`` is the one that this machine belongs to, or
            ``HOST:PORT`` of another one.

    Raises:
        ResnetkitError: where Ray is not installed, or no cluster answers in time.
    """
    ray = import_extra("ray", extra="ray", what="--ray needs Ray, which is not installed")
    if ray.is_initialized():
        return ray
    try:
        _connect_in_time(ray, address)
    except Exception as error:  # whatever Ray raises
        raise ResnetkitError(
            Code.IO,
            f"no Ray cluster answers at '{address}'",
            why=summarize(error),
            fix="--ray local starts one on this machine; without --ray, its cores are used directly",
        ) from error
    return ray


def _connect_in_time(ray: Any, address: str) -> None:
    """Connect to a cluster, or start it, in a thread that is left behind where that takes too long.

    The thread stays: on Linux, what Ray starts ends with the thread that started it.
    """
    connected: Future[None] = Future()

    def work() -> None:
        try:
            # It warns of its own doings, such as that it cannot listen for signals in a thread; errors are raised.
            logging.getLogger("ray").setLevel(logging.ERROR)
            ray.init(address=address, log_to_driver=False, include_dashboard=False, configure_logging=False)
        except BaseException as error:
            connected.set_exception(error)
        else:
            connected.set_result(None)
            Event().wait()

    Thread(target=work, name="ray", daemon=True).start()
    try:
        connected.result(START_SECONDS)
    except TimeoutError:
        raise TimeoutError(f"did not answer within {START_SECONDS:g} s") from None
