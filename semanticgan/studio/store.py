"""What the studio keeps in memory under random names: limited in number, and gone after an hour."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from semanticgan.errors import InputError

KEPT_S = 3600.0

T = TypeVar("T")


class NotThere(InputError):
    """Nothing has this name, or no longer."""


class Store(Generic[T]):
    """Things by random names.

    Args:
        what: the word for one of them, for messages.
        at_most: how many are kept; the oldest goes first.
        kept_s: seconds after which one is gone.
        clock: seconds that only grow.
    """

    def __init__(
        self, what: str, at_most: int, kept_s: float = KEPT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.what, self.at_most, self.kept_s = what, at_most, kept_s
        self._clock = clock
        self._things: OrderedDict[str, tuple[float, T]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            self._drop_old()
            return len(self._things)

    def add(self, thing: T) -> str:
        """Keep a thing; returns its name, 128 random bits."""
        name = secrets.token_urlsafe(16)
        with self._lock:
            self._things[name] = (self._clock(), thing)
            self._drop_old()
        return name

    def get(self, name: str) -> T:
        """The thing of a name.

        Raises:
            NotThere: there is none, or no longer.
        """
        with self._lock:
            self._drop_old()
            if name in self._things:
                return self._things[name][1]
        raise NotThere(f"there is no {self.what} of this name, or no longer. Make it again.")

    def pop(self, name: str) -> T:
        """As :meth:`get`; it is kept no longer."""
        thing = self.get(name)
        with self._lock:
            self._things.pop(name, None)
        return thing

    def _drop_old(self) -> None:
        oldest = self._clock() - self.kept_s
        while self._things and (len(self._things) > self.at_most or next(iter(self._things.values()))[0] <= oldest):
            self._things.popitem(last=False)
