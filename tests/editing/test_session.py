"""An editing session: what it keeps, and that it never gives an old picture."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

import semanticgan as sg
from semanticgan.errors import InputError
from semanticgan.model import Model


@pytest.fixture
def opened(tiny_model_file: Path) -> Model:
    return sg.load(tiny_model_file, device="cpu")


def test_a_chain_of_edits_region_by_region(opened: Model) -> None:
    session, code = opened.session(), opened.sample(seed=1)
    session.render(code)
    for seed, region in enumerate([*opened.regions.names, *opened.regions.names], start=2):
        code = opened.edit(code, region, seed)
        found, expected = session.render(code), opened.render(code)
        assert session.regions_run == (region,)
        for name, value in vars(expected).items():
            torch.testing.assert_close(getattr(found, name), value, rtol=1e-5, atol=1e-5)


def test_nothing_changed_computes_nothing(opened: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    session, code = opened.session(), opened.sample(seed=1)
    first = session.render(code)
    kept = copy.deepcopy(first)
    monkeypatch.setattr(opened.regional, "compose", None)  # would raise
    first.image.zero_()  # the caller's
    again = session.render(code)
    assert again == kept
    again.image.zero_()
    assert session.render(code) == kept


def test_a_picture_that_is_refused_is_not_kept(opened: Model) -> None:
    session, code = opened.session(), opened.sample(seed=1)
    session.render(code)
    broken = torch.full_like(code.tensor, 3e38)
    for _ in range(2):
        with pytest.raises(InputError, match="not finite"):
            session.render(broken)
    assert torch.allclose(session.render(code).image, opened.render(code).image, atol=1e-5)


def test_other_visible_regions_and_noise_are_rendered(opened: Model) -> None:
    session, code = opened.session(), opened.sample(seed=1)
    visible = torch.ones(1, len(opened.regions.names))
    visible[:, 1] = 0.0
    for noise, shown in (("fixed", None), ("fixed", visible), ("fixed", None), (3, None), ("fixed", None)):
        given = [torch.Generator().manual_seed(noise) if isinstance(noise, int) else noise for _ in range(2)]
        found, expected = session.render(code, given[0], shown), opened.render(code, given[1], visible=shown)
        assert torch.allclose(found.image, expected.image, atol=1e-5)


def test_changed_weights_are_seen(opened: Model) -> None:
    session, code = opened.session(), opened.sample(seed=1)
    before = session.render(code).image
    opened.regional.renderer.get_parameter("blocks.0.refine.bias").add_(1.0)
    after = session.render(code).image
    assert not torch.allclose(before, after, atol=1e-3)
    assert torch.allclose(after, opened.render(code).image, atol=1e-5)


def test_kept_bytes_grow_with_images_and_may_be_none(opened: Model) -> None:
    session, without = opened.session(), opened.session(keep_maps=False)
    assert session.kept_bytes == 0
    codes = opened.sample(seeds=[1, 2])
    session.render(codes[0])
    one = session.kept_bytes
    session.render(codes)
    assert 1.8 * one < session.kept_bytes < 2 * one  # noise maps are shared
    found = without.render(codes)
    assert without.kept_bytes == 0
    assert torch.allclose(found.image, session.render(codes).image, atol=1e-5)


@pytest.mark.parametrize("given", [-0.1, 1.5, float("nan"), "small"])
def test_wrong_tolerances(opened: Model, given: object) -> None:
    with pytest.raises(InputError, match="tolerance"):
        opened.session(tolerance=given)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="keep_maps"):
        opened.session(keep_maps=1)  # type: ignore[arg-type]
