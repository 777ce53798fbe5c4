"""What noise alone changes: one code with several draws of the convolutions' noise (arXiv 1812.04948, Section 3.2).

The deviation picture shows where noise has an effect (Figures 4 and 5). Of N draws x_1 .. x_N, at each pixel::

    d = mean over channels of  sqrt( sum_i (x_i - mean x)^2 / (N - 1) )

Shape legend: N draws, S side of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from semanticgan.editing.sheets import draw_sheet
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.seeds import stream
from semanticgan.wrong_arguments import whole_number

_STREAM = 1  # of the noise; without a part a seed's stream is that of its code


@dataclass(frozen=True, eq=False)
class NoiseDraws:
    """Pictures of one code that differ in their noise alone.

    Attributes:
        pictures: one a draw.
        deviation: float64 [S, S] in levels of 0..255, on the CPU.
    """

    pictures: tuple[Image.Image, ...]
    deviation: Tensor

    @property
    def largest(self) -> float:
        """The largest deviation, in levels of 0..255."""
        return float(self.deviation.max())

    def deviation_picture(self) -> Image.Image:
        """The deviation in grey, white at its largest value; black where noise changes nothing."""
        levels = self.deviation * (255.0 / self.largest if self.largest else 0.0)
        return Image.fromarray(levels.round().to(torch.uint8).numpy().astype(np.uint8))

    def row(self, title: str) -> Image.Image:
        """The draws side by side, then the deviation."""
        names = [*(f"draw {number}" for number in range(1, len(self.pictures) + 1)), "deviation"]
        caption = f"deviation over the draws: white at {self.largest:.2f} of 255 levels"
        return draw_sheet([[*self.pictures, self.deviation_picture()]], names, title=title, caption=caption)


def require_noise(model: Model) -> None:
    """Raises: InputError: the model has no noise, as PGGAN."""
    if not model.generator.noise_sides:
        raise InputError(
            f"{model.metadata.description!r} has no noise: each code has one picture. Leave --noise random out, or "
            "give another model."
        )


def draw_noise(model: Model, code: LatentCode, count: int, seed: int = 0) -> NoiseDraws:
    """Render one code with several draws of noise.

    Args:
        model: one with noise.
        code: of one image.
        count: N, 2 or more.
        seed: of the draws; the first draws do not depend on how many follow.

    Raises:
        InputError: a model without noise, a code of several images, or fewer than two draws.
    """
    require_noise(model)
    count = whole_number("count", count, 2)
    if len(code) != 1:
        raise InputError(f"noise is drawn for the code of one image, got {len(code)}. Give one, such as code[0].")
    rendering = model.render(LatentCode.cat([code] * count), noise=stream(seed, _STREAM))
    levels = rendering.image.double().cpu().clamp(-1.0, 1.0) * 127.5
    return NoiseDraws(tuple(rendering.to_pil()), levels.std(0).mean(0))
