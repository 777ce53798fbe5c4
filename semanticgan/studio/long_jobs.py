"""Long jobs, such as inversions and paintings: one at a time on a thread of their own, in slices between renders."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from semanticgan.errors import Cancelled, InputError
from semanticgan.progress import Progress
from semanticgan.studio.store import Store
from semanticgan.studio.turns import Busy, Turns

Job = TypeVar("Job", bound="LongJob")

AT_MOST_OPEN = 4
AT_MOST_KEPT = 8  # of each kind
ALONE_S = 10.0
"""How long a job goes on after the last client that listened to it went away."""


class LongJob(ABC):
    """Base of the kinds.

    Attributes:
        stop: set to cancel it.
        state: "waiting", "running", "done", "failed", "cancelled", or "choose" where the client has to decide first.
        done, total: steps; total is None where unknown.
        what: the step's name.
        message: why it failed.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.state = "waiting"
        self.done = 0
        self.total: int | None = None
        self.what = ""
        self.message = ""
        self._listeners = 0

    @abstractmethod
    def work(self, progress: Progress) -> str:
        """Compute; returns the state it ends in, "done" or "choose".

        Raises:
            InputError: it cannot be done; the message is shown to the client.
            Cancelled: by ``progress``.
        """

    @abstractmethod
    def result(self) -> dict[str, Any]:
        """What is told, as JSON, once it is "done" or has to "choose"."""

    @property
    def ended(self) -> bool:
        return self.state in ("done", "failed", "cancelled", "choose")

    def told(self) -> dict[str, Any]:
        """As JSON."""
        state = self.state
        content: dict[str, Any] = {"state": state, "done": self.done, "total": self.total, "what": self.what}
        if state == "failed":
            content["error"] = " ".join(self.message.split())
        return content | (self.result() if state in ("done", "choose") else {})

    @contextmanager
    def listened_to(self) -> Iterator[None]:
        """A client listens; once the last one is gone for :data:`ALONE_S` seconds, the job is cancelled."""
        self._listeners += 1
        try:
            yield
        finally:
            self._listeners -= 1
            if not self._listeners and not self.ended:
                timer = threading.Timer(ALONE_S, self._left_alone)
                timer.daemon = True
                timer.start()

    def _left_alone(self) -> None:
        if not self._listeners and not self.ended:
            self.stop.set()


class NamedJobs(Generic[Job]):
    """Jobs of one kind by random names.

    Args:
        what: the word for one of them, for messages.
        jobs: the thread that runs them.
    """

    def __init__(self, what: str, jobs: LongJobs) -> None:
        self.jobs = jobs
        self.store: Store[Job] = Store(what, AT_MOST_KEPT)

    def add(self, job: Job) -> str:
        """Begin a job; returns its random name.

        Raises:
            Busy: others wait already.
        """
        self.jobs.start(job)
        return self.store.add(job)

    def cancel(self, name: str) -> None:
        """End a job at its next step, and forget it."""
        self.store.pop(name).stop.set()


class LongJobs:
    """The thread that runs them.

    Args:
        turns: whose renders go first.
    """

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self._worker = ThreadPoolExecutor(1, "studio-long")
        self._open: set[LongJob] = set()

    @property
    def num_open(self) -> int:
        """Jobs that run or wait and were not cancelled."""
        return sum(not job.stop.is_set() for job in list(self._open))

    def start(self, job: LongJob) -> None:
        """Take a place for a job.

        Raises:
            Busy: others wait already.
        """
        if self.num_open >= AT_MOST_OPEN:
            raise Busy
        job.state = "waiting"
        self._open.add(job)
        self._worker.submit(self._run, job)

    def close(self) -> None:
        for job in list(self._open):
            job.stop.set()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _run(self, job: LongJob) -> None:
        ended = "failed"
        try:
            with self.turns.slices() as give_way:

                def report(done: int, total: int | None, what: str) -> None:
                    job.done, job.total, job.what = done, total, what
                    give_way()

                if job.stop.is_set():
                    raise Cancelled
                job.state = "running"
                ended = job.work(Progress(report=report, cancel=job.stop))
        except Cancelled:
            ended = "cancelled"
        except InputError as error:
            job.message = str(error)
        except Exception:
            logging.getLogger(__name__).exception("a long job failed")
            job.message = "this failed inside the studio; the terminal says more. Try something else."
        finally:
            self._open.discard(job)
            job.state = ended
