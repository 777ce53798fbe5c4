"""A direction of an attribute: which rows it depends on, the boundary in these rows, and how well it holds.

1. Rows. For each group g of rows that vary together, the share of the score's variance that a ridge regression on the
   group explains on codes that it was not fitted to::

       share_g = 1 - Var(y - x_g b_g) / Var(y),    b_g = (X'X + lambda I)^-1 X'y

   Groups with a share of at least :data:`SMALLEST_SHARE`, and of a quarter of the largest, are chosen.
2. Boundary. The codes of the highest and of the lowest scores, as many of each, are the two classes. Of each class
   :data:`HELD_OUT` are held out. The normal is that of a linear support vector machine (arXiv 1907.10786), or the
   difference of the means of the classes.
3. Conditions. The normal is made orthogonal to those of other directions: of other machines, or, for the difference of
   means, to the weights b of a ridge regression of each other attribute, with a larger lambda (:func:`held`), so that
   what the regression reads of them stays.
4. Accuracy: the share of held-out codes on the right side of the middle between the two classes' means.

Both normals agree where rows vary independently. Codes of inverted photographs do not: their rows go together. The
machine's normal tells the classes apart by small differences in which the codes hardly vary, and moving along it
changes little. The difference of the means is where the codes of one class lie as seen from the other (Haufe et al.
2014, "On the interpretation of weight vectors of linear models in multivariate neuroimaging": filter and pattern).

N images, M rows, D style width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.choices import FITTED_METHODS
from semanticgan.directions.direction import Direction
from semanticgan.directions.interfacegan import boundary, project
from semanticgan.directions.labels import INVALID, Attribute
from semanticgan.directions.scored import ScoredCodes
from semanticgan.errors import InputError, unknown_name
from semanticgan.latents import LatentCode
from semanticgan.seeds import stream
from semanticgan.wrong_arguments import finite_number

SMALLEST_SHARE = 0.03
"""Of the score's variance, for a group of rows to be moved."""
HELD_OUT = 0.3
"""Of each class; InterFaceGAN's authors train with the other 0.7."""

_SHARE_OF_LARGEST = 0.25
_RIDGE = 0.05  # lambda, in parts of the mean variance of a channel times the number of codes
_RIDGE_OF_CONDITIONS = 10.0  # the same; less leaves a direction of photographs that moves the others along
_FEWEST = 10  # codes of a class


def row_shares(scored: ScoredCodes, name: str) -> dict[str, float]:
    """How much of an attribute's variance each group of rows explains: name of its first row -> share, largest first.

    Raises:
        InputError: an unknown attribute.
    """
    _, scores = scored.column(name)
    scored, scores = _told(scored, scores)
    shares = {}
    for group in scored.groups:
        shares[scored.code.rows.names[group[0]]] = _explained(scored.code.tensor[:, group[0]], scores)
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def fit(
    scored: ScoredCodes,
    attribute: str,
    rows: Sequence[str] | None = None,
    ratio: float = 0.1,
    conditions: Sequence[Direction] = (),
    seed: int = 0,
    name: str = "",
    method: str = "interfacegan",
) -> Direction:
    """The direction of an attribute, between codes that have it and codes that do not.

    Args:
        scored: codes and scores.
        attribute: of these.
        rows: names of the rows to move; None chooses them by their shares.
        ratio: share of all codes in each class, above 0, at most 0.5.
        conditions: directions that shall not be moved along; of the same model.
        seed: of which codes are held out.
        name: of the direction; "" takes the attribute's.
        method: "interfacegan", the normal of a support vector machine, or "means", the difference of the means.

    Returns:
        The direction; its figures have "accuracy", "num_codes", "labels", and "shares" of the chosen rows.

    Raises:
        InputError: an unknown attribute, row or method, a ratio out of range, too few codes of a class, or conditions
            that leave nothing.
    """
    if method not in FITTED_METHODS:
        raise unknown_name("method", method, FITTED_METHODS)
    told, scores = scored.column(attribute)
    scored, scores = _told(scored, scores)
    shares = row_shares(scored, attribute)
    chosen = _chosen_groups(scored, shares, rows)
    x = _matrix(scored, chosen).float()
    high, low = _classes(told, scores, ratio)
    parts = [_split(which, stream(seed, index)) for index, which in enumerate((high, low))]
    normal = _NORMALS[method](x[parts[0][0]], x[parts[1][0]])
    if conditions:
        normal = project(normal, torch.stack([_vector(each, scored.code, chosen) for each in conditions]))
    along = x @ normal
    moved, full = _spread(scored, chosen, normal)
    figures: dict[str, Any] = {
        "accuracy": round(_accuracy(along, parts), 4),
        "num_codes": len(x),
        "num_held_out": sum(len(part[1]) for part in parts),
        "labels": scored.source,
        "shares": {scored.code.rows.names[group[0]]: round(shares[_first(scored, group)], 4) for group, _ in chosen},
        "conditions": [each.name for each in conditions],
    }
    # The rows of a group move by the same vector, so the whole normal is longer than that of the groups.
    scale = float(along.std()) * float(full.norm())
    return Direction(name or attribute, moved, full, scale, method, figures)


def _spread(scored: ScoredCodes, chosen: Sequence[Group], normal: Tensor) -> tuple[tuple[str, ...], Tensor]:
    """Names of the rows that are moved, and the normal of each [M, D]: a group's rows have the same."""
    moved = [
        (scored.code.rows.names[row], part)
        for (_, rows), part in zip(chosen, normal.split(scored.code.tensor.shape[-1]), strict=True)
        for row in rows
    ]
    return tuple(row for row, _ in moved), torch.stack([part for _, part in moved])


def held(scored: ScoredCodes, attribute: str, rows: Sequence[str]) -> Direction:
    """What a direction must not move along for an attribute to stay: the weights of a ridge regression of its scores.

    Args:
        scored: codes and scores.
        attribute: of these.
        rows: names of the rows that the direction moves.

    Raises:
        InputError: an unknown attribute or row, or too few codes with a score.
    """
    _, scores = scored.column(attribute)
    scored, scores = _told(scored, scores)
    chosen = _chosen_groups(scored, {}, rows)
    x = _matrix(scored, chosen).double()
    weights = _ridge(x - x.mean(0), scores.double().cpu() - scores.double().mean().cpu(), _RIDGE_OF_CONDITIONS)
    parts = weights.float().split(scored.code.tensor.shape[-1])
    names = tuple(scored.code.rows.names[group[0]] for group, _ in chosen)
    return Direction(attribute, names, torch.stack(parts), float((x @ weights).std()), "ridge")


_NORMALS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {  # unit vectors [D]
    "interfacegan": boundary,
    "means": lambda positive, negative: F.normalize(positive.mean(0) - negative.mean(0), dim=0),
}


def _told(scored: ScoredCodes, scores: Tensor) -> tuple[ScoredCodes, Tensor]:
    """Without the codes whose score is invalid."""
    valid = scores > INVALID / 2
    if int(valid.sum()) < 2 * _FEWEST:
        raise InputError(f"{int(valid.sum())} codes have a valid score, at least {2 * _FEWEST} are needed. Label more.")
    if bool(valid.all()):
        return scored, scores
    kept = valid.nonzero()[:, 0]
    return replace(scored, code=scored.code[kept], scores=scored.scores[kept]), scores[kept]


Group = tuple[tuple[int, ...], tuple[int, ...]]  # rows that vary together, and those of them that are moved


def _chosen_groups(scored: ScoredCodes, shares: Mapping[str, float], rows: Sequence[str] | None) -> list[Group]:
    names = scored.code.rows.names
    if rows is None:
        bound = max(SMALLEST_SHARE, _SHARE_OF_LARGEST * max(shares.values()))
        kept = [group for group in scored.groups if shares[_first(scored, group)] >= bound]
        if not kept:
            best = next(iter(shares))
            raise InputError(
                f"no rows explain this attribute: the best, {best}, explains {max(shares[best], 0):.1%} of its "
                "variance. Use more codes, or name the rows to move."
            )
        return [(group, group) for group in kept]
    unknown = [row for row in rows if row not in names]
    if unknown or not rows:
        raise InputError(f"rows to move are of {', '.join(names)}; got {', '.join(map(str, rows)) or 'none'}.")
    wanted = {names.index(row) for row in rows}
    return [(group, tuple(row for row in group if row in wanted)) for group in scored.groups if wanted & set(group)]


def _matrix(scored: ScoredCodes, chosen: Sequence[Group]) -> Tensor:
    """The codes in the chosen groups, [N, groups D] on the CPU."""
    return torch.cat([scored.code.tensor[:, group[0]] for group, _ in chosen], 1).cpu()


def _first(scored: ScoredCodes, group: tuple[int, ...]) -> str:
    return scored.code.rows.names[group[0]]


def _explained(x: Tensor, y: Tensor) -> float:
    """The share of the variance of y [N] that a ridge regression on x [N, D] explains, on each half by the other."""
    x, y = x.double().cpu(), y.double()
    half = len(x) // 2
    errors = torch.empty_like(y)
    for fitted, told in ((slice(half), slice(half, None)), (slice(half, None), slice(half))):
        centre, mean = x[fitted].mean(0), y[fitted].mean()
        weights = _ridge(x[fitted] - centre, y[fitted] - mean, _RIDGE)
        errors[told] = y[told] - mean - (x[told] - centre) @ weights
    return float(1 - errors.var() / y.var().clamp(min=1e-30))


def _ridge(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """b = (X'X + lambda I)^-1 X'y [D] of centred x [N, D] and y [N]; lambda = penalty * N * mean variance."""
    penalties = penalty * len(x) * x.var(0).mean() * torch.eye(x.shape[1], dtype=x.dtype)
    return torch.linalg.solve(x.T @ x + penalties, x.T @ y)


def _classes(attribute: Attribute, scores: Tensor, ratio: float) -> tuple[Tensor, Tensor]:
    """Numbers of the codes of the highest and of the lowest scores, as many of each.

    Of an attribute that is there or not, the highest are above 0 and the lowest below.
    """
    ratio = finite_number("ratio", ratio)
    if not 0 < ratio <= 0.5:
        raise InputError(f"a ratio of codes in each class is above 0 and at most 0.5, got {ratio}.")
    order = scores.argsort(descending=True, stable=True)
    count = int(len(scores) * ratio)
    if not attribute.graded:
        count = min(count, int((scores > 0).sum()), int((scores < 0).sum()))
    if count < _FEWEST:
        raise InputError(
            f"attribute {attribute.name!r} has {count} codes in a class, at least {_FEWEST} are needed. Label more "
            f"codes (now {len(scores)}), or raise the ratio."
        )
    return order[:count], order[-count:]


def _split(which: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Codes to fit and codes held out."""
    shuffled = which[torch.randperm(len(which), generator=generator)]
    num_held = max(1, round(len(which) * HELD_OUT))
    return shuffled[num_held:], shuffled[:num_held]


def _accuracy(along: Tensor, parts: Sequence[tuple[Tensor, Tensor]]) -> float:
    """Share of held-out codes on their side of the middle between the two classes' means."""
    (high, held_high), (low, held_low) = parts
    middle = float((along[high].mean() + along[low].mean()) / 2)
    right = int((along[held_high] > middle).sum()) + int((along[held_low] <= middle).sum())
    return right / (len(held_high) + len(held_low))


def _vector(direction: Direction, code: LatentCode, chosen: Sequence[Group]) -> Tensor:
    """A direction's normal in the chosen groups, [groups D], of length 1."""
    normals = dict(zip(direction.rows, direction.normal, strict=True))
    zero = torch.zeros(code.tensor.shape[-1])
    parts = [normals.get(code.rows.names[group[0]], zero) for group, _ in chosen]
    vector = torch.cat(parts)
    if not vector.any():
        raise InputError(
            f"condition {direction.name!r} moves {', '.join(direction.rows)}, none of the rows of this direction. "
            "Leave it out: the two do not touch."
        )
    return vector / vector.norm()
