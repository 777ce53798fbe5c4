"""Portraits drawn by this package: endless, free of licences, with exact labels and a record of who is drawn."""

from semanticgan.data.portraits.attributes import PortraitAttributes
from semanticgan.data.portraits.dataset import PortraitDataset
from semanticgan.data.portraits.portrait import Portrait, draw_portrait, portrait_attributes, render_portrait
from semanticgan.data.portraits.sampling import sample_attributes
from semanticgan.data.portraits.styles import STYLES, DrawingStyle, drawing_style

__all__ = [
    "STYLES",
    "DrawingStyle",
    "Portrait",
    "PortraitAttributes",
    "PortraitDataset",
    "draw_portrait",
    "drawing_style",
    "portrait_attributes",
    "render_portrait",
    "sample_attributes",
]
