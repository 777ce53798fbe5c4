"""A woodcut: the painted portrait printed anew in ink and flat spot colours, from its own light and regions.

The painting's grey values say how dark a place is beside what its region is made of. Lines cut by three screens
(level for the ground, rounded for skin and hair, slanting for cloth) swell with that darkness, and where regions
meet lies a contour. Only colours change: geometry and labels are the painting's.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from semanticgan.portraits.canvas import Canvas, Mask
from semanticgan.portraits.palette import Colour, luminance
from semanticgan.portraits.shading import Sitter, texture
from semanticgan.regions import CELEBAMASK_13

INKS: dict[str, Colour] = {
    "ink": (33, 27, 44),
    "paper": (250, 238, 212),
    "sand": (242, 205, 152),
    "clay": (205, 136, 86),
    "umber": (128, 76, 54),
    "stone": (190, 180, 166),
    "vermilion": (207, 70, 48),
    "ochre": (231, 168, 58),
    "teal": (30, 118, 122),
}
"""All that is printed with."""

_NAMES = tuple(INKS)
_COLOURS = np.zeros((256, 3), dtype=np.uint8)
_COLOURS[: len(INKS)] = np.array(list(INKS.values()))
_SKIN = (("paper", "paper"), ("sand", "paper"), ("clay", "sand"), ("umber", "clay"))
"""Ink of the skin and of its highlights, from light to dark skin."""
_HAIR = {
    "black": "ink", "dark brown": "ink", "brown": "umber", "chestnut": "umber", "auburn": "vermilion",
    "ginger": "vermilion", "dark blond": "clay", "blond": "ochre", "platinum": "paper", "grey": "stone",
    "white": "paper", "pink": "vermilion", "blue": "teal", "teal": "teal", "violet": "ink",
}  # fmt: skip
_IRIS = {"dark brown": "ink", "brown": "umber", "hazel": "umber", "green": "teal", "blue": "teal", "grey": "stone"}
_GROUNDS = ("vermilion", "ochre", "teal")
_LIGHTER = {"vermilion": "paper", "ochre": "paper", "teal": "stone", "umber": "clay", "clay": "sand", "ink": "teal"}
# Fractions of the side: about one and two pixels of 64, so that contours and lines are seen at that size too.
_CONTOUR = 0.0150
_PERIOD = 0.0330

_GREY = np.arange(256, dtype=np.float64)


class _Plates:
    """What is printed at every grey value of every region: a body, and lines of another ink that cover part of it."""

    def __init__(self) -> None:
        shape = (len(CELEBAMASK_13), 256)
        self.body = np.zeros(shape, dtype=np.uint8)
        self.line = np.zeros(shape, dtype=np.uint8)
        self.coverage = np.zeros(shape, dtype=np.uint8)

    def cut(
        self,
        regions: Sequence[str],
        materials: Sequence[tuple[float, str]],
        lines: tuple[float, float] | None = None,
        highlight: tuple[float, str] | None = None,
    ) -> None:
        """Prints regions of materials (grey value, ink), each grey value as the nearest material.

        ``lines`` are two parts of a material's own grey value: up to the one all is ink, from the other on there are
        no lines; None for no lines at all. What is brighter than the lightest material times the first number of
        ``highlight`` is printed in its ink.
        """
        own = np.array([max(grey, 1.0) for grey, _ in materials])
        nearest = np.abs(_GREY[:, None] - own).argmin(axis=1)
        inks = np.array([_NAMES.index(name) for _, name in materials], dtype=np.uint8)
        ratio = _GREY / own[nearest]
        body = inks[nearest]
        if highlight is not None:
            body[highlight[0] * own.max() < _GREY] = _NAMES.index(highlight[1])
        coverage = np.zeros(256)
        if lines is not None:
            coverage = np.interp(ratio, [lines[0], lines[0] + 0.001, lines[1]], [255, 190, 0])
        for region in regions:
            label = CELEBAMASK_13.index(region)
            self.body[label], self.coverage[label] = body, coverage.astype(np.uint8)
            self.line[label] = _NAMES.index("ink")


def print_woodcut(canvas: Canvas, sitter: Sitter) -> None:
    """Replaces the canvas's colours by the print; its labels stay."""
    grey = np.asarray(cv2.cvtColor(canvas.colour, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    plates = _plates(canvas, sitter, grey)
    place = canvas.labels.astype(np.uint16) * np.uint16(256) + grey
    covered = plates.coverage.ravel()[place] > _screen(canvas, sitter)
    printed = np.where(covered, plates.line.ravel()[place], plates.body.ravel()[place])
    printed[_contours(canvas) > 0] = _NAMES.index("ink")
    canvas.colour[:] = texture(printed, _COLOURS)


def _plates(canvas: Canvas, sitter: Sitter, grey: Mask) -> _Plates:
    a, palette = sitter.attributes, sitter.palette
    plates = _Plates()
    skin, light_skin = _SKIN[min(int(a.skin_tone * 4), 3)]
    skin_grey = 255 * luminance(palette.skin)
    plates.cut(("face", "nose", "ear", "neck"), [(skin_grey, skin)], (0.46, 0.86), (1.17, light_skin))

    hair = "stone" if a.grey > 0.5 else _HAIR[a.hair_colour]
    hair_grey = 255 * luminance(palette.hair)
    if hair == "ink":  # lit strands are lines of another ink
        lit = min(1.75, 1 + 35 / hair_grey)
        plates.cut(("hair",), [(hair_grey, hair)], highlight=(lit, _LIGHTER[hair]))
    else:
        plates.cut(("hair",), [(hair_grey, hair)], (0.50, 0.86), (1.24, "paper"))
    plates.cut(("eyebrow",), [(1.0, "ink" if hair in ("ink", "umber", "stone") else "umber")])
    plates.cut(("eye",), [(20, "ink"), (95, _IRIS[a.iris_colour]), (235, "paper")])
    lip = 255 * luminance(palette.lip)
    plates.cut(("mouth",), [(0.40 * lip, "ink"), (lip, "vermilion"), (max(1.9 * lip, 240), "paper")])
    lens = "ink" if a.glasses_style == "sun" else skin
    plates.cut(("glasses",), [(0.35 * skin_grey, "ink"), (1.05 * skin_grey, lens)], highlight=(1.12, "paper"))
    plates.cut(("earring",), [(30.0, "ink"), (220.0, "ochre")], highlight=(1.10, "paper"))

    ground = _GROUNDS[int(a.background_hue * 2.999)]
    cloth = _nearest_ink(palette.cloth, (ground, hair))
    accent = "paper" if cloth in ("ink", "teal", "vermilion", "umber") else "vermilion"
    materials = [(255 * luminance(palette.cloth), cloth)]
    if a.clothes == "suit":
        materials += [(245.0, "paper")]
    elif a.pattern != "plain":
        materials += [(255 * (luminance(palette.cloth) + luminance(palette.accent)) / 2, accent)]
    plates.cut(("cloth",), materials, (0.55, 0.92))
    if a.hat:
        worn = grey[canvas.labels == CELEBAMASK_13.index("hat")]
        hat = "teal" if ground != "teal" else "vermilion"
        plates.cut(("hat",), [(float(np.median(worn)) if worn.size else 128.0, hat)], (0.55, 0.93), (1.25, "paper"))
    _cut_ground(plates, canvas, grey, ground)
    return plates


def _cut_ground(plates: _Plates, canvas: Canvas, grey: Mask, ink: str) -> None:
    """The ground runs from its ink to lines of a lighter one, over the range of grey that is there."""
    low, high, _, _ = cv2.minMaxLoc(grey, np.equal(canvas.labels, 0).view(np.uint8))
    plates.body[0], plates.line[0] = _NAMES.index(ink), _NAMES.index(_LIGHTER[ink])
    plates.coverage[0] = np.interp(_GREY, [low, max(high, low + 1)], [10, 200]).astype(np.uint8)


def _nearest_ink(colour: Colour, taken: Sequence[str]) -> str:
    """The ink that is most like a colour and not among those ``taken``."""
    free = [name for name in ("ink", "vermilion", "ochre", "teal", "paper") if name not in taken]
    return min(free, key=lambda name: sum((x - y) ** 2 for x, y in zip(INKS[name], colour, strict=True)))


def _screen(canvas: Canvas, sitter: Sitter) -> Mask:
    """How soon lines reach a place as they swell, uint8 [n, n]: 0 in the middle of a line, 254 between two."""
    n = canvas.side
    x = ((np.arange(n, dtype=np.float32) + 0.5) / n)[None, :]
    y = ((np.arange(n, dtype=np.float32) + 0.5) / n)[:, None]
    toward = np.float32(np.sign(sitter.attributes.light_x) or 1.0)
    screen = np.broadcast_to(_wave(y / np.float32(1.25 * _PERIOD)), (n, n)).copy()
    # Around a point on the dark side, far enough that the lines run down the cheek.
    centre = np.float32(0.5) + toward * np.float32(0.75)
    rounded = _wave(np.hypot(x - centre, y - np.float32(0.1)) / np.float32(_PERIOD))
    slanting = _wave((x * toward + y) / np.float32(1.7 * _PERIOD))
    cv2.copyTo(rounded, canvas.where(("face", "nose", "ear", "neck", "hair", "hat")), screen)
    cv2.copyTo(slanting, canvas.where(("cloth",)), screen)
    return screen


def _wave(phase: NDArray[np.float32]) -> Mask:
    """A triangle wave of period 1, 0 to 254."""
    return np.asarray(np.abs(phase - np.floor(phase) - np.float32(0.5)) * np.float32(508), dtype=np.uint8)


def _contours(canvas: Canvas) -> Mask:
    """Where regions meet; what lies on the face has its own drawn lines."""
    table = np.arange(256, dtype=np.uint8)
    for region in ("nose", "eye", "eyebrow", "mouth"):
        table[CELEBAMASK_13.index(region)] = CELEBAMASK_13.index("face")
    width = max(2, round(_CONTOUR * canvas.side))
    knife = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    return np.asarray(cv2.morphologyEx(cv2.LUT(canvas.labels, table), cv2.MORPH_GRADIENT, knife), dtype=np.uint8)
