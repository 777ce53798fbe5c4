"""The slider edits of StyleFlow's desktop program, step by step."""

from __future__ import annotations

import pytest
import torch

from semanticgan.directions.styleflow import StyleFlow, from_reference
from semanticgan.directions.styleflow_sliders import LIGHTS, POSITIONS, SLIDERS, Slid, begin, light, slide
from semanticgan.errors import InputError
from tests.networks.fixtures import Case, case

TOLERANCE = 2e-3  # absolute
CASES = (*(f"attr{index}" for index in range(8)), *(f"light{index}" for index in range(6)), "chain")


def started(fixture: Case) -> tuple[StyleFlow, Slid]:
    flow = from_reference(fixture.starting("sd/"))
    lights, attributes = fixture["in/common/light"].view(1, -1), fixture["in/common/attributes"].view(1, -1)
    return flow, begin(flow, fixture["in/common/w"], torch.cat([lights, attributes], dim=1))


@pytest.mark.parametrize("name", CASES)
def test_every_step_of_the_program(name: str) -> None:
    fixture = case("directions/styleflow_edits")
    flow, slid = started(fixture)
    positions = [0.0] * len(LIGHTS)
    for number, (kind, index, position) in enumerate(fixture[f"in/{name}/steps"].tolist()):
        before = slid.codes
        if kind:
            positions[index] = position
            slid = light(flow, slid, positions, fixture["in/common/reference_lights"])
        else:
            slid = slide(flow, slid, list(SLIDERS)[index], position)
        for found, what in ((slid.codes, "w"), (slid.z, "z"), (slid.target, "target")):
            expected = fixture[f"out/{name}/step{number}/{what}"].view(found.shape)
            assert (found - expected).abs().max() < TOLERANCE, (number, what)
        rows = range(7, 12) if kind else list(SLIDERS.values())[index].rows
        kept = [row for row in range(18) if row not in rows]
        assert torch.equal(slid.codes[:, kept], before[:, kept])


def test_the_numbers_are_those_of_the_program() -> None:
    meta = case("directions/styleflow_edits").meta
    names = dict(zip(SLIDERS, meta["attr_order"], strict=True))
    for slider, (own, theirs) in zip(SLIDERS.values(), names.items(), strict=True):
        assert own == theirs.lower()
        assert (slider.minimum, slider.maximum) == (meta["attr_min"][theirs], meta["attr_max"][theirs])
    assert [slider.gain for slider in SLIDERS.values()] == meta["attr_gain"]
    assert [slider.condition for slider in SLIDERS.values()] == list(range(9, 17))
    assert meta["slider_steps"] == POSITIONS and len(meta["lighting_order"]) == len(LIGHTS)


def test_what_is_refused() -> None:
    flow = StyleFlow(4, 17, (8,))
    with pytest.raises(InputError, match="codes of 18 rows and flows of 17 conditions"):
        begin(flow, torch.zeros(1, 5, 4), torch.zeros(1, 17))
    slid = begin(flow, torch.zeros(1, 18, 4), torch.zeros(1, 17, 1, 1))
    with pytest.raises(InputError, match=r"unknown slider 'ages'\. Did you mean 'age'"):
        slide(flow, slid, "ages", 3)
    with pytest.raises(InputError, match="a slider's position is 0 to 80, got 81"):
        slide(flow, slid, "age", 81)
    with pytest.raises(InputError, match="6 positions and lights"):
        light(flow, slid, [0.0] * 5, torch.zeros(6, 9))
