"""What an inversion makes small, for each picture by itself.

For a picture x with labels y, a rendering G and its code w::

    pixel          mean (G.image - x)^2
    perceptual     distance(G.image, x)
    segmentation   1 - mean over regions of the Dice coefficient of G.segmentation and y
    masks          cross-entropy of the coarse masks and y, a point weighed by one over the root of its region's area
    prior          mean over rows of |v|^2 / D (inversion/distribution.py), or mean (w - w-bar)^2

The sum over the pictures is what gradients are taken of, so that no picture's result depends on the others.

Shape legend: N pictures, K regions, R rows of a code, D style width, S side of the picture, s side of the coarse grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from semanticgan.errors import InputError
from semanticgan.inversion.distribution import CodeDistribution
from semanticgan.inversion.region_reading import read_labels
from semanticgan.model import Model
from semanticgan.networks.layers import average_pool_to
from semanticgan.perception.perceptual import Distance, open_distance
from semanticgan.rendering import Rendering
from semanticgan.wrong_arguments import require_type

_ADDED_PIXELS = 4.0  # to the sizes of regions that are divided by, so that one of a pixel or two weighs little


@dataclass(frozen=True)
class Weights:
    """How much each term counts; a term of weight 0 is not computed.

    The defaults were measured on photographs of 64 pixels, after swaps of hair, eyes and mouth. With a tenth of the
    weight of segmentation and masks, glasses are missing and swaps change twice as much outside their region.

    Attributes:
        pixel: mean squared error.
        perceptual: perceptual distance, where one is given.
        segmentation: Dice of the segmentation and the labels, where there are labels.
        masks: cross-entropy of the coarse masks and the labels.
        prior: distance of the rows from where w lies.
        mean_prior: mean squared difference of the rows and w-bar.
    """

    pixel: float = 2.0
    perceptual: float = 1.0
    segmentation: float = 1.0
    masks: float = 0.2
    prior: float = 0.02
    mean_prior: float = 0.0


@dataclass(frozen=True, eq=False)
class Objective:
    """The terms of some pictures.

    Attributes:
        pictures: [N, 3, S, S] in [-1, 1].
        labels: one-hot [N, K, S, S], or None.
        distance: perceptual distance, or None.
        distribution: where w lies.
        mean: w-bar, [D].
        weights: of the terms.
    """

    pictures: Tensor
    labels: Tensor | None
    distance: Distance | None
    distribution: CodeDistribution
    mean: Tensor
    weights: Weights

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, chosen: list[int]) -> Objective:
        """That of some of the pictures."""
        labels = None if self.labels is None else self.labels[chosen]
        return Objective(self.pictures[chosen], labels, self.distance, self.distribution, self.mean, self.weights)

    def terms(self, rendering: Rendering, codes: Tensor) -> dict[str, Tensor]:
        """Each term before its weight, [N].

        Args:
            rendering: of the N codes.
            codes: [N, R, D].
        """
        weights, distance, labels = self.weights, self.distance, self.labels
        ways: dict[str, Callable[[], Tensor]] = {
            "pixel": lambda: (rendering.image - self.pictures).square().mean((1, 2, 3)),
            "prior": lambda: self.distribution.distance(codes),
            "mean_prior": lambda: (codes - self.mean).square().mean((1, 2)),
        }
        if distance is not None:
            ways["perceptual"] = lambda: distance(rendering.image, self.pictures)
        if labels is not None:
            ways["segmentation"] = lambda: segmentation_loss(rendering.segmentation, labels)
            ways["masks"] = lambda: masks_loss(rendering.depth, labels)
        return {name: way() for name, way in ways.items() if getattr(weights, name)}

    def figures(self, rendering: Rendering, codes: Tensor) -> list[dict[str, float]]:
        """Of each picture: "mse" and "psnr" (in decibels) of the rendering cut to [-1, 1], and each term."""
        errors = (rendering.image.clamp(-1, 1) - self.pictures).square().mean((1, 2, 3)).double()
        values = {"mse": errors, "psnr": 10 * (4 / errors.clamp(min=1e-12)).log10(), **self.terms(rendering, codes)}
        return [{name: float(value[place]) for name, value in values.items()} for place in range(len(self))]

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """The weighted sum of the terms, [N]."""
        return torch.stack([getattr(self.weights, name) * value for name, value in terms.items()]).sum(0)


def objective_of(
    model: Model,
    pictures: Tensor,
    labels: Tensor | str | None,
    distance: Distance | str | None,
    distribution: CodeDistribution,
    weights: Weights,
) -> Objective:
    """The objective of pictures of a model; arguments as of :func:`semanticgan.inversion.optimise.optimise`.

    Raises:
        InputError: pictures or labels that do not fit.
    """
    pictures = require_targets(model, pictures)
    side = model.size
    if isinstance(labels, str):
        labels = read_labels(model, pictures)
    if labels is not None:
        require_type("labels", labels, Tensor, f"whole numbers [{len(pictures)}, {side}, {side}]")
        if labels.ndim != 3 or len(labels) != len(pictures) or labels.is_floating_point():
            raise InputError(
                f"labels are whole numbers [{len(pictures)}, {side}, {side}] here, got {labels.dtype} "
                f"{list(labels.shape)}."
            )
        labels = one_hot(resized_labels(labels, side), len(model.regions)).to(pictures.device)
    distance = chosen_distance(model, distance)
    return Objective(pictures, labels, distance, distribution, model.generator.mean_latent, weights)


def require_targets(model: Model, pictures: Tensor) -> Tensor:
    """Pictures [N, 3, S, S] on the model's device, without a graph.

    Raises:
        InputError: another type or shape, or values that are not finite.
    """
    side = model.size
    require_type("pictures", pictures, Tensor, f"a torch.Tensor [N, 3, {side}, {side}] in [-1, 1]")
    if pictures.ndim != 4 or tuple(pictures.shape[1:]) != (3, side, side) or not len(pictures):
        raise InputError(f"pictures of this model have the shape [N, 3, {side}, {side}], got {list(pictures.shape)}.")
    if not pictures.is_floating_point() or not bool(torch.isfinite(pictures).all()):
        raise InputError("pictures are finite floating numbers in [-1, 1]: pictures.float() / 127.5 - 1 of uint8.")
    return pictures.detach().to(model.generator.mean_latent)


def chosen_distance(model: Model, distance: Distance | str | None) -> Distance | None:
    """The distance itself; of "auto" the Lite0 distance on the model's device, None where it is not installed."""
    if not isinstance(distance, str):
        return distance
    if distance != "auto":
        return open_distance(distance, device=model.device)
    try:
        return open_distance("lite0:128", device=model.device)
    except InputError:
        return None


def one_hot(labels: Tensor, num_regions: int) -> Tensor:
    """Labels [N, S, S] of any whole numbers -> float32 [N, K, S, S]; a label that is no region gives zeros."""
    return torch.stack([labels == region for region in range(num_regions)], dim=1).float()


def segmentation_loss(segmentation: Tensor, labels: Tensor) -> Tensor:
    """One minus the soft Dice coefficient (Milletari et al. 2016, arXiv 1606.04797), mean over regions, [N].

    Args:
        segmentation: [N, K, S, S], about [-1, 1].
        labels: [N, K, S, S] in [0, 1].
    """
    own = segmentation.float() / 2 + 0.5
    both = (own * labels).sum((2, 3))
    sizes = own.square().sum((2, 3)) + labels.square().sum((2, 3))
    return 1.0 - ((2.0 * both + _ADDED_PIXELS) / (sizes + _ADDED_PIXELS)).mean(1)


def masks_loss(depth: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the coarse masks, softmax of the pseudo-depths, and the labels, [N].

    Where a mask is nearly 0, so are the gradients of a segmentation loss, but not this one's.

    Args:
        depth: [N, K, s, s].
        labels: [N, K, S, S] in [0, 1], S a multiple of s.
    """
    wanted = average_pool_to(labels, depth.shape[-1])
    weight = wanted.sum((2, 3), keepdim=True).add(1.0).rsqrt() * wanted
    entropy = -(weight * depth.float().log_softmax(1)).sum((1, 2, 3))
    return entropy / weight.sum((1, 2, 3)).clamp(min=1e-6)


def resized_labels(labels: Tensor, side: int) -> Tensor:
    """Whole numbers [N, H, H] at the side of the model, [N, S, S], by the nearest pixel's label."""
    if labels.shape[-1] == side:
        return labels
    return functional.interpolate(labels[:, None].float(), size=(side, side), mode="nearest-exact")[:, 0].long()
