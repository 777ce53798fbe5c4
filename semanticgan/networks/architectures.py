"""Which networks a file of weights holds, by the name in its metadata.

A file of ``networks/comparison/`` is an architecture: it has the constant ``ARCHITECTURE``. One from outside the
package is made known by :func:`register`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from torch import nn

from semanticgan.errors import InputError, unknown_name
from semanticgan.networks import comparison
from semanticgan.networks.config import DiscriminatorConfig, GeneratorConfig, LatentConfig, NetworkConfig
from semanticgan.networks.discriminator import Discriminator
from semanticgan.networks.generator import Generator
from semanticgan.networks.latent_generator import LatentGenerator

OWN = "semanticstylegan"


@dataclass(frozen=True)
class Architecture:
    """Generator and discriminator of a system.

    Attributes:
        config: class of the generator's configuration; it tells architectures apart.
        generator: makes it.
        discriminator_config: class of the discriminator's configuration.
        discriminator: makes it.
        has_regions: whether its codes and pictures have regions; else its rows are layers.
    """

    config: type[LatentConfig]
    generator: Callable[[Any], LatentGenerator]
    discriminator_config: type[NetworkConfig]
    discriminator: Callable[[Any], nn.Module]
    has_regions: bool = False


_OWN = Architecture(GeneratorConfig, Generator, DiscriminatorConfig, Discriminator, has_regions=True)


_REGISTERED: dict[str, Architecture] = {}


def register(name: str, architecture: Architecture) -> None:
    """Make an architecture from outside the package known, so that files of its weights can be written and opened.

    Args:
        name: what the metadata of its files say.
        architecture: its networks. The classes of their configurations belong to no other architecture.

    Raises:
        InputError: a name that is taken or empty.
    """
    if not name or name in architectures():
        raise InputError(f"an architecture needs a name that is not taken, got {name!r}. Choose another.")
    _REGISTERED[name] = architecture


def architectures() -> list[str]:
    """The names of all."""
    modules = [module.name for module in pkgutil.iter_modules(comparison.__path__)]
    return [OWN, *sorted(name for name in modules if hasattr(_module(name), "ARCHITECTURE")), *_REGISTERED]


def architecture(name: str) -> Architecture:
    """Raises: InputError: an unknown name."""
    if name == OWN:
        return _OWN
    if name in _REGISTERED:
        return _REGISTERED[name]
    if name not in architectures():
        raise unknown_name("architecture", name, architectures())
    return _module(name).ARCHITECTURE


def name_of(config: NetworkConfig) -> str:
    """The architecture that a generator's or discriminator's configuration is of."""
    for name in reversed(architectures()):  # one from outside may inherit from one of the package
        known = architecture(name)
        if isinstance(config, (known.config, known.discriminator_config)):
            return name
    raise TypeError(f"{type(config).__name__} is the configuration of no architecture")


def _module(name: str) -> Any:
    return import_module(f"{comparison.__name__}.{name}")
