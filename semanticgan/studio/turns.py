"""Whose turn it is: one render at a time on a worker thread, a limited number waits, long jobs give way."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import Request

NUM_WAITING = 16
_POLL_S = 0.1  # how often a client that waits is looked for

T = TypeVar("T")


class Busy(Exception):
    """As many jobs wait as may."""


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Turns:
    """Runs jobs one after another.

    Args:
        num_waiting: how many may wait beside the one that runs.
    """

    def __init__(self, num_waiting: int = NUM_WAITING) -> None:
        self.num_waiting = num_waiting
        self._worker = ThreadPoolExecutor(1, "studio-render")
        self._compute = threading.Lock()  # held by whoever computes: a render, or a slice of a long job
        self._open = 0  # jobs that run or wait
        self._counting = threading.Lock()
        self._quiet = threading.Event()  # set while no job runs or waits
        self._quiet.set()

    @property
    def num_open(self) -> int:
        """Jobs that run or wait."""
        return self._open

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Take a place for a job.

        Raises:
            Busy: all places are taken.
        """
        with self._counting:
            if self._open > self.num_waiting:
                raise Busy
            self._open += 1
            self._quiet.clear()
        future = self._worker.submit(self._computed, job)
        future.add_done_callback(self._leave)
        return future

    async def run(self, request: Request, job: Callable[[], T]) -> T:
        """The result of a job, once its turn has come. A client that goes away frees the place of a waiting job.

        Raises:
            Busy: all places are taken.
            ClientGone: the client went away.
        """
        future = self.submit(job)
        answer = asyncio.wrap_future(future)
        while not answer.done():
            await asyncio.wait([answer], timeout=_POLL_S)
            if not answer.done() and await request.is_disconnected():
                answer.cancel()
                raise ClientGone
        return answer.result()

    @contextlib.contextmanager
    def slices(self) -> Iterator[Callable[[], None]]:
        """For a long job on another thread: yields ``give_way()``, which lets all renders pass."""
        self._quiet.wait()
        self._compute.acquire()

        def give_way() -> None:
            if self._quiet.is_set():
                return
            self._compute.release()
            self._quiet.wait()
            self._compute.acquire()

        try:
            yield give_way
        finally:
            self._compute.release()

    def close(self) -> None:
        """Drop the jobs that wait."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _computed(self, job: Callable[[], T]) -> T:
        with self._compute:
            return job()

    def _leave(self, _: Future[T]) -> None:
        with self._counting:
            self._open -= 1
            if not self._open:
                self._quiet.set()
