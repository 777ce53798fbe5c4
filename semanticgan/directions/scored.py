"""Codes and their scores: sampled, rendered and labelled, so that directions can be fitted.

Which rows an attribute depends on can be told only where rows differ. ``independent`` samples draw one w for all base
rows and another one for each row of a region, so that every row varies without regard to the others, as it does when
regions are swapped. ``plain`` samples have one w in every row; a layered model has these alone.

N images, R rows, D style width, A attributes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from semanticgan.choices import SAMPLINGS
from semanticgan.directions.labels import Attribute, Labeller
from semanticgan.directions.tables import Table
from semanticgan.errors import InputError, unknown_name
from semanticgan.formats.weights import read_weights, write_weights
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.progress import Progress, to_progress
from semanticgan.seeds import following, require_seed, stream
from semanticgan.wrong_arguments import whole_number

FORMAT = "semanticgan-scores"

_BATCH = 8  # pictures rendered at a time
_KEPT_EVERY = 512  # codes between two writes of the kept scores
_MOST = 1_000_000


@dataclass(frozen=True, eq=False)
class ScoredCodes:
    """Codes with scores.

    Attributes:
        code: N images.
        scores: float32 [N, A].
        attributes: what the columns say.
        groups: numbers of the rows that are equal in each code; each row is in one group.
        source: what the labels come from.
    """

    code: LatentCode
    scores: Tensor
    attributes: tuple[Attribute, ...]
    groups: tuple[tuple[int, ...], ...]
    source: str = ""

    def column(self, name: str) -> tuple[Attribute, Tensor]:
        """An attribute and its scores [N].

        Raises:
            InputError: an unknown name.
        """
        names = [attribute.name for attribute in self.attributes]
        if name not in names:
            raise unknown_name("attribute", name, names)
        index = names.index(name)
        return self.attributes[index], self.scores[:, index]


def sample_codes(model: Model, seeds: Iterable[int], sampling: str = "independent") -> LatentCode:
    """Codes to fit on, each a function of its seed alone; a plain one is ``model.sample(seed=...)``.

    Raises:
        InputError: an unknown sampling, or independent rows of a layered model.
    """
    if sampling not in SAMPLINGS:
        raise unknown_name("sampling", sampling, SAMPLINGS)
    chosen = [require_seed(seed) for seed in seeds]
    if sampling == "plain":
        return model.sample(seeds=chosen)
    num_base = model.rows.num_base
    if model.rows.regions is None:
        raise InputError("rows of a layered model are not drawn one by one. Use the sampling 'plain'.")
    owners = torch.tensor([0] * num_base + list(range(1, len(model.rows) - num_base + 1)))
    width = model.generator.latent_dim
    codes = []
    with torch.no_grad():
        for seed in chosen:
            z = torch.randn(int(owners[-1]) + 1, width, generator=stream(seed))
            codes.append(model.generator.map(z.to(model.generator.mean_latent))[owners])
    return LatentCode(torch.stack(codes), model.rows)


def score_samples(
    model: Model,
    labels: Labeller,
    num: int,
    seed: int = 0,
    sampling: str | None = None,
    kept: str | Path | None = None,
    progress: Progress | bool = False,
) -> ScoredCodes:
    """Sample codes, render them and read their attributes.

    Args:
        model: whose codes.
        labels: what tells the attributes.
        num: number of codes, of the seeds ``seed``, ``seed + 1``, ...
        sampling: "independent" or "plain"; None: independent for a model of regions, else plain.
        kept: a ``.safetensors`` file of the scores read so far; where it exists already it is gone on with.
        progress: bar, report and cancel.

    Raises:
        InputError: ``kept`` has scores of another model, labels, sampling or seed.
        Cancelled: by ``progress``; ``kept`` has what was read.
    """
    num, seed = whole_number("num", num, 10, _MOST), require_seed(seed)
    sampling = sampling or ("plain" if model.rows.regions is None else "independent")
    code = sample_codes(model, (following(seed, index) for index in range(num)), sampling)
    file = None if kept is None else _Kept(Path(kept), model, labels, sampling, seed)
    scores = torch.empty(0, len(labels.attributes)) if file is None else file.read()
    start = min(len(scores), num)
    with to_progress(progress).steps("label", num, first=start) as step:
        try:
            while start < num:
                part = code[start : start + _BATCH]
                scores = torch.cat([scores[:start], labels(model.render(part, batch_size=_BATCH))])
                start = len(scores)
                if file is not None and (start % _KEPT_EVERY == 0 or start == num):
                    file.write(scores)
                step(len(part))
        except BaseException:
            if file is not None and len(scores):
                file.write(scores)
            raise
    groups = _groups(model, sampling)
    return ScoredCodes(code, scores[:num], labels.attributes, groups, labels.name)


def score_by_table(code: LatentCode, names: list[str], table: Table) -> ScoredCodes:
    """Codes of pictures, such as ``invert`` writes them, with a table's labels; codes without a line are left out.

    Raises:
        InputError: the table has none of the names.
    """
    found, scores = table.of(names)
    groups = tuple((row,) for row in range(len(code.rows)))
    return ScoredCodes(code[found], scores, table.attributes, groups, "table")


def _groups(model: Model, sampling: str) -> tuple[tuple[int, ...], ...]:
    num_base, num_rows = model.rows.num_base, len(model.rows)
    if sampling == "plain":
        return (tuple(range(num_rows)),)
    return (tuple(range(num_base)), *((row,) for row in range(num_base, num_rows)))


class _Kept:
    """Scores in a file that a later call goes on with."""

    def __init__(self, path: Path, model: Model, labels: Labeller, sampling: str, seed: int) -> None:
        self.path, self.num_attributes = path, len(labels.attributes)
        about = {
            "model": model.metadata.digest,
            "labels": labels.name,
            "attributes": [attribute.name for attribute in labels.attributes],
            "sampling": sampling,
            "seed": seed,
        }
        self.texts = {"description": "scores of sampled codes", "about": json.dumps(about)}

    def read(self) -> Tensor:
        """What was read before, [n, A]; n is 0 without the file."""
        if not self.path.exists():
            return torch.empty(0, self.num_attributes)
        raw, tensors = read_weights(self.path, FORMAT, ("about",))
        if raw["about"] != self.texts["about"] or "scores" not in tensors:
            raise InputError(
                f"{str(self.path)!r} has scores of another model, other labels, another sampling or seed. Give another "
                "file, or remove it."
            )
        scores = tensors["scores"]
        if scores.ndim != 2 or scores.shape[1] != self.num_attributes:
            raise InputError(
                f"{str(self.path)!r} has scores of the shape {list(scores.shape)}; [codes, {self.num_attributes}] is "
                "needed. Remove it, and the codes are scored anew."
            )
        return scores

    def write(self, scores: Tensor) -> None:
        """Replace the file."""
        write_weights(self.path, FORMAT, {"scores": scores}, self.texts, overwrite=True)
