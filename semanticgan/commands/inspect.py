"""Say what a file says of itself: a picture's mark; a model's, encoder's or other network's description and terms.

Of a run's folder its newest model is read. A picture without a mark may be generated all the same.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semanticgan.commands import arguments
from semanticgan.errors import InputError, WeightsError

if TYPE_CHECKING:
    from semanticgan.formats.tensorfile import TensorFile

EXAMPLES = (
    "edited.png",
    "faces-64",
)

_OURS = "semanticgan-"
_LATENT_CODE = "latent-code"
_TEXTS = ("description", "licence", "data_licence", "precision")
_LONGEST_LINE = 160


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        type=arguments.path,
        metavar="FILE",
        help="a picture, a .safetensors file, the folder of a run or of a state, or the name of a bundled network",
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    found = _inspected(args.file)
    lines = {**found, **(found.get("mark") or {}), "kind": found["kind"]}
    if found["kind"] == "picture":
        lines["mark"] = found["mark"]["kind"] if found["mark"] else "none"
    for name, value in lines.items():
        if value not in (None, "", [], {}):
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            shown = " ".join(shown.split())
            shown = shown if len(shown) <= _LONGEST_LINE else f"{shown[: _LONGEST_LINE - 4]} ..."
            sys.stderr.write(f"{name.replace('_', ' ')}: {shown}\n")
    return found


def _inspected(given: Path) -> dict[str, Any]:
    """What there is to say of a file, a folder or a name."""
    from semanticgan.files import require_file
    from semanticgan.formats.weights import file_kind
    from semanticgan.registry import bundled, resolve

    if given.is_dir():
        model = resolve(given.absolute())
        return {**_weights(model), "file": str(given), "state": model.parent.name}
    names = {} if given.exists() else bundled("parsers") | bundled("classifiers") | bundled()
    path = names.get(str(given)) or require_file(given, "file")
    if file_kind(path) in ("safetensors", "pickle"):
        return {**_weights(path), "file": str(given)}
    return _picture(path)


def _picture(path: Path) -> dict[str, Any]:
    """Format, size and mark of a picture."""
    from semanticgan.formats.provenance import KINDS, mark_in, open_picture
    from semanticgan.formats.strict_json import parse_object

    try:
        with open_picture(path) as image:
            facts = {"file": str(path), "kind": "picture", "format": image.format, "size": list(image.size)}
            mark = mark_in(image, f"picture {str(path)!r}")
    except InputError as error:
        raise InputError(
            f"{str(path)!r} is neither a picture that can be read nor a .safetensors file of semanticgan. Give one of "
            "these, or the folder of a run."
        ) from error
    if mark is None:
        return {**facts, "mark": None}
    try:
        script: Any = parse_object(mark.script) if mark.script else None
    except ValueError:
        script = mark.script
    made = {"kind": mark.kind, "source_type": KINDS[mark.kind]}
    return {**facts, "mark": {**made, "model": mark.model, "digest": mark.digest, "script": script}}


def _weights(path: Path) -> dict[str, Any]:
    """What a file of weights or a latent code says of itself; no tensor is read.

    Raises:
        WeightsError: it is damaged, or of something else.
    """
    from semanticgan.checkpoint import digest_of
    from semanticgan.formats.weights import open_weights, require_intact

    file = open_weights(path)
    kind = file.metadata.get("format", "")
    if not kind.startswith(_OURS):
        raise WeightsError(f"{file.what} is a .safetensors file of something else. Give one written by semanticgan.")
    facts: dict[str, Any] = {"file": str(path), "kind": kind.removeprefix(_OURS)}
    if facts["kind"] != _LATENT_CODE:
        require_intact(file, kind, (*_TEXTS[:1], "precision", "sha256"))
        facts["digest"] = digest_of(_json(file, "sha256"))
    else:
        facts["shape"] = [list(entry.shape) for entry in file.entries.values()]
    facts |= {name: file.metadata[name] for name in _TEXTS if name in file.metadata}
    facts["parameters"] = sum(math.prod(entry.shape) for entry in file.entries.values())
    for name in ("config", "model", "alignment", "perception", "training", "figures"):
        if name in file.metadata:
            facts[name] = _json(file, name)
    training = facts.get("training")
    if isinstance(training, dict) and "perception" in training:
        facts.setdefault("perception", training["perception"])
    for name in ("regions", "rows"):
        if name in file.metadata:
            facts[name] = _names(_json(file, name))
    return facts


def _json(file: TensorFile, name: str) -> Any:
    from semanticgan.formats.strict_json import parse_json

    try:
        return parse_json(file.metadata[name], numbers_only=False)
    except ValueError as error:
        raise WeightsError(f"metadata of {file.what} cannot be used: {error}") from error


def _names(scheme: Any) -> Any:
    """A region scheme or rows with the names alone, without their colours."""
    if not isinstance(scheme, dict):
        return scheme
    return scheme["names"] if "names" in scheme else {name: _names(value) for name, value in scheme.items()}
