"""Checks of what a caller of the Python interface gave: each says in one sentence what is needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from semanticgan.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_FLOAT32 = 3.4028234663852886e38


def require_dense(name: str, tensor: Tensor, meta: bool = True) -> None:
    """Check that a tensor is an ordinary one.

    Args:
        meta: whether it may be on the device "meta", without numbers in memory.

    Raises:
        InputError: it is sparse, quantised, or on that device where it may not be.
    """
    import torch

    if tensor.layout is not torch.strided or tensor.is_quantized or (tensor.is_meta and not meta):
        kind = "meta" if tensor.is_meta else "quantised" if tensor.is_quantized else str(tensor.layout)
        raise InputError(f"{name} must be an ordinary dense tensor, got one that is {kind}. Convert it: x.to_dense().")


def require_type(name: str, value: Any, kind: type, needed: str) -> None:
    """Raises:
    InputError: ``value`` is not of that kind; ``needed`` says what is.
    """
    if not isinstance(value, kind):
        raise InputError(f"{name} must be {needed}, got {shown(value)}.")


def require_names(regions: Any) -> str | list[str]:
    """Names of regions, read once.

    Raises:
        InputError: something else than text or texts.
    """
    if isinstance(regions, str):
        return regions
    if isinstance(regions, (bytes, dict)) or not isinstance(regions, Iterable):
        raise InputError(f"regions are names, such as 'hair' or ['hair', 'mouth'], got {shown(regions)}.")
    names = list(regions)
    if not all(isinstance(name, str) for name in names):
        raise InputError(f"regions are names, such as 'hair' or ['hair', 'mouth'], got {shown(names)}.")
    return names


def whole_number(name: str, value: Any, smallest: int, largest: int | None = None) -> int:
    """``value`` as an int.

    Raises:
        InputError: no whole number within the bounds.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or int(value) < smallest or (largest is not None and int(value) > largest):
        allowed = f"from {smallest} to {largest}" if largest is not None else f"at least {smallest}"
        raise InputError(f"{name} is a whole number, {allowed}, got {shown(value)}.")
    return int(value)


def finite_number(name: str, value: Any) -> float:
    """``value`` as a float.

    Raises:
        InputError: no finite number.
    """
    if getattr(value, "shape", None) == ():  # a number in a tensor or array
        value = value.item()
    try:
        if isinstance(value, Real) and not isinstance(value, bool) and abs(float(value)) <= LARGEST_FLOAT32:
            return float(value)
    except OverflowError:
        pass
    raise InputError(f"{name} is a finite number within float32, such as 0.7, got {shown(value)}.")


def shown(value: Any) -> str:
    """Type and short text of what was given; of a tensor or array its shape, not its numbers."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, Sequence) and not isinstance(value, type):
        return f"{type(value).__name__} {list(shape)}"
    if isinstance(value, (list, tuple)) and any(hasattr(item, "shape") for item in value):
        return f"{type(value).__name__} of {len(value)} tensors"
    try:
        text = " ".join(repr(value).split())
    except (ValueError, RecursionError):  # a number of thousands of digits, a list in itself
        return type(value).__name__
    text = text if len(text) <= 80 else f"{text[:77]}..."
    return text if value is None or isinstance(value, type) else f"{type(value).__name__} {text}"
