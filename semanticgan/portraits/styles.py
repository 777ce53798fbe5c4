"""Drawing styles: the choices of rendering that leave geometry and labels alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from semanticgan.errors import unknown_name

TECHNIQUES = ("paint", "woodcut")
"""The painting as it is, or printed anew in ink and spot colours (:mod:`semanticgan.portraits.woodcut`)."""


@dataclass(frozen=True)
class DrawingStyle:
    """How shapes become paint. The same sitter in another style keeps every outline and label.

    Attributes:
        name: the name by which :func:`drawing_style` finds it.
        line: strength of drawn lines (lids, creases, wrinkles), 1 is the storybook's.
        shading: contrast between light and shadow, 0 is flat colour.
        tone_steps: 0 for smooth shading; otherwise the number of flat tones.
        strands: strength of the strands drawn in hair, 0 leaves them out.
        blush: strength of the colour on cheeks, nose and ears.
        technique: one of :data:`TECHNIQUES`: what becomes of the finished painting.
    """

    name: str
    line: float = 1.0
    shading: float = 1.0
    tone_steps: int = 0
    strands: float = 1.0
    blush: float = 1.0
    # Not in the repr, which is part of the keys of datasets made before there was a choice.
    technique: str = field(default="paint", repr=False)

    def __post_init__(self) -> None:
        if self.technique not in TECHNIQUES:
            raise unknown_name("technique", self.technique, TECHNIQUES)


STYLES: Mapping[str, DrawingStyle] = {
    "storybook": DrawingStyle("storybook"),
    "woodcut": DrawingStyle("woodcut", line=1.7, shading=1.15, strands=2.0, blush=0.0, technique="woodcut"),
}


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
