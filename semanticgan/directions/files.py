"""Directions in one ``.safetensors`` file.

A tensor NAME [M, D] per direction is its normal. The metadata, all text, beside those of
:mod:`semanticgan.formats.weights`:

==================  ==================================================================================
format              "semanticgan-directions"
model               JSON: "digest" and "description" of the model that they belong to
rows                JSON of the model's rows, as ``Rows.to_dict`` gives it
directions          JSON: name -> "rows", "scale", "method", "figures"
==================  ==================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from semanticgan.directions.direction import Direction
from semanticgan.errors import InputError, WeightsError
from semanticgan.formats.strict_json import parse_object
from semanticgan.formats.weights import open_weights, read_weights, write_weights
from semanticgan.model import Model
from semanticgan.rows import Rows

FORMAT = "semanticgan-directions"


@dataclass(frozen=True, eq=False)
class DirectionFile:
    """Directions and the model that they belong to.

    Attributes:
        directions: by name, in the order of the file.
        digest: of the model.
        description: of the model.
        rows: of the model.
    """

    directions: Mapping[str, Direction]
    digest: str
    description: str
    rows: Rows

    def require_model(self, model: Model) -> None:
        """Raises:
        InputError: another model than that of the directions.
        """
        if self.digest != model.metadata.digest:
            raise InputError(
                f"the directions belong to the model with the digest {self.digest!r} ({self.description}); this one "
                f"has {model.metadata.digest!r} ({model.metadata.description}). Use them with that model."
            )


def save_directions(
    path: str | Path, model: Model, directions: Iterable[Direction], overwrite: bool = False, licence: str = ""
) -> None:
    """Write directions of a model.

    Args:
        path: a ``.safetensors`` file.
        model: that they belong to; of a file.
        directions: with different names.
        licence: terms of the file.

    Raises:
        InputError: a model that is of no file, no direction, two of one name, rows that the model does not have, an
            existing file.
    """
    found = list(directions)
    if not model.metadata.digest:
        raise InputError("directions are stored for a model of a file. Save the model and load it first.")
    if not found or len({each.name for each in found}) < len(found):
        raise InputError(f"a file needs directions of different names, got {[each.name for each in found]}.")
    for each in found:
        if not set(each.rows) <= set(model.rows.names):
            raise InputError(f"direction {each.name!r} moves {', '.join(each.rows)}; the model has {model.rows}.")
    about = {
        each.name: {
            "rows": list(each.rows),
            "scale": each.scale,
            "method": each.method,
            "figures": dict(each.figures),
        }
        for each in found
    }
    texts = {
        "description": f"directions of: {model.metadata.description}",
        "model": json.dumps({"digest": model.metadata.digest, "description": model.metadata.description}),
        "rows": json.dumps(model.rows.to_dict()),
        "directions": json.dumps(about),
        "licence": licence,
    }
    write_weights(path, FORMAT, {each.name: each.normal for each in found}, texts, overwrite=overwrite)


def read_directions(path: str | Path) -> DirectionFile:
    """Read directions and verify every tensor in their file.

    Raises:
        MissingFileError: no such file.
        WeightsError: the file is damaged, unsafe, or of something else.
    """
    raw, tensors = read_weights(path, FORMAT, ("model", "rows", "directions"))
    try:
        model = parse_object(raw["model"], numbers_only=False)
        rows = Rows.from_dict(parse_object(raw["rows"], numbers_only=False))
        about = parse_object(raw["directions"], numbers_only=False)
        found = {}
        for name, entry in about.items():
            moved = tuple(str(row) for row in entry["rows"])
            if not set(moved) <= set(rows.names):
                raise ValueError(f"direction {name!r} moves rows that the model does not have")
            figures = dict(entry["figures"])
            found[name] = Direction(name, moved, tensors[name], float(entry["scale"]), str(entry["method"]), figures)
        return DirectionFile(found, str(model["digest"]), str(model["description"]), rows)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(f"directions {str(path)!r} cannot be used: {error}") from error


def digest_of(path: Path) -> str:
    """The digest of the model that a file's directions belong to, from its header alone; "" of another file."""
    try:
        return str(parse_object(open_weights(path).metadata["model"], numbers_only=False)["digest"])
    except (ValueError, KeyError, TypeError):
        return ""
