"""Directions of the latent space: found (InterFaceGAN, SeFa, PCA, StyleFlow), stored, and applied by rows.

``sg.directions.interfacegan``, ``sg.directions.sefa`` and the like are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from semanticgan.directions.collection import Directions
from semanticgan.directions.direction import Direction, move
from semanticgan.directions.files import read_directions, save_directions

if TYPE_CHECKING:
    from semanticgan.directions import interfacegan as interfacegan

__all__ = ["Direction", "Directions", "move", "read_directions", "save_directions"]

_MODULES = ("geometry", "interfacegan", "painting", "pca", "sefa", "styleflow", "words")


def __getattr__(name: str) -> Any:
    """Import a module of this room by its name (PEP 562)."""
    if name in _MODULES:
        return importlib.import_module(f"semanticgan.directions.{name}")
    raise AttributeError(f"module 'semanticgan.directions' has no attribute {name!r}; modules: {', '.join(_MODULES)}")
