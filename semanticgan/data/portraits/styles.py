"""Drawing styles: the choices of rendering that leave geometry and labels alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from semanticgan.errors import unknown_name


@dataclass(frozen=True)
class DrawingStyle:
    """How shapes become paint. The same sitter in another style keeps every outline and label.

    Attributes:
        name: the name by which :func:`drawing_style` finds it.
        line: strength of drawn lines (lids, creases, wrinkles), 1 is the storybook's.
        shading: contrast between light and shadow, 0 is flat colour.
        tone_steps: 0 for smooth shading; otherwise light falls into so many flat tones.
        strands: strength of the strands drawn in hair, 0 leaves them out.
        blush: strength of the colour on cheeks, nose and ears.
    """

    name: str
    line: float = 1.0
    shading: float = 1.0
    tone_steps: int = 0
    strands: float = 1.0
    blush: float = 1.0


STYLES: Mapping[str, DrawingStyle] = {"storybook": DrawingStyle("storybook")}


def drawing_style(style: str | DrawingStyle) -> DrawingStyle:
    """The style of a name, or the style itself.

    Raises:
        InputError: no style of that name; the message lists the known ones.
    """
    if isinstance(style, DrawingStyle):
        return style
    if style not in STYLES:
        raise unknown_name("drawing style", style, STYLES)
    return STYLES[style]
