"""What a PyTorch file would build, told from its instructions, which are read and not run.

A ``.pt`` file is a program of the pickle machine. PyTorch's own ``weights_only`` reading calls nothing that is unknown
to it, but believes sizes and depths. Here the program is read first: its classes are compared with an allow-list, its
tensors with the file's length, its nesting with what Python can take. Then PyTorch may run it.

Numpy's numbers and arrays and paths, which lie in the arguments of trainings, are allowed as plain values: the
functions below stand in for numpy's and pathlib's. The running means of losses in StyleALAE's checkpoints are left out.
"""

from __future__ import annotations

import argparse
import pickletools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import IO, Any

import numpy as np

from semanticgan.errors import WeightsError

_MOST_INSTRUCTIONS = 300_000  # a training's checkpoint of 3,500 tensors has 126,000
_DEEPEST = 100  # levels of containers; the C code that hashes a tuple has no limit of its own
_MOST_NUMBERS = 1000  # of an array in the arguments that is kept

_STORAGE_BYTES: Mapping[str, int] = MappingProxyType(
    {"FloatStorage": 4, "DoubleStorage": 8, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8, "IntStorage": 4,
     "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1}
)  # fmt: skip
_OF_TENSORS = {
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    "torch Size",
    "torch device",
    "_codecs encode",
    *(f"{module} {name}" for module in ("builtins", "__builtin__") for name in ("set", "complex")),
    *(f"torch {name}" for name in _STORAGE_BYTES),
    *(f"torch {name}" for name in ("float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool")),
}


class NumpyType:
    """Stands in for ``numpy.dtype``: the type's name, such as "f8", and its byte order."""

    def __init__(self, name: str = "", *_: Any) -> None:
        self.name, self.order = str(name)[:20], "<"

    def __setstate__(self, state: Any) -> None:
        self.order = ">" if isinstance(state, tuple) and len(state) > 1 and state[1] == ">" else "<"

    def values(self, raw: Any) -> list[Any] | None:
        """The numbers in the bytes, None where they are no numbers or too many."""
        if not isinstance(raw, bytes) or not re.fullmatch("b1|[iu][1248]|f[248]", self.name):
            return None
        kind = np.dtype(self.order + self.name)
        fits = len(raw) % kind.itemsize == 0 and len(raw) <= _MOST_NUMBERS * kind.itemsize
        return np.frombuffer(raw, kind).tolist() if fits else None


class NumpyArray:
    """Stands in for ``numpy.ndarray``; ``value`` is a list of its numbers, a number, or None."""

    value: Any = None

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], NumpyType):
            return
        numbers = state[2].values(state[4])
        if numbers is not None:
            self.value = numbers[0] if state[1] == () and len(numbers) == 1 else numbers


def _numpy_array(*_: Any) -> NumpyArray:
    return NumpyArray()


def _numpy_number(kind: Any = None, raw: Any = None, *_: Any) -> Any:
    numbers = kind.values(raw) if isinstance(kind, NumpyType) else None
    return numbers[0] if numbers and len(numbers) == 1 else None


class LeftOut:
    """Stands in for a class of a training's own code; what its objects held is not kept."""

    def __init__(self, *_: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


def _path(*parts: Any) -> str:
    return "/".join(part for part in parts if isinstance(part, str))


def _stand_ins() -> list[tuple[Any, str]]:
    found: list[tuple[Any, str]] = [(argparse.Namespace, "argparse.Namespace")]
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        found += [(_numpy_array, f"{module}._reconstruct"), (_numpy_number, f"{module}.scalar")]
    found += [(NumpyType, "numpy.dtype"), (NumpyArray, "numpy.ndarray")]
    for module in ("pathlib", "pathlib._local"):
        for name in ("Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath"):
            found.append((_path, f"{module}.{name}"))
    found += [(LeftOut, f"tracker.{name}") for name in ("RunningMean", "RunningMeanTorch")]
    return found


STAND_INS: tuple[tuple[Any, str], ...] = tuple(_stand_ins())
"""What ``torch.serialization.safe_globals`` is given: what is called in place of a name."""

_SPECIAL = ("GLOBAL", "MARK", "PERSID", "EXT1", "EXT2", "EXT4", "GET", "BINGET", "LONG_BINGET", "NEXT_BUFFER")
_PUSHES = frozenset(
    opcode.name
    for opcode in pickletools.opcodes
    if not opcode.stack_before and len(opcode.stack_after) == 1 and opcode.name not in _SPECIAL
)
_REFUSED = ("INST", "OBJ", "STACK_GLOBAL", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID", "NEXT_BUFFER", "DUP")
_IN_PLACE = ("APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD")
_ALLOWED = _OF_TENSORS | {" ".join(name.rsplit(".", 1)) for _, name in STAND_INS}


@dataclass(slots=True)
class _Item:
    """What lies on the machine's stack: a value where it is simple, and how deep it is nested."""

    value: Any = None
    depth: int = 0


@dataclass
class PickleProgram:
    """Follows a pickle's instructions as far as classes, sizes and nesting go.

    Attributes:
        what: the file, for messages.
        limit: bytes that its tensors may have together.
        storages: bytes of each storage that it asks for.
    """

    what: str
    limit: int
    storages: dict[str, int] = field(default_factory=dict)
    _count: int = 0

    def check(self, stream: IO[bytes]) -> None:
        """Read one pickle from ``stream``, to its end.

        Raises:
            WeightsError: it holds other things than tensors and arguments, is damaged, nested too deeply, or asks for
                more than the file has.
        """
        stack: list[_Item | None] = []  # None is a mark
        memo: dict[int, _Item] = {}
        try:
            for opcode, argument, _ in pickletools.genops(stream):
                self._count += 1
                if self._count > _MOST_INSTRUCTIONS:
                    raise WeightsError(f"{self.what} has more than {_MOST_INSTRUCTIONS:,} instructions. {_CURE}")
                self._step(opcode, argument, stack, memo)
        except WeightsError:
            raise
        except (ValueError, IndexError, KeyError, EOFError, UnicodeError, OverflowError, MemoryError) as error:
            reason = " ".join(str(error).split())[:80]
            raise WeightsError(f"{self.what} is damaged ({reason}). Download it again.") from error

    def _step(self, opcode: Any, argument: Any, stack: list[_Item | None], memo: dict[int, _Item]) -> None:
        name = opcode.name
        if name in _PUSHES:
            stack.append(_Item(argument))
        elif name == "GLOBAL":
            if argument not in _ALLOWED:
                raise self._unknown(argument.replace(" ", ".")[:100])
            stack.append(_Item(argument))
        elif name in _REFUSED:
            raise self._unknown(f"the instruction {name}")
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[argument] = _top(stack)
        elif name == "MEMOIZE":
            memo[len(memo)] = _top(stack)
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "MARK":
            stack.append(None)
        elif name == "BINPERSID":
            self._add_storage(_pop(stack).value)
            stack.append(_Item())
        elif name not in ("PROTO", "FRAME"):
            self._build(opcode, argument, stack)

    def _build(self, opcode: Any, argument: Any, stack: list[_Item | None]) -> None:
        """Instructions that take values from the stack and leave at most one."""
        before = list(opcode.stack_before)
        taken: list[_Item] = []
        if pickletools.markobject in before:
            while (item := stack.pop()) is not None:
                taken.append(item)
            before = before[: before.index(pickletools.markobject)]
        elif opcode.name == "POP" and stack and stack[-1] is None:
            before = []
            stack.pop()
        taken += [_pop(stack) for _ in before]
        container = taken[-1] if opcode.name in _IN_PLACE else None
        inside = taken[:-1] if container else taken
        depth = max((item.depth for item in inside), default=-1) + 1
        if depth > _DEEPEST:
            raise WeightsError(f"{self.what} is nested more than {_DEEPEST} levels deep. {_CURE}")
        if container:
            container.depth = max(container.depth, depth)  # seen by the memo, too
            stack.append(container)
        elif opcode.stack_after:
            is_tuple = opcode.name.startswith("TUPLE") and len(taken) <= 8
            stack.append(_Item(tuple(item.value for item in reversed(taken)) if is_tuple else argument, depth))

    def _add_storage(self, described: Any) -> None:
        """Note what ``("storage", class, key, location, number of elements, ...)`` asks for."""
        if not isinstance(described, tuple) or len(described) < 5 or described[0] != "storage":
            raise self._unknown("an unknown kind of storage")
        _, kind, key, _, count = described[:5]
        size = _STORAGE_BYTES.get(str(kind).removeprefix("torch "))
        if size is None or not isinstance(count, int) or count < 0:
            raise self._unknown(f"a storage of {str(kind)[:40]}")
        self.storages[str(key)] = max(size * count, self.storages.get(str(key), 0))
        if size * count > self.limit or len(self.storages) % 64 == 0:
            self.require_within_limit()

    def require_within_limit(self) -> None:
        """Raises:
        WeightsError: the tensors have more bytes than the file.
        """
        total = sum(self.storages.values())
        if total > self.limit:
            raise WeightsError(
                f"{self.what} promises tensors of {total:,} bytes, but has {self.limit:,} bytes. Download it again."
            )

    def _unknown(self, name: str) -> WeightsError:
        return WeightsError(
            f"{self.what} holds more than tensors and arguments, or is damaged: {name!a}; nothing in it was run. "
            f"{_CURE}"
        )


_CURE = "Use a file from the authors' release, or save only 'g_ema' and 'args' again."


def _top(stack: list[_Item | None]) -> _Item:
    item = stack[-1]
    if item is None:
        raise ValueError("a mark in place of a value")
    return item


def _pop(stack: list[_Item | None]) -> _Item:
    item = _top(stack)
    stack.pop()
    return item


def plain(value: Any) -> Any:
    """A value of the arguments with the stand-ins replaced by what they stand for."""
    return value.value if isinstance(value, NumpyArray) else value
