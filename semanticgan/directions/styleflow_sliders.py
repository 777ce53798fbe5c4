"""The sliders of StyleFlow's desktop program, for the released flow of 18 rows and 17 conditions.

A slider at position s of 80 means the value v = minimum + s / 80 (maximum - minimum). With the conditions a of the
source picture, which never change, and a' of the edits so far::

    a'_k = a_k + gain_k (v - a_k)                              one attribute
    a'   = a + sum_i s_i / 80 (light_i - a)                    of conditions 0 to 8, all six lights together
    r = decode(z, a'),   rows outside the slider's stay,   z = encode(r, a')

z follows the pasted rows and all of a', so the result depends on the order of the edits.

Shape legend: N pictures, D style width.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from semanticgan.directions.styleflow import StyleFlow, with_rows
from semanticgan.errors import InputError, unknown_name
from semanticgan.wrong_arguments import finite_number

POSITIONS = 80
NUM_ROWS, NUM_CONDITIONS, NUM_LIGHT = 18, 17, 9


@dataclass(frozen=True)
class Slider:
    """One attribute.

    Attributes:
        condition: its place among the 17.
        minimum, maximum: values at both ends, in the condition's unit.
        gain: how far the condition goes, as a multiple of the change that is asked for.
        rows: that change.
    """

    condition: int
    minimum: float
    maximum: float
    gain: float
    rows: range


SLIDERS: Mapping[str, Slider] = MappingProxyType(
    {
        "gender": Slider(9, 0.0, 1.0, 1.5, range(0, 8)),
        "glasses": Slider(10, 0.0, 1.0, 2.5, range(2, 4)),
        "yaw": Slider(11, -20.0, 20.0, 1.0, range(0, 4)),
        "pitch": Slider(12, -20.0, 20.0, 1.0, range(0, 4)),
        "baldness": Slider(13, 0.0, 1.0, 2.0, range(0, 6)),
        "beard": Slider(14, 0.0, 1.0, 1.7, range(5, 10)),
        "age": Slider(15, 0.0, 65.0, 0.93, range(4, 8)),
        "expression": Slider(16, 0.0, 1.0, 1.0, range(4, 6)),
    }
)
LIGHT_ROWS = range(7, 12)
LIGHTS = ("left to right", "right to left", "down to up", "up to down", "none", "front")


@dataclass(frozen=True)
class Slid:
    """A picture under edit.

    Attributes:
        codes: [N, 18, D].
        z: their encoding with ``target``.
        source: conditions [N, 17] of the picture that it began as.
        target: conditions [N, 17] after the edits.
    """

    codes: Tensor
    z: Tensor
    source: Tensor
    target: Tensor


def begin(flow: StyleFlow, codes: Tensor, conditions: Tensor) -> Slid:
    """A picture before its first edit.

    Args:
        flow: the released one, or one of its rows and conditions.
        codes: [N, 18, D].
        conditions: [N, 17], or [N, 17, 1, 1] as the authors store them.

    Raises:
        InputError: codes or conditions of another shape.
    """
    if codes.ndim != 3 or codes.shape[1] != NUM_ROWS or flow.num_conditions != NUM_CONDITIONS:
        raise InputError(
            f"the sliders are for codes of {NUM_ROWS} rows and flows of {NUM_CONDITIONS} conditions, got codes "
            f"{list(codes.shape)} and {flow.num_conditions} conditions. Use flow.edit for others."
        )
    z = flow.encode(codes, conditions)
    given = conditions.flatten(1).to(z).expand(len(codes), -1)
    return Slid(codes.to(z), z, given, given)


def slide(flow: StyleFlow, slid: Slid, attribute: str, position: float) -> Slid:
    """The picture after one slider is put to a position, 0 to 80.

    Raises:
        InputError: an unknown attribute, or another position.
    """
    if attribute not in SLIDERS:
        raise unknown_name("slider", attribute, SLIDERS)
    slider, share = SLIDERS[attribute], _share(position)
    value = slider.minimum + share * (slider.maximum - slider.minimum)
    target, old = slid.target.clone(), slid.source[:, slider.condition]
    target[:, slider.condition] = old + slider.gain * (value - old)
    return _moved(flow, slid, target, slider.rows)


def light(flow: StyleFlow, slid: Slid, positions: Sequence[float], references: Tensor) -> Slid:
    """The picture after the six light sliders are put to positions, 0 to 80 each.

    Args:
        positions: in the order of :data:`LIGHTS`.
        references: the lights themselves, [6, 9], or [6, 1, 9, 1, 1] as the authors store them.

    Raises:
        InputError: other numbers of positions or lights.
    """
    if len(positions) != len(LIGHTS) or references.numel() != len(LIGHTS) * NUM_LIGHT:
        raise InputError(
            f"{len(LIGHTS)} positions and lights [{len(LIGHTS)}, {NUM_LIGHT}] are needed, got {len(positions)} and "
            f"{list(references.shape)}."
        )
    source = slid.source[:, :NUM_LIGHT]  # [N, 9]
    away = references.view(-1, NUM_LIGHT).to(source) - source[:, None]  # [N, 6, 9]
    shares = source.new_tensor([_share(position) for position in positions])
    target = slid.target.clone()
    target[:, :NUM_LIGHT] = source + (shares[:, None] * away).sum(1)
    return _moved(flow, slid, target, LIGHT_ROWS)


def _moved(flow: StyleFlow, slid: Slid, target: Tensor, rows: range) -> Slid:
    codes = with_rows(slid.codes, flow.decode(slid.z, target), rows)
    return dataclasses.replace(slid, codes=codes, z=flow.encode(codes, target), target=target)


def _share(position: float) -> float:
    number = finite_number("position", position)
    if not 0 <= number <= POSITIONS:
        raise InputError(f"a slider's position is 0 to {POSITIONS}, got {number:g}.")
    return number / POSITIONS
