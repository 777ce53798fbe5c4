"""torch-fidelity, which computes FID, KID, Inception score, precision and recall; imported where it is used."""

from __future__ import annotations

import importlib
from types import ModuleType

from semanticgan.errors import InputError
from semanticgan.torchvision_import import import_torchvision


def import_fidelity(module: str) -> ModuleType:
    """A module of torch-fidelity, such as "metric_fid".

    Raises:
        InputError: torch-fidelity is not installed.
    """
    import_torchvision()
    try:
        return importlib.import_module(f"torch_fidelity.{module}")
    except ImportError as error:
        raise InputError(
            f"this metric needs torch-fidelity, which cannot be imported ({error}). "
            "Install it: pip install 'semanticgan[metrics]'."
        ) from error
