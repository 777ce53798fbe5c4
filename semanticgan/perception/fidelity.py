"""torch-fidelity, which computes FID, KID, Inception score, precision and recall; imported where it is used."""

from __future__ import annotations

import importlib
from types import ModuleType

from semanticgan import extras


def import_fidelity(module: str) -> ModuleType:
    """A module of torch-fidelity, such as "metric_fid".

    Raises:
        InputError: torch-fidelity is not installed, or cannot be imported.
    """
    extras.require("fidelity")
    return importlib.import_module(f"torch_fidelity.{module}")
