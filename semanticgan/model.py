"""Model: what ``load`` returns, to sample, render and edit portraits.

N images, K regions, B base rows, D style width, S side of the picture, s side of the coarse grid.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from semanticgan.checkpoint import LoadedModel, ModelMetadata, load_model
from semanticgan.errors import InputError, unknown_name
from semanticgan.latents import LatentCode, swap, truncate
from semanticgan.networks.generator import Generator, GeneratorConfig, Noise, Rendering
from semanticgan.networks.local import LocalOutput
from semanticgan.regions import RegionScheme
from semanticgan.seeds import require_seed, stream

PRECISIONS = ("float32", "bfloat16")
"""What :meth:`Model.render` computes in."""

DEFAULT_BATCH_SIZE = 4


def load(name_or_path: str | Path | None = None, device: torch.device | str = "auto") -> Model:
    """Open a model.

    Args:
        name_or_path: a bundled or released model's name, or a ``.safetensors`` file; None is the bundled default.
        device: "auto" (CUDA, else MPS, else CPU), "cpu", "cuda" or "mps".

    Raises:
        InputError: an unknown name or device, a missing or damaged file, or no network for a released model.
    """
    from semanticgan.registry import resolve

    chosen = choose_device(device)
    return Model(load_model(resolve(name_or_path)), chosen)


def choose_device(device: torch.device | str = "auto") -> torch.device:
    """The device of that name; "auto" is the fastest kind there is.

    Raises:
        InputError: an unknown device, or one that this machine does not have.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        device = next(kind for kind, present in available.items() if present)
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise unknown_name("device", str(device), ("auto", *reversed(available))) from error
    too_high = chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count()
    if not available.get(chosen.type, False) or too_high:
        present = ", ".join(kind for kind, there in available.items() if there)
        raise InputError(f"device {str(device)!r} is not available here. Available: {present}. Use auto.")
    return chosen


class Model:
    """A generator with the names of its regions.

    Attributes:
        generator: the network, in eval mode.
        regions: its regions.
        config: its numbers.
        metadata: what its file says: description, training figures, licences.
    """

    def __init__(self, loaded: LoadedModel, device: torch.device | str = "cpu") -> None:
        self.generator: Generator = loaded.generator.eval().to(device)
        self.regions: RegionScheme = loaded.regions
        self.config: GeneratorConfig = loaded.generator.config
        self.metadata: ModelMetadata = loaded.metadata

    def __repr__(self) -> str:
        description, device = self.metadata.description, str(self.device)
        return f"Model({description!r}, size={self.size}, num_regions={len(self.regions)}, device={device!r})"

    @property
    def size(self) -> int:
        """S, the side of a picture in pixels."""
        return self.config.size

    @property
    def device(self) -> torch.device:
        return self.generator.mean_latent.device

    def to(self, device: torch.device | str) -> Model:
        """Move the generator to a device, as ``load`` names them; returns this model."""
        self.generator.to(choose_device(device))
        return self

    @property
    def mean(self) -> LatentCode:
        """The code whose every row is w-bar, the mean of w, of one image."""
        return self.code(self.generator.mean_latent[None])

    def code(self, w: Tensor) -> LatentCode:
        """The plain latent code of w, [N, D] or [D]."""
        w = w[None] if w.ndim == 1 else w
        return LatentCode.from_w(w.to(self.device), self.regions, self.config.num_base_layers)

    @torch.no_grad()
    def sample(
        self, seed: int | None = None, *, seeds: Sequence[int] | None = None, truncation: float = 1.0
    ) -> LatentCode:
        """Random latent codes, each a function of its seed alone.

        Args:
            seed: for one code, 0 to 2^63 - 1.
            seeds: for several.
            truncation: psi; w-bar + psi (w - w-bar).

        Raises:
            InputError: neither or both of ``seed`` and ``seeds``, or a seed that is no whole number from 0 to
                2^63 - 1.
        """
        if (seed is None) == (seeds is None):
            raise InputError("give either seed=3 or seeds=[3, 4, ...].")
        given = [seed] if seeds is None else list(seeds) if isinstance(seeds, Iterable) else [seeds]
        if not given:
            raise InputError("seeds are whole numbers, at least one, got [].")
        chosen = [require_seed(number) for number in given]
        # Mapped one by one: a matrix product may round differently in a larger batch.
        w = torch.cat([self.generator.map(self._draw(number).to(self.device)) for number in chosen])
        return truncate(self.code(w), self.generator.mean_latent, truncation)

    def _draw(self, seed: int) -> Tensor:
        """z [1, D], drawn on the CPU so that it is the same on every device."""
        return torch.randn(1, self.config.style_dim, generator=stream(seed))

    def edit(
        self,
        code: LatentCode,
        regions: str | Iterable[str],
        reference: LatentCode | int,
        what: str = "both",
        include_base: bool = False,
    ) -> LatentCode:
        """``code`` with regions taken from another code, or from the sample of a seed.

        Raises:
            InputError: an unknown region or ``what``, or codes that do not fit each other.
        """
        if isinstance(reference, int):
            reference = self.sample(seed=reference)
        return swap(code, reference, regions, what=what, include_base=include_base)

    @torch.no_grad()  # not inference_mode: what it returns could not be changed in place or enter a graph
    def render(
        self,
        code: LatentCode | Tensor,
        noise: Noise = "fixed",
        *,
        batch_size: int = DEFAULT_BATCH_SIZE,
        visible: Tensor | None = None,
        coordinates: Tensor | None = None,
        precision: str = "float32",
    ) -> Rendering:
        """Render codes, ``batch_size`` images at a time.

        Args:
            code: a latent code, or a tensor w [N, D], [N, B + 2K, D] or expanded [N, K L, D].
            noise: "fixed", "random", a torch.Generator (drawn image by image, so ``batch_size`` does not matter), or
                maps [1 or N, 1, h, w], one a 3x3 convolution of the renderer.
            batch_size: images at a time; bounds the memory, not the result.
            visible: [N, K] of 0/1 keeps only some regions.
            coordinates: [N, K, s, s, 2] where each region's local generator is evaluated.
            precision: "float32", or "bfloat16" by autocast: about twice as fast, within a few grey levels.

        Returns:
            float32 tensors on the model's device.

        Raises:
            InputError: a code of other regions, a shape, precision or batch size that does not fit, or a code or
                picture that is not finite.
        """
        if precision not in PRECISIONS:
            raise unknown_name("precision", precision, PRECISIONS)
        if batch_size < 1:
            raise InputError(f"batch_size is at least 1, got {batch_size}.")
        latents = self._latents(code)
        num_images, config, side = latents.shape[0], self.config, self.config.coarse_size
        visible = self._per_image("visible", visible, (num_images, config.num_regions))
        coordinates = self._per_image("coordinates", coordinates, (num_images, config.num_regions, side, side, 2))
        maps = self._noise(noise, num_images)

        parts: list[Rendering] = []
        for start in range(0, num_images, batch_size):
            batch = slice(start, start + batch_size)
            batch_noise = maps if isinstance(maps, str) else [m[batch] if len(m) > 1 else m for m in maps]
            with self._autocast(precision):
                parts.append(
                    self.generator(
                        latents[batch],
                        batch_noise,
                        None if visible is None else visible[batch],
                        None if coordinates is None else coordinates[batch],
                    )
                )
        for part in parts:
            _require_finite(part, latents)
        if len(parts) == 1:
            return parts[0]
        names = [field.name for field in dataclasses.fields(Rendering)]
        return Rendering(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})

    def session(self, precision: str = "float32") -> EditingSession:
        """For rendering one code again and again while its regions are edited."""
        return EditingSession(self, precision)

    def _latents(self, code: LatentCode | Tensor) -> Tensor:
        if isinstance(code, LatentCode):
            if code.regions.names != self.regions.names:
                raise InputError(
                    f"the code has the regions {', '.join(code.regions.names)}; this model "
                    f"{', '.join(self.regions.names)}. Use a code of this model."
                )
            code = code.tensor
        if code.ndim not in (2, 3) or not code.shape[0]:
            raise InputError(f"latents of at least one image are needed, got the shape {list(code.shape)}.")
        latents = code.to(self.device, torch.float32)
        if not _is_finite(latents):
            raise InputError("the latent code holds numbers that are not finite in float32. Use another code.")
        return latents

    def _per_image(self, name: str, value: Tensor | None, shape: tuple[int, ...]) -> Tensor | None:
        if value is not None and tuple(value.shape) != shape:
            raise InputError(f"{name} has the shape {list(shape)} here, got {list(value.shape)}.")
        return None if value is None else value.to(self.device, torch.float32)

    def _noise(self, noise: Noise, num_images: int) -> str | list[Tensor]:
        """Noise that can be cut into batches: "fixed", "random", or one map a convolution."""
        if isinstance(noise, str):
            if noise not in ("fixed", "random"):
                raise unknown_name("noise", noise, ("fixed", "random"))
            return noise
        sides = self.generator.renderer.noise_sides
        if isinstance(noise, torch.Generator):
            drawn = [
                [torch.randn(1, 1, side, side, generator=noise, device=noise.device) for side in sides]
                for _ in range(num_images)
            ]
            return [torch.cat(maps).to(self.device) for maps in zip(*drawn, strict=True)]
        if len(noise) != len(sides):
            raise InputError(f"noise is a list of {len(sides)} maps of the sides {sides} here, got {len(noise)}.")
        for index, (given, side) in enumerate(zip(noise, sides, strict=True)):
            if given.shape[0] not in (1, num_images) or tuple(given.shape[1:]) != (1, side, side):
                raise InputError(
                    f"noise map {index} has the shape [1 or {num_images}, 1, {side}, {side}], got {list(given.shape)}."
                )
        return [given.to(self.device, torch.float32) for given in noise]

    def _autocast(self, precision: str) -> contextlib.AbstractContextManager[object]:
        if precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


class EditingSession:
    """Renders codes one after another, running only the local generators whose rows differ from the last code's.

    Attributes:
        regions_run: names of the regions whose local generators ran in the last :meth:`render`.
    """

    def __init__(self, model: Model, precision: str = "float32") -> None:
        if precision not in PRECISIONS:
            raise unknown_name("precision", precision, PRECISIONS)
        self.model = model
        self.precision = precision
        self.regions_run: tuple[str, ...] = ()
        self._codes: Tensor | None = None  # [N, K, L, D] of the last rendering
        self._local: LocalOutput | None = None

    @torch.no_grad()
    def render(self, code: LatentCode | Tensor, noise: Noise = "fixed", visible: Tensor | None = None) -> Rendering:
        """As :meth:`Model.render`, all images at once."""
        model = self.model
        codes = model.generator.region_codes(model._latents(code))
        num_images, num_regions = codes.shape[:2]
        visible = model._per_image("visible", visible, (num_images, num_regions))
        maps = model._noise(noise, num_images)
        with model._autocast(self.precision):
            local = self._updated(codes)
            rendering = model.generator.compose(local, maps, visible)
        _require_finite(rendering, codes)
        return rendering

    def _updated(self, codes: Tensor) -> LocalOutput:
        """What the local generators put out for these codes, taken over where the codes are those of the last time."""
        model, last = self.model, self._local
        if (
            last is None
            or self._codes is None
            or self._codes.shape != codes.shape
            or self._codes.device != codes.device
        ):
            labels = list(range(codes.shape[1]))
            self._local = local = model.generator.local(codes)
        else:
            labels = (codes != self._codes).flatten(2).any(-1).any(0).nonzero().flatten().tolist()
            hidden, depth = last.hidden.clone(), last.depth.clone()
            if labels:
                run = model.generator.local(codes[:, labels], regions=labels)
                hidden[:, labels], depth[:, labels] = run.hidden, run.depth
            self._local = local = LocalOutput(hidden, depth)
        self._codes = codes.clone()
        self.regions_run = tuple(model.regions.names[label] for label in labels)
        return local


def _require_finite(rendering: Rendering, latents: Tensor) -> None:
    """Raises: InputError: a picture or segmentation that is not finite; it would be shown black."""
    if _is_finite(rendering.image) and _is_finite(rendering.segmentation):
        return
    raise InputError(
        f"the picture of this code is not finite: the code's values go up to {float(latents.abs().max()):.3g}. "
        "Use a code, noise and coordinates near those of Model.sample."
    )


def _is_finite(tensor: Tensor) -> bool:
    return tensor.is_meta or bool(torch.isfinite(tensor).all())  # a meta tensor has no values
