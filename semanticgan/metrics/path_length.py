"""Perceptual path length (Karras et al. 2018, arXiv 1812.04948, Section 4.1): how smoothly pictures follow their codes.

Two codes are drawn; on the way from one to the other a step of epsilon is made, and the perceptual distance of the two
pictures is divided by epsilon^2. In z the way is an arc on the sphere, in w a line. "full" steps at a random place of
the way, "end" at its beginning. Where a region is given, only its rows travel, the rest of the code stays at the
beginning: the smoothness of that region's structure or texture alone (ours).

Shape legend: N paths, D style width, S side of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from semanticgan.distributed import ALONE, Processes, gathered, share
from semanticgan.errors import InputError, unknown_name
from semanticgan.latents import WHAT, LatentCode
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import EDITED, SAMPLED, Measured, metric
from semanticgan.metrics.samples import in_batches
from semanticgan.model import Model
from semanticgan.perception.perceptual import Distance
from semanticgan.progress import Progress
from semanticgan.seeds import stream

SPACES = ("z", "w")
SAMPLINGS = ("full", "end")
EPSILON = 1e-4
PATHS = tuple(f"{space}-{sampling}" for space in SPACES for sampling in SAMPLINGS)
"""Spaces and samplings of path lengths."""

_LARGEST_SIDE = 256  # larger pictures are averaged down to it, as the literature does
_KEPT = (1.0, 99.0)  # percentiles; the distances beyond them are left out, as the literature does


def require_paths(paths: Sequence[str], most: int = len(PATHS)) -> None:
    """Raises: InputError: an unknown path, none, or more than ``most``."""
    for path in paths:
        if path not in PATHS:
            raise unknown_name("path", path, PATHS)
    if not 1 <= len(paths) <= most:
        raise InputError(f"{len(paths)} paths were given. Give one or, for ppl, more of {', '.join(PATHS)}.")


class Traveller(Protocol):
    """What moves through a latent space and shows a picture at every place."""

    @property
    def style_dim(self) -> int:
        """Width of z."""
        ...

    def map(self, z: Tensor) -> Tensor:
        """float64 z [N, D] -> float64 w [N, D]; each row of its own, whatever N."""
        ...

    def picture(self, still: Tensor, moving: Tensor) -> Tensor:
        """Pictures [N, 3, S, S], about [-1, 1], of float64 w [N, D]: where the path began, and where it is."""
        ...


class ModelTraveller:
    """A model, whose whole code travels, or some regions' rows alone.

    Args:
        model: whose pictures; the noise is that stored with its weights.
        regions: names of the regions that travel, None for the whole code, base rows and all.
        what: "structure", "texture" or "both" of these regions.
        truncation: psi; every w on the way is drawn towards the mean code. The literature's lengths are of psi 1.

    Raises:
        InputError: an unknown region or ``what``.
    """

    def __init__(
        self, model: Model, regions: str | Iterable[str] | None = None, what: str = "both", truncation: float = 1.0
    ) -> None:
        if what not in WHAT:
            raise unknown_name("what", what, WHAT)
        self._model = model
        self._rows = None if regions is None else model.rows.indices(regions, what)
        self._truncation = truncation

    @property
    def style_dim(self) -> int:
        return self._model.generator.latent_dim

    @torch.no_grad()
    def map(self, z: Tensor) -> Tensor:
        model = self._model
        # One by one, as Model.sample: a matrix product may round differently in a larger batch.
        w = torch.cat([model.generator.map(each[None].to(model.device, torch.float32)).double().cpu() for each in z])
        mean = model.generator.mean_latent.reshape(-1, w.shape[1]).mean(0)  # one per row in StyleALAE, all the same
        return w if self._truncation == 1 else torch.lerp(mean.to(w), w, self._truncation)

    def picture(self, still: Tensor, moving: Tensor) -> Tensor:
        code = self._code(moving)
        if self._rows is not None:
            tensor = self._code(still).tensor.clone()
            tensor[:, self._rows] = code.tensor[:, self._rows]
            code = LatentCode(tensor, code.rows)
        return self._render(code)

    def _render(self, code: LatentCode) -> Tensor:
        return self._model.render(code, batch_size=len(code)).image

    def _code(self, w: Tensor) -> LatentCode:
        return self._model.code(w.to(torch.float32))


@dataclass(frozen=True, eq=False)
class PathLength:
    """Perceptual distances over epsilon^2; smaller is smoother.

    Attributes:
        lengths: of each path, float64 [N].
    """

    lengths: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        """The lengths from the 1st to the 99th percentile, both included; the others do not count."""
        low = np.percentile(self.lengths, _KEPT[0], method="lower")
        high = np.percentile(self.lengths, _KEPT[1], method="higher")
        return self.lengths[(self.lengths >= low) & (self.lengths <= high)]

    @property
    def value(self) -> float:
        """Mean over the paths that count."""
        return float(self.kept.mean())

    @property
    def deviation(self) -> float:
        """Standard deviation over the paths that count."""
        return float(self.kept.std())


def path_length(
    traveller: Traveller,
    distance: Distance,
    seeds: Sequence[int],
    *,
    space: str = "w",
    sampling: str = "end",
    epsilon: float = EPSILON,
    batch_size: int = 8,
    processes: Processes = ALONE,
    progress: Progress | bool = False,
    what: str = "path length",
) -> PathLength:
    """Perceptual path length over one path a seed.

    Args:
        traveller: what is measured, such as :class:`ModelTraveller`.
        distance: between two pictures.
        seeds: a path's ends and place are functions of its seed alone.
        space: where the step is made, "z" or "w".
        sampling: "full" or "end".
        epsilon: length of the step, 0 < epsilon < 1; far below 1e-4 the rounding of float32 shows.
        batch_size: paths at a time, of two pictures each; changes nothing but the memory.
        processes: who takes part; each gets the whole result.
        progress: told of every batch, under the name ``what``.

    Raises:
        InputError: an unknown space or sampling, an epsilon or batch size out of range, or no seeds.
    """
    for name, given, allowed in (("space", space, SPACES), ("sampling", sampling, SAMPLINGS)):
        if given not in allowed:
            raise unknown_name(name, given, allowed)
    if not 0.0 < epsilon < 1.0 or batch_size < 1 or not len(seeds):
        raise InputError(
            "path length takes an epsilon between 0 and 1, a batch_size of at least 1 and at least one seed, got "
            f"{epsilon}, {batch_size} and {len(seeds)} seeds."
        )
    own = share(seeds, processes)
    parts = [torch.zeros(0, dtype=torch.float64)]
    with torch.no_grad():
        for batch in in_batches(own, batch_size, progress, what, "path"):
            still, here, there = _places(traveller, batch, space, sampling, epsilon)
            pictures = _reduced(traveller.picture(torch.cat([still, still]), torch.cat([here, there])))
            moved = (here != there).any(1)  # where nothing moves the length is 0, not rounding over epsilon^2
            parts.append(distance(*pictures.chunk(2)).double().cpu() * moved / epsilon**2)
    return PathLength(gathered(torch.cat(parts), len(seeds), processes).numpy())


@torch.no_grad()
def pictures_of_paths(traveller: Traveller, seeds: Sequence[int], space: str = "w", sampling: str = "end") -> Tensor:
    """The picture at which each path is measured, uint8 [N, 3, S, S] on the CPU."""
    still, here, _ = _places(traveller, seeds, space, sampling, EPSILON)
    return traveller.picture(still, here).float().add(1.0).mul(127.5).round().clamp(0.0, 255.0).to(torch.uint8).cpu()


def _places(
    traveller: Traveller, seeds: Sequence[int], space: str, sampling: str, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """float64 w [N, D]: of the path's beginning, of a place on it, and a step of epsilon further."""
    drawn = [_draw(seed, traveller.style_dim) for seed in seeds]
    begin, end = (torch.stack([each[index] for each in drawn]) for index in (0, 1))
    t = torch.stack([each[2] for each in drawn])[:, None] * float(sampling == "full")
    still = traveller.map(begin)
    if space == "z":
        here, there = (traveller.map(spherical(begin, end, place)) for place in (t, t + epsilon))
    else:
        goal = traveller.map(end)
        here, there = (torch.lerp(still, goal, place) for place in (t, t + epsilon))
    return still, here, there


def _draw(seed: int, style_dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """Both ends in z [D], the first as Model.sample draws it, and a place in [0, 1); float64, of a seed."""
    random = stream(seed)
    begin, end = (torch.randn(1, style_dim, generator=random)[0].double() for _ in range(2))
    return begin, end, torch.rand((), generator=random, dtype=torch.float64)


def spherical(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """The place at t of the arc from a to b (Shoemake 1985), on the sphere of radius sqrt(D).

    Args:
        a: [N, D], of any length but 0.
        b: as ``a``, and not opposite to it.
        t: [N, 1] in [0, 1].
    """
    a, b = functional.normalize(a, dim=1), functional.normalize(b, dim=1)
    cosine = (a * b).sum(1, keepdim=True).clamp(-1.0, 1.0)
    across = functional.normalize(b - cosine * a, dim=1)
    angle = t * torch.acos(cosine)
    return (a * torch.cos(angle) + across * torch.sin(angle)) * math.sqrt(a.shape[1])


def _reduced(pictures: Tensor) -> Tensor:
    """Pictures of at most 256 pixels, larger ones by means over squares."""
    factor = pictures.shape[-1] // _LARGEST_SIDE
    return functional.avg_pool2d(pictures, factor) if factor > 1 else pictures


_USES = (*SAMPLED, "paths", "num_paths")


@metric(
    "ppl",
    "perceptual path length",
    needs=("distance",),
    uses=_USES,
    compared=True,
    columns=lambda evaluation: {path: f"PPL {path}" for path in evaluation.paths},
    published_by="lpips-vgg",
    num_published=100_000,
    require=lambda evaluation: require_paths(evaluation.paths),
)
def _path_length(evaluation: Evaluation) -> Measured:
    """Perceptual path length: perceptual distance between the images of two nearby codes on a path in z or w, divided
    by the squared length of the step (Karras et al. 2018)."""
    return _paths(evaluation, {path: ((None, "both"), path) for path in evaluation.paths})


@metric(
    "ppl-regions",
    "path length of each region's structure, texture",
    of_regions=True,
    needs=("distance",),
    uses=(*_USES, "regions"),
    require=lambda evaluation: require_paths(evaluation.paths, most=1),
)
def _path_length_of_regions(evaluation: Evaluation) -> Measured:
    """As ``ppl``, but only the structure row or the texture row of one region moves."""
    path = evaluation.paths[0]
    return _paths(
        evaluation,
        {f"{region} {what}": ((region, what), path) for region in evaluation.region_names for what in EDITED},
    )


def _paths(evaluation: Evaluation, asked: Mapping[str, tuple[tuple[str | None, str], str]]) -> Measured:
    assert evaluation.distance is not None
    found = {}
    for name, ((region, what), path) in asked.items():
        space, _, sampling = path.partition("-")
        found[name] = path_length(
            ModelTraveller(evaluation.model, region, what, evaluation.truncation),
            evaluation.distance,
            evaluation.path_seeds,
            space=space,
            sampling=sampling,
            batch_size=max(1, evaluation.batch_size // 2),
            processes=evaluation.processes,
            progress=evaluation.told,
            what=f"path length {name}",
        )
    return Measured(
        {name: each.value for name, each in found.items()},
        evaluation.distance.label,
        evaluation.distance.stand_in,
        0,
        2 * len(evaluation.path_seeds),
        rows={"path_lengths": np.concatenate([each.lengths for each in found.values()])},
    )
