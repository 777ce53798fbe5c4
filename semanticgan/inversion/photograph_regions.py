"""The regions of a face at the photograph's own size, read by a parser in the aligned crop.

::

    q_k = guided(up(softmax(logits)_k), P)          # the parser's memberships with the photograph's edges
    p_k = q_k^2 / sum of q^2                        # sharper, and 1 together
    label = argmax of undo(p),  feathered mask = undo(p_k)

Outside the crop all is background.

Shape legend: K regions, h w of the crop's box in the photograph, H W of the photograph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from semanticgan.errors import InputError
from semanticgan.inversion.alignment import Alignment
from semanticgan.inversion.guided_filter import guided_filter
from semanticgan.inversion.pasting import LARGEST_SIDE
from semanticgan.inversion.photograph import Photograph
from semanticgan.inversion.region_layers import enlarged, memberships
from semanticgan.inversion.resampling import Box
from semanticgan.perception.parser import FaceParser

_RADIUS = 1.0  # of the guided filter, in pixels of the parser
_EPSILON = 1e-4


@dataclass(frozen=True, eq=False)
class PhotographRegions:
    """Where the regions of one face are.

    Attributes:
        box: x0, y0, x1, y1 of the crop in the photograph.
        labels: uint8 [H, W], of the whole photograph.
        opacities: region -> uint8 [h, w] of the box, 0 to 255; regions that are not seen are left out.
    """

    box: Box
    labels: np.ndarray
    opacities: dict[int, np.ndarray]


def read_regions(photograph: Photograph, alignment: Alignment, parser: FaceParser) -> PhotographRegions:
    """The regions that a parser sees in a face of a photograph.

    Args:
        photograph: where the face is.
        alignment: of the face to pictures like those that the parser learnt from.
        parser: reads the crop at its own side.

    Raises:
        InputError: the crop is outside the photograph.
    """
    box = alignment.box(photograph.shape)
    left, top, right, bottom = box
    if left >= right or top >= bottom:
        raise InputError("the crop lies outside the photograph. Give points of a face within it.")
    side = min(max(round(alignment.scale), parser.size), LARGEST_SIDE)
    refined = _refined(np.clip(alignment.crop(photograph, side), 0, 1), parser)
    best = np.zeros((bottom - top, right - left), np.float32)
    found = np.zeros(best.shape, np.uint8)
    opacities = {}
    for label in range(refined.shape[2]):
        there = alignment.undo(np.ascontiguousarray(refined[..., label : label + 1]), photograph.shape, box)[..., 0]
        if label == 0:
            there[~alignment.inside(photograph.shape, box)] = 1
        here = there > best
        found[here], best[here] = label, there[here]
        opacity = np.round(np.clip(there, 0, 1) * 255).astype(np.uint8)
        if opacity.max() > 127:
            opacities[label] = opacity
    labels = np.zeros(photograph.shape, np.uint8)
    labels[top:bottom, left:right] = found
    return PhotographRegions(box, labels, opacities)


def _refined(crop: np.ndarray, parser: FaceParser) -> np.ndarray:
    """p of an aligned crop, float32 [S, S, K]."""
    side = len(crop)
    with torch.no_grad():
        small = torch.from_numpy(enlarged(crop, parser.size)).permute(2, 0, 1)[None]
        logits = parser.logits((small * 2 - 1).to(parser.device), parser.size)[0]
    grown = memberships(enlarged(logits.permute(1, 2, 0).cpu().numpy(), side), 1.0)
    radius = max(1, round(_RADIUS * side / parser.size))
    for label in range(grown.shape[2]):
        if grown[..., label].max() > 0.01:
            grown[..., label] = guided_filter(crop, grown[..., label].copy(), radius, _EPSILON)
    squares = np.clip(grown, 0, 1) ** 2
    return squares / np.maximum(squares.sum(2, keepdims=True), 1e-6)
