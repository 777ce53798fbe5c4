"""GANSpace: principal components of mapped codes (Härkönen et al. 2020, arXiv 2004.02546, Section 3.1).

With mean m and covariance C of mapped codes w, the components are the unit eigenvectors v_k of C, sorted by falling
variance sigma_k^2. An edit adds to some rows::

    w_r + t sigma_k v_k                                    t in deviations, -2 to 2 in the paper's figures
    w_r - ((w_r - m) . u_k) u_k + t sigma_k v_k            centred: what the code has of this component goes first

with ``u_k = v_k / sqrt(|v_k|^2 + 1e-8)``. The components are exact, by scikit-learn's PCA in float64. The reference
fits batch by batch, or all at once with rows of zeros left in its buffer, which moves mean and components; neither is
done here.

Every row of a sampled code is the same w. :func:`of_model` therefore finds components [D] of w, which are the same
whichever rows they are added to. :func:`of_codes` finds components [R', D] of the chosen rows together, of codes whose
rows differ, such as those of inverted photographs.

Shape legend: N codes, R' chosen rows, D style width, n components, P distances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from semanticgan import extras
from semanticgan.directions.vectors import NUM_SAMPLES, moved, require_vector, sample_w, samples_of, with_signs
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode, require_codes
from semanticgan.model import Model
from semanticgan.rows import Layers, Regions, Rows
from semanticgan.wrong_arguments import require_type, whole_number

_EPSILON = 1e-8


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components, sorted by falling variance.

    Attributes:
        mean: m, [D], or [R', D] of rows together.
        components: unit vectors v_k, [n, D] or [n, R', D]; the element of the largest magnitude of each is positive.
        deviations: sigma_k, the standard deviation (divisor N - 1) of the codes along each component, [n].
        shares: of the whole variance, [n].
        rows: numbers of the rows that a component is added to; empty where none were named.
    """

    mean: Tensor
    components: Tensor
    deviations: Tensor
    shares: Tensor
    rows: tuple[int, ...] = ()


def fit(samples: Any, num_components: int | None = None) -> Components:
    """Exact components of any samples.

    Args:
        samples: finite numbers [N, D] or [N, R', D], N at least 2, in a tensor or an array.
        num_components: n; None is all, the smaller of N and D (R' D).

    Returns:
        Float32, computed in float64.

    Raises:
        InputError: samples that do not fit, more components than there are, or scikit-learn is not installed.
    """
    extras.require("sklearn")
    from sklearn.decomposition import PCA

    data = samples_of("samples", samples, least=2)
    flat = data.flatten(1)
    most = min(flat.shape)
    count = most if num_components is None else whole_number("num_components", num_components, 1, most)
    # The two exact solvers; the first needs only the covariance.
    solver = "covariance_eigh" if len(flat) > flat.shape[1] else "full"
    found = PCA(count, svd_solver=solver).fit(flat.numpy())
    return Components(
        mean=torch.from_numpy(found.mean_).view(data.shape[1:]).float(),
        components=with_signs(torch.from_numpy(found.components_)).view(count, *data.shape[1:]).float(),
        deviations=torch.from_numpy(found.explained_variance_).clamp(min=0).sqrt().float(),
        shares=torch.from_numpy(found.explained_variance_ratio_).float(),
    )


def of_model(
    model: Model,
    regions: Regions | None = None,
    layers: Layers | None = None,
    *,
    what: str = "both",
    include_base: bool = False,
    num_components: int | None = None,
    num_samples: int = NUM_SAMPLES,
    seed: int = 0,
) -> Components:
    """Components of w, to be added to rows of some regions or layers.

    Args:
        model: any with a mapping.
        regions: names or aliases.
        layers: of a layered model.
        what: "structure", "texture" or "both" of these regions.
        include_base: also the base rows. Without regions and layers every row is meant.
        num_components: n; None is all D.
        num_samples: codes z that are mapped, without truncation.
        seed: of these.

    Returns:
        ``components`` [n, D] and the rows' numbers.

    Raises:
        InputError: an unknown region, layer or ``what``, or as :func:`fit`.
    """
    require_type("model", model, Model, "a Model, such as sg.load()")
    rows = _chosen(model.rows, regions, layers, what, include_base)
    return replace(fit(sample_w(model, num_samples, seed), num_components), rows=rows)


def of_codes(
    code: LatentCode,
    regions: Regions | None = None,
    layers: Layers | None = None,
    *,
    what: str = "both",
    include_base: bool = False,
    num_components: int | None = None,
) -> Components:
    """Components of rows of given codes, the chosen rows together; rows are chosen as of :func:`of_model`.

    Args:
        code: of N images, at least 2.
        num_components: n; None is all, the smaller of N and R' D.

    Returns:
        ``components`` [n, R', D] and the rows' numbers.

    Raises:
        InputError: an unknown region, layer or ``what``, or as :func:`fit`.
    """
    require_codes([code])
    rows = _chosen(code.rows, regions, layers, what, include_base)
    return replace(fit(code.tensor[:, list(rows)], num_components), rows=rows)


def _chosen(
    rows: Rows, regions: Regions | None, layers: Layers | None, what: str, include_base: bool
) -> tuple[int, ...]:
    if regions is None and layers is None:
        return tuple(range(len(rows)))
    return tuple(rows.indices(regions, what, include_base, layers))


def walk(
    code: LatentCode,
    found: Components,
    number: int,
    distances: float | Sequence[float] | Tensor,
    rows: Sequence[int] | None = None,
    centred: bool = False,
) -> LatentCode:
    """Codes along one component.

    Args:
        code: of N images.
        found: components of the same rows.
        number: k, from 0.
        distances: t in deviations, one number or P.
        rows: numbers of the rows that move; None is those of ``found``.
        centred: first remove what each row has of this component.

    Returns:
        A code of N P images: all distances of the first image, then those of the second.

    Raises:
        InputError: no such component, no rows, or rows that do not fit.
    """
    require_codes([code])
    number = whole_number("the component's number", number, 0, len(found.components) - 1)
    chosen = list(found.rows if rows is None else rows)
    if not chosen or not all(isinstance(row, int) and 0 <= row < len(code.rows) for row in chosen):
        raise InputError(f"rows are numbers from 0 to {len(code.rows) - 1}, at least one, got {chosen}.")
    component = require_vector(found.components[number], len(chosen), code).to(code.tensor)
    if centred:
        code = _centred(code, chosen, component, found.mean.to(code.tensor))
    return moved(code, chosen, component * found.deviations[number].to(component), distances)


def _centred(code: LatentCode, rows: list[int], component: Tensor, mean: Tensor) -> LatentCode:
    unit = component / (component.square().sum() + _EPSILON).sqrt()
    axes = tuple(range(-unit.ndim, 0))
    tensor = code.tensor.clone()
    part = tensor[:, rows]  # [N, R', D]
    tensor[:, rows] = part - ((part - mean) * unit).sum(axes, keepdim=True) * unit
    return LatentCode(tensor, code.rows)
