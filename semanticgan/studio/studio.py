"""What the routes of the studio share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from semanticgan.edits import Edit
from semanticgan.edits.compositing import composited
from semanticgan.errors import InputError
from semanticgan.studio.decoding import Decoder
from semanticgan.studio.described import directions_of_layers, directions_of_region
from semanticgan.studio.long_jobs import LongJobs, NamedJobs
from semanticgan.studio.models import Models
from semanticgan.studio.paintings import Painting
from semanticgan.studio.photographs import Photograph
from semanticgan.studio.results import AT_MOST_RESULTS, Result, answer, make, result_of, with_segmentation
from semanticgan.studio.scripts import applied, read_script, state_of
from semanticgan.studio.sessions import Sessions
from semanticgan.studio.store import Store
from semanticgan.studio.turns import Turns

_MOST_OWN_DIRECTIONS = 64  # regions, or choices of layers, whose directions are kept


class Studio:
    """The state of the server.

    Attributes:
        models: by name.
        turns: the one render worker.
        jobs: the one worker of long jobs.
        sessions: what each client edits.
        results: what was made.
        photographs: uploads.
        paintings: that are followed.
        decoder: reads uploaded pictures.
    """

    def __init__(self, models: Models) -> None:
        self.models = models
        self.turns = Turns()
        self.jobs = LongJobs(self.turns)
        self.sessions = Sessions(models)
        self.results: Store[Result] = Store("result", AT_MOST_RESULTS)
        self.photographs: NamedJobs[Photograph] = NamedJobs("photograph", self.jobs)
        self.paintings: NamedJobs[Painting] = NamedJobs("painting", self.jobs)
        self.decoder = Decoder()
        self.own_directions = functools.lru_cache(_MOST_OWN_DIRECTIONS)(self._find_directions)

    def close(self) -> None:
        """Drop what waits, cancel what runs."""
        self.jobs.close()
        self.turns.close()
        self.decoder.close()

    def edit_of(self, asked: dict[str, Any]) -> Edit:
        """The edit of a request: its "script", or that of the result whose id is its "code".

        Raises:
            InputError: neither.
        """
        if "script" in asked:
            return read_script(asked["script"])
        if isinstance(asked.get("code"), str):
            return self.results.get(asked["code"]).edit
        raise InputError('a request names its face: "script" with an edit, or "code" with the id of a result.')

    def offer(self, name: str, edits: Callable[[], list[tuple[Edit, Any]]]) -> list[dict[str, Any]]:
        """Sixteen pictures in one batch, on the worker."""
        offered = edits()
        results = make(self.models.get(name), name, [edit for edit, _ in offered], [state for _, state in offered])
        return [answer(self.results, result) for result in results]

    def edited(self, name: str, edit: Edit, client: str) -> dict[str, Any]:
        """The picture and the segmentation of an edit, on the worker.

        Args:
            name: of the model.
            edit: what is applied; a composite keeps the pixels that it says.
            client: whose session is gone on with; "" for none.

        Raises:
            InputError: an edit that does not fit the model.
        """
        model = self.models.get(name)
        first = edit.composite_after or 0
        before = state_of(model, Edit(edit.source, edit.operations[:first], model=edit.model))
        edit.require_model(model)
        state, done = applied(model, before, edit.operations[first:])
        rendering = self.sessions.render(client, name, model, state)
        whole = None
        if edit.composite_after is not None and done:
            whole = composited(model, self.sessions.before(client, name, model, before), rendering, done)
        result = result_of(model, name, edit, state, (whole or rendering).to_pil()[0])
        told = {**answer(self.results, result), **with_segmentation(model, rendering)}
        return {**told, "composited": whole is not None}

    def _find_directions(self, name: str, region: str, layers: str) -> list[dict[str, Any]]:
        """The directions of the rows of a region or of layers, on the worker; ``own_directions`` finds them once.

        Raises:
            InputError: an unknown region or layer.
        """
        model = self.models.get(name)
        return directions_of_layers(model, layers) if layers else directions_of_region(model, region)
