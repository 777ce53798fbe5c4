"""Locality in numbers: the mean absolute change outside and inside the feathered mask."""

from __future__ import annotations

import pytest
import torch

from semanticgan.editing.change import Change, measure_change
from semanticgan.errors import InputError


def test_change_is_the_mean_over_pixels_and_channels_on_either_side() -> None:
    before = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    after = before.clone()
    opacity = torch.zeros(2, 4, 4)
    opacity[:, :2] = torch.tensor([1.0, 0.01])[:, None, None]  # any opacity above 0 counts as inside
    after[0, :, 0, 0] = 255  # inside: 8 pixels
    after[0, 0, 3, 3] = 30  # outside: 8 pixels, one channel of three
    change = measure_change(before, after, opacity)
    assert change.inside.tolist() == [pytest.approx(255 / 8), 0]
    assert change.outside.tolist() == [pytest.approx(30 / 8 / 3), 0]
    assert measure_change(after, before, opacity).outside.tolist() == change.outside.tolist()


def test_an_absent_region_has_no_inside() -> None:
    before = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    change = measure_change(before, before + 2, torch.zeros(1, 4, 4))
    assert change.outside.tolist() == [2]
    assert bool(change.inside.isnan().all())
    whole = measure_change(before, before + 2, torch.ones(1, 4, 4))
    assert (whole.outside.tolist(), whole.inside.tolist()) == ([0], [2])
    both = Change.cat([change, whole])
    assert both.outside.tolist() == [2, 0]


def test_pictures_that_do_not_fit_are_refused() -> None:
    picture = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    with pytest.raises(InputError, match="do not fit"):
        measure_change(picture, picture, torch.zeros(1, 8, 8))
    with pytest.raises(InputError, match="uint8"):
        measure_change(picture.float(), picture, torch.zeros(1, 4, 4))
