"""Sheets of directions: the middle column is the code itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import semanticgan as sg
from semanticgan.directions.sheet import Line, draw_directions
from semanticgan.directions.vectors import moved, with_signs
from semanticgan.errors import InputError


def test_each_line_goes_through_the_code(tiny_model_file: Path) -> None:
    model = sg.load(tiny_model_file, device="cpu")
    code, vector = model.sample(seed=3), torch.ones(16)
    rows = model.rows.indices("hair", "texture")
    sheet = np.asarray(draw_directions(model, code, [Line("hair", rows, vector)] * 2, [-2, 0, 2], title="ones"))
    tile = 160  # 32 pixels, five times
    for distance, part in ((0, 1), (2, 2)):
        picture = model.render(moved(code, rows, vector, distance)).to_pil()[0].resize((tile, tile), 0)
        found = [
            np.array_equal(sheet[y : y + tile, x : x + tile], np.asarray(picture))
            for y in range(sheet.shape[0] - tile)
            for x in range(part * tile, min(part * tile + 120, sheet.shape[1] - tile))
            if (sheet[y, x] == np.asarray(picture)[0, 0]).all()
        ]
        assert sum(found) == 2, distance
    with pytest.raises(InputError, match="at least one direction"):
        draw_directions(model, code, [])


def test_signs_depend_on_the_vector_alone() -> None:
    vectors = torch.randn(5, 3, 2, generator=torch.Generator().manual_seed(0))
    signed = with_signs(vectors)
    assert torch.equal(signed, with_signs(-vectors)) and torch.equal(signed.abs(), vectors.abs())
    flat = signed.flatten(1)
    assert bool((flat.gather(1, flat.abs().argmax(1, keepdim=True)) > 0).all())
