"""Components equal those of a singular value decomposition and the reference's; edits equal its strips."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import semanticgan as sg
from semanticgan.directions.pca import Components, fit, of_codes, of_model, walk
from semanticgan.directions.vectors import sample_w, spread
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode
from semanticgan.rows import Rows
from tests.networks.fixtures import case, needs_fixtures

NAME = "directions/ganspace"

FILLED = 4000
"""The rows that the reference fits: two blocks of 2000 in all cases."""


def require_close(given: torch.Tensor, wanted: torch.Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(given.double(), wanted.double().reshape(given.shape), rtol=tolerance, atol=tolerance)


@needs_fixtures
@pytest.mark.parametrize("name", ["pca_ipca", "pca_ipca_exactblocks", "pca_full", "pca_fbpca"])
def test_components_equal_the_exact_solution(name: str) -> None:
    """Two of the reference's ways fit rows of zeros too: given these, the same comes out; without them it does not."""
    fixture = case(NAME)
    latents, used = fixture[f"in/{name}/latents"][:FILLED], int(fixture.arrays[f"exact/{name}/rows_used"])
    filled = torch.zeros(used, 16)
    filled[:FILLED] = latents
    found = fit(filled, 8)
    require_close(found.components, fixture[f"exact/{name}/components"])
    require_close(found.mean, fixture[f"exact/{name}/mean"])
    require_close(found.shares, fixture[f"exact/{name}/var_ratio"])
    divisor = (used - 1) / used if name in ("pca_full", "pca_fbpca") else 1.0
    require_close(found.deviations * divisor**0.5, fixture[f"exact/{name}/stdev"])
    require_close(spread(found.components, fixture[f"in/{name}/latents_for_stdev"]), fixture[f"exact/{name}/lat_stdev"])
    if used > FILLED:
        unbiased = fit(latents, 8)
        assert (unbiased.mean - found.mean).abs().max() > 0.1
        require_close(unbiased.mean, latents.double().mean(0))


@needs_fixtures
def test_components_are_near_the_references_own() -> None:
    fixture = case(NAME)
    found = fit(fixture["in/pca_ipca_exactblocks/latents"][:FILLED], 8)
    cosines = (found.components * fixture["out/pca_ipca_exactblocks/act_comp"][:, 0]).sum(1)
    assert bool((cosines > 0.999).all())
    deviations = fixture["out/pca_ipca_exactblocks/act_stdev"]
    assert ((found.deviations - deviations).abs() < 1e-3 * deviations).all()


@needs_fixtures
@pytest.mark.parametrize("name", ["strip", "strip_rows", "strip_centered", "strip_centered_rows", "strip_many"])
def test_edits_equal_the_references_strips(name: str) -> None:
    """Its strips come frame by frame, or code by code in blocks of five frames; compared as sets of codes."""
    fixture, prefix = case(NAME), f"in/{name}/"
    start, end, frames, rows = (int(fixture.arrays[f"{prefix}{part}"]) for part in ("start", "end", "frames", "rows"))
    found = Components(
        mean=fixture[f"{prefix}mean"][0],
        components=fixture[f"{prefix}comp"],
        deviations=fixture[f"{prefix}lat_stdev"],
        shares=torch.ones(1),
        rows=tuple(range(start, rows if end == -1 else end)),
    )
    sigma = float(fixture.arrays[f"{prefix}sigma"])
    code = LatentCode(fixture[f"{prefix}codes"][:, None].repeat(1, rows, 1), Rows.of_layers(rows))
    distances = torch.linspace(-sigma, sigma, frames)
    moved = walk(code, found, 0, distances, centred=bool(fixture.arrays[f"{prefix}centered"]))
    assert len(moved) == len(code) * frames
    theirs = fixture[f"out/{name}/codes"]
    nearest = torch.cdist(moved.tensor.flatten(1), theirs.flatten(1)).amin(1)
    assert float(nearest.max()) < 1e-4


def test_components_of_given_rows_together() -> None:
    draws = torch.Generator().manual_seed(0)
    code = LatentCode(torch.randn(30, 4, 3, generator=draws) * torch.tensor([1.0, 5.0, 2.0]), Rows.of_layers(4))
    found = of_codes(code, layers="1-2", num_components=2)
    assert found.rows == (1, 2) and found.components.shape == (2, 2, 3) and found.mean.shape == (2, 3)
    flat = code.tensor[:, 1:3].flatten(1).double()
    _, values, vectors = torch.linalg.svd(flat - flat.mean(0))
    assert ((found.components.flatten(1).double() * vectors[:2]).sum(1).abs() > 1 - 1e-6).all()
    require_close(found.deviations, values[:2] / 29**0.5)
    moved = walk(code[0], found, 1, [-1.0, 1.0])
    step = (moved.tensor[1] - moved.tensor[0]) / 2
    require_close(step[1:3], found.deviations[1] * found.components[1])
    assert not step[[0, 3]].any()
    assert len(of_codes(code).components) == 12  # every row; fewer than the 30 codes
    assert len(of_codes(code[:5]).components) == 5


def test_centred_edit_ends_at_its_distance(tiny_model_file: Path) -> None:
    """Whatever the code had of the component before."""
    model = sg.load(tiny_model_file, device="cpu")
    found = of_model(model, "hair", what="texture", num_components=3, num_samples=400)
    assert [model.rows.names[row] for row in found.rows] == ["hair.texture"]
    w = sample_w(model, 400)
    require_close(found.mean, w.mean(0))
    require_close(found.deviations, ((w - found.mean) @ found.components.T).std(0), 1e-4)
    moved = walk(model.sample(seeds=[1, 2]), found, 0, [0.0, 1.5], centred=True)
    reached = (moved.texture("hair") - found.mean) @ found.components[0] / found.deviations[0]
    torch.testing.assert_close(reached, torch.tensor([0.0, 1.5, 0.0, 1.5]), rtol=0, atol=1e-3)
    untouched = [row for row in range(len(model.rows)) if row not in found.rows]
    assert torch.equal(moved.tensor[::2][:, untouched], model.sample(seeds=[1, 2]).tensor[:, untouched])
    assert len(of_model(model, num_samples=20).rows) == len(model.rows)


def test_what_does_not_fit_is_refused() -> None:
    code = LatentCode(torch.randn(5, 2, 3), Rows.of_layers(2))
    found = of_codes(code, num_components=2)
    for words, call in {
        "N at least 2": lambda: fit(torch.ones(1, 3)),
        "from 1 to 3": lambda: fit(torch.randn(9, 3), 4),
        "finite": lambda: fit(torch.full((4, 3), float("nan"))),
        "component's number": lambda: walk(code, found, 2, 1.0),
        "has the shape": lambda: walk(code, found, 0, 1.0, rows=[0]),
        "rows are numbers": lambda: walk(code, found, 0, 1.0, rows=[]),
        "distances are": lambda: walk(code, found, 0, "far"),
    }.items():
        with pytest.raises(InputError, match=words):
            call()
