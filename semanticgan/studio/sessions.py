"""What each client edits: an editing session that computes only what an edit changes, and the face before the edits.

A session holds one image. Sessions are used on the render worker alone, so they need no lock.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from semanticgan.editing.session import EditingSession
from semanticgan.edits.operation import State
from semanticgan.errors import InputError
from semanticgan.model import Model
from semanticgan.rendering import Rendering
from semanticgan.studio.models import Models
from semanticgan.studio.store import KEPT_S

AT_MOST_SESSIONS = 16
MOST_BYTES = 1_000_000_000
"""Of the maps that all sessions keep."""

_CLIENT = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)


@dataclass(eq=False)
class Session:
    """Of one client and model.

    Attributes:
        editing: renders the face with its edits.
        before: key and rendering of the face without them; None before it was asked for.
        used: when it was used last, in seconds.
    """

    editing: EditingSession
    before: tuple[bytes, Rendering] | None = None
    used: float = 0.0


class Sessions:
    """Sessions by client and model.

    Args:
        models: of the studio; a session of a model that left the memory goes, too.
        at_most: how many are kept; the one used longest ago goes first.
        most_bytes: of their maps.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        models: Models,
        at_most: int = AT_MOST_SESSIONS,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.models, self.at_most, self.most_bytes = models, at_most, most_bytes
        self._clock = clock
        self._sessions: OrderedDict[tuple[str, str], Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def render(self, client: str, name: str, model: Model, state: State) -> Rendering:
        """A state of one image; only the regions whose rows differ from the client's last state are computed.

        Args:
            client: of :func:`client_of`; "" renders without a session.
            name: of the model.
            model: of this name.
            state: what is rendered. Regions that are moved through coordinates are rendered without a session, and so
                is a layered model.
        """
        if not client or state.coordinates is not None or model.rows.regions is None:
            return model.render(state.code, coordinates=state.coordinates)
        session = self._session(client, name, model)
        rendering = session.editing.render(state.code)
        self._drop()
        return rendering

    def before(self, client: str, name: str, model: Model, state: State) -> Rendering:
        """A face before the edits that are made of it, kept until another one is asked for."""
        if not client or state.coordinates is not None:
            return model.render(state.code, coordinates=state.coordinates)
        session = self._session(client, name, model)
        key = state.code.tensor.cpu().numpy().tobytes()
        if session.before is None or session.before[0] != key:
            session.before = (key, model.render(state.code))
        return session.before[1]

    def regions_run(self, client: str, name: str) -> tuple[str, ...]:
        """Names of the regions whose local generators ran for the client's last edit."""
        return self._sessions[client, name].editing.regions_run

    def _session(self, client: str, name: str, model: Model) -> Session:
        key = (client, name)
        session = self._sessions.get(key)
        if session is None or session.editing.model is not model:
            session = self._sessions[key] = Session(EditingSession(model))
        self._sessions.move_to_end(key)
        session.used = self._clock()
        self._drop()
        return session

    def _drop(self) -> None:
        oldest = self._clock() - KEPT_S
        for key, session in list(self._sessions.items()):
            if session.used <= oldest or not self.models.holds(session.editing.model):
                del self._sessions[key]
        while len(self._sessions) > 1 and (len(self._sessions) > self.at_most or self._bytes() > self.most_bytes):
            self._sessions.popitem(last=False)

    def _bytes(self) -> int:
        return sum(session.editing.kept_bytes for session in self._sessions.values())


def client_of(asked: dict[str, Any]) -> str:
    """The "client" of a request, a random name that a page gives itself; "" where there is none.

    Raises:
        InputError: no such name.
    """
    given = asked.get("client", "")
    if given == "":
        return ""
    if not isinstance(given, str) or not _CLIENT.fullmatch(given):
        raise InputError('"client" is a random name of 8 to 64 letters, digits, "-" and "_". Load the page again.')
    return given
