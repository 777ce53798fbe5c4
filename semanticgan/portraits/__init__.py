"""Portraits drawn by this package: endless, free of licences, with exact labels and a record of who is drawn."""

from semanticgan.portraits.attributes import PortraitAttributes
from semanticgan.portraits.portrait import Portrait, draw_portrait, portrait_attributes, render_portrait
from semanticgan.portraits.sampling import sample_attributes
from semanticgan.portraits.styles import STYLES, DrawingStyle, drawing_style

__all__ = [
    "STYLES",
    "DrawingStyle",
    "Portrait",
    "PortraitAttributes",
    "draw_portrait",
    "drawing_style",
    "portrait_attributes",
    "render_portrait",
    "sample_attributes",
]
