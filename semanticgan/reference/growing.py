"""What the files of PGGAN and StyleGAN have in common: variables of the official TensorFlow code by name.

The official files are pickles that only TensorFlow's code can open. Here they come as an ``.npz`` with one array a
variable, "D/4x4/Conv/weight" and so on, in TensorFlow's shapes: dense [in, out], convolutions [k, k, in, out]. Run-time
factors are not in the weights, there as here. ``lod`` is the level; colours are counted from the full size down.

Shape legend: C channels in, E channels out, k side of a kernel, S side of the full picture.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from semanticgan.networks.comparison.growing import GrowingDiscriminatorConfig
from semanticgan.networks.comparison.layered import SMALLEST_SIDE, sides_to
from semanticgan.reference.opening import Reader
from semanticgan.seeds import stream


def dense(weight: Tensor) -> Tensor:
    """[C, E] -> [E, C]."""
    return weight.transpose(0, 1)


def convolution(weight: Tensor) -> Tensor:
    """[k, k, C, E] -> [E, C, k, k]."""
    return weight.permute(3, 2, 0, 1)


def turned(weight: Tensor) -> Tensor:
    """[E, C, k, k] by 180 degrees: a fused upsampling layer is a transposed convolution, ours repeats and convolves."""
    return weight.flip(2, 3)


def size_of(read: Reader) -> int:
    """S: the largest side that layers are named by, such as "32x32/Conv1/weight"."""
    sides = (re.match(r"(\d{1,9})x\1/", name, re.ASCII) for name in read.tensors)
    return max((int(side[1]) for side in sides if side), default=SMALLEST_SIDE)


def level(read: Reader) -> float:
    """The level of a generator; 0 where the file does not say."""
    return float(read("lod").reshape(())) if "lod" in read.tensors else 0.0


def colours(read: Reader, layer: str, ours: str, size: int) -> dict[str, Tensor]:
    """ToRGB_lod<l> or FromRGB_lod<l>, l = 0 at full size -> ours, counted from 4x4."""
    found: dict[str, Tensor] = {}
    last = len(sides_to(size)) - 1
    for index in range(last + 1):
        found |= with_bias(read, f"{layer}_lod{last - index}", f"{ours}.{index}")
    return found


def with_bias(read: Reader, theirs: str, ours: str) -> dict[str, Tensor]:
    """A dense layer or convolution and its bias."""
    weight = read(f"{theirs}/weight")
    return {
        f"{ours}.weight": dense(weight) if weight.ndim == 2 else convolution(weight),
        f"{ours}.bias": read(f"{theirs}/bias"),
    }


def channels_of(read: Reader, layer: str, size: int) -> dict[int, int]:
    """Width by resolution, from the weights [1, 1, C, E] of ToRGB or FromRGB."""
    axis = 2 if layer == "ToRGB" else 3
    sides = sides_to(size)[::-1]
    return {side: read(f"{layer}_lod{lod}/weight").shape[axis] for lod, side in enumerate(sides)}


def discriminator_sizes(read: Reader) -> tuple[int, dict[int, int]]:
    """Size and width by resolution of a discriminator."""
    size = size_of(read)
    return size, channels_of(read, "FromRGB", size)


def discriminator_from_reference(read: Reader, config: GrowingDiscriminatorConfig) -> dict[str, Tensor]:
    """The authors' discriminator -> ours."""
    read.unread.discard("lod")
    ours = colours(read, "FromRGB", "from_rgb", config.size)
    for layer, name in (("Conv", "conv"), ("Dense0", "linear"), ("Dense1", "score")):
        ours |= with_bias(read, f"4x4/{layer}", f"blocks.0.{name}")
    for index, side in enumerate(sides_to(config.size)[1:], start=1):
        fused = f"{side}x{side}/Conv1/weight" not in read.tensors
        ours |= with_bias(read, f"{side}x{side}/Conv0", f"blocks.{index}.conv1")
        ours |= with_bias(read, f"{side}x{side}/{'Conv1_down' if fused else 'Conv1'}", f"blocks.{index}.conv2")
    read.finish()
    return own(ours)


def drawn_noise(sides: Iterable[int]) -> dict[str, Tensor]:
    """Maps of seed 0 for a file without any, two a resolution."""
    generator = stream(0)
    twice = [side for side in sides for _ in range(2)]
    return {f"noise_{row}": torch.randn(1, 1, side, side, generator=generator) for row, side in enumerate(twice)}


def own(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors with memory of their own, in the usual layout."""
    return {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
