"""A network of zeros, made to take a file's weights, whose size is bounded while it is made.

The configuration in a file may ask for more memory than there is. So each function that PyTorch runs for the network is
looked at first. All tensors that are made have no more numbers together than the bound, and no argument has more.
Random numbers are not drawn, since weights overwrite them.

A network on the device "meta" takes no memory either, but the first arithmetic there imports torch._dynamo and sympy,
which takes longer than all else that a command does to start.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from semanticgan.errors import WeightsError

Network = TypeVar("Network", bound=nn.Module)

_NOT_STORED = 1 << 24  # numbers; grids and filters that no file holds are smaller together
_OF_SHAPE = frozenset({torch.zeros, torch.ones, torch.empty, torch.full, torch.randn, torch.rand})
_RANDOM = frozenset({torch.randn, torch.rand})
_DRAWN_IN_PLACE = frozenset(
    {Tensor.normal_, Tensor.uniform_, Tensor.exponential_, Tensor.log_normal_, Tensor.cauchy_, Tensor.random_}
)


class TooLarge(ValueError):
    """A network asks for more numbers than its bound."""


def outline(make: Callable[[], Network], num_stored: int, what: str) -> Network:
    """Make a network without random numbers and within the memory that its file accounts for.

    Args:
        make: makes the network with weights of any value.
        num_stored: how many numbers the file holds.
        what: the file, as messages name it.

    Raises:
        WeightsError: its tensors have more numbers than the file accounts for, or more than PyTorch can address.
    """
    try:
        with _Bounded(num_stored + _NOT_STORED), torch.random.fork_rng(devices=[]):
            return make()
    except (TooLarge, RuntimeError, OverflowError, TypeError) as error:
        raise WeightsError(f"the config of {what} asks for tensors that are too large.") from error


class _Bounded(TorchFunctionMode):
    def __init__(self, bound: int) -> None:
        super().__init__()
        self.bound = bound
        self.made = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _OF_SHAPE:
            shape = _shape(args, kwargs)
            self.made += math.prod(shape)
            self._require(shape)
            self._require((self.made,))
        tensors = list(_tensors([*args, *kwargs.values()]))
        for tensor in tensors:
            self._require(tensor.shape)
        if len(tensors) > 1:
            self._require(_broadcast(tensors))
        if func in _RANDOM:
            func, kwargs = torch.zeros, {name: given for name, given in kwargs.items() if name != "generator"}
        if func in _DRAWN_IN_PLACE:
            return args[0]
        return func(*args, **kwargs)

    def _require(self, shape: Sequence[int]) -> None:
        if math.prod(shape) > self.bound:
            raise TooLarge(f"a tensor of the shape {list(shape)} where {self.bound} numbers are allowed")


def _shape(args: Sequence[Any], kwargs: dict[str, Any]) -> Sequence[int]:
    """Of torch.zeros(2, 3), torch.zeros((2, 3)), torch.zeros(size=(2, 3)) and torch.full((2, 3), 1.0)."""
    given = args if args else (kwargs.get("size", ()),)
    return given[0] if isinstance(given[0], (tuple, list)) else given


def _tensors(given: Sequence[Any]) -> Iterator[Tensor]:
    """Those among arguments and in lists among them."""
    for one in given:
        if isinstance(one, Tensor):
            yield one
        elif isinstance(one, (tuple, list)):
            yield from _tensors(one)


def _broadcast(tensors: Sequence[Tensor]) -> Sequence[int]:
    """At least the common shape that broadcasting gives them: the largest size of each axis, counted from the last."""
    reversed_shapes = [tensor.shape[::-1] for tensor in tensors]
    return [max(sizes) for sizes in zip_longest(*reversed_shapes, fillvalue=1)]
