"""Portraits whose regions have their own latent codes: generate them, train models, edit one region at a time.

::

    import semanticgan as sg

    model = sg.load()
    a, b = model.sample(seed=1), model.sample(seed=17)
    model.render(sg.swap(a, b, regions=["hair"])).save("edited.png")
    sg.Edit("me.jpg").swap("hair", source=17).apply(sg.load("faces-64")).save("me2.jpg")

The names below are imported when they are first used, so that ``import semanticgan`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semanticgan import directions as directions
    from semanticgan.directions.direction import move
    from semanticgan.edits.edit import Edit
    from semanticgan.errors import InputError
    from semanticgan.latents import LatentCode, interpolate, mix, swap, truncate
    from semanticgan.model import Model, load
    from semanticgan.networks.discriminator import Discriminator
    from semanticgan.networks.generator import Generator
    from semanticgan.regions import RegionScheme
    from semanticgan.rendering import Rendering

__version__ = "1.0.0"

__all__ = [
    "Discriminator",
    "Edit",
    "Generator",
    "InputError",
    "LatentCode",
    "Model",
    "RegionScheme",
    "Rendering",
    "directions",
    "interpolate",
    "load",
    "mix",
    "move",
    "swap",
    "truncate",
]

_HOMES = {
    "Discriminator": "networks.discriminator",
    "Edit": "edits.edit",
    "Generator": "networks.generator",
    "InputError": "errors",
    "LatentCode": "latents",
    "Model": "model",
    "RegionScheme": "regions",
    "Rendering": "rendering",
    "interpolate": "latents",
    "load": "model",
    "mix": "latents",
    "move": "directions.direction",
    "swap": "latents",
    "truncate": "latents",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module, once (PEP 562)."""
    if name == "directions":
        return importlib.import_module("semanticgan.directions")
    if name not in _HOMES:
        raise AttributeError(f"module 'semanticgan' has no attribute {name!r}; public names: {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"semanticgan.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
