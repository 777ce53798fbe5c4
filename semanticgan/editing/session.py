"""Rendering one code again and again while its regions are edited.

Local generators run only for regions whose rows changed, the renderer only where the fused feature map changed. A mask
is a softmax and nowhere 0, so to rounding an edit of one region often changes that map everywhere; ``tolerance`` says
from which difference on a cell is rendered again.
"""

from __future__ import annotations

import torch
from torch import Tensor

from semanticgan.errors import InputError, unknown_name
from semanticgan.latents import LatentCode
from semanticgan.model import PRECISIONS, Model
from semanticgan.networks.local import LocalOutput
from semanticgan.networks.noise import Noise
from semanticgan.networks.partial_rendering import PartialRenderer
from semanticgan.rendering import Rendering, require_finite_rendering
from semanticgan.wrong_arguments import finite_number, require_type


class EditingSession:
    """Renders codes one after another, running only the local generators whose rows differ from the last code's.

    Args:
        keep_maps: keep the renderer's maps (:attr:`kept_bytes`) and render only what changed; else render the whole
            picture each time.
        tolerance: share of a feature map's root mean square by which a cell may differ and is not rendered again, 0 to
            1. 0: equal to :meth:`Model.render` to rounding. Differences do not add up over edits.

    Attributes:
        regions_run: names of the regions whose local generators ran in the last :meth:`render`.
    """

    def __init__(
        self, model: Model, precision: str = "float32", keep_maps: bool = True, tolerance: float = 0.0
    ) -> None:
        require_type("model", model, Model, "a Model, such as sg.load()")
        if not isinstance(precision, str) or precision not in PRECISIONS:
            raise unknown_name("precision", str(precision), PRECISIONS)
        self.model = model
        self._names = model.regions.names
        self._generator = model.regional
        require_type("keep_maps", keep_maps, bool, "True or False")
        tolerance = finite_number("tolerance", tolerance)
        if not 0.0 <= tolerance <= 1.0:
            raise InputError(f"tolerance must be 0 (rounding) to 1, got {tolerance}. Use 0.03 for fast previews.")
        self.precision = precision
        self._partial = PartialRenderer(self._generator.renderer, tolerance) if keep_maps else None
        self._weights: tuple[object, ...] = ()
        self._visible: Tensor | None = None
        self._last: Rendering | None = None  # of fixed noise
        self.regions_run: tuple[str, ...] = ()
        self._codes: Tensor | None = None  # [N, K, L, D] of the last rendering
        self._local: LocalOutput | None = None

    @property
    def kept_bytes(self) -> int:
        """Bytes of the maps and the rendering that are kept, in proportion to the images; 0 without ``keep_maps``.

        In float32 and with the paper's widths about 53 MB an image at 256 pixels and 135 MB at 512.
        """
        if self._partial is None:
            return 0
        last: list[Tensor] = [] if self._last is None else list(vars(self._last).values())
        return self._partial.kept_bytes + sum(part.untyped_storage().nbytes() for part in last)

    @torch.no_grad()
    def render(self, code: LatentCode | Tensor, noise: Noise = "fixed", visible: Tensor | None = None) -> Rendering:
        """As :meth:`Model.render`, all images at once."""
        model = self.model
        codes = self._generator.region_codes(model._latents(code))
        num_images, num_regions = codes.shape[:2]
        if visible is not None:
            visible = model._per_image("visible", visible, (num_images, num_regions))
        maps = model._noise(noise, num_images)
        with model._autocast(self.precision):
            local = self._updated(codes)
            if self._same_as_before(noise, visible) and self._last is not None:
                rendering = _copy(self._last)
            else:
                self._last = None
                rendering = self._generator.compose(local, maps, visible, self._partial)
        require_finite_rendering(rendering, codes)
        self._visible = None if visible is None else visible.clone()
        if self._partial is not None:
            self._last = _copy(rendering) if isinstance(noise, str) and noise == "fixed" else None
        return rendering

    def _same_as_before(self, noise: Noise, visible: Tensor | None) -> bool:
        """Whether the last rendering, of fixed noise, is what is asked for."""
        if self.regions_run or not isinstance(noise, str) or noise != "fixed":
            return False
        if visible is None or self._visible is None:
            return visible is self._visible
        return torch.equal(visible, self._visible)

    def _updated(self, codes: Tensor) -> LocalOutput:
        """What the local generators put out for these codes, taken over where the codes are those of the last time."""
        stored = (*self._generator.parameters(), *self._generator.buffers())
        weights = tuple((part.data_ptr(), part._version, part.dtype) for part in stored)
        if weights != self._weights:  # another device or precision, or trained
            self._weights, self._codes, self._local, self._last = weights, None, None, None
            if self._partial is not None:
                self._partial.forget()
        before, local = self._codes, self._local
        if before is None or local is None or before.shape != codes.shape or before.device != codes.device:
            labels = list(range(codes.shape[1]))
            local = self._generator.local(codes)
        else:
            labels = (codes != before).flatten(2).any(-1).any(0).nonzero().flatten().tolist()
            local = LocalOutput(local.hidden.clone(), local.depth.clone())
            if labels:
                run = self._generator.local(codes[:, labels], regions=labels)
                local.hidden[:, labels], local.depth[:, labels] = run.hidden, run.depth
        self._local, self._codes = local, codes.clone()
        self.regions_run = tuple(self._names[label] for label in labels)
        return local


def _copy(rendering: Rendering) -> Rendering:
    """Tensors of its own, which may be changed in place."""
    return Rendering(**{name: part.clone() for name, part in vars(rendering).items()})
