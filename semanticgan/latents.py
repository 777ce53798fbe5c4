"""Codes swapped, mixed, interpolated and truncated, by regions or by layers.

N images, R rows, D style width, M codes, P positions. Which rows a choice of regions or layers means is said in
:meth:`semanticgan.rows.Rows.indices`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from semanticgan.errors import InputError, unknown_name
from semanticgan.latent_code import LatentCode, require_alike, require_codes
from semanticgan.rows import WHAT, Layers, Regions, Rows
from semanticgan.wrong_arguments import finite_number, require_type, shown

__all__ = ["METHODS", "WHAT", "LatentCode", "interpolate", "mix", "mix_by_schema", "require_codes", "swap", "truncate"]

Positions = float | Sequence[float] | Tensor

METHODS = ("linear", "cubic")
"""How :func:`interpolate` goes through several codes."""


def swap(
    a: LatentCode,
    b: LatentCode,
    regions: Regions | None = None,
    what: str = "both",
    include_base: bool = False,
    layers: Layers | None = None,
) -> LatentCode:
    """``a`` with the rows of some regions or layers taken from ``b``; base rows stay unless ``include_base``.

    ``swap(a, b, regions=["hair"])``, of a layered model ``swap(a, b, layers="0-3")``; the choice is explained in
    :meth:`semanticgan.rows.Rows.indices`. Either code may have one image, which then goes with each image of the other.

    Raises:
        InputError: nothing chosen, an unknown region, layer or ``what``, or codes that do not fit each other.
    """
    a_tensor, b_tensor = _side_by_side(a, b)
    chosen = a.rows.indices(regions, what, include_base, layers)
    return _with_rows(a_tensor, chosen, b_tensor[:, chosen], a.rows)


def mix_by_schema(source: LatentCode, destination: LatentCode, schema: str) -> LatentCode:
    """Layers of two codes by letters, one a layer, coarse to fine: S takes the source's row, D the destination's.

    ``mix_by_schema(a, b, "SSSSDDDD")`` for a model of 8 layers (the style mixing figures of arXiv 2004.04467). Either
    code may have one image, which then goes with each image of the other.

    Raises:
        InputError: another letter or another number of letters, codes of regions, or codes that do not fit each other.
    """
    source_tensor, destination_tensor = _side_by_side(source, destination)
    rows = source.rows
    if rows.regions is not None:
        raise InputError(f"a schema mixes layers, but these codes have {rows.counted}. Use swap with regions instead.")
    if not isinstance(schema, str) or len(schema) != len(rows) or set(schema) - set("SD"):
        example = ("S" * (len(rows) // 2)).ljust(len(rows), "D")
        raise InputError(
            f"a schema has {len(rows)} letters here, one a layer, S for the source and D for the destination, such as "
            f"{example!r}, got {shown(schema)}."
        )
    of_source = [layer for layer, letter in enumerate(schema) if letter == "S"]
    return _with_rows(destination_tensor, of_source, source_tensor[:, of_source], rows)


def mix(
    a: LatentCode,
    b: LatentCode,
    regions: Regions | None = None,
    weight: float = 0.5,
    what: str = "both",
    include_base: bool = False,
    layers: Layers | None = None,
) -> LatentCode:
    """``a`` with the rows of some regions or layers moved towards ``b``: weight 0 leaves them, 1 is :func:`swap`.

    Raises:
        InputError: as :func:`swap`.
    """
    weight = finite_number("weight", weight)
    a_tensor, b_tensor = _side_by_side(a, b)
    chosen = a.rows.indices(regions, what, include_base, layers)
    return _with_rows(a_tensor, chosen, torch.lerp(a_tensor[:, chosen], b_tensor[:, chosen], weight), a.rows)


def interpolate(
    a: LatentCode | Sequence[LatentCode],
    b: LatentCode | Positions,
    t: Positions | None = None,
    *,
    regions: Regions | None = None,
    what: str = "both",
    method: str = "linear",
    include_base: bool = False,
    layers: Layers | None = None,
) -> LatentCode:
    """Codes on the way from one code to another, or through several: ``interpolate(a, b, 0.5)``.

    Args:
        a: the first code, of one image. Or a list of M >= 2 codes of one image each: ``interpolate(codes, positions)``.
        b: the second code, of one image. After a list: the positions.
        t: one or P numbers from 0, which is exactly ``a``, to 1, which is exactly ``b``. Positions among M codes run
            from 0 to M - 1; position m is exactly the m-th.
        regions: only these regions move, the rest stays at the first code; without regions and layers every row moves.
        what: "structure", "texture" or "both" of these regions.
        method: "linear", or "cubic": the natural cubic spline, whose speed does not jump at the codes.
        include_base: with ``regions``, move the base rows too.
        layers: of a layered model, only these layers move.

    Returns:
        A code of P images.

    Raises:
        InputError: fewer than two codes, a code of several images, codes that do not fit each other, a position
            outside the codes, an unknown region, layer, ``what`` or method.
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
    if regions is None and layers is None:
        return LatentCode(moved, knots.rows)
    chosen = knots.rows.indices(regions, what, include_base, layers)
    return _with_rows(knots.tensor[:1].expand(len(position), -1, -1), chosen, moved[:, chosen], knots.rows)


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


def truncate(
    code: LatentCode,
    mean: Tensor,
    psi: float,
    *,
    regions: Regions | None = None,
    what: str = "both",
    include_base: bool = False,
    layers: Layers | None = None,
) -> LatentCode:
    """w-bar + psi (w - w-bar) on every row, or on chosen ones; psi 1 leaves the code, 0 is the mean.

    Args:
        code: any code.
        mean: w-bar, the mean of w over many z, [D], or one per row, [R, D].
        psi: the strength.
        regions: only the rows of these regions; without regions and layers every row.
        what: "structure", "texture" or "both" of these regions.
        include_base: with ``regions``, the base rows too.
        layers: of a layered model, only these layers.

    Raises:
        InputError: a mean of another width, an unknown region, layer or ``what``.
    """
    require_codes([code])
    require_type("the mean", mean, Tensor, "a torch.Tensor [D], such as model.generator.mean_latent")
    psi = finite_number("psi", psi)
    if mean.shape not in (code.tensor.shape[-1:], code.tensor.shape[-2:]):
        num_rows, width = code.tensor.shape[-2:]
        raise InputError(
            f"the mean of this code has the shape [{width}] or [{num_rows}, {width}], got {list(mean.shape)}."
        )
    tensor = torch.lerp(mean.to(code.tensor), code.tensor, psi)
    if regions is None and layers is None:
        return LatentCode(tensor, code.rows)
    chosen = code.rows.indices(regions, what, include_base, layers)
    return _with_rows(code.tensor, chosen, tensor[:, chosen], code.rows)


def _with_rows(tensor: Tensor, chosen: list[int], values: Tensor, rows: Rows) -> LatentCode:
    """A code [N, R, D] with some rows replaced by values [N, number of them, D]."""
    tensor = tensor.clone()
    tensor[:, chosen] = values
    return LatentCode(tensor, rows)


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
    spline: Tensor = linear + from_left * curvature[left] + from_right * curvature[left + 1]
    return spline


def _side_by_side(a: LatentCode, b: LatentCode) -> tuple[Tensor, Tensor]:
    """Both tensors with as many images as the longer one."""
    require_codes([a, b])
    require_alike(a, b)
    if len(a) != len(b) and 1 not in (len(a), len(b)):
        raise InputError(
            f"the codes have {len(a)} and {len(b)} images. Give the same number, or one image for one of them."
        )
    num_images = max(len(a), len(b))
    return a.tensor.expand(num_images, -1, -1), b.tensor.to(a.tensor).expand(num_images, -1, -1)
