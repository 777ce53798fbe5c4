"""Strips: a row of pictures along each direction; and the signs of directions that have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import semanticgan as sg
from semanticgan.directions import Direction
from semanticgan.directions.strips import strip
from semanticgan.directions.vectors import with_signs
from semanticgan.editing.sheets import draw_sheet
from semanticgan.errors import InputError


def test_each_row_goes_through_the_code(tiny_model_file: Path) -> None:
    model = sg.load(tiny_model_file, device="cpu")
    code, normal = model.sample(seed=3), torch.ones(1, 16)
    lines = [Direction("once", ("hair.texture",), normal, 4.0), Direction("twice", ("hair.texture",), normal, 8.0)]
    sheet = strip(model, code, lines, [-2, 0, 2], title="ones")
    pictures = []
    for factor in (1, 2):  # the unit normal is ones / 4
        edited = [model.sample(seed=3).replace(texture={"hair": code.texture("hair") + d * factor}) for d in (-2, 0, 2)]
        pictures.append(model.render(sg.LatentCode.cat(edited)).to_pil())
    assert pictures[0][1].tobytes() == pictures[1][1].tobytes() != pictures[0][2].tobytes()
    expected = draw_sheet(pictures, ["-2", "0", "+2"], ["once", "twice"], "ones")
    assert np.abs(np.asarray(sheet, int) - np.asarray(expected, int)).max() <= 1  # of 255, by rounding
    with pytest.raises(InputError, match="at least one direction"):
        strip(model, code, [])


def test_signs_depend_on_the_vector_alone() -> None:
    vectors = torch.randn(5, 3, 2, generator=torch.Generator().manual_seed(0))
    signed = with_signs(vectors)
    assert torch.equal(signed, with_signs(-vectors)) and torch.equal(signed.abs(), vectors.abs())
    flat = signed.flatten(1)
    assert bool((flat.gather(1, flat.abs().argmax(1, keepdim=True)) > 0).all())
