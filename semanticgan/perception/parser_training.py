"""Training of a parser on pairs of pictures and label maps, and its scores on pairs that it did not see.

loss = CE(logits, labels) + 1 - mean over the K present regions of 2 sum p_k y_k / (sum p_k + sum y_k)

The second part is one minus the soft Dice coefficient over the batch, so that regions of a few pixels count as much as
large ones (Milletari et al. 2016, arXiv 1606.04797). Pairs are mirrored, moved, turned and recoloured a little.

Where pictures lie in order of their people, hardly anybody is both trained on and held out.

Shape legend: N pictures, K regions, S side of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.data.batches import batches
from semanticgan.data.cache import cached_if_small
from semanticgan.data.pairs import FirstPairs, PairDataset
from semanticgan.errors import InputError
from semanticgan.perception.fitting import fit, seeded
from semanticgan.perception.overlap import Overlap, overlap
from semanticgan.perception.parser import FaceParser, ParserConfig, ParserNetwork, require_regions
from semanticgan.perception.pictures import as_float
from semanticgan.perception.settings import ParserTraining as ParserTraining
from semanticgan.perception.variation import blurred, draw_numbers, numbers_of, recoloured

_SCORED_AT_A_TIME = 8
# Standard deviations: of the binary logarithm, degrees, sides of the picture, of [-1, 1], of the binary logarithm.
_SCALE, _TURN, _SHIFT, _BRIGHTNESS, _CONTRAST = 0.1, 5.0, 0.03, 0.15, 0.2


def train_parser(
    dataset: PairDataset,
    training: ParserTraining | None = None,
    *,
    device: torch.device | str = "cpu",
    licence: str = "",
    data_licence: str = "",
    progress: bool = False,
) -> FaceParser:
    """Train a parser at the side and in the regions of a dataset.

    Args:
        dataset: pairs; small ones are kept in memory.
        training: how; None for the defaults.

    Returns:
        The parser on that device, its ``training`` complete with the scores on the pairs held out.

    Raises:
        InputError: pictures without labels, too few pairs, a side that no parser has, or a pair that cannot be read.
        TrainingDiverged: the loss is not finite any more.
    """
    training = training or ParserTraining()
    if not dataset.labelled:
        raise InputError("these pictures have no label maps, so no parser can be trained on them. Give pairs.")
    num_trained = training.num_trained(len(dataset))
    config = ParserConfig(dataset.size, len(dataset.regions))
    network = seeded(lambda: ParserNetwork(config), training.seed).to(device)
    pairs = cached_if_small(FirstPairs(dataset, num_trained), progress=progress)

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return parser_loss(logits.float(), labels)

    seconds = fit(network, _varied(pairs, training, device), loss, training, progress)
    parser = FaceParser(network, dataset.regions)
    scores = score_parser(parser, dataset, num_trained).to_dict(dataset.regions.names)
    facts = training.facts(dataset.key(), num_trained, seconds, scores)
    return FaceParser(network, dataset.regions, facts, licence, data_licence)


def score_parser(parser: FaceParser, dataset: PairDataset, first: int = 0) -> Overlap:
    """Compare a parser's labels with those of every pair from ``first`` on, [N, K].

    Raises:
        InputError: other regions or no pairs.
    """
    require_regions(parser, dataset.regions, "the pairs have", "Give pairs of the parser's regions.")
    if first >= len(dataset):
        raise InputError("a parser cannot be scored without pairs. Give at least one.")
    parts = []
    for start in range(first, len(dataset), _SCORED_AT_A_TIME):
        pairs = [dataset[index] for index in range(start, min(start + _SCORED_AT_A_TIME, len(dataset)))]
        read = parser.labels(torch.stack([pair.image for pair in pairs]))
        parts.append(overlap(torch.stack([pair.labels for pair in pairs]), read, len(parser.regions)))
    return Overlap.cat(parts)


def _varied(
    dataset: PairDataset, training: ParserTraining, device: torch.device | str
) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of all steps as :func:`fit` takes them."""
    for step, pairs in enumerate(batches(dataset, training.batch, seed=training.seed)):
        image = as_float(pairs.image.to(device))
        yield vary(image, pairs.labels.to(device), _random_numbers(training.seed, step, len(image)))


def parser_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy plus one minus the soft Dice coefficient, a mean over the regions that are in the batch.

    Args:
        logits: [N, K, S, S].
        labels: int64 [N, S, S].
    """
    one_hot = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
    share = logits.softmax(1)
    num_pixels = one_hot.sum((0, 2, 3))  # [K]
    dice = 2 * (share * one_hot).sum((0, 2, 3)) / (share.sum((0, 2, 3)) + num_pixels).clamp(min=1e-6)
    present = num_pixels > 0
    return F.cross_entropy(logits, labels) + 1 - (dice * present).sum() / present.sum()


def vary(image: Tensor, labels: Tensor, numbers: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Pairs moved, turned, scaled and recoloured a little.

    Args:
        image: [N, 3, S, S] in [-1, 1].
        labels: uint8 [N, S, S].
        numbers: random ones [N] by what they are for, as :func:`_random_numbers` draws them.

    Returns:
        Image in [-1, 1] and labels int64 [N, S, S]; what lies beyond the edge repeats the edge.
    """
    numbers = {name: value.to(image.device) for name, value in numbers.items()}
    scale = 2 ** (_SCALE * numbers["scale"])
    angle = math.radians(_TURN) * numbers["turn"]
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    shift_x, shift_y = 2 * _SHIFT * numbers["x"], 2 * _SHIFT * numbers["y"]  # a side is 2 long
    rows = [torch.stack([cosine, -sine, shift_x], 1), torch.stack([sine, cosine, shift_y], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), list(image.shape), align_corners=False)
    image = F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
    moved = F.grid_sample(labels[:, None].float(), grid, mode="nearest", padding_mode="border", align_corners=False)

    image = recoloured(blurred(image, numbers["blur"]), numbers, _BRIGHTNESS, _CONTRAST)
    return image, moved[:, 0].round().long()


def _random_numbers(seed: int, step: int, num_images: int) -> dict[str, Tensor]:
    """What :func:`vary` needs."""
    normal = ("scale", "turn", "x", "y", "brightness", "contrast")
    return draw_numbers(numbers_of(seed, step), num_images, normal, ("blur",))
