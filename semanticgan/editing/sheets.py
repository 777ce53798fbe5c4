"""Sheets: pictures in rows and columns with their names, drawn with Pillow's own font."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from semanticgan.editing.outputs import label_picture, to_image
from semanticgan.editing.regions import EditResult
from semanticgan.errors import InputError
from semanticgan.regions import RegionScheme
from semanticgan.rendering import Rendering

FULL_DIFFERENCE = 64
"""Levels of 0..255 at which the difference map is brightest."""

_PAPER = (255, 255, 255)
_INK = (34, 36, 42)
_PALE_INK = (110, 114, 124)
_MARGIN = 16
_GAP = 6
_SMALLEST_TILE = 160
_MOST_PIXELS = 2**28  # of a sheet: 800 MB in memory


def draw_sheet(
    rows: Sequence[Sequence[Image.Image]],
    columns: Sequence[str] = (),
    row_names: Sequence[str] = (),
    title: str = "",
    caption: str = "",
    names: Sequence[Sequence[str]] = (),
) -> Image.Image:
    """Pictures in rows on white paper; small ones are enlarged by a whole number.

    Args:
        rows: square pictures; rows may differ in length.
        columns: what stands above each column, if anything.
        row_names: what stands before each row, if anything.
        caption: one line below.
        names: what stands below each picture, as ``rows``, if anything.

    Raises:
        InputError: no picture, or too many.
    """
    if not rows or not rows[0]:
        raise InputError("a sheet needs at least one picture.")
    side = rows[0][0].width
    tile = side * -(-_SMALLEST_TILE // side)
    name_font, title_font, small_font = (ImageFont.load_default(size) for size in (15, 19, 13))
    left = _MARGIN + (max(_text_width(name, name_font) for name in row_names) + 12 if row_names else 0)
    top = _MARGIN + (32 if title else 0) + (24 if columns else 0)
    pitch = tile + _GAP + (20 if names else 0)
    width = left + max(map(len, rows)) * (tile + _GAP) - _GAP + _MARGIN
    width = max(width, *(2 * _MARGIN + _text_width(*text) for text in ((title, title_font), (caption, small_font))))
    height = top + len(rows) * pitch - _GAP + (26 if caption else 0) + _MARGIN
    if width * height > _MOST_PIXELS:
        raise InputError(f"a sheet of {width} x {height} pixels is too large. Put fewer pictures on it.")
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN - 4), title, _INK, title_font)
    for column, name in enumerate(columns):
        draw.text((left + column * (tile + _GAP) + tile // 2, top - 8), name, _INK, name_font, anchor="ms")
    for row, pictures in enumerate(rows):
        y = top + row * pitch
        if row_names:
            draw.text((_MARGIN, y + tile // 2), row_names[row], _INK, name_font, anchor="lm")
        for column, picture in enumerate(pictures):
            x = left + column * (tile + _GAP)
            sheet.paste(_fit(picture, tile), (x, y))
            if names:
                draw.text((x + tile // 2, y + tile + 15), names[row][column], _INK, small_font, anchor="ms")
    draw.text((_MARGIN, height - _MARGIN + 2), caption, _PALE_INK, small_font, anchor="ls")
    return sheet


def draw_grid(pictures: Sequence[Image.Image], names: Sequence[str], title: str = "") -> Image.Image:
    """Pictures in reading order, about as many rows as columns, at most 8 columns, each above its name.

    Raises:
        InputError: no picture.
    """
    num_columns = min(8, math.ceil(math.sqrt(len(pictures))))
    starts = range(0, len(pictures), num_columns or 1)
    rows = [pictures[start : start + num_columns] for start in starts]
    return draw_sheet(rows, title=title, names=[names[start : start + num_columns] for start in starts])


def require_grid(num_pictures: int, side: int, instead: str = "Give fewer, or leave --sheet out.") -> None:
    """Check that so many pictures have room on a sheet, before they are drawn.

    Args:
        num_pictures: on the sheet.
        side: of each in pixels.
        instead: what to do where they have none.

    Raises:
        InputError: they do not.
    """
    tile = side * -(-_SMALLEST_TILE // side)
    most = _MOST_PIXELS // ((tile + _GAP) * (tile + _GAP + 20))
    if num_pictures > most - 8:  # the last row may be short, and there is a margin
        raise InputError(
            f"{num_pictures:,} pictures of {side} pixels are too many for one sheet; it has room for {most - 8:,}. "
            f"{instead}"
        )


def edit_sheet(
    edit: EditResult,
    regions: RegionScheme,
    composited: bool = False,
    row_names: Sequence[str] = (),
    title: str = "",
) -> Image.Image:
    """Source, reference (if there is one), region mask, result and difference map; one row an image."""
    sources, results = edit.source_pictures(), edit.pictures(composited)
    change = edit.change(composited)
    colour = regions.colours[regions.index(edit.regions[0])]
    masks = [tint(source, opacity, colour) for source, opacity in zip(sources, edit.opacity, strict=True)]
    inside = change.inside[~change.inside.isnan()]
    figures = f"{float(change.outside.mean()):.2f} of 255 outside the feathered mask, "
    figures += f"{float(inside.mean()):.2f} inside" if len(inside) else "no pixel of the region inside"
    return change_sheet(sources, edit.reference, results, figures, row_names, title, masks)


def change_sheet(
    sources: Tensor,
    reference: Rendering | None,
    results: Tensor,
    figures: str,
    row_names: Sequence[str],
    title: str,
    masks: Sequence[Image.Image] = (),
) -> Image.Image:
    """Pictures before and after, uint8 [N, 3, S, S], with what lies between; ``figures`` are of the mean change."""
    references = [] if reference is None else reference.to_pil()
    rows = []
    for i, (before, after) in enumerate(zip(sources, results, strict=True)):
        shown = [*([references[i % len(references)]] if references else []), *masks[i : i + 1]]
        rows.append([to_image(before), *shown, to_image(after), difference_map(before, after)])
    columns = ["source", *["reference"] * bool(references), *["region"] * bool(masks), "result", "difference"]
    caption = f"mean absolute change: {figures}   ·   difference: brightest at {FULL_DIFFERENCE} levels"
    return draw_sheet(rows, columns, row_names, title, caption)


def tint(picture: Tensor, opacity: Tensor, colour: tuple[int, int, int]) -> Image.Image:
    """A picture in grey with a mask laid over it in a region's colour: uint8 [3, S, S], [S, S] in [0, 1]."""
    grey = picture.float().mean(0)[..., None].repeat(1, 1, 3) * 0.6 + 60
    weight = 0.75 * opacity[..., None]
    tinted = grey + weight * (torch.tensor(colour, dtype=torch.float32) - grey)
    return Image.fromarray(tinted.round().clamp(0, 255).to(torch.uint8).numpy())


def difference_map(before: Tensor, after: Tensor) -> Image.Image:
    """Absolute change, mean of the channels, dark to bright up to :data:`FULL_DIFFERENCE`: uint8 [3, S, S] each."""
    change = (after.float() - before.float()).abs().mean(0)
    return heat_map(change / FULL_DIFFERENCE)


def heat_map(values: Tensor, side: int | None = None) -> Image.Image:
    """[H, W] in 0..1, clipped, as colours from dark to bright; enlarged to ``side`` without smoothing."""
    levels = values.clamp(0, 1).mul(255).round().to(torch.uint8).numpy()
    picture = Image.fromarray(cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB))
    return picture if side is None else picture.resize((side, side), Image.Resampling.NEAREST)


def component_sheet(steps: Rendering, added: Sequence[str], regions: RegionScheme, title: str = "") -> Image.Image:
    """Regions added one at a time, as arXiv 2112.02236 shows how a picture is put together.

    Args:
        steps: one image a step; step i shows the first i + 1 of the regions.
        added: name of the region that each step adds.

    Returns:
        Rows: the picture so far, its label map, the pseudo-depth of the added region, and the coarse mask that it has
        once all are there.
    """
    labels = [regions.index(name) for name in added]
    depth = steps.depth[-1, labels].float().cpu()  # [steps, s, s]
    low, high = depth.amin((1, 2), keepdim=True), depth.amax((1, 2), keepdim=True)
    mask = (steps.coarse_segmentation[-1, labels].float().cpu() + 1) / 2
    side = steps.image.shape[-1]
    rows = [
        steps.to_pil(),
        [label_picture(picture, regions).convert("RGB") for picture in steps.labels()],
        [heat_map(picture, side) for picture in (depth - low) / (high - low).clamp(min=1e-8)],
        [heat_map(picture, side) for picture in mask],
    ]
    names = [name if i == 0 else f"+ {name}" for i, name in enumerate(added)]
    caption = "pseudo-depth: each from its own lowest (dark) to its highest value; the highest region is seen"
    return draw_sheet(rows, names, ("picture", "regions", "pseudo-depth", "coarse mask"), title, caption)


def _fit(picture: Image.Image, tile: int) -> Image.Image:
    picture = picture.convert("RGB")
    return picture if picture.width == tile else picture.resize((tile, tile), Image.Resampling.BICUBIC)


def _text_width(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    return math.ceil(font.getlength(text))
