"""Features of many pictures, their mean and covariance, and the cache of a dataset's.

Shape legend: N pictures, F width of the features, C classes.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from semanticgan.data.pairs import PairDataset, content_key
from semanticgan.distributed import ALONE, Processes, all_of, gathered, share
from semanticgan.errors import DataWarning, InputError
from semanticgan.files import require_free, user_path, written_aside
from semanticgan.metrics.samples import DEFAULT_BATCH_SIZE, dataset_pictures
from semanticgan.perception.extractors import Extractor, Features
from semanticgan.progress import Progress

_FORMAT = "2"  # of cached files; raised when their contents come to mean something else


@dataclass(frozen=True, eq=False)
class Statistics:
    """The Gaussian that FID takes features for.

    Attributes:
        mean: float64 [F].
        covariance: float64 [F, F], divided by N - 1.
        num: N.
        extractor: label of what computed the features.
        stand_in: whether numbers made of them cannot be compared with the literature.
    """

    mean: np.ndarray
    covariance: np.ndarray
    num: int
    extractor: str
    stand_in: bool

    def __len__(self) -> int:
        return self.num


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """The features of a set of pictures.

    Attributes:
        values: float32 [N, F], on the CPU.
        logits: float32 [N, C], or None where the extractor knows no classes.
        extractor: label of what computed them.
        stand_in: whether numbers made of them cannot be compared with the literature.
        known: mean and covariance where they were cached, else None.
    """

    values: Tensor
    logits: Tensor | None
    extractor: str
    stand_in: bool
    known: Statistics | None = None

    def __len__(self) -> int:
        return len(self.values)

    def statistics(self) -> Statistics:
        """Mean and covariance.

        Raises:
            InputError: fewer than two pictures, or features that are not finite.
        """
        if self.known is not None:
            return self.known
        moments = Moments(self.values.shape[1])
        for rows in self.values.split(1024):
            moments.add(rows)
        return moments.statistics(self.extractor, self.stand_in)


class Moments:
    """Mean and covariance in one pass, in float64 (Chan, Golub and LeVeque 1979: updating by whole batches)."""

    def __init__(self, width: int) -> None:
        self.num = 0
        self._mean = np.zeros(width)
        self._scatter = np.zeros((width, width))  # sum of (x - mean) (x - mean)^T

    def add(self, values: Tensor) -> None:
        """Take in features [n, F]."""
        rows = values.detach().cpu().double().numpy()
        if not len(rows):
            return
        mean = rows.mean(0)
        centred, shift, total = rows - mean, mean - self._mean, self.num + len(rows)
        self._scatter += centred.T @ centred + np.outer(shift, shift) * (self.num * len(rows) / total)
        self._mean += shift * (len(rows) / total)
        self.num = total

    def statistics(self, extractor: str, stand_in: bool) -> Statistics:
        """What FID needs of the features taken in; the arguments say what computed them.

        Raises:
            InputError: fewer than two pictures, or features that are not finite.
        """
        if self.num < 2:
            raise InputError(f"a covariance needs at least 2 pictures, got {self.num}.")
        if not np.isfinite(self._scatter).all():
            raise InputError("the features hold numbers that are not finite. Look at the pictures: are they NaN?")
        return Statistics(self._mean.copy(), self._scatter / (self.num - 1), self.num, extractor, stand_in)


def extract_features(
    pictures: Iterable[Tensor], extractor: Extractor, total: int, processes: Processes = ALONE
) -> FeatureSet:
    """The features of all pictures.

    Args:
        pictures: batches uint8 [n, 3, S, S] of this process's share.
        total: how many pictures all processes have together.
    """
    return extract_all(pictures, [extractor], total, processes)[0]


def extract_all(
    pictures: Iterable[Tensor], extractors: Sequence[Extractor], total: int, processes: Processes = ALONE
) -> list[FeatureSet]:
    """:func:`extract_features` by each extractor; the pictures are gone through once."""
    parts: list[list[Features]] = [[] for _ in extractors]
    for batch in pictures:
        for extractor, found in zip(extractors, parts, strict=True):
            found.append(extractor(batch))
    return [_joined(found, extractor, total, processes) for extractor, found in zip(extractors, parts, strict=True)]


def _joined(parts: Sequence[Features], extractor: Extractor, total: int, processes: Processes) -> FeatureSet:
    values = torch.cat([part.values.cpu() for part in parts]) if parts else torch.zeros(0, extractor.width)
    logits = [part.logits.cpu() for part in parts if part.logits is not None]
    return FeatureSet(
        gathered(values, total, processes),
        gathered(torch.cat(logits), total, processes) if logits else None,
        extractor.label,
        extractor.stand_in,
    )


class FeatureCache:
    """A dataset's features in files, by what they depend on: the data, which of them, and the extractor.

    A file that is damaged, or was written by another version, counts as not there and is written anew.

    Args:
        folder: where the files are; made when the first is written.
        best_effort: where nobody asked for the cache, a full disk costs a warning, too.
    """

    def __init__(self, folder: str | Path, best_effort: bool = False) -> None:
        self.folder = user_path(folder, "folder")
        self._best_effort = best_effort

    def path(
        self, dataset: PairDataset, indices: Sequence[int], extractor: Extractor, processes: Processes = ALONE
    ) -> Path:
        """The file of these pictures' features, by their pixels; all processes call this together.

        Raises:
            InputError: a picture that cannot be read.
        """
        chosen = [indices.start, indices.stop, indices.step] if isinstance(indices, range) else list(indices)
        pixels = "" if dataset.key_knows_pixels else _pixels_key(dataset, indices, processes)
        key = content_key([_FORMAT, dataset.key(), dataset.size, len(indices), chosen, pixels, extractor.key])
        return self.folder / f"features-{extractor.name}-{key}.safetensors"

    def read(self, path: Path, extractor: Extractor) -> FeatureSet | None:
        """What :meth:`write` wrote there, None if it is not there or damaged."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
                digest = (file.metadata() or {}).get("sha256")
        except (OSError, SafetensorError):
            return None
        if digest != _digest(tensors) or not tensors.keys() >= {"values", "mean", "covariance"}:
            return None
        values, label, stand_in = tensors["values"], extractor.label, extractor.stand_in
        known = Statistics(tensors["mean"].numpy(), tensors["covariance"].numpy(), len(values), label, stand_in)
        return FeatureSet(values, tensors.get("logits"), label, stand_in, known)

    def write(self, path: Path, features: FeatureSet) -> None:
        """A folder that may not be written costs a warning: the cache saves time, nothing else.

        Raises:
            UnwritableError: the disk is full or gone, and the cache was asked for.
        """
        from safetensors.torch import save_file

        statistics = features.statistics()
        tensors = {
            "values": features.values.contiguous(),
            "mean": torch.from_numpy(statistics.mean),
            "covariance": torch.from_numpy(statistics.covariance),
        }
        if features.logits is not None:
            tensors["logits"] = features.logits.contiguous()
        free = False
        try:
            free = bool(require_free(path, overwrite=True))
            with written_aside(path, overwrite=True) as aside:
                save_file(tensors, aside, {"sha256": _digest(tensors)})
        except InputError as error:
            if free and not self._best_effort:
                raise
            warnings.warn(f"the features of the data are not kept: {error}", DataWarning, stacklevel=2)


def dataset_features(
    dataset: PairDataset,
    indices: Sequence[int],
    extractor: Extractor,
    *,
    cache: FeatureCache | None = None,
    batch_size: int = DEFAULT_BATCH_SIZE,
    workers: int = 0,
    processes: Processes = ALONE,
    progress: Progress | bool = False,
) -> FeatureSet:
    """The features of a dataset's pictures, from the cache if they are there.

    Raises:
        InputError: a picture that cannot be used.
    """
    path = cache.path(dataset, indices, extractor, processes) if cache else None
    known = cache.read(path, extractor) if cache and path else None
    missing = known is None or known.values.shape != (len(indices), extractor.width)
    if not processes.any(missing) and known is not None:  # all compute, or none
        return known
    own = share(indices, processes)
    pictures = dataset_pictures(
        dataset, own, batch_size=batch_size, workers=workers, progress=progress, what="features of the data"
    )
    features = extract_features(pictures, extractor, len(indices), processes)
    if cache and path and processes.is_first:
        cache.write(path, features)
    return features


def _pixels_key(dataset: PairDataset, indices: Sequence[int], processes: Processes) -> str:
    """Digest over the contents of pictures; each process reads its share."""
    own = [dataset.picture_digest(index) for index in share(indices, processes)]
    return hashlib.sha256(b"".join(all_of(own, processes))).hexdigest()


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\0".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
