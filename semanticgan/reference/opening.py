"""Other people's checkpoints: opened without running them, as tensors by name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from semanticgan.errors import InputError, WeightsError
from semanticgan.formats.archive import load_archive
from semanticgan.formats.weights import file_kind

TensorMap = Mapping[str, Tensor]


def require_trust(source: Path, trust: bool) -> None:
    """Raises: InputError: the user has not said that the file comes from where it claims to."""
    if not trust:
        raise InputError(
            f"{str(source)!r} is a pickle, a format that can carry programs. It is read without running any, but only "
            "when you say that you know where it comes from: add --trust (trust=True)."
        )


def load_pickle(source: Path) -> Any:
    """What the file holds, where it is a PyTorch file."""
    kind = file_kind(source)
    if kind == "safetensors":
        raise WeightsError(f"{str(source)!r} is a safe file of weights already. Use it as it is.")
    if kind != "pickle":
        raise WeightsError(f"{str(source)!r} is {kind}, not a PyTorch checkpoint. Download the file again.")
    return load_archive(source)


def named_tensors(given: Any, what: str, system: str = "SemanticStyleGAN") -> dict[str, Tensor]:
    """A state dict under the names of the bare network: without what DistributedDataParallel and compile put before.

    Raises:
        WeightsError: it is no dictionary of tensors, or a tensor claims more numbers than are stored for it.
    """
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise WeightsError(f"{what} holds no dictionary of tensors: it is not one of {system}.")
    weights: dict[str, Tensor] = {}
    for name, tensor in given.items():
        bare = ".".join(part for part in name.split(".") if part not in _WRAPPERS)
        if bare in weights:
            raise WeightsError(f"{what} holds the tensor {bare!a} twice, under different prefixes. Save it once.")
        if isinstance(tensor, Tensor) and tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise WeightsError(f"{what}: tensor {bare!a} has more numbers than are stored. Download the file again.")
        weights[bare] = tensor
    return weights


_WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")


class Reader:
    """Hands out tensors by name, those below ``prefix`` without it, and knows which were never asked for."""

    def __init__(self, tensors: TensorMap, system: str = "SemanticStyleGAN", prefix: str = "") -> None:
        if not isinstance(tensors, Mapping):
            raise WeightsError(f"the checkpoint holds no dictionary of tensors: it is not one of {system}.")
        self.system, self.prefix = system, prefix
        self.tensors = {
            name.removeprefix(prefix): tensor
            for name, tensor in tensors.items()
            if name.startswith(prefix) and not name.endswith(".kernel")
        }
        self.unread = set(self.tensors)

    def __call__(self, name: str) -> Tensor:
        tensor = self.tensors.get(name)
        if not isinstance(tensor, Tensor):
            raise WeightsError(
                f"the checkpoint lacks the tensor {self.prefix + name!r}: it is not one of {self.system}."
            )
        if not tensor.is_floating_point():
            raise WeightsError(
                f"the checkpoint's tensor {self.prefix + name!r} is of the type {tensor.dtype}, not of floating "
                "numbers."
            )
        self.unread.discard(name)
        return tensor

    def count(self, pattern: str, first: int = 0, by: int = 1) -> int:
        """How many of ``pattern.format(first)``, ``pattern.format(first + by)``, ... there are."""
        number = 0
        while pattern.format(first + by * number) in self.tensors:
            number += 1
        return number

    def finish(self) -> None:
        if self.unread:
            unknown = [self.prefix + name for name in sorted(self.unread)[:3]]
            raise WeightsError(f"the checkpoint holds tensors unknown to {self.system}: {unknown}.")


def require_known(tensors: TensorMap, prefixes: Iterable[str], system: str, what: str) -> None:
    """Raises: WeightsError: a tensor's name begins with none of the prefixes."""
    unknown = sorted(name for name in tensors if not name.startswith(tuple(prefixes)))
    if unknown:
        raise WeightsError(f"{what} holds tensors unknown to {system}: {unknown[:3]}. Save only those of one model.")


def require_own_bytes(tensors: Iterable[Any], source: Path) -> None:
    """Raises: WeightsError: tensors that are parts of each other: thousands of names for one are an attack."""
    claimed = sum(tensor.nbytes for tensor in tensors if isinstance(tensor, Tensor))
    if claimed > 2 * source.stat().st_size:  # a few tensors may be one
        raise WeightsError(
            f"checkpoint {str(source)!r}: its tensors are parts of each other, {claimed:,} bytes together. Save them "
            "apart."
        )


@contextlib.contextmanager
def layout_of(system: str, what: str) -> Iterator[None]:
    """Within the block every error means that the file does not have the layout of ``system``.

    Raises:
        WeightsError: in place of what was raised.
    """
    try:
        yield
    except WeightsError:
        raise
    except (
        InputError, IndexError, KeyError, RuntimeError, TypeError, ValueError, AttributeError, OverflowError,
        RecursionError, MemoryError, NotImplementedError,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(f"{what} does not have the layout of {system}: {reason}") from error
