"""The kinds of operations, one file each. A new kind is a file here and its name below."""

from __future__ import annotations

from semanticgan.edits.operation import Operation
from semanticgan.edits.operations.mix import Mix
from semanticgan.edits.operations.move import Move
from semanticgan.edits.operations.paint import Drag, Paint
from semanticgan.edits.operations.place import Place
from semanticgan.edits.operations.words import Words

KINDS: dict[str, type[Operation]] = {kind.key: kind for kind in (Mix, Move, Place, Paint, Drag, Words)}
"""By their key in JSON."""

__all__ = ["KINDS", "Drag", "Mix", "Move", "Paint", "Place", "Words"]
