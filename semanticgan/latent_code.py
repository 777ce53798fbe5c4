"""LatentCode: a tensor and the names of its rows.

N images, R rows, D style width, K regions, B base rows, L layers. The rows are those of :mod:`semanticgan.rows`:
R = B + 2K for a model of regions, whose code is W+ of Section 3 of arXiv 2112.02236; R = L for a layered model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.latent_files import read_code, write_code
from semanticgan.regions import RegionScheme
from semanticgan.rows import Rows
from semanticgan.wrong_arguments import require_dense, require_type, shown, whole_number

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@dataclass(frozen=True, eq=False, repr=False, init=False)
class LatentCode:
    """The latent code of N images.

    Two codes are equal when rows and numbers are. A notebook shows the numbers as a heat map: one line per row of the
    code, the base first, then structure and texture of each region; or one line per layer.

    Attributes:
        tensor: floating, [N, R, D]; R = B + 2K for a model of regions, L for a layered one.
        rows: their names, ``code.rows.names``, and which of them a choice means, ``code.rows.indices("hair")``.
    """

    tensor: Tensor
    rows: Rows

    def __init__(self, tensor: Tensor, rows: Rows | RegionScheme) -> None:
        """A code of numbers and rows.

        Args:
            tensor: floating, [N, R, D].
            rows: such as ``model.rows``. With a RegionScheme all rows before those of the regions are base rows.

        Raises:
            InputError: the tensor's shape or type does not fit the rows.
        """
        require_type("the tensor of a latent code", tensor, Tensor, "a torch.Tensor [N, B + 2K, D]")
        require_dense("the tensor of a latent code", tensor)
        shape = list(tensor.shape)
        if len(shape) != 3 or tensor.dtype not in _FLOATS:
            raise InputError(
                f"a latent code is a floating tensor [N, B + 2K, D] of 16, 32 or 64 bits, got {tensor.dtype} {shape}. "
                "A code w [N, D] becomes one by LatentCode.from_w."
            )
        if shape[0] < 1:
            raise InputError(f"a latent code has at least 1 image, got {shape}.")
        object.__setattr__(self, "tensor", tensor)
        object.__setattr__(self, "rows", Rows.of_code(rows, shape[1]))

    @classmethod
    def from_w(cls, w: Tensor, rows: Rows | RegionScheme, num_base: int | None = None) -> LatentCode:
        """The plain code whose every row is w.

        Args:
            w: [N, D].
            rows: such as ``model.rows``, or the K regions.
            num_base: with regions, the number of base rows B.

        Raises:
            InputError: another shape or type.
        """
        require_type("w", w, Tensor, "a torch.Tensor [N, D]")
        if w.ndim != 2:
            raise InputError(f"w has the shape [N, D], got {list(w.shape)}.")
        if not isinstance(rows, Rows):
            rows = Rows.of_regions(rows, whole_number("num_base", num_base, 0))
        return cls(w[:, None].repeat(1, len(rows), 1), rows)

    @classmethod
    def cat(cls, codes: Sequence[LatentCode]) -> LatentCode:
        """The images of several codes in one.

        Raises:
            InputError: no code, or codes that do not fit each other.
        """
        codes = require_codes(codes)
        if not codes:
            raise InputError("no latent code given. Give at least one.")
        for other in codes[1:]:
            require_alike(codes[0], other)
        first = codes[0].tensor
        return cls(torch.cat([code.tensor.to(first) for code in codes]), codes[0].rows)

    def __len__(self) -> int:
        return self.tensor.shape[0]

    def __getitem__(self, images: int | slice | Sequence[int] | Tensor) -> LatentCode:
        """The code of some of the images.

        Args:
            images: a number, which keeps the first axis, of length 1; a slice; numbers, or N switches.

        Raises:
            InputError: no such image, or none at all.
        """
        index = _image_numbers(images, len(self))
        if not index:
            raise InputError(f"no image is chosen. This code has {len(self)}; give numbers from 0 to {len(self) - 1}.")
        return LatentCode(self.tensor[index], self.rows)

    def __iter__(self) -> Iterator[LatentCode]:
        """The code of each image, one after another."""
        return (self[image] for image in range(len(self)))

    def __eq__(self, other: object) -> bool:
        """The same rows and the same numbers, on whatever devices they are."""
        if not isinstance(other, LatentCode):
            return NotImplemented
        return self.rows == other.rows and torch.equal(*(code.tensor.detach().cpu() for code in (self, other)))

    def __hash__(self) -> int:
        """Of what does not change when ``tensor`` is changed in place: shape and names."""
        return hash((tuple(self.tensor.shape), self.rows.names))

    def __repr__(self) -> str:
        shape, device = list(self.tensor.shape), str(self.tensor.device)
        rows, scheme = self.rows, self.rows.regions
        parts = f"num_layers={len(rows)}" if scheme is None else f"num_base={rows.num_base}, num_regions={len(scheme)}"
        return f"LatentCode({shape}, {parts}, device={device!r})"

    def _repr_png_(self) -> bytes:
        """What a notebook shows: the rows as a heat map. A code is not a picture; ``model.render(code)`` makes one."""
        from semanticgan.notebook import rows_png

        return rows_png(self.tensor)

    @property
    def num_images(self) -> int:
        return self.tensor.shape[0]

    @property
    def regions(self) -> RegionScheme:
        """The regions that the rows belong to.

        Raises:
            InputError: a code of layers, which has none.
        """
        return self.rows.require_regions()

    @property
    def num_base(self) -> int:
        return self.rows.num_base

    @property
    def base(self) -> Tensor:
        """The base rows, [N, B, D]."""
        return self.tensor[:, : self.num_base]

    def structure(self, region: str) -> Tensor:
        """The structure row of a region, [N, D]."""
        return self.tensor[:, self.rows.indices([region], "structure")[0]]

    def texture(self, region: str) -> Tensor:
        """The texture row of a region, [N, D]."""
        return self.tensor[:, self.rows.indices([region], "texture")[0]]

    def replace(
        self,
        base: Tensor | None = None,
        structure: Mapping[str, Tensor] | None = None,
        texture: Mapping[str, Tensor] | None = None,
        layers: Mapping[str | int, Tensor] | None = None,
    ) -> LatentCode:
        """A code with some rows replaced.

        Args:
            base: [N, B, D] or broadcastable to it.
            structure: region name -> [N, D] or broadcastable to it.
            texture: as ``structure``.
            layers: of a layered model: a layer, or several such as ``"0-3"`` -> [N, D] or broadcastable to it.

        Raises:
            InputError: an unknown region or layer, or a shape that does not fit.
        """
        tensor = self.tensor.clone()
        if base is not None:
            self.rows.require_regions()
            _put(base, tensor[:, : self.num_base], "base")
        parts: Mapping[str, Mapping[Any, Tensor] | None] = {"structure": structure, "texture": texture, "layer": layers}
        for what, given in parts.items():
            require_type(what, given or {}, Mapping, f"a dictionary from names to rows, such as {{'hair': {what}}}")
            for name, row in (given or {}).items():
                chosen = self.rows.indices(layers=name) if what == "layer" else self.rows.indices([name], what)
                for number in chosen:
                    _put(row, tensor[:, number], f"{what} of {name}")
        return LatentCode(tensor, self.rows)

    def to(self, device: torch.device | str) -> LatentCode:
        """The code on a device.

        Raises:
            InputError: no such device here.
        """
        try:
            if not isinstance(device, (str, torch.device)):
                raise TypeError("a device is a name")
            target = torch.device(device)
            if target.type == "meta":
                raise RuntimeError("a tensor there has no numbers")
            return LatentCode(self.tensor.to(target), self.rows)
        except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:  # as torch says it: no line
            raise InputError(
                f"a code cannot be moved to {shown(device)}. Give a device that is here, such as 'cpu'."
            ) from error

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the code: ``.safetensors`` with its rows, or ``.npy``, the bare float32 array [N, R, D].

        Raises:
            InputError: another suffix, an existing file without ``overwrite``, or a folder that cannot be written.
        """
        write_code(self.tensor, self.rows, path, overwrite)

    @classmethod
    def load(
        cls,
        path: str | Path,
        rows: Rows | RegionScheme | None = None,
        num_base: int | None = None,
        *,
        regions: RegionScheme | None = None,
    ) -> LatentCode:
        """Read what :meth:`save` wrote, or a ``.npy`` of the reference implementation; never a pickle.

        Args:
            path: ``.safetensors`` or ``.npy``; an array [R, D] is taken as one image.
            rows: the rows or regions that the code must have. A ``.npy`` does not name its rows: it needs them.
            num_base: with regions, the number of base rows that the code must have, where it is known.
            regions: the same as ``rows``.

        Raises:
            InputError: no such file, a damaged or unsafe file, or one that does not fit ``rows`` and ``num_base``.
        """
        return cls(*read_code(path, rows if regions is None else regions, num_base))


def require_codes(codes: Any) -> list[LatentCode]:
    """The codes as a list.

    Raises:
        InputError: something else than LatentCodes.
    """

    if isinstance(codes, LatentCode):
        raise InputError("a list of latent codes is needed, got one code. Write [code].")
    if isinstance(codes, (str, bytes)) or not isinstance(codes, Iterable):
        raise InputError(f"latent codes are needed, such as model.sample(seed=3), got {shown(codes)}.")
    found = list(codes)
    for code in found:
        require_type("a latent code", code, LatentCode, "a LatentCode, such as model.sample(seed=3)")
    return found


def require_alike(a: LatentCode, b: LatentCode) -> None:
    if a.rows.names != b.rows.names:
        kind = "rows" if None in (a.rows.regions, b.rows.regions) else "regions"
        raise InputError(f"the codes have different {kind}: {a.rows} against {b.rows}. Use codes of one model.")
    if a.tensor.shape[1:] != b.tensor.shape[1:]:
        raise InputError(
            f"the codes have different shapes: {list(a.tensor.shape)} against {list(b.tensor.shape)}. "
            "Use codes of one model."
        )


def _put(value: Any, rows: Tensor, part: str) -> None:
    require_type(f"the {part}", value, Tensor, f"a torch.Tensor {list(rows.shape)}")
    try:
        rows.copy_(value)
    except (RuntimeError, NotImplementedError) as error:
        raise InputError(f"the {part} has the shape {list(rows.shape)}, got {list(value.shape)}.") from error


def _image_numbers(images: Any, num_images: int) -> list[int]:
    """Numbers of images from 0 on, of what was given in brackets."""
    if isinstance(images, slice):
        try:
            return list(range(num_images))[images]
        except (TypeError, ValueError) as error:
            raise InputError(f"images are numbers from 0 to {num_images - 1}, got {shown(images)}.") from error
    given = images.tolist() if isinstance(images, (Tensor, np.ndarray)) else images
    given = [given] if isinstance(given, Integral) else given
    if not isinstance(given, Sequence) or isinstance(given, (str, bytes)):
        raise InputError(f"images are numbers from 0 to {num_images - 1}, got {shown(images)}.")
    if given and all(isinstance(number, (bool, np.bool_)) for number in given) and len(given) == num_images:
        return [number for number, chosen in enumerate(given) if chosen]
    for number in given:
        if not isinstance(number, Integral) or isinstance(number, bool) or not -num_images <= int(number) < num_images:
            raise InputError(f"this code has {num_images} images, 0 to {num_images - 1}, got {shown(images)}.")
    return [int(number) for number in given]
