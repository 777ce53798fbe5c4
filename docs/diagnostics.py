"""Two observations of the StyleGAN papers as numbers: droplets in feature maps, and details that stay in place.

Droplets (arXiv 1912.04958, Section 2, Figure 1): with AdaIN a generator puts a spot of huge magnitude into its maps,
with demodulation it does not. Per layer, the mean over images of::

    max_hw |x_hw| / median_hw |x_hw|,   |x_hw| the norm over the channels

Details that stay (arXiv 1912.04958, Section 4, Figure 6): a generator that grew prefers places for teeth and eyes that
do not follow the head. Codes are moved along the direction of yaw, and yaw and the centres of regions are read from the
pictures. With slopes by least squares over the steps of each image::

    shift = d(mouth's x) / d(yaw) - d(face's x) / d(yaw),   in shares of the picture's side per degree

which is compared with the same number of drawn portraits, whose mouths follow exactly.

Shape legend: N images, C channels, H W sides of a map, D style width.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from semanticgan.data.portraits import PortraitDataset
from semanticgan.errors import InputError
from semanticgan.model import Model
from semanticgan.perception.classifier import AttributeClassifier
from semanticgan.perception.parser import FaceParser
from semanticgan.rendering import Rendering

_BATCH = 32
_RIDGE = 1e-3  # of the mean variance, added to the covariance of w


def peak_over_median(features: Tensor) -> Tensor:
    """Largest over median magnitude of maps [N, C, H, W], mean over the images, a number."""
    magnitude = features.detach().float().norm(dim=1).flatten(1)  # [N, H W]
    return (magnitude.amax(1) / magnitude.median(1).values.clamp(min=1e-12)).mean()


@torch.no_grad()
def droplets(model: Model, num_samples: int = 32) -> dict[str, float]:
    """:func:`peak_over_median` of what each block of a layered generator puts out.

    Args:
        model: of layers, with ``generator.blocks``.
        num_samples: codes of seeds 0, 1, ...

    Returns:
        Side of the maps, as text -> number.

    Raises:
        InputError: a model of regions.
    """
    blocks = getattr(model.generator, "blocks", None)
    if not isinstance(blocks, nn.ModuleList):
        raise InputError(f"{model.metadata.description} has no blocks of layers. Give a layered model.")
    found: dict[str, float] = {}

    def seen(block: nn.Module, given: object, features: Tensor) -> None:
        found[str(features.shape[-1])] = float(peak_over_median(features))

    hooks = [block.register_forward_hook(seen) for block in blocks]
    try:
        model.render(model.sample(seeds=range(num_samples)), batch_size=num_samples)
    finally:
        for hook in hooks:
            hook.remove()
    return found


@torch.no_grad()
def yaw_direction(model: Model, classifier: AttributeClassifier, num_samples: int = 1000) -> Tensor:
    """How w changes on average where a classifier reads one degree more of yaw, [D].

    With the least squares fit yaw = a w + b over random codes and C the covariance of w it is C a / (a C a): of all
    steps that change the fit by 1 the one that is most likely among the codes.
    """
    code = model.sample(seeds=range(num_samples))
    w = code.tensor[:, 0].double().cpu()
    yaw = _yaw(classifier, model.render(code, batch_size=_BATCH)).double()
    centred = w - w.mean(0)
    covariance = centred.T @ centred / len(w)
    ridge = _RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance), dtype=torch.float64)
    fit = torch.linalg.solve(covariance + ridge, centred.T @ (yaw - yaw.mean()) / len(w))
    return (covariance @ fit / (fit @ covariance @ fit)).float()


@torch.no_grad()
def shift_along_yaw(
    model: Model,
    classifier: AttributeClassifier,
    parser: FaceParser,
    *,
    steps: Sequence[float] = (-20.0, -10.0, 0.0, 10.0, 20.0),
    num_samples: int = 64,
    num_fitted: int = 1000,
) -> float:
    """How far the mouth moves within the face per degree of yaw, in shares of the side.

    Args:
        model: of portraits.
        classifier: reads yaw.
        parser: reads where face and mouth are.
        steps: along the direction, in degrees.
        num_samples: codes of seeds 0, 1, ...
        num_fitted: codes that the direction is fitted to.
    """
    direction = yaw_direction(model, classifier, num_fitted).to(model.device)
    w = model.sample(seeds=range(num_samples)).tensor[:, 0]
    renderings = [model.render(w + step * direction, batch_size=_BATCH) for step in steps]
    yaw = np.stack([_yaw(classifier, rendering).double().numpy() for rendering in renderings])
    labels = [parser.labels(rendering.to_uint8()) for rendering in renderings]
    mouth, face = (np.stack([centres(shown, parser, name) for shown in labels]) for name in ("mouth", "face"))
    return slope(yaw, mouth) - slope(yaw, face)


def shift_in_portraits(dataset: PortraitDataset, parser: FaceParser, num_pictures: int = 1000) -> float:
    """The same of drawn portraits, which are not steps of each other: yaw is their record's."""
    indices = range(min(num_pictures, len(dataset)))
    yaw = np.array([[dataset.attributes(index).yaw for index in indices]]).T
    labels = parser.labels(torch.stack([dataset[index].image for index in indices]))
    mouth, face = (centres(labels, parser, name)[:, None] for name in ("mouth", "face"))
    return slope(yaw, mouth) - slope(yaw, face)


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """Least squares slope of y over x, [steps, images], with a constant of its own for each image; NaN is left out."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = (np.where(known, values, np.nan)[:, known.any(0)] for values in (x, y))
    x, y = (values - np.nanmean(values, 0) for values in (x, y))
    return float(np.nansum(x * y) / np.nansum(x * x))


def centres(labels: Tensor, parser: FaceParser, region: str) -> np.ndarray:
    """Mean x of a region's pixels in labels [N, H, W], in shares of the side, float64 [N]; NaN where it is not seen."""
    masks = (labels == parser.regions.indices([region])[0]).double().cpu()
    places = (torch.arange(labels.shape[-1], dtype=torch.float64) + 0.5) / labels.shape[-1]
    return ((masks.sum(1) * places).sum(1) / masks.sum((1, 2))).numpy()


def _yaw(classifier: AttributeClassifier, rendering: Rendering) -> Tensor:
    """In degrees, [N].

    Raises:
        InputError: a classifier that does not read it.
    """
    numbers = classifier.predict(rendering.to_uint8()).numbers
    if "yaw" not in numbers:
        raise InputError(f"the classifier reads {', '.join(numbers) or 'no numbers'}, no yaw. Give attributes-64.")
    return numbers["yaw"]
