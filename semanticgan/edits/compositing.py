"""Composite of an edit: pixels outside the regions that its operations are about stay as they were before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from semanticgan.editing.compositing import composite, feather, region_mask
from semanticgan.edits.operation import Operation
from semanticgan.model import Model
from semanticgan.rendering import Rendering


def composited(model: Model, before: Rendering, after: Rendering, operations: Sequence[Operation]) -> Rendering | None:
    """The rendering after some operations; outside the feathered regions of these, every pixel is that of before.

    Args:
        model: of regions; it rendered both, one image each.
        before: without the operations.
        after: with them.
        operations: with what they found.

    Returns:
        None where an operation may change the whole picture, as base rows do, or there is none.

    Raises:
        InputError: a layered model, which has no regions.
    """
    names = list(dict.fromkeys(name for one in operations for name in one.names))
    labels = model.regions.indices(names) if names else ()
    if not labels or any(one.everywhere or not one.names for one in operations):
        return None
    mask = region_mask(before.labels().cpu(), labels) | region_mask(after.labels().cpu(), labels)
    pictures = composite(before.to_uint8(), after.to_uint8(), feather(mask))
    return replace(after, image=(pictures.to(after.image) / 127.5 - 1.0))
