"""What the tests of PGGAN and StyleGAN share: the fixtures' cases at the level's own side, in either precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semanticgan.networks.comparison.layered import side_at
from tests.networks.fixtures import TOLERANCE, Case, assert_parity

PRECISIONS = {"out": (torch.float32, TOLERANCE), "out64": (torch.float64, 1e-9)}
"""Prefix of the expected arrays -> type of the run, and the bound relative to their scale."""

Translate = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]


def variables(case: Case, prefixes: Mapping[str, str]) -> dict[str, Tensor]:
    """The fixture's variables below each prefix, under the prefix that a file has for them."""
    return {
        theirs + name: value for ours, theirs in prefixes.items() for name, value in case.starting(f"sd/{ours}").items()
    }


def expected(case: Case, name: str) -> Iterator[tuple[torch.dtype, float, Tensor]]:
    """The run's type, the bound and the values, in float32 and where there is one in float64."""
    for prefix, (dtype, tolerance) in PRECISIONS.items():
        if f"{prefix}/{name}" in case:
            yield dtype, tolerance, case[f"{prefix}/{name}"]


def shrunk(full: Tensor, level: float) -> Tensor:
    """Means over 2^floor(level) pixels, as the authors' discriminators take first."""
    return F.adaptive_avg_pool2d(full, side_at(full.shape[-1], level))


def enlarged(image: Tensor, side: int) -> Tensor:
    """Repeated pixels, as the authors' generators put out."""
    return F.interpolate(image, size=side, mode="nearest")


def assert_gradients(case: Case, loss: str, given: Mapping[str, Tensor | None], dtype: torch.dtype) -> None:
    """The gradients of a loss, by the authors' names, against the stored ones and their norms."""
    prefix, tolerance = next((name, bound) for name, (run, bound) in PRECISIONS.items() if run == dtype)
    norms = case.starting(f"{prefix}/{loss}/grad_norm/")
    stored = case.starting(f"{prefix}/{loss}/grad/")
    largest = max(norm.item() for norm in norms.values())
    assert largest > 0.0
    for name, norm in norms.items():
        gradient = given[name]
        if gradient is None:
            assert norm == 0.0, name
            continue
        assert abs(gradient.norm().item() - norm.item()) <= tolerance * max(norm.item(), 1e-3 * largest), name
        if name in stored and norm:
            assert_parity(gradient, stored[name], tolerance)


def by_their_names(case: Case, network: nn.Module, translate: Translate) -> dict[str, Tensor | None]:
    """A network's gradients under the authors' names and in their layout."""
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    return case.reference_gradients(gradients, "sd/", translate)
