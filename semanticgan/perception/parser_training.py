"""Training of a parser on pairs, minutes on a CPU, and its scores on pairs that it did not see.

The loss is cross-entropy, plus for each region one minus the soft Dice coefficient over the batch, so that regions of
a few pixels count as much as large ones (Milletari et al. 2016, arXiv 1606.04797). Pairs are mirrored, moved, turned
and recoloured a little, and pictures blurred now and then, since generated ones are softer than photographs.

The last pairs of the dataset are held out: where pictures lie in order of their people, hardly anybody is in both.
The same seed gives the same parser on the same machine.

Shape legend: N pictures, K regions, S side of the picture.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.data.batches import batches
from semanticgan.data.cache import cached_if_small
from semanticgan.data.pairs import FirstPairs, Pair, PairDataset, content_key
from semanticgan.errors import InputError, TrainingDiverged, unknown_name
from semanticgan.metrics.miou import Overlap, cat, overlap
from semanticgan.model import PRECISIONS
from semanticgan.perception.parser import FaceParser, ParserConfig, ParserNetwork
from semanticgan.seeds import derived, require_seed, seed_global_stream

_SCORED_AT_A_TIME = 8
# Standard deviations: of the binary logarithm, degrees, sides of the picture, of [-1, 1], of the binary logarithm.
_SCALE, _TURN, _SHIFT, _BRIGHTNESS, _CONTRAST = 0.1, 5.0, 0.03, 0.15, 0.2
_BLUR_CHANCE = 0.3


@dataclass(frozen=True)
class ParserTraining:
    """How a parser is trained.

    Attributes:
        num_steps: steps of the optimiser (Adam with decoupled weight decay, its rate rising and falling as a cosine).
        batch: N, pairs a step.
        num_held_out: pairs at the end of the dataset that are scored and not trained on.
        learning_rate: the highest.
        seed: of the weights, the order of the pairs and the augmentation.
        precision: of the network's arithmetic while it learns, one of :data:`PRECISIONS`; bfloat16 is faster where the
            processor knows it.

    Raises:
        InputError: a number out of range, or an unknown precision.
    """

    num_steps: int = 1200
    batch: int = 32
    num_held_out: int = 500
    learning_rate: float = 3e-3
    seed: int = 0
    precision: str = "float32"

    def __post_init__(self) -> None:
        require_seed(self.seed)
        if self.precision not in PRECISIONS:
            raise unknown_name("precision", self.precision, PRECISIONS)
        if min(self.num_steps, self.batch, self.num_held_out) < 1 or not self.learning_rate > 0:
            raise InputError(
                f"a parser cannot be trained in {self.num_steps} steps of {self.batch} pairs with {self.num_held_out} "
                f"held out, at a rate of {self.learning_rate}. Give numbers above 0."
            )


class PairsFrom(PairDataset):
    """The pairs of a dataset from one on.

    Args:
        dataset: a longer one.
        first: index of the first pair.
    """

    def __init__(self, dataset: PairDataset, first: int) -> None:
        self.regions, self.size, self.labelled = dataset.regions, dataset.size, dataset.labelled
        self._dataset, self._first = dataset, first

    def __len__(self) -> int:
        return len(self._dataset) - self._first

    def __getitem__(self, index: int) -> Pair:
        if not 0 <= index < len(self):
            raise IndexError(f"pair {index} of {len(self)}")
        return self._dataset[self._first + index]

    def key(self) -> str:
        return content_key([self._dataset.key(), "from", self._first])


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
        device: where to compute.
        licence: terms of the weights.
        data_licence: terms of the data.
        progress: show a bar on stderr.

    Returns:
        The parser on that device, its ``training`` complete with the scores on the pairs held out.

    Raises:
        InputError: pictures without labels, too few pairs, a side that no parser has, or a pair that cannot be read.
        TrainingDiverged: the loss is not finite any more.
    """
    training = training or ParserTraining()
    if not dataset.labelled:
        raise InputError("these pictures have no label maps, so no parser can be trained on them. Give pairs.")
    num_trained = len(dataset) - training.num_held_out
    if num_trained < 1:
        raise InputError(
            f"{training.num_held_out} of {len(dataset)} pairs would be held out, which leaves none to train on. "
            "Hold out fewer, or give more pairs."
        )
    config = ParserConfig(dataset.size, len(dataset.regions))
    with torch.random.fork_rng(devices=[]):
        seed_global_stream(training.seed)
        network = ParserNetwork(config)
    start = time.perf_counter()
    _fit(network.to(device), FirstPairs(dataset, num_trained), training, progress)
    seconds = time.perf_counter() - start
    parser = FaceParser(network, dataset.regions)
    scores = score_parser(parser, PairsFrom(dataset, num_trained)).to_dict(dataset.regions.names)
    facts = {
        "num_steps": training.num_steps,
        "batch": training.batch,
        "learning_rate": training.learning_rate,
        "seed": training.seed,
        "precision": training.precision,
        "dataset": dataset.key(),
        "num_pairs": num_trained,
        "seconds": round(seconds, 1),
        "held_out": {"num_pairs": training.num_held_out, **scores},
    }
    return FaceParser(network, dataset.regions, facts, licence, data_licence)


def score_parser(parser: FaceParser, dataset: PairDataset) -> Overlap:
    """Compare a parser's labels with those of every pair, [N, K].

    Raises:
        InputError: other regions or no pairs.
    """
    if parser.regions.names != dataset.regions.names:
        raise InputError(
            f"the parser tells {', '.join(parser.regions.names)}, the pairs have {', '.join(dataset.regions.names)}. "
            "Give pairs of the parser's regions."
        )
    if not len(dataset):
        raise InputError("a parser cannot be scored without pairs. Give at least one.")
    parts = []
    for first in range(0, len(dataset), _SCORED_AT_A_TIME):
        pairs = [dataset[index] for index in range(first, min(first + _SCORED_AT_A_TIME, len(dataset)))]
        read = parser.labels(torch.stack([pair.image for pair in pairs]))
        parts.append(overlap(torch.stack([pair.labels for pair in pairs]), read, len(parser.regions)))
    return cat(parts)


def _fit(network: ParserNetwork, dataset: PairDataset, training: ParserTraining, progress: bool) -> None:
    """Train a network in place."""
    from tqdm import tqdm

    device = network.head.weight.device
    optimiser = torch.optim.AdamW(network.parameters(), lr=training.learning_rate, weight_decay=1e-4)
    network.train()
    pairs = batches(cached_if_small(dataset, progress=progress), training.batch, seed=training.seed)
    with tqdm(
        total=training.num_steps, unit="step", desc="training a parser", disable=None if progress else True
    ) as bar:
        for step, batch in zip(range(training.num_steps), pairs, strict=False):
            for group in optimiser.param_groups:
                group["lr"] = training.learning_rate * rate_at(step, training.num_steps)
            image = batch.image.to(device).float() / 127.5 - 1
            image, labels = vary(image, batch.labels.to(device), _random_numbers(training.seed, step, len(image)))
            # Channels last, convolutions are twice as fast on a CPU.
            with torch.autocast(device.type, torch.bfloat16, enabled=training.precision == "bfloat16"):
                logits = network(image.to(memory_format=torch.channels_last))
            loss = parser_loss(logits.float(), labels)
            if not math.isfinite(loss.item()):
                raise TrainingDiverged(
                    f"the loss of the parser is {loss.item()} at step {step}. Nothing was written; train again with a "
                    "lower learning rate."
                )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            bar.update()
            bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)


def rate_at(step: int, num_steps: int) -> float:
    """The share of the highest learning rate: up over the first twentieth, then down to 0 as half a cosine."""
    num_rising = max(1, num_steps // 20)
    if step < num_rising:
        return (step + 1) / num_rising
    return (1 + math.cos(math.pi * (step - num_rising) / max(1, num_steps - num_rising))) / 2


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

    blurred = F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    share = torch.where(numbers["blur"] < _BLUR_CHANCE, numbers["blur"] / _BLUR_CHANCE, torch.zeros_like(scale))
    image = torch.lerp(image, blurred, share[:, None, None, None])
    contrast = 2 ** (_CONTRAST * numbers["contrast"])[:, None, None, None]
    tint = numbers["brightness"][:, None] + numbers["tint"] / 2  # [N, 3]
    return (image * contrast + _BRIGHTNESS * tint[:, :, None, None]).clamp(-1, 1), moved[:, 0].round().long()


def _random_numbers(seed: int, step: int, num_images: int) -> dict[str, Tensor]:
    """What :func:`vary` needs: standard normal numbers, tint [N, 3], and blur uniform in [0, 1)."""
    random = torch.Generator().manual_seed(derived(seed, step))
    numbers = {
        name: torch.randn(num_images, generator=random)
        for name in ("scale", "turn", "x", "y", "brightness", "contrast")
    }
    numbers["tint"] = torch.randn(num_images, 3, generator=random)
    numbers["blur"] = torch.rand(num_images, generator=random)
    return numbers
