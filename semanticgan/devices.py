"""Devices by name."""

from __future__ import annotations

import torch

from semanticgan.errors import InputError, unknown_name
from semanticgan.wrong_arguments import shown


def choose_device(device: torch.device | str = "auto") -> torch.device:
    """The device of that name; "auto" is the fastest kind there is.

    Raises:
        InputError: an unknown device, or one that this machine does not have.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if not isinstance(device, (str, torch.device)):
        raise InputError(f"a device is a name, such as 'auto', 'cpu' or 'cuda', got {shown(device)}.")
    if device == "auto":
        device = next(kind for kind, present in available.items() if present)
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise unknown_name("device", str(device), ("auto", *reversed(available))) from error
    too_high = chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count()
    if not available.get(chosen.type, False) or too_high:
        present = ", ".join(kind for kind, there in available.items() if there)
        raise InputError(f"device {str(device)!r} is not available here. Available: {present}. Use auto.")
    return chosen
