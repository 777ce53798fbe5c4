"""Regions moved, scaled and rotated through the coordinates that their local generators are evaluated at.

A local generator g_k puts out region k at every point of the picture (Section 3 of arXiv 2112.02236), so that the
region moves with its coordinates. With c the region's centre, t the shift, a the scale and R the rotation::

    q = c + t + a R (p - c)                  where the point p of the region goes
    p(q) = c + R^-1 (q - c - t) / a          where g_k is evaluated for the point q of the picture
    q - w(q) (q - p(q))                      where the generator of the region around it is evaluated

A generator draws a part of what it surrounds: a nose without its own generator is still seen. The region around it
therefore goes along: w is 1 where the moved region is, and falls to 0 at the surrounding region's border::

    w = d_border / (d_region + d_border),    d the distances to the moved region and to all other regions

Some regions are not continued behind others: where a face moves away, its hair has a low pseudo-depth, and the
background would be seen. There, the region of the nearest pixel beyond the mask is evaluated at that pixel.

Points are shares of the side, x to the right and y down; coordinates are -1 to 1 from the first cell's centre to the
last one's.

Shape legend: N images, K regions, S side of the picture, s side of the coarse grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from semanticgan.directions.nearest import distance_to, nearest_beyond, pixel_points
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.networks.local import coordinate_grid
from semanticgan.wrong_arguments import finite_number, require_names, require_type, shown

SMALLEST_SCALE, LARGEST_SCALE = 0.1, 10.0

_RING = 0.05  # width of the ring around a region in which the region around it is looked for, in sides
_SMALLEST_PART = 0.1  # of the region's pixels; a smaller part belongs to the nearest larger one


@dataclass(frozen=True)
class Motion:
    """How regions move.

    Attributes:
        shift: t, (right, down) in sides of the picture.
        scale: a, from 0.1 to 10.
        rotate: degrees, clockwise.

    Raises:
        InputError: a number out of range.
    """

    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0
    rotate: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.shift, (str, bytes)) or not isinstance(self.shift, Sequence) or len(self.shift) != 2:
            raise InputError(
                f"a shift is (right, down) in sides of the picture, such as (0.05, 0), got {shown(self.shift)}."
            )
        shift = tuple(finite_number("shift", value) for value in self.shift)
        if max(map(abs, shift)) > 1:
            raise InputError(f"a shift is at most 1 side of the picture each way, got {shift}. Give such as (0.05, 0).")
        scale, rotate = finite_number("scale", self.scale), finite_number("rotate", self.rotate)
        if not SMALLEST_SCALE <= scale <= LARGEST_SCALE:
            raise InputError(f"a scale is {SMALLEST_SCALE:g} to {LARGEST_SCALE:g}, got {scale:g}. 1 keeps the size.")
        for name, value in (("shift", shift), ("scale", scale), ("rotate", rotate)):
            object.__setattr__(self, name, value)

    def source(self, points: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """p(q) of points q [..., 2] for a region with this centre [2] or [..., 2]."""
        angle = math.radians(self.rotate)
        rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])  # R
        # A row vector times R is R^-1 times the column.
        return centre + (points - centre - np.array(self.shift)) @ rotation / self.scale


def region_coordinates(
    model: Model,
    code: LatentCode,
    regions: str | Iterable[str],
    shift: tuple[float, float] = (0.0, 0.0),
    scale: float = 1.0,
    rotate: float = 0.0,
    *,
    each_part: bool = False,
    surroundings: bool = True,
) -> Tensor:
    """Coordinates with which regions are rendered moved: ``model.render(code, coordinates=...)``.

    Each region moves by itself about its own centre, the centroid of its pixels in the unmoved rendering. A region
    that an image does not show stays.

    Args:
        model: of regions.
        code: of N images.
        regions: names or aliases.
        shift: (right, down) in sides of the picture.
        scale: 0.1 to 10; 1 keeps the size.
        rotate: degrees, clockwise.
        each_part: scale and rotate each connected part of a region, such as each eye, about its own centre.
        surroundings: warp the region around a moved one along with it.

    Returns:
        [N, K, s, s, 2] on the model's device.

    Raises:
        InputError: a layered model, an unknown region, one that no image shows, or numbers out of range.
    """
    motion = Motion(shift, scale, rotate)
    require_type("a latent code", code, LatentCode, "a LatentCode, such as model.sample(seed=3)")
    config = model.regional.config
    chosen = model.regions.indices(require_names(regions))
    rendering = model.render(code)
    labels, depth = rendering.labels().cpu().numpy(), rendering.depth.cpu().numpy()
    for label in chosen:
        if not (labels == label).any():
            name = model.regions.names[label]
            raise InputError(
                f"no picture shows the region {name!r}, so it cannot be moved. Give a region that is seen."
            )
    grid = coordinate_grid(config.coarse_size).to(model.generator.mean_latent)
    coordinates = grid.repeat(len(code), config.num_regions, 1, 1, 1)
    for image, seen in enumerate(labels):
        fields = _fields(seen, depth[image], chosen, motion, each_part, surroundings)
        for label, points in fields.items():
            coordinates[image, label] = torch.from_numpy(to_coordinates(points, config.coarse_size)).to(grid)
    return coordinates


def to_coordinates(points: np.ndarray, side: int) -> np.ndarray:
    """Shares of the picture's side [S, S, 2], one a pixel -> coordinates [side, side, 2], kept within the picture."""
    cells: np.ndarray = cv2.resize(points, (side, side), interpolation=cv2.INTER_AREA)
    return np.clip(2.0 * (cells * side - 0.5) / max(side - 1, 1) - 1.0, -1.0, 1.0)


def _fields(
    labels: np.ndarray,
    depth: np.ndarray,
    chosen: Sequence[int],
    motion: Motion,
    each_part: bool,
    surroundings: bool,
) -> dict[int, np.ndarray]:
    """Label -> the points [S, S, 2] at which its generator is evaluated, of the regions that do not stay.

    Args:
        labels: [S, S] of the unmoved rendering.
        depth: [K, s, s] of it.
    """
    points = pixel_points(len(labels))
    fields: dict[int, np.ndarray] = {}
    around: dict[int, np.ndarray] = {}
    for label in chosen:
        mask = labels == label
        if not mask.any():
            continue
        fields[label] = motion.source(points, _centres(mask, points, each_part))
        if not surroundings:
            continue
        moved = sampled(mask, fields[label])
        host = surrounding_region(labels, label)
        if host is not None and host not in chosen:
            weight = _weight(labels, label, host, moved)
            around[host] = around.get(host, points) - weight[..., None] * (points - fields[label])
        for other, places in _continued(labels, depth, label, moved).items():
            if other not in chosen:
                around[other] = np.where(np.isnan(places), around.get(other, points), places)
    return {**around, **fields}


def _continued(labels: np.ndarray, depth: np.ndarray, label: int, moved: np.ndarray) -> dict[int, np.ndarray]:
    """Where a region leaves pixels to a neighbour that has no pseudo-depth there, the neighbour's points.

    Args:
        labels: [S, S] before.
        depth: [K, s, s] before.
        label: of the region that moves.
        moved: its mask after.

    Returns:
        Neighbour -> points [S, S, 2], NaN where it stays.
    """
    mask = labels == label
    if mask.all():
        return {}
    left = depth.copy()
    left[label] = -np.inf
    behind = cv2.resize(left.argmax(0).astype(np.uint8), labels.shape[::-1], interpolation=cv2.INTER_NEAREST)
    nearest = nearest_beyond(mask)
    neighbour, places = labels[nearest], pixel_points(len(labels))[nearest]
    given_up = mask & ~moved & (behind != neighbour) & (neighbour > 0)
    return {
        int(other): np.where((given_up & (neighbour == other))[..., None], places, np.nan)
        for other in np.unique(neighbour[given_up])
    }


def _centres(mask: np.ndarray, points: np.ndarray, each_part: bool) -> np.ndarray:
    """The centre that each pixel moves about, [2] or [S, S, 2]: of the region, or of the part nearest to the pixel."""
    if not each_part:
        return points[mask].mean(0)
    num_parts, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    masks = [parts == part for part in range(1, num_parts)]
    masks = [part for part in masks if part.sum() >= _SMALLEST_PART * mask.sum()] or [mask]
    nearest = np.argmin([distance_to(part) for part in masks], axis=0)
    return np.array([points[part].mean(0) for part in masks])[nearest]


def surrounding_region(labels: np.ndarray, label: int) -> int | None:
    """The region that surrounds another one: most of a ring around it; None where there is none, or the background."""
    distance = distance_to(labels == label)
    ring = labels[(distance > 0) & (distance <= max(_RING * len(labels), 1.0))]
    if not ring.size:
        return None
    counts = np.bincount(ring)
    host = int(counts.argmax())
    return host if host > 0 and 2 * counts[host] > ring.size else None


def _weight(labels: np.ndarray, label: int, host: int, moved: np.ndarray) -> np.ndarray:
    """w, [S, S]. Args: labels before; moved, the mask of the region after."""
    to_region = distance_to(moved)
    to_border = distance_to((labels != label) & (labels != host) & ~moved)
    return to_border / np.maximum(to_region + to_border, 1e-6)


def sampled(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A mask [S, S] read at points [S, S, 2], False beyond the picture."""
    places = (points * len(mask) - 0.5).astype(np.float32)
    read: np.ndarray = cv2.remap(
        mask.astype(np.uint8), places[..., 0], places[..., 1], cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT
    )
    return read > 0
