"""Rendering: what a generator puts out for N images.

Shape legend: N images, K regions, S side of the picture, s side of the coarse grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.formats.provenance import Mark, save_marked

if TYPE_CHECKING:
    from PIL import Image

_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_GENERATED = Mark("generated")


@dataclass(frozen=True, eq=False, repr=False)
class Rendering:
    """What the generator puts out for N images. A notebook shows the pictures.

    S is the side of the picture, s that of the coarse grid (``model.config.coarse_size``), K the number of regions, 0
    for a layered model. The tensors carry gradients only where they were asked for:
    ``model.render(code, gradients=True)``.

    Attributes:
        image: [N, 3, S, S] RGB, about [-1, 1].
        segmentation: [N, K, S, S], about [-1, 1], highest where a region is seen; :meth:`labels` is its argmax.
        coarse_segmentation: [N, K, s, s], 2m - 1 in [-1, 1], of the coarse masks m.
        depth: [N, K, s, s] pseudo-depths without unit; the background's is 0, larger is nearer.
    """

    image: Tensor
    segmentation: Tensor
    coarse_segmentation: Tensor
    depth: Tensor

    def __len__(self) -> int:
        return self.image.shape[0]

    def __eq__(self, other: object) -> bool:
        """The same numbers in all four tensors, on whatever devices they are."""
        if not isinstance(other, Rendering):
            return NotImplemented
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return all(torch.equal(own.detach().cpu(), given.detach().cpu()) for own, given in pairs)

    def __hash__(self) -> int:
        """Of what does not change when a tensor is changed in place: the shapes."""
        return hash((tuple(self.image.shape), tuple(self.segmentation.shape)))

    def __repr__(self) -> str:
        num_images, num_regions, size = self.segmentation.shape[:3]
        device = str(self.image.device)
        return f"Rendering(num_images={num_images}, size={size}, num_regions={num_regions}, device={device!r})"

    def _repr_png_(self) -> bytes:
        """What a notebook shows: the pictures, at most 16."""
        from semanticgan.notebook import pictures_png

        return pictures_png(self.to_pil())

    def labels(self) -> Tensor:
        """The region seen at each pixel, uint8 [N, S, S].

        Raises:
            InputError: a layered model's rendering, which has no regions.
        """
        if not self.segmentation.shape[1]:
            raise InputError("there are no regions in this rendering: its model is layered. Use a model of regions.")
        return self.segmentation.argmax(1).to(torch.uint8)

    def to_uint8(self) -> Tensor:
        """The pictures as uint8 [N, 3, S, S], 0..255."""
        return self.image.detach().float().add(1.0).mul(127.5).round().clamp(0.0, 255.0).to(torch.uint8)

    def to_pil(self) -> list[Image.Image]:
        """The pictures, one per image."""
        from PIL import Image

        return [Image.fromarray(picture.permute(1, 2, 0).cpu().numpy()) for picture in self.to_uint8()]

    def save(self, path: str | Path, overwrite: bool = False, mark: Mark | None = _GENERATED) -> None:
        """Write the picture; of several, one file each, numbered ``name-0.png``, ``name-1.png``, ...

        Args:
            path: a name in .png, .jpg, .jpeg or .webp; .png keeps the pixels as they are.
            overwrite: replace existing files.
            mark: what the file says of its making, in XMP; None writes none.

        Raises:
            InputError: another suffix.
            ExistingFileError: a file exists and ``overwrite`` is false; none is written then.
        """
        from semanticgan.files import require_free, user_path, written_aside

        path = user_path(path, "output")
        if path.suffix.lower() not in _PICTURE_SUFFIXES:
            raise InputError(
                f"output {str(path)!r} has the suffix {path.suffix!r}. Give a name in {', '.join(_PICTURE_SUFFIXES)}."
            )
        pictures = self.to_pil()
        paths = [path] if len(pictures) == 1 else [path.with_stem(f"{path.stem}-{i}") for i in range(len(pictures))]
        for target in paths:
            require_free(target, overwrite)
        for target, picture in zip(paths, pictures, strict=True):
            with written_aside(target, overwrite) as aside:
                save_marked(picture, aside, mark)


def require_finite_rendering(rendering: Rendering, latents: Tensor) -> None:
    """Raises: InputError: a picture or segmentation that is not finite; it would be shown black."""
    if is_finite(rendering.image) and is_finite(rendering.segmentation):
        return
    raise InputError(
        f"the picture of this code is not finite: the code's values go up to {float(latents.abs().max()):.3g}. "
        "Use a code, noise and coordinates near those of Model.sample."
    )


def is_finite(tensor: Tensor) -> bool:
    """Whether all numbers are; a meta tensor has none."""
    return tensor.is_meta or bool(torch.isfinite(tensor).all())


torch.export.register_dataclass(Rendering)  # so that torch.export knows what a generator returns
