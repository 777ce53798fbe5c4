"""The renderer again after an edit, only where its inputs changed: equal to a whole render to rounding.

Everything behind the fused feature map is convolutions with fixed weights and given noise, so a cell of a level depends
on a known rectangle of the level below (``boxes.py``). With kept maps x_i of every level:

    B_f = cells in which f differs,  B_0 = B_f pooled,
    G_i = the cells that block i reaches from B_(i-1), together with B_f where f is concatenated,
    x'_i = block_i(x_(i-1)) on G_i alone,  B_i = cells of G_i in which x'_i and x_i differ; they are replaced,
    o_i = up(o_(i-1)) + heads_i(x_i) on the cells that either reaches.

The renderer has no style: scale and demodulation are one for all images and edits (``ModulatedConv``). A crop has the
cells around it that its layers read, and what the crop's own edge makes wrong is cut off; zero padding remains only at
the picture's border, where the crop ends with the map.

"Differ" is by more than ``TOLERANCES`` of a map's root mean square. A cell that differs by less keeps its old value, as
do all that are computed from it. So after any number of edits each kept x_i is within the tolerance of block_i of the
kept x_(i-1): the differences do not add up.

Shape legend: N images, K regions, F channels of the fused feature map, C channels of a block, s side of the coarse
grid, S side of the picture, H = W side of the current map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.networks.boxes import Box, differing, root_mean_square, union, whole
from semanticgan.networks.kernels.resampling import fir_upsample
from semanticgan.networks.layers import average_pool_to, widened
from semanticgan.networks.renderer import Renderer, RendererBlock, RendererOutput

TOLERANCES = {torch.float64: 2.0**-44, torch.float32: 2.0**-18, torch.bfloat16: 2.0**-6, torch.float16: 2.0**-9}
"""Of a map's root mean square: a few roundings of a convolution."""


@dataclass
class Level:
    """What is kept of a block; the last block's map is kept only where the label network reads it."""

    x: Tensor | None  # [N, C, H, W]
    tolerance: float  # absolute, of x
    addition: Tensor  # [N, 3 + K, H, W], of the heads
    outputs: Tensor  # [N, 3 + K, H, W], the sum so far


@dataclass
class KeptMaps:
    """The maps of one rendering."""

    feature: Tensor  # [N, F, s, s]
    tolerance: float
    mask: Tensor  # [N, K, s, s]
    noise: list[Tensor]
    start: Tensor  # x_0 [N, F, H, W], f pooled
    levels: list[Level] = field(default_factory=list)
    labels: Tensor | None = None  # [N, K, H, W], of the label network

    def tensors(self) -> list[Tensor]:
        of_levels = [part for level in self.levels for part in (level.x, level.addition, level.outputs)]
        parts = [self.feature, self.mask, self.start, self.labels, *self.noise, *of_levels]
        return [part for part in parts if part is not None]


class PartialRenderer:
    """Renders features one after another as ``renderer`` does, computing only what changed since the last.

    Weights are assumed not to change; :meth:`forget` after they do.

    Args:
        tolerance: share of a feature map's root mean square by which a cell may differ and count as unchanged; never
            below ``TOLERANCES``. 0 is rounding. Masks are compared to rounding always.

    Attributes:
        boxes: the cells of each block's map that the last call computed, coarse to fine; None where it computed none.
    """

    def __init__(self, renderer: Renderer, tolerance: float = 0.0) -> None:
        self.renderer, self.tolerance = renderer, tolerance
        self.boxes: tuple[Box | None, ...] = ()
        self._kept: KeptMaps | None = None

    @property
    def kept_bytes(self) -> int:
        """Bytes of the maps that are kept."""
        kept = [] if self._kept is None else self._kept.tensors()
        return sum(part.untyped_storage().nbytes() for part in kept)

    def forget(self) -> None:
        """Keep nothing: the next call renders everything."""
        self._kept = None

    @torch.no_grad()
    def __call__(self, feature: Tensor, mask: Tensor, noise: Sequence[Tensor]) -> RendererOutput:
        """As :meth:`Renderer.forward`; the tensors returned are the caller's.

        Args:
            feature: [N, F, s, s]; one box is around what changed in any of the images.
            mask: [N, K, s, s] coarse masks m in [0, 1].
            noise: one map a convolution, [1 or N, 1, H, W]. Other maps than before render everything.
        """
        kept, coarse = self._kept, whole(self.renderer.coarse_size)
        self._kept = None  # an interruption leaves maps of two renderings
        feature_box: Box | None = coarse
        mask_box: Box | None = coarse
        if kept is not None and _continues(kept, feature, mask, noise):
            feature_box = differing(feature, kept.feature, kept.tolerance)
            mask_box = differing(mask, kept.mask, TOLERANCES[mask.dtype])
        if kept is None or feature_box == coarse:  # with all cells changed there is nothing to compare and paste
            kept, mask_box = self._first(feature, mask, noise), coarse
        else:
            _paste(kept.feature, feature, feature_box)
            _paste(kept.mask, mask, mask_box)
        output = self._render(kept, feature_box, mask_box)
        tolerances = (kept.tolerance, *(level.tolerance for level in kept.levels))
        self._kept = kept if all(map(math.isfinite, tolerances)) else None  # else all would count as equal
        return output

    def _first(self, feature: Tensor, mask: Tensor, noise: Sequence[Tensor]) -> KeptMaps:
        """Maps without levels, which :meth:`_render` adds."""
        feature = feature.clone(memory_format=torch.channels_last)
        start = average_pool_to(feature, self.renderer.min_feature_size)
        start = start.clone() if start is feature else start
        return KeptMaps(feature, self._tolerance(feature), mask.clone(), [part.clone() for part in noise], start)

    def _render(self, kept: KeptMaps, feature_box: Box | None, mask_box: Box | None) -> RendererOutput:
        """Bring the levels up to date with the kept feature and mask, which changed in these boxes."""
        renderer = self.renderer
        if not renderer.residual_segmentation:
            mask_box = None
        changed = self._pool(kept, feature_box)
        outputs: Tensor | None = None
        outputs_box: Box | None = None
        if renderer.residual_segmentation and renderer.min_feature_size == renderer.coarse_size:
            outputs, outputs_box = renderer._residual(kept.mask), mask_box
        x, boxes = kept.start, []
        for index, block in enumerate(renderer.blocks):
            assert isinstance(block, RendererBlock)
            side = 2 * x.shape[-1]
            before, changed_before = x, changed
            if x.shape[-1] == renderer.coarse_size:
                changed = union(changed, feature_box)
            reached = None if changed is None else changed.doubled(3, side)
            changed = self._block(kept, index, block, x, reached)
            level, outputs_box = kept.levels[index], None if outputs_box is None else outputs_box.doubled(1, side)
            outputs_box = union(outputs_box, reached)
            if side == renderer.coarse_size:
                outputs_box = union(outputs_box, mask_box)
            if side == renderer.label_size and renderer.label_network is not None:
                outputs_box = union(outputs_box, self._labels(kept, level, before, changed, changed_before))
            self._outputs(kept, level, outputs, outputs_box)
            outputs, x = level.outputs, before if level.x is None else level.x
            boxes.append(reached)
        self.boxes = tuple(boxes)
        assert outputs is not None
        return RendererOutput(outputs[:, :3].clone(), outputs[:, 3:].clone())

    def _pool(self, kept: KeptMaps, box: Box | None) -> Box | None:
        """Pool the changed cells of f; what changed in x_0."""
        factor = self.renderer.coarse_size // self.renderer.min_feature_size
        if box is None or not kept.levels:  # all of it is new
            return None if box is None else whole(self.renderer.min_feature_size)
        box = box.pooled(factor)
        read = Box(*(factor * edge for edge in box)).of(kept.feature)
        box.of(kept.start).copy_(read if factor == 1 else F.avg_pool2d(read, factor))
        return box

    def _block(self, kept: KeptMaps, index: int, block: RendererBlock, x: Tensor, reached: Box | None) -> Box | None:
        """Compute and keep the cells of one block that are reached; those that changed."""
        if reached is None:
            return None
        side = 2 * x.shape[-1]
        refined = reached.grown(1, side)  # the 3x3 convolution reads one cell more
        read = refined.read_by_upsampling(3, 2, x.shape[-1])
        crop = read.of(x)
        if x.shape[-1] == self.renderer.coarse_size:
            crop = torch.cat([crop, read.of(kept.feature).to(x.dtype)], dim=1)
        crop = crop.contiguous(memory_format=torch.channels_last)
        first, second = kept.noise[2 * index : 2 * index + 2]
        doubled = read.doubled(0, side)
        upsampled = refined.of(block.upsample(crop, doubled.of(first)), doubled)
        upsampled = upsampled.contiguous(memory_format=torch.channels_last)
        new, addition = block.refined(upsampled, refined.of(second))
        new, addition = reached.of(new, refined), reached.of(widened(addition), refined)
        if index == len(kept.levels):  # the first time, when all is reached
            renderer = self.renderer
            reads_labels = renderer.label_network is not None and side == renderer.label_size
            keeps = side < renderer.size or reads_labels
            kept_x, tolerance = (new, self._tolerance(new)) if keeps else (None, 0.0)
            kept.levels.append(Level(kept_x, tolerance, addition, torch.empty_like(addition)))
            return reached
        level = kept.levels[index]
        reached.of(level.addition).copy_(addition)
        if level.x is None:
            return reached
        changed = differing(new, reached.of(level.x), level.tolerance, reached)
        if changed is not None:
            changed.of(level.x).copy_(changed.of(new, reached))
        return changed

    def _outputs(self, kept: KeptMaps, level: Level, below: Tensor | None, box: Box | None) -> None:
        """o_i = up(o_(i-1)) + heads_i(x_i), with the residual and the labels of this side, in a box."""
        if box is None:
            return
        renderer, side = self.renderer, level.addition.shape[-1]
        outputs = box.of(level.addition)
        with torch.autocast(outputs.device.type, enabled=False):
            if below is not None:
                read = box.read_by_upsampling(2, 1, side // 2)
                crop = read.of(below).contiguous(memory_format=torch.channels_last)
                outputs = box.of(fir_upsample(crop), read.doubled(0, side)) + outputs
            if renderer.residual_segmentation and side == renderer.coarse_size:
                outputs = outputs + renderer._residual(box.of(kept.mask))
            if kept.labels is not None and side == kept.labels.shape[-1]:
                outputs = outputs + F.pad(box.of(kept.labels), (0, 0, 0, 0, 3, 0))
        box.of(level.outputs).copy_(outputs)

    def _tolerance(self, x: Tensor) -> float:
        """What differences count from, absolute."""
        return max(self.tolerance, TOLERANCES[x.dtype]) * root_mean_square(x)

    def _labels(
        self, kept: KeptMaps, level: Level, before: Tensor, changed: Box | None, changed_before: Box | None
    ) -> Box | None:
        """What the label network adds, from its two maps; the box that was computed."""
        assert level.x is not None and self.renderer.label_network is not None
        side = level.x.shape[-1]
        from_before = None if changed_before is None else changed_before.grown(1, side // 2).doubled(1, side)
        box = union(None if changed is None else changed.grown(1, side), from_before)
        if box is None:
            return None
        box = box.grown(1, side)  # the 3x3 convolution of both
        read = box.grown(2, side).read_by_upsampling(2, 1, side // 2).grown(1, side // 2)
        doubled = read.doubled(0, side)
        crops = [part.contiguous(memory_format=torch.channels_last) for part in (doubled.of(level.x), read.of(before))]
        labels = box.of(widened(self.renderer.label_network(*crops)), doubled)
        if kept.labels is None:
            kept.labels = labels
        else:
            box.of(kept.labels).copy_(labels)
        return box


def _continues(kept: KeptMaps, feature: Tensor, mask: Tensor, noise: Sequence[Tensor]) -> bool:
    """Whether the kept maps are of pictures as many and precise, and of the same noise."""
    same = all(
        new.shape == old.shape and new.dtype == old.dtype and new.device == old.device
        for new, old in ((feature, kept.feature), (mask, kept.mask), *zip(noise, kept.noise, strict=True))
    )
    return same and all(torch.equal(new, old) for new, old in zip(noise, kept.noise, strict=True))


def _paste(kept: Tensor, new: Tensor, box: Box | None) -> None:
    if box is not None:
        box.of(kept).copy_(box.of(new))
