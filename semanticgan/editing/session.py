"""Rendering one code again and again while its regions are edited."""

from __future__ import annotations

import torch
from torch import Tensor

from semanticgan.errors import unknown_name
from semanticgan.latents import LatentCode
from semanticgan.model import PRECISIONS, Model
from semanticgan.networks.local import LocalOutput
from semanticgan.networks.noise import Noise
from semanticgan.rendering import Rendering, require_finite_rendering
from semanticgan.wrong_arguments import require_type


class EditingSession:
    """Renders codes one after another, running only the local generators whose rows differ from the last code's.

    Attributes:
        regions_run: names of the regions whose local generators ran in the last :meth:`render`.
    """

    def __init__(self, model: Model, precision: str = "float32") -> None:
        require_type("model", model, Model, "a Model, such as sg.load()")
        if not isinstance(precision, str) or precision not in PRECISIONS:
            raise unknown_name("precision", str(precision), PRECISIONS)
        self.model = model
        self._names = model.regions.names
        self._generator = model.regional
        self.precision = precision
        self.regions_run: tuple[str, ...] = ()
        self._codes: Tensor | None = None  # [N, K, L, D] of the last rendering
        self._local: LocalOutput | None = None

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
            rendering = self._generator.compose(local, maps, visible)
        require_finite_rendering(rendering, codes)
        return rendering

    def _updated(self, codes: Tensor) -> LocalOutput:
        """What the local generators put out for these codes, taken over where the codes are those of the last time."""
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
