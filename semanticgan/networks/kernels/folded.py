"""Products of parameters that inference computes once and keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

Product = TypeVar("Product")


class Folded(Generic[Product]):
    """What is computed of tensors alone, kept until one of them changes. With gradients nothing is kept."""

    def __init__(self) -> None:
        self._kept: tuple[tuple[object, ...], Product] | None = None

    def of(self, tensors: tuple[Tensor, ...], setting: object, compute: Callable[[], Product]) -> Product:
        """``compute()``, or what it gave for the same ``setting`` while the tensors were what they are now."""
        if torch.compiler.is_compiling() or torch.is_grad_enabled():
            return compute()
        key = (setting, *((part.data_ptr(), part._version, part.device, part.dtype) for part in tensors))
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, compute())
        return self._kept[1]
