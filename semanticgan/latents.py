"""Latent codes with named parts: base, and a structure and a texture code a region; swapped, mixed, interpolated.

N images, K regions, B base rows, D style width. A code is W+ of Section 3 of arXiv 2112.02236: rows 0..B-1 are the
base shared by the regions (pose, coarse outline), row B + 2k the structure and row B + 2k + 1 the texture of region k.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from semanticgan.errors import InputError, unknown_name
from semanticgan.files import require_file, user_path, written_aside
from semanticgan.regions import RegionScheme
from semanticgan.tensor_files import save_tensors

WHAT = ("structure", "texture", "both")
"""Which of a region's two rows an operation touches."""

METHODS = ("linear", "cubic")
"""How :func:`interpolate` goes through several codes."""

_FORMAT = {"format": "semanticgan-latent-code", "format_version": "1"}


@dataclass(frozen=True, eq=False)
class LatentCode:
    """The latent code of N images.

    Attributes:
        tensor: floating, [N, B + 2K, D].
        regions: the K regions that the rows belong to.

    Raises:
        InputError: the tensor's shape or type does not fit the regions.
    """

    tensor: Tensor
    regions: RegionScheme

    def __post_init__(self) -> None:
        shape, num_regions = list(self.tensor.shape), len(self.regions)
        if len(shape) != 3 or not self.tensor.is_floating_point():
            raise InputError(
                f"a latent code is a floating tensor [N, B + 2K, D], got {self.tensor.dtype} {shape}. "
                "A code w [N, D] becomes one by LatentCode.from_w."
            )
        if shape[0] < 1 or shape[1] < 2 * num_regions:
            raise InputError(
                f"a latent code of {num_regions} regions has at least 1 image and {2 * num_regions} rows, got {shape}. "
                "Use the region scheme that the code was made with."
            )

    @classmethod
    def from_w(cls, w: Tensor, regions: RegionScheme, num_base: int) -> LatentCode:
        """The plain code whose every row is w, [N, D]."""
        if w.ndim != 2:
            raise InputError(f"w has the shape [N, D], got {list(w.shape)}.")
        return cls(w[:, None].repeat(1, num_base + 2 * len(regions), 1), regions)

    @classmethod
    def cat(cls, codes: Sequence[LatentCode]) -> LatentCode:
        """The images of several codes in one.

        Raises:
            InputError: no code, or codes that do not fit each other.
        """
        if not codes:
            raise InputError("no latent code given. Give at least one.")
        for other in codes[1:]:
            _require_alike(codes[0], other)
        first = codes[0].tensor
        return cls(torch.cat([code.tensor.to(first) for code in codes]), codes[0].regions)

    def __len__(self) -> int:
        return self.tensor.shape[0]

    def __getitem__(self, images: int | slice | Sequence[int]) -> LatentCode:
        """The code of some of the images; an int keeps the first axis, of length 1."""
        index = range(len(self))[images] if isinstance(images, (int, slice)) else images
        index = [index] if isinstance(index, int) else list(index)
        return LatentCode(self.tensor[index], self.regions)

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
        if what not in WHAT:
            raise unknown_name("what", what, WHAT)
        rows = set(range(self.num_base)) if include_base else set()
        for label in self.regions.indices(regions):
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
            for name, row in (given or {}).items():
                _put(row, tensor[:, self.rows([name], what)[0]], f"{what} of {name}")
        return LatentCode(tensor, self.regions)

    def to(self, device: torch.device | str) -> LatentCode:
        return LatentCode(self.tensor.to(device), self.regions)

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
            tensor = _read_npy(path)
        else:
            tensor, written = _read_safetensors(path)
            if regions is not None and regions.names != written.names:
                raise InputError(
                    f"the latent code {str(path)!r} has the regions {', '.join(written.names)}; "
                    f"needed are {', '.join(regions.names)}. Use a code of the same model."
                )
            regions = regions or written
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(f"the latent code {str(path)!r} holds numbers that are not finite. Use another file.")
        code = cls(tensor, regions)
        if num_base is not None and code.num_base != num_base:
            raise InputError(
                f"the latent code {str(path)!r} has {tensor.shape[1]} rows; {num_base} base rows and "
                f"{len(regions)} regions make {num_base + 2 * len(regions)}. Use a code of the same model."
            )
        return code


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
    a_tensor, b_tensor = _side_by_side(a, b)
    rows = a.rows(regions, what, include_base)
    tensor = a_tensor.clone()
    tensor[:, rows] = torch.lerp(a_tensor[:, rows], b_tensor[:, rows], weight)
    return LatentCode(tensor, a.regions)


def interpolate(
    codes: Sequence[LatentCode],
    positions: float | Sequence[float] | Tensor,
    regions: str | Iterable[str] | None = None,
    what: str = "both",
    method: str = "linear",
    include_base: bool = False,
) -> LatentCode:
    """Codes on the way through several codes; position m is exactly the m-th of them.

    Args:
        codes: M >= 2 codes of one image each.
        positions: one or P numbers from 0 to M - 1.
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
    if len(codes) < 2 or any(len(code) != 1 for code in codes):
        raise InputError(
            f"interpolation needs two or more codes of one image each, got {[len(code) for code in codes]}."
        )
    if method not in METHODS:
        raise unknown_name("method", method, METHODS)
    knots = LatentCode.cat(codes)
    position = torch.as_tensor(positions, dtype=torch.float64).reshape(-1)
    if not bool(((position >= 0) & (position <= len(codes) - 1)).all()):
        raise InputError(f"positions run from 0 to {len(codes) - 1} for {len(codes)} codes, got {position.tolist()}.")

    weights = _spline_weights(position, len(codes), natural=method == "cubic")  # [P, M]
    moved = torch.einsum("pm,mrd->prd", weights.to(knots.tensor), knots.tensor)
    if regions is None:
        return LatentCode(moved, knots.regions)
    rows = knots.rows(regions, what, include_base)
    tensor = knots.tensor[:1].repeat(len(position), 1, 1)
    tensor[:, rows] = moved[:, rows]
    return LatentCode(tensor, knots.regions)


def truncate(code: LatentCode, mean: Tensor, psi: float) -> LatentCode:
    """w-bar + psi (w - w-bar) on every row; psi 1 leaves the code, 0 is the mean.

    Args:
        code: any code.
        mean: w-bar, the mean of w over many z, [D].
        psi: the strength.

    Raises:
        InputError: a mean of another width.
    """
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


def _put(value: Tensor, rows: Tensor, part: str) -> None:
    try:
        rows.copy_(value)
    except RuntimeError as error:
        raise InputError(f"the {part} has the shape {list(rows.shape)}, got {list(value.shape)}.") from error


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
    _require_alike(a, b)
    if len(a) != len(b) and 1 not in (len(a), len(b)):
        raise InputError(f"the codes have {len(a)} and {len(b)} images. Use as many, or one image on one side.")
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


def _read_npy(path: str | Path) -> Tensor:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(
            f"the latent code {str(path)!r} is no readable .npy array ({error}). Use another file."
        ) from error
    if not isinstance(array, np.ndarray) or not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"the latent code {str(path)!r} holds no floating numbers. Use an array [N, B + 2K, D].")
    tensor = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
    return tensor[None] if tensor.ndim == 2 else tensor


def _read_safetensors(path: str | Path) -> tuple[Tensor, RegionScheme]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if any(metadata.get(key) != value for key, value in _FORMAT.items()):
                raise InputError(f"{str(path)!r} is no latent code. Use a file of LatentCode.save or --save-latent.")
            return file.get_tensor("latent_code"), RegionScheme.from_dict(json.loads(metadata["regions"]))
    except InputError:
        raise
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"the latent code {str(path)!r} is damaged ({error}). Use another file.") from error
