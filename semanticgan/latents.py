"""Latent codes with named parts: base, and a structure and a texture code a region; swapped, mixed, interpolated.

N images, K regions, B base rows, D style width. A code is W+ of Section 3 of arXiv 2112.02236: rows 0..B-1 are the
base shared by the regions (pose, coarse outline), row B + 2k the structure and row B + 2k + 1 the texture of region k.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semanticgan.errors import InputError, unknown_name
from semanticgan.files import require_file, user_path, written_aside
from semanticgan.formats.arrayfile import read_npy
from semanticgan.formats.tensorfile import save_tensors
from semanticgan.regions import RegionScheme
from semanticgan.wrong_arguments import (
    finite_number,
    require_dense,
    require_names,
    require_type,
    shown,
    whole_number,
)

Positions = float | Sequence[float] | Tensor

WHAT = ("structure", "texture", "both")
"""Which of a region's two rows an operation touches."""

METHODS = ("linear", "cubic")
"""How :func:`interpolate` goes through several codes."""

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_FORMAT = {"format": "semanticgan-latent-code", "format_version": "1"}


@dataclass(frozen=True, eq=False, repr=False)
class LatentCode:
    """The latent code of N images.

    Two codes are equal when regions and numbers are. A notebook shows the numbers as a heat map: one line per row of
    the code, the base first, then structure and texture of each region.

    Attributes:
        tensor: floating, [N, B + 2K, D].
        regions: the K regions that the rows belong to.

    Raises:
        InputError: the tensor's shape or type does not fit the regions.
    """

    tensor: Tensor
    regions: RegionScheme

    def __post_init__(self) -> None:
        require_type("regions", self.regions, RegionScheme, "a RegionScheme, such as model.regions")
        require_type("the tensor of a latent code", self.tensor, Tensor, "a torch.Tensor [N, B + 2K, D]")
        require_dense("the tensor of a latent code", self.tensor)
        shape, num_regions = list(self.tensor.shape), len(self.regions)
        if len(shape) != 3 or self.tensor.dtype not in _FLOATS:
            raise InputError(
                "a latent code is a floating tensor [N, B + 2K, D] of 16, 32 or 64 bits, got "
                f"{self.tensor.dtype} {shape}. "
                "A code w [N, D] becomes one by LatentCode.from_w."
            )
        if shape[0] < 1 or shape[1] < 2 * num_regions:
            raise InputError(
                f"a latent code of {num_regions} regions has at least 1 image and {2 * num_regions} rows, got {shape}. "
                "Use the region scheme that the code was made with."
            )

    @classmethod
    def from_w(cls, w: Tensor, regions: RegionScheme, num_base: int) -> LatentCode:
        """The plain code whose every row is w.

        Args:
            w: [N, D].
            regions: the K regions.
            num_base: the number of base rows B.

        Raises:
            InputError: another shape or type.
        """
        require_type("w", w, Tensor, "a torch.Tensor [N, D]")
        require_type("regions", regions, RegionScheme, "a RegionScheme, such as model.regions")
        if w.ndim != 2:
            raise InputError(f"w has the shape [N, D], got {list(w.shape)}.")
        num_base = whole_number("num_base", num_base, 0, 255)
        return cls(w[:, None].repeat(1, num_base + 2 * len(regions), 1), regions)

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
            _require_alike(codes[0], other)
        first = codes[0].tensor
        return cls(torch.cat([code.tensor.to(first) for code in codes]), codes[0].regions)

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
        return LatentCode(self.tensor[index], self.regions)

    def __iter__(self) -> Iterator[LatentCode]:
        """The code of each image, one after another."""
        return (self[image] for image in range(len(self)))

    def __eq__(self, other: object) -> bool:
        """The same regions and the same numbers, on whatever devices they are."""
        if not isinstance(other, LatentCode):
            return NotImplemented
        return self.regions == other.regions and torch.equal(*(code.tensor.detach().cpu() for code in (self, other)))

    def __hash__(self) -> int:
        """Of what does not change when ``tensor`` is changed in place: shape and regions."""
        return hash((tuple(self.tensor.shape), self.regions.names))

    def __repr__(self) -> str:
        shape, device = list(self.tensor.shape), str(self.tensor.device)
        return f"LatentCode({shape}, num_base={self.num_base}, num_regions={len(self.regions)}, device={device!r})"

    def _repr_png_(self) -> bytes:
        """What a notebook shows: the rows as a heat map. A code is not a picture; ``model.render(code)`` makes one."""
        from semanticgan.notebook import rows_png

        return rows_png(self.tensor)

    @property
    def num_images(self) -> int:
        return self.tensor.shape[0]

    @property
    def num_base(self) -> int:
        return self.tensor.shape[1] - 2 * len(self.regions)

    @property
    def base(self) -> Tensor:
        """The base rows, [N, B, D]."""
        return self.tensor[:, : self.num_base]

    def structure(self, region: str) -> Tensor:
        """The structure row of a region, [N, D]."""
        return self.tensor[:, self.rows([region], "structure")[0]]

    def texture(self, region: str) -> Tensor:
        """The texture row of a region, [N, D]."""
        return self.tensor[:, self.rows([region], "texture")[0]]

    def rows(self, regions: str | Iterable[str], what: str = "both", include_base: bool = False) -> list[int]:
        """Row numbers of regions, ascending.

        Args:
            regions: names or aliases; one string may hold several, parted by commas.
            what: "structure", "texture" or "both".
            include_base: also the base rows.

        Raises:
            InputError: an unknown region or an unknown ``what``.
        """
        if not isinstance(what, str) or what not in WHAT:
            raise unknown_name("what", str(what), WHAT)
        rows = set(range(self.num_base)) if include_base else set()
        for label in self.regions.indices(require_names(regions)):
            if what != "texture":
                rows.add(self.num_base + 2 * label)
            if what != "structure":
                rows.add(self.num_base + 2 * label + 1)
        return sorted(rows)

    def replace(
        self,
        base: Tensor | None = None,
        structure: Mapping[str, Tensor] | None = None,
        texture: Mapping[str, Tensor] | None = None,
    ) -> LatentCode:
        """A code with some rows replaced.

        Args:
            base: [N, B, D] or broadcastable to it.
            structure: region name -> [N, D] or broadcastable to it.
            texture: as ``structure``.

        Raises:
            InputError: an unknown region, or a shape that does not fit.
        """
        tensor = self.tensor.clone()
        if base is not None:
            _put(base, tensor[:, : self.num_base], "base")
        for what, given in (("structure", structure), ("texture", texture)):
            require_type(
                what, given or {}, Mapping, f"a dictionary from region names to rows, such as {{'hair': {what}}}"
            )
            for name, row in (given or {}).items():
                _put(row, tensor[:, self.rows([name], what)[0]], f"{what} of {name}")
        return LatentCode(tensor, self.regions)

    def to(self, device: torch.device | str) -> LatentCode:
        """The code on a device.

        Raises:
            InputError: no such device here.
        """
        try:
            if not isinstance(device, (str, torch.device)):
                raise TypeError("a device is a name")
            return LatentCode(self.tensor.to(torch.device(device)), self.regions)
        except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:  # as torch says it: no line
            raise InputError(
                f"a code cannot be moved to {shown(device)}. Give a device that is here, such as 'cpu'."
            ) from error

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the code: ``.safetensors`` with its regions, or ``.npy``, the bare float32 array [N, B + 2K, D].

        Raises:
            InputError: another suffix, an existing file without ``overwrite``, or a folder that cannot be written.
        """
        suffix = require_suffix(path)
        array = self.tensor.detach().to("cpu", torch.float32).contiguous()
        with written_aside(path, overwrite) as aside:
            if suffix == ".npy":
                np.save(aside, array.numpy(), allow_pickle=False)
            else:
                regions = json.dumps(self.regions.to_dict())
                metadata = {**_FORMAT, "regions": regions, "num_base": str(self.num_base)}
                save_tensors({"latent_code": array}, aside, metadata)

    @classmethod
    def load(cls, path: str | Path, regions: RegionScheme | None = None, num_base: int | None = None) -> LatentCode:
        """Read what :meth:`save` wrote, or a ``.npy`` of the reference implementation; never a pickle.

        Args:
            path: ``.safetensors`` or ``.npy``; an array [B + 2K, D] is taken as one image.
            regions: the scheme that the code must have. A ``.npy`` does not name its regions: it needs one.
            num_base: the number of base rows that the code must have, where it is known.

        Raises:
            InputError: no such file, a damaged or unsafe file, or one that does not fit ``regions`` and ``num_base``.
        """
        path = require_file(path, "latent code")
        suffix = require_suffix(path)
        if suffix == ".npy":
            if regions is None:
                raise InputError(f"{str(path)!r} does not name its regions. Give regions=, such as model.regions.")
            require_type("regions", regions, RegionScheme, "a RegionScheme, such as model.regions")
            tensor = read_npy(Path(path))
        else:
            tensor, written = _read_safetensors(Path(path))
            if regions is not None and regions.names != written.names:
                raise InputError(
                    f"the latent code {str(path)!r} has the regions {', '.join(written.names)}; "
                    f"needed are {', '.join(regions.names)}. Use a code of the same model."
                )
            regions = regions or written
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(f"the latent code {str(path)!r} holds numbers that are not finite. Use another file.")
        if num_base is not None and (tensor.ndim != 3 or tensor.shape[1] != num_base + 2 * len(regions)):
            num_rows = num_base + 2 * len(regions)
            given = f"{tensor.shape[1]} rows" if tensor.ndim == 3 else f"the shape {list(tensor.shape)}"
            raise InputError(
                f"the latent code {str(path)!r} has {given}; {num_base} base rows and {len(regions)} regions make "
                f"{num_rows}: [N, {num_rows}, {tensor.shape[-1] if tensor.ndim else 'D'}] is needed. Use a code of the "
                "same model; w [N, D] becomes a code by model.code(w)."
            )
        return cls(tensor, regions)


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


def swap(
    a: LatentCode,
    b: LatentCode,
    regions: str | Iterable[str],
    what: str = "both",
    include_base: bool = False,
) -> LatentCode:
    """``a`` with the rows of some regions taken from ``b``; base rows stay unless ``include_base``.

    Either code may have one image, which then goes with each image of the other.

    Raises:
        InputError: an unknown region or ``what``, or codes that do not fit each other.
    """
    a_tensor, b_tensor = _side_by_side(a, b)
    rows = a.rows(regions, what, include_base)
    tensor = a_tensor.clone()
    tensor[:, rows] = b_tensor[:, rows]
    return LatentCode(tensor, a.regions)


def mix(
    a: LatentCode,
    b: LatentCode,
    regions: str | Iterable[str],
    weight: float,
    what: str = "both",
    include_base: bool = False,
) -> LatentCode:
    """``a`` with the rows of some regions moved towards ``b``: weight 0 leaves them, 1 is :func:`swap`.

    Raises:
        InputError: as :func:`swap`.
    """
    weight = finite_number("weight", weight)
    a_tensor, b_tensor = _side_by_side(a, b)
    rows = a.rows(regions, what, include_base)
    tensor = a_tensor.clone()
    tensor[:, rows] = torch.lerp(a_tensor[:, rows], b_tensor[:, rows], weight)
    return LatentCode(tensor, a.regions)


def interpolate(
    a: LatentCode | Sequence[LatentCode],
    b: LatentCode | Positions,
    t: Positions | None = None,
    *,
    regions: str | Iterable[str] | None = None,
    what: str = "both",
    method: str = "linear",
    include_base: bool = False,
) -> LatentCode:
    """Codes on the way from one code to another, or through several: ``interpolate(a, b, 0.5)``.

    Args:
        a: the first code, of one image. Or a list of M >= 2 codes of one image each: ``interpolate(codes, positions)``.
        b: the second code, of one image. After a list: the positions.
        t: one or P numbers from 0, which is exactly ``a``, to 1, which is exactly ``b``. Positions among M codes run
            from 0 to M - 1; position m is exactly the m-th.
        regions: only these regions move, the rest stays at the first code; None moves every row.
        what: "structure", "texture" or "both" of these regions.
        method: "linear", or "cubic": the natural cubic spline, whose speed does not jump at the codes.
        include_base: with ``regions``, move the base rows too.

    Returns:
        A code of P images.

    Raises:
        InputError: fewer than two codes, a code of several images, codes that do not fit each other, a position
            outside the codes, an unknown region, ``what`` or method.
    """
    if isinstance(a, LatentCode):
        if t is None:
            raise InputError("give two codes and a position: interpolate(a, b, 0.5), or interpolate([a, b, c], 1.5).")
        codes, positions = require_codes([a, b]), t
    else:
        if t is not None:
            raise InputError("after a list of codes only positions follow: interpolate([a, b, c], 1.5, regions=...).")
        codes, positions = require_codes(a), b  # type: ignore[assignment]
    if len(codes) < 2 or any(len(code) != 1 for code in codes):
        raise InputError(
            f"interpolation needs two or more codes of one image each, got {[len(code) for code in codes]}."
        )
    if not isinstance(method, str) or method not in METHODS:
        raise unknown_name("method", str(method), METHODS)
    knots = LatentCode.cat(codes)
    position = _positions(positions, len(codes))

    weights = _spline_weights(position, len(codes), natural=method == "cubic")  # [P, M]
    moved = torch.einsum("pm,mrd->prd", weights.to(knots.tensor), knots.tensor)
    if regions is None:
        return LatentCode(moved, knots.regions)
    rows = knots.rows(regions, what, include_base)
    tensor = knots.tensor[:1].repeat(len(position), 1, 1)
    tensor[:, rows] = moved[:, rows]
    return LatentCode(tensor, knots.regions)


def _positions(given: Any, num_codes: int) -> Tensor:
    """float64 [P], from 0 to M - 1."""
    try:
        position = torch.as_tensor(given, dtype=torch.float64).reshape(-1).cpu()
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise InputError(
            f"positions are a number or numbers, such as 0.5 or [0, 0.5, 1], got {shown(given)}."
        ) from error
    if not len(position) or not bool(((position >= 0) & (position <= num_codes - 1)).all()):
        raise InputError(
            f"positions run from 0 to {num_codes - 1} for {num_codes} codes, got {shown(position.tolist())}."
        )
    return position


def truncate(code: LatentCode, mean: Tensor, psi: float) -> LatentCode:
    """w-bar + psi (w - w-bar) on every row; psi 1 leaves the code, 0 is the mean.

    Args:
        code: any code.
        mean: w-bar, the mean of w over many z, [D].
        psi: the strength.

    Raises:
        InputError: a mean of another width.
    """
    require_codes([code])
    require_type("the mean", mean, Tensor, "a torch.Tensor [D], such as model.generator.mean_latent")
    psi = finite_number("psi", psi)
    if mean.shape != code.tensor.shape[-1:]:
        raise InputError(f"the mean of this code has the shape {list(code.tensor.shape[-1:])}, got {list(mean.shape)}.")
    return LatentCode(torch.lerp(mean.to(code.tensor), code.tensor, psi), code.regions)


def _spline_weights(position: Tensor, num_knots: int, natural: bool) -> Tensor:
    """float64 [P, M]: how much of each knot's value a spline over the knots 0..M-1 takes at each position [P]."""
    left = position.floor().clamp(max=num_knots - 2).long()
    t = position - left
    identity = torch.eye(num_knots, dtype=torch.float64)
    linear = (1 - t)[:, None] * identity[left] + t[:, None] * identity[left + 1]
    if not natural or num_knots == 2:
        return linear
    # Second derivatives m of the natural spline: m_0 = m_{M-1} = 0 and, between,
    # m_{i-1} + 4 m_i + m_{i+1} = 6 (y_{i-1} - 2 y_i + y_{i+1}). Linear in y, so solved once for every unit vector y.
    system, second_difference = identity.clone(), torch.zeros_like(identity)
    for i in range(1, num_knots - 1):
        system[i, i - 1 : i + 2] = torch.tensor([1.0, 4.0, 1.0], dtype=torch.float64)
        second_difference[i, i - 1 : i + 2] = torch.tensor([6.0, -12.0, 6.0], dtype=torch.float64)
    curvature = torch.linalg.solve(system, second_difference)  # [M, M]
    from_left, from_right = ((1 - t) ** 3 - (1 - t))[:, None] / 6, (t**3 - t)[:, None] / 6
    return linear + from_left * curvature[left] + from_right * curvature[left + 1]


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


def _require_alike(a: LatentCode, b: LatentCode) -> None:
    if a.regions.names != b.regions.names:
        raise InputError(
            f"the codes have different regions: {', '.join(a.regions.names)} against {', '.join(b.regions.names)}. "
            "Use codes of one model."
        )
    if a.tensor.shape[1:] != b.tensor.shape[1:]:
        raise InputError(
            f"the codes have different shapes: {list(a.tensor.shape)} against {list(b.tensor.shape)}. "
            "Use codes of one model."
        )


def _side_by_side(a: LatentCode, b: LatentCode) -> tuple[Tensor, Tensor]:
    """Both tensors with as many images as the longer one."""
    require_codes([a, b])
    _require_alike(a, b)
    if len(a) != len(b) and 1 not in (len(a), len(b)):
        raise InputError(
            f"the codes have {len(a)} and {len(b)} images. Give the same number, or one image for one of them."
        )
    num_images = max(len(a), len(b))
    return a.tensor.expand(num_images, -1, -1), b.tensor.to(a.tensor).expand(num_images, -1, -1)


def require_suffix(path: str | Path) -> str:
    """The suffix of a file of a latent code.

    Raises:
        InputError: it is neither .safetensors nor .npy.
    """
    suffix = user_path(path, "latent code").suffix.lower()
    if suffix not in (".safetensors", ".npy"):
        raise InputError(f"latent code {str(path)!r} ends in {suffix or 'no suffix'!r}. Use .safetensors or .npy.")
    return suffix


def _read_safetensors(path: Path) -> tuple[Tensor, RegionScheme]:
    from semanticgan.formats.tensorfile import open_tensors, parse_object

    what = f"the latent code {str(path)!r}"
    file = open_tensors(path, what)
    if any(file.metadata.get(key) != value for key, value in _FORMAT.items()):
        raise InputError(f"{str(path)!r} is not a latent code. Use a file of LatentCode.save or --save-latent.")
    if list(file.entries) != ["latent_code"]:
        raise InputError(f"{what} is damaged: it holds no tensor 'latent_code', or others too. Use another file.")
    try:
        regions = RegionScheme.from_dict(parse_object(file.metadata["regions"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{what} is damaged: its regions cannot be used ({error}). Use another file.") from error
    tensor = file.tensor("latent_code", file.read())
    written = file.metadata.get("num_base")  # older files lack it
    if tensor.ndim != 3 or (written is not None and written != str(tensor.shape[1] - 2 * len(regions))):
        raise InputError(
            f"{what} is damaged: {list(tensor.shape)} is not a code of {str(written)[:20]!a} base rows and "
            f"{len(regions)} regions. Use another file."
        )
    return tensor.float(), regions
