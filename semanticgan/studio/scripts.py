"""Edits as requests bring them: read, checked, and applied to the code of a face.

A request must not open files of the server. Sources are therefore seeds, or codes that are in the script itself, and
the operations are those that compute at once, or that carry what they found.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import torch

from semanticgan.editing.variants import render_variants
from semanticgan.edits import Edit, Operation
from semanticgan.edits.operation import State
from semanticgan.edits.operations import Drag, Mix, Move, Paint, Place
from semanticgan.edits.script import FORMAT, VERSION, from_json, to_json
from semanticgan.edits.sources import resolve
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode
from semanticgan.model import DEFAULT_BATCH_SIZE, Model
from semanticgan.rendering import Rendering
from semanticgan.rows import require_layers

MOST_OPERATIONS = 200
LARGEST_WHOLE = 256
"""Side of pictures up to which a layered model renders sixteen in one batch."""

_NAME = "of this page"
_ALLOWED = (Mix, Move, Place)
_ALLOWED_ONCE_FOUND = (Paint, Drag)


def read_script(value: Any) -> Edit:
    """The edit of a parsed JSON value.

    Raises:
        InputError: it is no edit script, names a file, or has an operation that the studio does not offer.
    """
    edit = from_json(json.dumps(value), _NAME)
    if len(edit.operations) > MOST_OPERATIONS:
        raise InputError(
            f"an edit here has at most {MOST_OPERATIONS} operations, got {len(edit.operations)}. Undo some."
        )
    for operation in edit.operations:
        found = isinstance(operation, _ALLOWED_ONCE_FOUND) and operation.found is not None
        if not found and not isinstance(operation, _ALLOWED):
            raise InputError(f"the studio does not offer the operation {operation.key!r}. Use the command line for it.")
    for source in (edit.source, *(source for operation in edit.operations for source in operation.sources)):
        if source.image is not None or source.latent is not None:
            raise InputError("the studio opens no files by their names. Give a seed, or upload the photograph.")
    return edit


def read_operations(value: Any) -> tuple[Operation, ...]:
    """The operations of a parsed JSON list, checked as :func:`read_script` does."""
    script = {"format": FORMAT, "format_version": VERSION, "model": "", "paste": "auto", "source": {"seed": 0}}
    return read_script({**script, "source": {"seed": 0, "truncation": 1.0}, "operations": value}).operations


def read_locked(asked: dict[str, Any]) -> tuple[str, ...]:
    """The "locked" of a request: names of regions, or of layers such as "layer.3", whose rows stay.

    Raises:
        InputError: no list of names.
    """
    given = asked.get("locked", [])
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise InputError('"locked" is a list of names, such as ["hair"]. Give such a list, or leave it out.')
    return tuple(given)


def read_layers(asked: dict[str, Any]) -> str:
    """The "layers" of a request, such as "0-3"; "" where there are none.

    Raises:
        InputError: no such text.
    """
    return require_layers(asked.get("layers", ""))


def require_free(regions: Sequence[str], locked: Sequence[str]) -> tuple[str, ...]:
    """The regions, or rows of layers, that are not locked.

    Raises:
        InputError: all of them are.
    """
    free = tuple(name for name in regions if name not in locked)
    if not free:
        raise InputError(f"all of {', '.join(regions)} is locked. Unlock one of them, or select another.")
    return free


def as_json(edit: Edit) -> Any:
    """The JSON value of an edit, which :func:`read_script` reads."""
    return json.loads(to_json(edit))


def state_of(model: Model, edit: Edit) -> State:
    """What the operations of an edit make of its source.

    Raises:
        InputError: an edit of another model, or an operation that does not fit this one.
    """
    if edit.model and edit.model != model.metadata.digest:
        raise InputError("this edit belongs to another model. Choose that model, or begin anew.")
    (code,) = resolve(edit.source, model, "encoder").codes
    return after(model, State(code), edit.operations)


def applied(model: Model, state: State, operations: Sequence[Operation]) -> tuple[State, list[Operation]]:
    """A state after some operations, and the operations with what they found."""
    done = []
    for operation in operations:
        others = [resolve(source, model, "encoder").codes[0] for source in operation.sources]
        state, operation = operation.apply(model, state, others)
        done.append(operation)
    return state, done


def after(model: Model, state: State, operations: Sequence[Operation]) -> State:
    """A state after some operations."""
    return applied(model, state, operations)[0]


def render(model: Model, states: Sequence[State]) -> Rendering:
    """All states in one batch. Either all were moved through their coordinates, or none."""
    codes = LatentCode.cat([state.code for state in states])
    moved = [state.coordinates for state in states if state.coordinates is not None]
    assert len(moved) in (0, len(states)), "the states of one request have the same operations"
    if model.rows.regions is None:
        return model.render(codes, batch_size=len(states) if model.size <= LARGEST_WHOLE else DEFAULT_BATCH_SIZE)
    if not moved:
        return render_variants(model, codes)
    return model.render(codes, batch_size=len(states), coordinates=torch.cat(moved))
