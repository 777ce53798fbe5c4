"""Pictures with regions: CelebAMask-HQ, folders and zips, LMDB, the portraits drawn by this package."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from semanticgan import extras
from semanticgan.choices import DATA_KINDS as KINDS
from semanticgan.choices import SPLITS
from semanticgan.data.batches import Batch, batch_flips, batch_indices, batches, flip, to_network
from semanticgan.data.cache import CachedPairs, cached_if_small
from semanticgan.data.decoding import MAX_MEGAPIXELS
from semanticgan.data.lmdb_pairs import is_lmdb
from semanticgan.data.pairs import Pair, PairDataset, first_pairs
from semanticgan.errors import InputError, unknown_name
from semanticgan.regions import CELEBAMASK_13, RegionScheme
from semanticgan.seeds import require_seed

__all__ = [
    "KINDS",
    "SPLITS",
    "Batch",
    "CachedPairs",
    "Pair",
    "PairDataset",
    "batch_flips",
    "batch_indices",
    "batches",
    "cached_if_small",
    "flip",
    "open_dataset",
    "register",
    "to_network",
]

Opener = Callable[[str | Path | None, int], PairDataset]
"""Path and resolution -> the dataset."""

_REGISTERED: dict[str, Opener] = {}


def register(kind: str, opener: Opener) -> None:
    """Make a data format from outside the package known to :func:`open_dataset`, so to ``train`` and ``evaluate``.

    Args:
        kind: its name, the value of ``data.kind`` and ``--data-kind``.
        opener: opens the data at a path (None where none is given) with pairs of the resolution asked for.

    Raises:
        InputError: a name that is taken or empty.
    """
    if not kind or kind in KINDS or kind in _REGISTERED:
        raise InputError(f"a data format needs a name that is not taken, got {kind!r}. Choose another.")
    _REGISTERED[kind] = opener


def open_dataset(
    kind: str,
    path: str | Path | None = None,
    size: int = 64,
    scheme: RegionScheme | str | None = None,
    split: str = "train",
    length: int | None = None,
    seed: int = 0,
    label_order: str | None = None,
    missing: str = "error",
    style: str | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
) -> PairDataset:
    """A dataset by the kind of its source.

    Args:
        kind: "folder" (a folder or zip of image/ and label/), "lmdb" (what `prepare-data --format lmdb` wrote),
            "celebamask-hq" (the original layout), "portraits", or "pictures" (a folder or zip without label maps, for
            the adaptation of a model).
        path: where the data are; none for portraits, which are drawn.
        size: S, side of the pairs in pixels; of an LMDB the side that it was prepared for.
        scheme: what the labels mean. A folder needs one unless its dataset.json says it ("guess" guesses);
            CelebAMask-HQ is painted in it, by default in the 13 regions; portraits have 13. Pictures without label
            maps need that of the model.
        split: "train", "val" or "all". Only CelebAMask-HQ has a validation part; of others "train" is all.
        length: use only the first N, with a DataWarning where there are fewer; for portraits, how many there are.
        seed: of the portraits.
        label_order: the order of a folder's label ids, if it is not the scheme's ("celebamask-19", "bisenet-19").
        missing: "error" or "skip" a CelebAMask-HQ picture that has no mask at all.
        style: how portraits are drawn; their own default if not given.
        max_megapixels: the limit on the size of a picture, mask or label map in a file, checked before it is decoded.

    Raises:
        MissingFileError: there is nothing at ``path``.
        InputError: an unknown kind, scheme or split, a size or length out of range, or data that do not fit together.
    """
    require_seed(seed)
    _require_in_range(kind, size, split, length, max_megapixels)
    _require_fitting_kind(kind, path, scheme, split, label_order, style, missing)
    if kind == "portraits":
        from semanticgan.data.portraits import PortraitDataset

        options: dict[str, Any] = {"length": length, "style": style}
        return PortraitDataset(size, seed=seed, **{key: value for key, value in options.items() if value is not None})
    if kind in _REGISTERED:
        return first_pairs(_REGISTERED[kind](path, size), length)
    assert path is not None
    return first_pairs(_open_files(kind, path, size, scheme, split, label_order, missing, max_megapixels), length)


def _require_in_range(kind: str, size: int, split: str, length: int | None, max_megapixels: float) -> None:
    kinds = (*KINDS, *_REGISTERED)
    if kind not in kinds:
        raise unknown_name("kind of dataset", kind, kinds)
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    if not 1 <= size <= 4096:
        raise InputError(f"size {size} is not a resolution. Give 1 to 4096 pixels.")
    if length is not None and length < 1:
        raise InputError(f"length {length} is too small. Give 1 or more, or none for all pictures.")
    if not 0 < max_megapixels < math.inf:
        raise InputError(f"a limit of {max_megapixels} megapixels was asked for. Give a number above 0, such as 64.")


def _require_fitting_kind(
    kind: str,
    path: str | Path | None,
    scheme: RegionScheme | str | None,
    split: str,
    label_order: str | None,
    style: str | None,
    missing: str,
) -> None:
    if kind not in ("portraits", *_REGISTERED) and path is None:
        raise InputError(f"a dataset of kind {kind!r} needs the path of its folder or zip. Give path=...")
    if kind == "portraits" and (path is not None or scheme not in (None, "celebamask-13", CELEBAMASK_13)):
        raise InputError(
            "portraits (data.kind=portraits) are drawn, with the 13 regions of celebamask-13, and take neither a path "
            f"nor another scheme, got path {str(path)!r}, scheme {scheme!r}. Leave them out, or give the kind of the "
            "data at that path, such as data.kind=folder."
        )
    if kind != "portraits" and style is not None:
        raise InputError(f"a drawing style was given for a dataset of kind {kind!r}. Only portraits have one.")
    if kind != "folder" and label_order is not None:
        raise InputError(
            f"a label order was given for a dataset of kind {kind!r}. Only the label maps of a folder have one."
        )
    if kind in _REGISTERED and scheme is not None:
        raise InputError(f"a dataset of kind {kind!r} brings its regions. Leave the scheme out.")
    if kind != "celebamask-hq" and missing != "error":
        raise InputError(
            f"missing={missing!r} was given for a dataset of kind {kind!r}. Only celebamask-hq leaves them out."
        )
    if kind != "celebamask-hq" and split == "val":
        raise InputError(
            f"a dataset of kind {kind!r} has no validation part. Give split 'train' or 'all', or other data."
        )
    if kind in ("folder", "celebamask-hq") and path is not None and is_lmdb(path):
        raise InputError(f"{str(path)!r} is an LMDB. Give the kind 'lmdb' (data.kind=lmdb in a training).")
    if kind == "pictures" and scheme in (None, "guess"):
        raise InputError(
            "pictures without label maps do not say their regions. Give the scheme, or in a training start=MODEL."
        )


def _open_files(
    kind: str,
    path: str | Path,
    size: int,
    scheme: RegionScheme | str | None,
    split: str,
    label_order: str | None,
    missing: str,
    max_megapixels: float,
) -> PairDataset:
    from semanticgan.data import celebamask, folders, lmdb_pairs, unlabelled

    if kind == "lmdb":
        extras.require("lmdb")
        return lmdb_pairs.LmdbDataset(path, size, scheme)
    if kind == "folder":
        return folders.FolderDataset(path, size, scheme, label_order, max_megapixels)
    if kind == "celebamask-hq":
        return celebamask.CelebAMaskDataset(path, size, scheme, split, missing, max_megapixels)
    assert scheme is not None
    return unlabelled.PictureDataset(path, size, folders.find_scheme(scheme), max_megapixels)
