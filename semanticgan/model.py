"""Model: what ``load`` returns, to sample, render and edit portraits.

N images, R rows of a code, K regions, B base rows, D style width, S side of the picture, s side of the coarse grid.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from semanticgan import encoder_files
from semanticgan.autoencoding import Autoencoding
from semanticgan.checkpoint import LoadedModel, ModelMetadata, load_model
from semanticgan.choices import PRECISIONS as PRECISIONS
from semanticgan.devices import choose_device as choose_device
from semanticgan.encoder_files import LoadedEncoder, load_encoder
from semanticgan.errors import InputError, unknown_name
from semanticgan.face_points import FacePoints
from semanticgan.formats.weights import open_weights
from semanticgan.latents import LatentCode, swap, truncate
from semanticgan.networks.config import LatentConfig
from semanticgan.networks.generator import Generator
from semanticgan.networks.latent_generator import LatentGenerator
from semanticgan.networks.noise import Noise, noise_maps
from semanticgan.regions import RegionScheme
from semanticgan.rendering import Rendering, is_finite, require_finite_rendering
from semanticgan.rows import Layers, Regions, Rows
from semanticgan.seeds import following, require_seed, require_seeds, stream
from semanticgan.tuning_files import read_tuning
from semanticgan.wrong_arguments import finite_number, require_dense, require_type, shown, whole_number

if TYPE_CHECKING:
    from semanticgan.directions.collection import Directions
    from semanticgan.editing.session import EditingSession
    from semanticgan.inversion.inversion import Inversion

ROUNDING: Mapping[str, int] = MappingProxyType({"float32": 1, "bfloat16": 6})
"""Precision -> how many of 255 levels a pixel may differ between batch sizes, numbers of threads and processors.

Arithmetic in another order rounds differently. Measured with both bundled models, 40 seeds, batches of 1 to 8, and 1 or
2 threads: in float32 at most 0.003 levels before rounding, which moves 1 value in 25,000 by one level; in bfloat16 at
most 3 levels.
"""

DEFAULT_BATCH_SIZE = 4

_MOST_CODES = 1_000_000


def load(
    name_or_path: str | Path | None = None, device: torch.device | str = "auto", tuning: str | Path | None = None
) -> Model:
    """Open a model. Its parameters are frozen: gradients, where asked for, are those of codes and noise.

    Args:
        name_or_path: a bundled or released model's name, a ``.safetensors`` file, or the folder of a run or of one of
            its states; None is the bundled default. A file of an encoder gives an :class:`EncoderModel`.
        device: "auto" (CUDA, else MPS, else CPU), "cpu", "cuda" or "mps".
        tuning: a file of ``save_tuning``, whose differences are added to the weights.

    Raises:
        InputError: an unknown name or device, a missing or damaged file, no network for a released model, or a tuning
            of another model.
    """
    from semanticgan.registry import resolve

    if name_or_path is not None and not isinstance(name_or_path, (str, os.PathLike)):
        raise InputError(f"a model is a name or the path of a file, got {shown(name_or_path)}.")
    chosen = choose_device(device)
    path = resolve(name_or_path)
    if open_weights(path).metadata.get("format") == encoder_files.FORMAT:
        return EncoderModel(load_encoder(path), chosen)
    loaded = load_model(path)
    return Model(loaded if tuning is None else read_tuning(tuning).added_to(loaded), chosen)


class Model(Autoencoding):
    """A generator with the names of its rows. A StyleALAE also encodes: :class:`Autoencoding`.

    Args:
        loaded: what :func:`semanticgan.checkpoint.load_model` returns.
        device: where the generator goes.
        rows: the rows of its codes; None for those of its regions.

    Attributes:
        generator: the network, in eval mode, its parameters frozen. For training:
            ``copy.deepcopy(model.generator).requires_grad_()``.
        rows: the rows of its codes, such as ``base.0``, ``hair.structure``, ``hair.texture``.
        config: its numbers.
        metadata: what its file says: description, training figures, licences.
    """

    def __init__(self, loaded: LoadedModel, device: torch.device | str = "cpu", rows: Rows | None = None) -> None:
        require_type("a model", loaded, LoadedModel, "made of what load_model returns; sg.load() opens one")
        self.generator: LatentGenerator = loaded.generator.eval().requires_grad_(False).to(device)
        self.config: LatentConfig = loaded.generator.config
        self.metadata: ModelMetadata = loaded.metadata
        self.rows = self.metadata.rows if rows is None else rows

    def __repr__(self) -> str:
        description, device = self.metadata.description, str(self.device)
        scheme = self.rows.regions
        parts = f"num_layers={len(self.rows)}" if scheme is None else f"num_regions={len(scheme)}"
        return f"Model({description!r}, size={self.size}, {parts}, device={device!r})"

    @property
    def regions(self) -> RegionScheme:
        """The regions of its pictures.

        Raises:
            InputError: a layered model, which has none.
        """
        return self.rows.require_regions()

    @property
    def regional(self) -> Generator:
        """The generator, of a model of regions.

        Raises:
            InputError: a layered model, which has no local generators.
        """
        if not isinstance(self.generator, Generator):
            raise InputError(f"{self.metadata.description} has layers, not regions. Use a model of regions for this.")
        return self.generator

    @property
    def size(self) -> int:
        """S, the side of a picture in pixels."""
        return self.generator.picture_size

    @property
    def alignment(self) -> FacePoints | None:
        """Where faces lie in its pictures, five points as shares of the side; None where the file does not say."""
        return self.metadata.alignment

    @functools.cached_property
    def directions(self) -> Directions:
        """Its directions by name, ``model.directions["smile"]`` for :func:`semanticgan.move`: those in the package."""
        from semanticgan.directions.collection import of_model

        return of_model(self)

    @property
    def device(self) -> torch.device:
        return self.generator.mean_latent.device

    def to(self, device: torch.device | str) -> Model:
        """Move the generator to a device, as ``load`` names them; returns this model."""
        self.generator.to(choose_device(device))
        return self

    @property
    def mean(self) -> LatentCode:
        """The code of one image whose every row is w-bar, the mean of w, or the mean of that row."""
        return LatentCode(self.generator.mean_latent.expand(len(self.rows), -1)[None].clone(), self.rows)

    def code(self, w: Tensor) -> LatentCode:
        """The plain latent code of w, in which every row is w. z is not w: ``model.generator.map(z)`` makes w of it.

        Args:
            w: [N, D] or [D].

        Raises:
            InputError: another shape.
        """
        width = self.config.style_dim
        require_type("w", w, Tensor, f"a torch.Tensor [N, {width}]")
        if w.ndim not in (1, 2) or w.shape[-1] != width:
            raise InputError(f"w has the shape [N, {width}] or [{width}] here, got {list(w.shape)}.")
        w = w[None] if w.ndim == 1 else w
        return LatentCode.from_w(w.to(self.device), self.rows)

    @torch.no_grad()
    def sample(
        self,
        seed: int | None = None,
        *,
        n: int | None = None,
        seeds: Sequence[int] | None = None,
        truncation: float = 1.0,
    ) -> LatentCode:
        """Random latent codes, each a function of its seed alone.

        Args:
            seed: for one code, or with ``n`` the first of several; 0 to 2^63 - 1.
            n: that many codes, of the seeds ``seed``, ``seed + 1``, ..., ``seed + n - 1``. Without ``seed`` from 0 on.
            seeds: for several codes, one seed each.
            truncation: psi; w-bar + psi (w - w-bar).

        Raises:
            InputError: none of ``seed``, ``n`` and ``seeds``, ``seeds`` together with another, or a seed that is no
                whole number from 0 to 2^63 - 1.
        """
        if seeds is None and n is not None:
            first = 0 if seed is None else require_seed(seed)
            count = whole_number("n", n, 1, _MOST_CODES)
            seeds, seed = [following(first, index) for index in range(count)], None
        elif n is not None or (seed is None) == (seeds is None):
            raise InputError("give either seed=3 or seeds=[3, 4, ...]; n=8 goes with seed.")
        chosen = require_seeds([seed] if seeds is None else seeds)
        truncation = finite_number("truncation", truncation)
        # Mapped one by one: a matrix product may round differently in a larger batch.
        w = torch.cat([self.generator.map(self._draw(number).to(self.generator.mean_latent)) for number in chosen])
        return truncate(self.code(w), self.generator.mean_latent, truncation)

    def _draw(self, seed: int) -> Tensor:
        """z [1, D], drawn on the CPU so that it is the same on every device."""
        return torch.randn(1, self.generator.latent_dim, generator=stream(seed))

    def edit(
        self,
        code: LatentCode,
        regions: Regions | None = None,
        reference: LatentCode | int | None = None,
        what: str = "both",
        include_base: bool = False,
        layers: Layers | None = None,
    ) -> LatentCode:
        """``code`` with regions or layers taken from another code, or from the sample of a seed.

        Args:
            code: a code of this model.
            regions: names or aliases, such as "hair" or ["hair", "mouth"].
            reference: a code of this model, or a seed.
            what: "structure", "texture" or "both" of these regions.
            include_base: take the base rows too.
            layers: of a layered model, such as "0-3": ``model.edit(code, reference=8, layers="0-3")``.

        Raises:
            InputError: nothing chosen, an unknown region, layer or ``what``, or codes that do not fit each other.
        """
        source = reference if isinstance(reference, LatentCode) else self.sample(seed=reference)
        return swap(code, source, regions, what, include_base, layers)

    def render(
        self,
        code: LatentCode | Tensor,
        noise: Noise = "fixed",
        *,
        batch_size: int = DEFAULT_BATCH_SIZE,
        visible: Tensor | None = None,
        coordinates: Tensor | None = None,
        precision: str = "float32",
        gradients: bool = False,
    ) -> Rendering:
        """Render codes, ``batch_size`` images at a time.

        Args:
            code: a latent code, or a tensor w [N, D], never z, [N, B + 2K, D] or expanded [N, K L, D].
            noise: "fixed", "random", a torch.Generator (drawn image by image, so ``batch_size`` does not matter), or
                maps [1 or N, 1, h, w], one a 3x3 convolution of the renderer.
            batch_size: images at a time; bounds the memory. The result is the same up to :data:`ROUNDING`.
            visible: [N, K] of 0/1 keeps only some regions.
            coordinates: [N, K, s, s, 2] where each region's local generator is evaluated.
            precision: "float32", or "bfloat16" by autocast: about twice as fast, within a few grey levels.
            gradients: keep the graph, so that a loss on the rendering has gradients with respect to the code, noise
                maps and coordinates, where they require them: ``code.tensor.requires_grad_()``. Without it there is
                no graph.

        Returns:
            ``image`` [N, 3, S, S], ``segmentation`` [N, K, S, S], ``coarse_segmentation`` and ``depth`` [N, K, s, s],
            tensors on the model's device, float32 as its parameters; in float64 after ``model.generator.double()``.

        Raises:
            InputError: a code of other regions, a shape, precision or batch size that does not fit, or a code or
                picture that is not finite.
        """
        if not isinstance(precision, str) or precision not in PRECISIONS:
            raise unknown_name("precision", str(precision), PRECISIONS)
        batch_size = whole_number("batch_size", batch_size, 1)
        latents = self._latents(code)
        num_images = latents.shape[0]
        of_regions: dict[str, Tensor] = {}  # what only the generator of a model of regions takes
        if visible is not None or coordinates is not None:
            sizes = self.regional.config
            grid = (num_images, sizes.num_regions, sizes.coarse_size, sizes.coarse_size, 2)
            given = {"visible": (visible, grid[:2]), "coordinates": (coordinates, grid)}
            of_regions = {name: self._per_image(name, *of) for name, of in given.items() if of[0] is not None}
        maps = self._noise(noise, num_images)

        parts: list[Rendering] = []
        for start in range(0, num_images, batch_size):
            batch = slice(start, start + batch_size)
            batch_noise = maps if isinstance(maps, str) else [m[batch] if len(m) > 1 else m for m in maps]
            # not inference_mode: what it returns could not be changed in place or enter a graph
            with torch.set_grad_enabled(gradients), self._autocast(precision):
                arguments = {name: value[batch] for name, value in of_regions.items()}
                parts.append(self.generator(latents[batch], batch_noise, **arguments))
        for part in parts:
            require_finite_rendering(part, latents)
        if len(parts) == 1:
            return parts[0]
        names = [field.name for field in dataclasses.fields(Rendering)]
        return Rendering(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})

    def invert(self, source: Any, method: str = "auto", **options: Any) -> Inversion:
        """The latent code of a photograph: its face found, aligned, and inverted.

        Args:
            source: the path of a photograph of any size, a PIL image, uint8 [H, W, 3], or an aligned picture
                [1, 3, S, S] in [-1, 1].
            method: "encoder" (0.2 s at 64 pixels on a CPU), "optimise" (20 s), "tune" (more), or "auto".
            **options: of :func:`semanticgan.inversion.inversion.invert`: ``face``, ``landmarks``, ``aligned``,
                ``encoder``, ``steps``, ``progress``.

        Returns:
            ``code``, ``rendering``, ``alignment``, ``figures``; its ``paste`` puts an edit back into the photograph.

        Raises:
            InputError: an unreadable source, no face in it, or an unknown method.
        """
        from semanticgan.inversion.inversion import invert

        return invert(self, source, method, **options)

    def session(self, precision: str = "float32", keep_maps: bool = True, tolerance: float = 0.0) -> EditingSession:
        """For rendering one code again and again while its regions are edited; a layered model has none.

        Args: as of :class:`semanticgan.editing.session.EditingSession`.
        """
        from semanticgan.editing.session import EditingSession

        return EditingSession(self, precision, keep_maps, tolerance)

    def _latents(self, code: LatentCode | Tensor) -> Tensor:
        if isinstance(code, LatentCode):
            if code.rows.names != self.rows.names:
                raise InputError(f"the code has {code.rows}; this model has {self.rows}. Use a code of this model.")
            code = code.tensor
        require_type("what is rendered", code, Tensor, "a LatentCode or a torch.Tensor, such as model.sample(seed=3)")
        require_dense("what is rendered", code, self.device.type == "meta")
        if code.ndim not in (2, 3) or not code.shape[0] or code.is_complex():
            raise InputError(f"latents of at least one image are needed, got {code.dtype} {list(code.shape)}.")
        if not code.is_floating_point():
            raise InputError(f"latents are floating numbers, got {code.dtype}. Convert them: code.float().")
        latents = code.to(self.generator.mean_latent)
        if not is_finite(latents):
            raise InputError("the latent code holds numbers that are not finite in float32. Use another code.")
        self.generator.expand(latents)  # refuses what does not fit before anything is computed
        return latents

    def _per_image(self, name: str, value: Any, shape: tuple[int, ...]) -> Tensor:
        require_type(name, value, Tensor, f"a torch.Tensor {list(shape)}")
        if tuple(value.shape) != shape or value.is_complex():
            raise InputError(f"{name} has the shape {list(shape)} here, got {list(value.shape)}.")
        given: Tensor = value.to(self.generator.mean_latent)
        return given

    def _noise(self, noise: Noise, num_images: int) -> str | list[Tensor]:
        return noise_maps(noise, num_images, self.generator.noise_sides, self.generator.mean_latent)

    def _autocast(self, precision: str) -> contextlib.AbstractContextManager[object]:
        if precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


class EncoderModel(Model):
    """A file of an encoder, which has no generator: sampling and rendering raise InputError.

    Attributes:
        encoder: the network, [N, 6, S, S] (picture, reconstruction) -> [N, R, D], the change of the code.
        loaded: what the file holds.
    """

    def __init__(self, loaded: LoadedEncoder, device: torch.device | str = "cpu") -> None:
        self.encoder = loaded.encoder.to(device)
        self.loaded, self.rows = loaded, loaded.rows

    def __repr__(self) -> str:
        return f"EncoderModel({self.loaded.description!r}, size={self.size}, {self.rows.counted})"

    def __getattr__(self, name: str) -> Any:
        if name in ("generator", "config", "metadata"):
            raise InputError(
                f"the file holds an encoder ({self.loaded.description}), which has no {name}. Open the model that it "
                "belongs to; the encoder is given as encoder=FILE of model.invert."
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def size(self) -> int:
        """S, the side of the pictures that it looks at."""
        return self.loaded.size
