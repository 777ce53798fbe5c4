"""Directions as vectors: their signs, the spread of w along them, and codes moved along them.

A direction is a vector [D] that is added to each of some rows of a code, or [R', D] with one vector per row.

Shape legend: N images, R rows of a code, R' chosen rows, D style width, P distances, n directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.latents import LatentCode, require_codes
from semanticgan.model import Model
from semanticgan.seeds import stream
from semanticgan.wrong_arguments import require_dense, require_type, shown, whole_number

NUM_SAMPLES = 10_000
"""Mapped codes that a spread is measured from."""


def with_signs(vectors: Tensor) -> Tensor:
    """Each vector or its negative, such that the element of the largest magnitude is positive, [n, ...]."""
    flat = vectors.flatten(1)
    largest = flat.gather(1, flat.abs().argmax(1, keepdim=True))[:, 0]
    return vectors * torch.where(largest < 0, -1.0, 1.0).to(vectors).view(-1, *[1] * (vectors.ndim - 1))


@torch.no_grad()
def sample_w(model: Model, num_samples: int = NUM_SAMPLES, seed: int = 0) -> Tensor:
    """Mapped codes w of random z, without truncation, [num_samples, D].

    Raises:
        InputError: fewer than two samples, or no seed.
    """
    num_samples = whole_number("num_samples", num_samples, 2)
    z = torch.randn(num_samples, model.generator.latent_dim, generator=stream(seed))
    return model.generator.map(z.to(model.generator.mean_latent))


def spread(directions: Tensor, samples: Tensor) -> Tensor:
    """Standard deviation (divisor N) of samples along each direction, [n].

    Args:
        directions: [n, ...], of any length.
        samples: [N, ...] of the same shape after the first axis.
    """
    projected = samples.flatten(1).double() @ directions.flatten(1).double().T  # [N, n]
    return projected.std(0, correction=0).to(directions.dtype)


def moved(code: LatentCode, rows: Sequence[int], vector: Tensor, distances: Any) -> LatentCode:
    """Codes w_r + d v on some rows r, the other rows untouched.

    Args:
        code: of N images.
        rows: numbers of the R' rows, such as ``code.rows.indices("hair", "texture")``.
        vector: v, [D] for every row alike, or [R', D].
        distances: d, one number or P numbers.

    Returns:
        A code of N P images: all distances of the first image, then those of the second.

    Raises:
        InputError: a vector that does not fit, or distances that are no finite numbers.
    """
    require_codes([code])
    chosen = list(rows)
    vector = require_vector(vector, len(chosen), code)
    amounts = distances_of(distances).to(code.tensor)
    tensor = code.tensor.repeat_interleave(len(amounts), dim=0)
    steps = amounts.repeat(len(code))[:, None, None] * vector.to(code.tensor)  # [N P, 1 or R', D]
    tensor[:, chosen] = tensor[:, chosen] + steps
    return LatentCode(tensor, code.rows)


def require_vector(vector: Any, num_rows: int, code: LatentCode) -> Tensor:
    """The direction of some rows of a code.

    Raises:
        InputError: neither [D] nor [num_rows, D].
    """
    width = code.tensor.shape[-1]
    require_type("a direction", vector, Tensor, f"a torch.Tensor [{width}] or [{num_rows}, {width}]")
    if tuple(vector.shape) not in ((width,), (num_rows, width)):
        raise InputError(f"a direction has the shape [{width}] or [{num_rows}, {width}], got {list(vector.shape)}.")
    return vector


def distances_of(given: Any) -> Tensor:
    """float64 [P] of one or several numbers.

    Raises:
        InputError: none, or no finite numbers.
    """
    try:
        distances = torch.as_tensor(given, dtype=torch.float64).reshape(-1).cpu()
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise InputError(f"distances are numbers, such as 2.0 or [-2, 0, 2], got {shown(given)}.") from error
    if not len(distances) or not bool(torch.isfinite(distances).all()):
        raise InputError(f"distances are finite numbers, at least one, got {shown(given)}.")
    return distances


def samples_of(name: str, given: Any, least: int = 1) -> Tensor:
    """float64 [N, ...] of a tensor or an array, without a graph, on the CPU.

    Raises:
        InputError: no finite numbers, fewer than ``least`` of them, or only one axis.
    """
    if not isinstance(given, Tensor):
        try:
            given = torch.as_tensor(given)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"{name} must be numbers [N, D], got {shown(given)}.") from error
    require_dense(name, given, meta=False)
    if given.ndim < 2 or len(given) < least or given.is_complex() or not given[0].numel():
        raise InputError(
            f"{name} must be numbers [N, D] with N at least {least}, got {given.dtype} {list(given.shape)}."
        )
    samples: Tensor = given.detach().cpu().double()
    if not bool(torch.isfinite(samples).all()):
        raise InputError(f"{name} must be finite; leave out the codes that are not.")
    return samples
