"""Listeners that a run does not wait for: they hear of it in a thread of their own, and are left where they hang."""

from __future__ import annotations

import time
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any

from resnetkit.errors import summarize
from resnetkit.runs.events import EVENTS, Listener

DEADLINE_SECONDS = 30.0
MOST_WAITING = 100
LAST = ("run_ended", "run_stopped")

_Events = SimpleQueue[tuple[str, tuple[Any, ...]] | None]


class InBackground(Listener):
    """Passes all that it hears on to a listener in a thread, in order; what that raises, is raised at the next event.

    So :class:`~resnetkit.runs.events.Listeners` tells of a failure once, and leaves the listener out, as if it had been
    called directly. A listener that is slow misses steps, not epochs: they are left out while :data:`MOST_WAITING`
    events wait. At the end, and where the run stops, it is waited for.

    Args:
        deadline_seconds: after so long in one event, or at the end in all that are left, a listener is given up with a
            ``TimeoutError``. Its thread is left behind, and ends with the process.
    """

    def __init__(self, listener: Listener, *, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self.listener = listener
        self.deadline_seconds = deadline_seconds
        self._events: _Events = SimpleQueue()
        self._thread: Thread | None = None
        self._busy_since: float | None = None
        self._failure: Exception | None = None
        for event in EVENTS:
            setattr(self, event, partial(self._pass_on, event))

    @property
    def name(self) -> str:
        """That of the listener."""
        return self.listener.name

    def _pass_on(self, event: str, *values: Any) -> None:
        self._check()
        if event == "step_ended" and self._events.qsize() >= MOST_WAITING:
            return
        self._events.put((event, values))
        if self._thread is None:
            self._thread = Thread(target=self._work, args=(self._events,), name=self.name, daemon=True)
            self._thread.start()
        if event in LAST:
            self._events.put(None)
            self._thread.join(self.deadline_seconds)
            if self._thread.is_alive():
                raise self._timeout()
            self._thread = None
            self._check()

    def _check(self) -> None:
        """Raise what the listener raised, or that it hangs."""
        if self._failure is not None:
            raise self._failure
        since = self._busy_since
        if since is not None and time.monotonic() - since > self.deadline_seconds:
            raise self._timeout()

    def _timeout(self) -> TimeoutError:
        return TimeoutError(f"it was not done within {self.deadline_seconds:g} s")

    def _work(self, events: _Events) -> None:
        while (told := events.get()) is not None:
            event, values = told
            self._busy_since = time.monotonic()
            try:
                getattr(self.listener, event)(*values)
            except Exception as error:
                self._failure = error
                return
            except BaseException as error:  # a library that wants to end the program
                self._failure = RuntimeError(summarize(error))
                return
            finally:
                self._busy_since = None
