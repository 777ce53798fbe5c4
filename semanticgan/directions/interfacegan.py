"""InterFaceGAN: the normal of the plane between codes with and without an attribute.

(Shen et al. 2020, arXiv 2005.09635.)

Codes with the highest and the lowest scores of an attribute are separated by a support vector machine with a linear
kernel, C = 1 (hinge loss, intercept not penalised). Its unit normal n is the direction; the intercept is dropped.

A direction that leaves other attributes with normals C [C, D] alone is n without its part in their span, normalised::

    (C C^T) x = C n,    n - x^T C

Two spaces, two meanings of a distance d in :func:`walk`::

    codes [N, D]       x + (d - x . n) n     d is where the result lies, measured from the plane through the origin
    codes [N, R, D]    x_r + d n             d is how far each chosen row moves

The time is that of the support vector machine. On one core of 2 GHz: 0.2 s for 800 of 20,000 codes of 512 numbers, 1 s
for 400 codes of 28 rows of 128 numbers, 0.8 s for 2000 codes of 512. It grows quickly where classes overlap: 10,000
codes of 512, all of them, take 430 s. Choose the ratio of :func:`select` such that a few thousand are left.

Shape legend: N codes, R rows of a code, D style width, P distances.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semanticgan import extras
from semanticgan.directions.vectors import distances_of, moved, samples_of
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode
from semanticgan.seeds import sequence
from semanticgan.wrong_arguments import finite_number, require_type, shown

DISTANCES = tuple(np.linspace(-3.0, 3.0, 10).tolist())
"""Where :func:`walk` goes unless told otherwise."""

RATIO, SPLIT = 0.02, 0.7
"""Share of the codes that is chosen at each end, and share of these that is trained with."""

_SMALLEST = 1e-6  # of a direction's length: what is smaller is rounding of float32


@dataclass(frozen=True, eq=False)
class Selection:
    """Which codes a boundary is found with, int64 numbers of codes.

    Attributes:
        positive: to train with, [t].
        negative: as many.
        positive_held_out: to validate with, [c - t].
        negative_held_out: as many.
        rest: valid codes that were not chosen, by falling score.
        rest_labels: bool, whether their score is at least the middle of the highest and the lowest.
    """

    positive: Tensor
    negative: Tensor
    positive_held_out: Tensor
    negative_held_out: Tensor
    rest: Tensor
    rest_labels: Tensor


@dataclass(frozen=True, eq=False)
class Boundary:
    """A plane between two classes of codes.

    Attributes:
        normal: unit vector towards the positive class, float32, [D] or [R, D].
        held_out: right answers among the held-out codes, and how many these are.
        rest: the same of the codes that were not chosen.
    """

    normal: Tensor
    held_out: tuple[int, int]
    rest: tuple[int, int]


def boundary(positive: Any, negative: Any) -> Tensor:
    """The unit normal of the plane between two classes.

    Args:
        positive: codes of the one class, numbers [P, D], or [P, R, D] of several rows, in a tensor or an array.
        negative: of the other class, [Q, D] or [Q, R, D].

    Returns:
        Float32 [D] or [R, D], of length 1 over all of its numbers, from the negative to the positive class.

    Raises:
        InputError: no codes, codes of different shapes, classes with equal codes, or scikit-learn is not installed.
    """
    ends = samples_of("positive codes", positive), samples_of("negative codes", negative)
    return _normal(*_machine(*ends), ends[0].shape[1:])


def find(
    codes: Any,
    scores: Any,
    ratio: float = RATIO,
    split: float = SPLIT,
    invalid: float | None = None,
    seed: int = 0,
    permutations: tuple[Sequence[int], Sequence[int]] | None = None,
) -> Boundary:
    """The boundary of codes with scores, validated; arguments are those of :func:`select`.

    Args:
        codes: numbers [N, D] or [N, R, D].

    Raises:
        InputError: as :func:`select` and :func:`boundary`.
    """
    data = samples_of("codes", codes)
    chosen = select(data, scores, ratio, split, invalid, seed, permutations)
    weight, intercept = _machine(data[chosen.positive], data[chosen.negative])
    above = data.flatten(1) @ weight + intercept > 0  # [N]
    right = int(above[chosen.positive_held_out].sum()) + int((~above[chosen.negative_held_out]).sum())
    return Boundary(
        normal=_normal(weight, intercept, data.shape[1:]),
        held_out=(right, len(chosen.positive_held_out) + len(chosen.negative_held_out)),
        rest=(int((above[chosen.rest] == chosen.rest_labels).sum()), len(chosen.rest)),
    )


def select(
    codes: Any,
    scores: Any,
    ratio: float = RATIO,
    split: float = SPLIT,
    invalid: float | None = None,
    seed: int = 0,
    permutations: tuple[Sequence[int], Sequence[int]] | None = None,
) -> Selection:
    """The codes with the highest and the lowest scores, at most half of them at each end.

    Args:
        codes: [N, ...]; only their number is used.
        scores: of an attribute, [N] or [N, 1].
        ratio: up to 1 the share of the valid codes at each end, above 1 their number.
        split: share of the chosen that is trained with; the others are held out.
        invalid: the score of codes that are left out; NaN is allowed.
        seed: of the two permutations that decide which are held out.
        permutations: in place of a seed: of the c positive codes by falling score, and of the c negative.

    Raises:
        InputError: scores that do not fit or are not finite, a ratio or split out of range, or too few codes.
    """
    values = _scores(scores, len(codes))
    if invalid is None:
        valid = np.arange(len(values))
    else:
        valid = np.flatnonzero(~np.isnan(values) if math.isnan(invalid) else values != invalid)
    if not np.isfinite(values[valid]).all():
        raise InputError("scores must be finite; name the score of codes to be left out, such as invalid=float('nan').")
    ratio, split = finite_number("ratio", ratio), finite_number("split", split)
    if ratio <= 0 or not 0 < split <= 1:
        raise InputError(f"ratio is above 0 and split above 0 and at most 1, got {ratio} and {split}.")
    falling = valid[np.argsort(-values[valid], kind="stable")]
    count = min(int(len(valid) * ratio) if ratio <= 1 else int(ratio), len(valid) // 2)
    num_training = int(count * split)
    if not num_training:
        raise InputError(
            f"ratio {ratio:g} and split {split:g} of {len(valid)} codes with a score leave none to train with. Give "
            "more codes or a larger ratio."
        )
    positive, negative = falling[:count], falling[-count:]
    orders = _permutations(count, seed, permutations)
    positive, negative = positive[orders[0]], negative[orders[1]]
    rest = falling[count : len(falling) - count]
    middle = (values[falling[0]] + values[falling[-1]]) / 2
    return Selection(
        positive=torch.from_numpy(positive[:num_training]),
        negative=torch.from_numpy(negative[:num_training]),
        positive_held_out=torch.from_numpy(positive[num_training:]),
        negative_held_out=torch.from_numpy(negative[num_training:]),
        rest=torch.from_numpy(rest),
        rest_labels=torch.from_numpy(values[rest] >= middle),
    )


def project(normal: Tensor, conditions: Tensor | None = None) -> Tensor:
    """The direction without what it has of other directions, normalised.

    Args:
        normal: [D], or [R, D] of several rows.
        conditions: none, one [D] or C of them [C, D]; of several rows [R, D] or [C, R, D]. Their lengths and whether
            some of them are multiples of others do not matter.

    Returns:
        In the type of ``normal``; without conditions it is ``normal``, unchanged.

    Raises:
        InputError: shapes that do not fit, or a normal that the conditions leave nothing of.
    """
    require_type("normal", normal, Tensor, "a torch.Tensor [D]")
    if conditions is None or not len(conditions):
        return normal
    require_type("conditions", conditions, Tensor, "a torch.Tensor [C, D]")
    given = conditions if conditions.ndim > normal.ndim else conditions[None]
    if given.shape[1:] != normal.shape:
        shape = list(normal.shape)
        raise InputError(f"conditions of this direction have the shape [C, *{shape}], got {list(conditions.shape)}.")
    n, matrix = normal.detach().double().cpu().flatten(), given.detach().double().cpu().flatten(1)
    unit = torch.nn.functional.normalize(matrix, dim=1)
    # x, also where C C^T is singular; what float32 cannot tell apart is taken as one condition
    found = torch.linalg.lstsq(unit.T, n[:, None], rcond=_SMALLEST, driver="gelsd").solution
    left = n - (unit.T @ found)[:, 0]
    length = float(left.norm())
    if not length > _SMALLEST * float(n.norm()):
        raise InputError("nothing is left of this direction: it lies in the span of the conditions. Leave one out.")
    return (left / length).view(normal.shape).to(normal)


def walk(
    codes: Tensor | LatentCode, normal: Tensor, distances: Any = DISTANCES, rows: Sequence[int] | None = None
) -> Tensor | LatentCode:
    """Codes along a direction; the meaning of a distance is said in the module.

    Args:
        codes: z or w, a tensor [N, D]; or a latent code of N images.
        normal: unit vector [D]; of several rows also [R', D].
        distances: one number or P numbers.
        rows: numbers of the R' rows that move, of a latent code; None is all.

    Returns:
        All distances of the first code, then those of the second: [N P, D], or a code of N P images.

    Raises:
        InputError: shapes that do not fit, or rows of a plain tensor.
    """
    if isinstance(codes, LatentCode):
        return moved(codes, range(len(codes.rows)) if rows is None else rows, normal, distances)
    require_type("codes", codes, Tensor, "a torch.Tensor [N, D] or a LatentCode")
    require_type("normal", normal, Tensor, f"a torch.Tensor [{codes.shape[-1]}]")
    if codes.ndim != 2 or normal.shape != codes.shape[1:] or rows is not None:
        raise InputError(
            f"plain codes [N, D] go with a direction [D] and no rows, got {list(codes.shape)} and "
            f"{list(normal.shape)}. Codes with rows are LatentCodes."
        )
    n, d = normal.to(codes), distances_of(distances).to(codes)
    steps = d[None] - (codes @ n)[:, None]  # [N, P]
    return (codes[:, None] + steps[..., None] * n).flatten(0, 1)


def _machine(positive: Tensor, negative: Tensor) -> tuple[Tensor, float]:
    """Weights [D] and intercept of the support vector machine of float64 codes [P, ...] and [Q, ...]."""
    extras.require("sklearn")
    from sklearn.svm import SVC

    if positive.shape[1:] != negative.shape[1:]:
        raise InputError(
            f"positive and negative codes have one shape, got {list(positive.shape)} and {list(negative.shape)}."
        )
    data = torch.cat([positive, negative]).flatten(1).numpy()
    labels = np.repeat([1, 0], [len(positive), len(negative)])
    machine = SVC(C=1.0, kernel="linear", tol=1e-3, cache_size=1000).fit(data, labels)
    return torch.from_numpy(machine.coef_[0].copy()), float(machine.intercept_[0])


def _normal(weight: Tensor, intercept: float, shape: torch.Size) -> Tensor:
    length = float(weight.norm())
    if not length > 0:
        raise InputError("positive and negative codes are the same, so that no plane lies between them. Use others.")
    return (weight / length).view(shape).float()


def _scores(given: Any, num_codes: int) -> np.ndarray:
    """float64 [N]."""
    try:
        values = np.asarray(given.detach().cpu() if isinstance(given, Tensor) else given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"scores are numbers [{num_codes}], one per code, got {shown(given)}.") from error
    if values.shape not in ((num_codes,), (num_codes, 1)):
        raise InputError(f"scores are numbers [{num_codes}], one per code, got {list(values.shape)}.")
    return values.reshape(-1)


def _permutations(
    count: int, seed: int, given: tuple[Sequence[int], Sequence[int]] | None
) -> tuple[np.ndarray, np.ndarray]:
    if given is None:
        draws = np.random.default_rng(sequence(seed))
        return draws.permutation(count), draws.permutation(count)
    orders = tuple(np.asarray(order) for order in given)
    if len(orders) != 2 or any(sorted(order.tolist()) != list(range(count)) for order in orders):
        raise InputError(f"permutations are two orders of the numbers 0 to {count - 1}.")
    return orders[0], orders[1]
