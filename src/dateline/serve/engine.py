"""The thread that owns the model, and the requests that it works on.

A request is a generator of events, one a token for what writes. The thread takes one event of each active request in
turn, so that a long text does not hold up a short one, and drops a request between two events: when its client is gone,
or its time is over.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from dateline.errors import UserError

log = logging.getLogger("dateline.serve")


class Busy(Exception):
    """The queue is full; the client may come again."""


class Closing(Exception):
    """The server is shutting down."""


class OutOfTime(Exception):
    """A request took longer than the server allows."""


class Broken(Exception):
    """Something failed that is not the client's mistake; the log says where."""


@dataclass(frozen=True, slots=True)
class Done:
    """The last message about a request that went well."""


Message = Any
"""An event of the request, `Done`, or an exception, which is the last one, too."""


@dataclass(eq=False)
class Job:
    """One request."""

    events: Generator[Any, None, None]
    deadline: float
    """Of `time.monotonic`."""
    send: Callable[[Message], None]
    """Called in the thread of the engine; must not raise or wait."""
    cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Asks the engine to drop the request; it does so before the next event."""
        self.cancelled.set()


class Engine:
    """Works on requests, in turn, in one thread.

    Args:
        concurrent: how many requests are worked on in turn.
        waiting: how many more may wait.
    """

    def __init__(self, concurrent: int, waiting: int) -> None:
        self.concurrent, self.waiting = concurrent, waiting
        self._queue: deque[Job] = deque()
        self._active: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="dateline-engine", daemon=True)
        self._thread.start()

    @property
    def ready(self) -> bool:
        """Whether requests are taken."""
        return self._thread.is_alive() and not self._closing

    @property
    def load(self) -> tuple[int, int]:
        """How many requests are worked on, and how many wait."""
        with self._changed:
            return len(self._active), len(self._queue)

    def submit(self, events: Generator[Any, None, None], seconds: float, send: Callable[[Message], None]) -> Job:
        """Queues a request.

        Args:
            events: what is computed, an event at a time.
            seconds: after which it is given up, waiting included.
            send: takes every message about it, in the thread of the engine; must not raise or wait.

        Raises:
            Busy: where too many wait.
            Closing: where the server is shutting down.
        """
        job = Job(events, time.monotonic() + seconds, send)
        with self._changed:
            if not self.ready:
                raise Closing
            self._queue = deque(waiting for waiting in self._queue if not waiting.cancelled.is_set())
            if len(self._active) + len(self._queue) >= self.concurrent + self.waiting:
                raise Busy
            self._queue.append(job)
            self._changed.notify()
        return job

    def close(self) -> None:
        """Finishes what was taken, and ends the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            last = self._step(job)
            with self._changed:  # there is room again before the client hears of it
                self._active.popleft()
                if last is None:
                    self._active.append(job)
            if last is not None:
                job.send(last)

    def _next(self) -> Job | None:
        """Waits for work and returns the request whose turn it is; None where all is done and no more will come."""
        with self._changed:
            while not self._queue and not self._active and not self._closing:
                self._changed.wait()
            while self._queue and len(self._active) < self.concurrent:
                self._active.append(self._queue.popleft())
            return self._active[0] if self._active else None

    def _step(self, job: Job) -> Message:
        """Computes one event; returns the last message about the request, or None where there may be more events.

        Nothing that a request does ends the thread, on which all others wait.
        """
        last: Message
        try:
            if not job.cancelled.is_set() and time.monotonic() <= job.deadline:
                job.send(next(job.events))
                return None
            last = Done() if job.cancelled.is_set() else OutOfTime()
            job.events.close()
        except StopIteration:
            last = Done()
        except UserError as error:
            last = error
        except BaseException as error:
            log_failure(error)
            last = Broken()
        return last


def log_failure(error: BaseException) -> None:
    """Logs which exception was raised where, without its message, which may hold a prompt."""
    where = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" at {where[0].filename}:{where[0].lineno}" if where else ""
    log.error("%s%s", type(error).__name__, place)
