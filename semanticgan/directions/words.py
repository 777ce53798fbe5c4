"""Regions edited by text: rows of a code are optimised until CLIP finds the rendering nearer to the text.

For a code w_0, its rendering G(w_0) and some rows of some regions, with E_I and E_T CLIP's unit embeddings::

    L = (1 - E_I(G(w)) . E_T(text)) + a mean over outside pixels of (G(w) - G(w_0))^2 + b |v|^2 / D

A pixel is outside where neither G(w_0) nor G(w) shows the regions, so that hair may grow. ``|v|^2 / D`` is the squared
Mahalanobis distance of the optimised rows from where mapped codes lie (``inversion/distribution.py``). All other rows
stay as they are. Steps, rates and ending are those of an inversion (``inversion/search.py``).

(Latent optimisation of StyleCLIP, Patashnik et al. 2021, arXiv 2103.17249, Section 4, with a region's rows in place of
all layers, and pixels outside the region in place of a face recognition network.)

Published weights of CLIP could not be had where this was written. It was run with a small CLIP of random weights only:
that shows that the similarity rises and that the rest stays, not that the pictures follow the words. The weights of the
terms and the steps are not tuned. Measured on ``portraits-64`` with that CLIP, 40 steps of hair.texture: the picture
changes by 23 levels of 255 inside the hair, by 0.6 to 0.8 outside.

Shape legend: N images, K regions, R rows of a code, D style width, S side of the picture, E width of CLIP's embedding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from semanticgan.directions.clip import Clip, open_clip_network, require_clip
from semanticgan.editing.compositing import region_mask
from semanticgan.editing.regions import EditResult, edit
from semanticgan.inversion.distribution import CodeDistribution, measure_distribution
from semanticgan.inversion.search import Search, Settings, run
from semanticgan.latents import LatentCode, require_codes
from semanticgan.model import Model
from semanticgan.progress import Progress, to_progress
from semanticgan.rendering import Rendering
from semanticgan.rows import Regions
from semanticgan.wrong_arguments import finite_number, require_names, require_type, whole_number

OUTSIDE, PRIOR = 2.0, 0.02
"""Weights a and b, those of pixels and prior of an inversion."""

SETTINGS = Settings(steps=100, rate=0.1)
"""Steps and rate."""


@dataclass(frozen=True, eq=False)
class TextEdit:
    """Codes of N images after an edit by text.

    Attributes:
        code: the edited codes.
        text: the words.
        before: cosine of CLIP's embeddings of the text and of the rendering before, [N] in [-1, 1].
        after: the same after the edit.
        result: renderings before and after, and where the regions are; ``result.change()`` has the mean absolute
            change outside and inside in levels of 0..255.
        steps: steps made, of each image.
    """

    code: LatentCode
    text: str
    before: Tensor
    after: Tensor
    result: EditResult
    steps: tuple[int, ...]

    @property
    def change_outside(self) -> Tensor:
        """Mean absolute change outside the regions, in levels of 0..255, float64 [N]."""
        return self.result.change().outside


def edit_by_text(
    model: Model,
    code: LatentCode,
    text: str,
    regions: Regions,
    what: str = "both",
    clip: Clip | None = None,
    *,
    include_base: bool = False,
    outside: float = OUTSIDE,
    prior: float = PRIOR,
    steps: int | None = None,
    settings: Settings = SETTINGS,
    progress: Progress | bool = False,
) -> TextEdit:
    """Move rows of some regions such that the renderings agree better with a text.

    Args:
        model: of regions.
        code: of N images.
        text: what the pictures are to show, such as "a portrait of a person with red hair".
        regions: names or aliases.
        what: "structure", "texture" or "both" of these regions.
        clip: None opens the default network, whose weights must be on this machine.
        include_base: move the base rows too.
        outside: weight a of the change outside the regions.
        prior: weight b.
        steps: at most; None is that of the settings.
        settings: rate and ending of the search; the weights of an inversion in them are not used.
        progress: bar, report and cancel.

    Raises:
        InputError: an unknown region, a model of layers, no text, or CLIP is not here.
        Cancelled: by ``progress``.
    """
    require_type("model", model, Model, "a Model, such as sg.load()")
    (code,) = require_codes([code])
    regions = require_names(regions)
    rows = model.rows.indices(regions, what, include_base)
    clip = open_clip_network(device=model.device) if clip is None else require_clip(clip)
    settings = settings if steps is None else replace(settings, steps=whole_number("steps", steps, 1))
    code = LatentCode(code.tensor.to(model.generator.mean_latent), code.rows)
    before, distribution = model.render(code), measure_distribution(model)
    weights = {"text": 1.0, "outside": finite_number("outside", outside), "prior": finite_number("prior", prior)}
    labels = model.regions.indices(regions)
    objective = TextTerms(
        before.image, before.labels(), clip.of_text(text), clip, labels, tuple(rows), distribution, weights
    )
    searches = {index: Search(one, [], distribution, settings, rows) for index, one in enumerate(code.tensor)}
    with to_progress(progress).steps("edit by text", settings.steps, unit="step") as step:
        run(model, searches, objective, step)
    found = LatentCode(torch.cat([search.code() for search in searches.values()]).detach(), code.rows)
    result = edit(model, code, found, regions)
    with torch.no_grad():
        nearer = [clip.similarity(rendering.image, text) for rendering in (result.source, result.result)]
    return TextEdit(found, text, nearer[0], nearer[1], result, tuple(search.taken for search in searches.values()))


@dataclass(frozen=True, eq=False)
class TextTerms:
    """What an edit by text makes small, for each of N images by itself.

    Attributes:
        pictures: before the edit, [N, 3, S, S].
        labels: region of each pixel before the edit, uint8 [N, S, S].
        wanted: unit embedding of the text, [1, E].
        clip: what embeds the renderings.
        regions: labels of the regions that may change.
        rows: numbers of the rows that are optimised.
        distribution: where w lies.
        weights: of the terms "text", "outside" and "prior".
    """

    pictures: Tensor
    labels: Tensor
    wanted: Tensor
    clip: Clip
    regions: tuple[int, ...]
    rows: tuple[int, ...]
    distribution: CodeDistribution
    weights: dict[str, float]

    def __getitem__(self, chosen: list[int]) -> TextTerms:
        """Those of some of the images."""
        return replace(self, pictures=self.pictures[chosen], labels=self.labels[chosen])

    def terms(self, rendering: Rendering, codes: Tensor) -> dict[str, Tensor]:
        """Each term before its weight, [N], of the renderings of codes [N, R, D]."""
        seen = region_mask(self.labels, self.regions) | region_mask(rendering.labels(), self.regions)
        outside = (~seen).float()[:, None]  # [N, 1, S, S]
        change = ((rendering.image - self.pictures).square() * outside).sum((1, 2, 3))
        return {
            "text": 1.0 - self.clip.of_pictures(rendering.image) @ self.wanted[0],
            "outside": change / (3.0 * outside.sum((1, 2, 3))).clamp(min=1.0),
            "prior": self.distribution.distance(codes[:, list(self.rows)]),
        }

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """The weighted sum of the terms, [N]."""
        return torch.stack([self.weights[name] * value for name, value in terms.items()]).sum(0)
