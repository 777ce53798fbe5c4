"""CelebAMask-HQ in its original layout: 30,000 faces with one mask file a part.

``CelebA-HQ-img/{i}.jpg`` (1024 pixels) and ``CelebAMask-HQ-mask-anno/{i // 2000}/{i:05d}_{part}.png`` (512 pixels,
0 or 255, grey or RGB; no file where the part is not seen). Source: Lee et al., arXiv 1907.11922; painting order and
split as in arXiv 2112.02236.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from semanticgan.data import pictures
from semanticgan.data.encoding import Source, side_of_file
from semanticgan.data.folders import find_scheme
from semanticgan.data.pairs import Pair, PairDataset, content_key, to_pair
from semanticgan.data.storage import Storage, first_names, open_storage
from semanticgan.errors import InputError, unknown_name
from semanticgan.regions import CELEBAMASK_13, CELEBAMASK_PARTS, RegionScheme

IMAGES, MASKS = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno"
SPLITS: Mapping[str, range] = {"train": range(28000), "val": range(28000, 30000), "all": range(30000)}
"""Numbers of the pictures of each part of the data."""


class CelebAMaskDataset(PairDataset):
    """The pictures of a split that are there, in order of their numbers, painted in a scheme's regions.

    A part takes the region of its own name (schemes that keep sides), else the one that ``CELEBAMASK_PARTS`` gives it;
    a part for which the scheme has no region leaves what lies under it.

    Args:
        path: the dataset's folder or zip, or a folder that holds nothing else.
        size: side of the pairs in pixels.
        scheme: the regions to paint, a scheme or its name in ``regions.SCHEMES``; the 13 of the paper if not given.
        split: "train" (0-27999), "val" (28000-29999) or "all".
        missing: "error" or "skip" a picture without any mask.

    Attributes:
        skipped: names of the pictures that were left out because they have no mask.

    Raises:
        MissingFileError: there is nothing at ``path``.
        InputError: another layout, no pictures of the split, pictures without masks, an unknown name.
    """

    def __init__(
        self,
        path: str | Path,
        size: int,
        scheme: RegionScheme | str | None = None,
        split: str = "train",
        missing: str = "error",
    ) -> None:
        if split not in SPLITS:
            raise unknown_name("split of CelebAMask-HQ", split, SPLITS)
        if missing not in ("error", "skip"):
            raise unknown_name("treatment of pictures without masks", missing, ("error", "skip"))
        self.size = size
        self.regions = find_scheme(scheme) if isinstance(scheme, str) else scheme or CELEBAMASK_13
        self._labels = _label_of_parts(self.regions)
        self._storage = open_storage(path)
        self._root = _find_root(self._storage)
        found = _find_pictures(self._storage, f"{self._root}{IMAGES}/", SPLITS[split])
        if not found:
            raise InputError(
                f"no pictures of split {split!r} in {self._storage.label(self._root + IMAGES)!r}: "
                f"numbers {SPLITS[split].start} to {SPLITS[split].stop - 1} are looked for. "
                "Choose another split, or complete the data."
            )
        self._masks = _find_masks(self._storage, f"{self._root}{MASKS}/", found)
        bare = [number for number in found if number not in self._masks]
        if bare and (missing == "error" or len(bare) == len(found)):
            raise InputError(
                f"{len(bare)} of {len(found)} pictures in {str(self._storage.path)!r} have no mask in {MASKS}/: "
                f"{first_names([found[number] for number in bare])}. "
                'Add the masks, or leave such pictures out (--missing skip; in Python missing="skip").'
            )
        self.skipped = tuple(found[number] for number in bare)
        self._pictures = [(number, found[number]) for number in sorted(found) if number in self._masks]

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> Pair:
        number, name = self._pictures[index]
        picture = pictures.read_picture(self._storage.read(name), self._storage.label(name))
        labels = self._paint(number)
        pictures.require_same_shape(picture, labels, self._storage.label(name))
        return to_pair(pictures.resize_picture(picture, self.size), pictures.resize_labels(labels, self.size))

    def stem(self, index: int) -> str:
        return PurePosixPath(self._pictures[index][1]).stem

    def source(self, index: int) -> Source:
        """Name, sides and parts of a pair, from the headers of its picture and of one mask."""
        number, name = self._pictures[index]
        masks = self._masks[number]
        sides = [
            side_of_file(self._storage.read(file), self._storage.label(file)) for file in (name, *masks.values())[:2]
        ]
        return Source(name[len(self._root) :], sides[0], sides[1], tuple(p for p in CELEBAMASK_PARTS if p in masks))

    def picture_digest(self, index: int) -> bytes:
        return hashlib.sha256(self._storage.read(self._pictures[index][1])).digest()

    def key(self) -> str:
        """Digest of names and byte counts of the files, side and regions."""
        root, sizes = len(self._root), self._storage.sizes
        files = [
            (name[root:], sizes[name])
            for number, picture in self._pictures
            for name in (picture, *self._masks[number].values())
        ]
        return content_key(["celebamask-hq", self.size, self.regions.to_dict(), files])

    def _paint(self, number: int) -> np.ndarray:
        """uint8 [H, W]: the parts one over the other, in the order of ``CELEBAMASK_PARTS``."""
        labels: np.ndarray | None = None
        for part, label in self._labels.items():
            name = self._masks[number].get(part)
            if name is None:
                continue
            mask = pictures.read_mask(self._storage.read(name), self._storage.label(name))
            if labels is None:
                labels = np.zeros(mask.shape, dtype=np.uint8)
            if mask.shape != labels.shape:
                raise InputError(
                    f"mask {self._storage.label(name)!r} is {mask.shape[1]}x{mask.shape[0]}, the parts before it are "
                    f"{labels.shape[1]}x{labels.shape[0]}. All parts of a picture must have one size."
                )
            labels[mask] = label
        if labels is None:  # only parts that the scheme leaves out
            name = next(iter(self._masks[number].values()))
            labels = np.zeros_like(pictures.read_mask(self._storage.read(name)), dtype=np.uint8)
        return labels


def _label_of_parts(regions: RegionScheme) -> dict[str, int]:
    """Part -> label in painting order, without the parts that the scheme has no region for."""
    labels = {}
    for part, region in CELEBAMASK_PARTS.items():
        name = part if part in regions.names else region
        if name in regions.names:
            labels[part] = regions.index(name)
    if not labels:
        raise InputError(
            f"none of the regions {', '.join(regions.names)} is a part of CelebAMask-HQ "
            f"({', '.join(CELEBAMASK_PARTS)}). Choose another scheme."
        )
    return labels


def _find_root(storage: Storage) -> str:
    """The prefix of the two folders: "" or "FOLDER/"."""
    for name in storage.sizes:
        before, found, _ = name.partition(f"{IMAGES}/")
        if found and (not before or before.count("/") == 1):
            return before
    raise InputError(
        f"{str(storage.path)!r} is not laid out as CelebAMask-HQ. Give the folder that holds {IMAGES}/ and {MASKS}/."
    )


def _find_pictures(storage: Storage, prefix: str, numbers: range) -> dict[int, str]:
    """Names of the pictures by number."""
    found = {}
    for name in storage.sizes:
        path = PurePosixPath(name)
        if name.startswith(prefix) and path.suffix.lower() in pictures.PICTURE_SUFFIXES and path.stem.isdecimal():
            number = int(path.stem)
            if number in numbers:
                found[number] = name
    return dict(sorted(found.items()))


def _find_masks(storage: Storage, prefix: str, numbers: Mapping[int, str]) -> dict[int, dict[str, str]]:
    """Names of the masks by number and part, for the numbers wanted."""
    masks: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for name in storage.sizes:
        if not name.startswith(prefix) or not name.endswith(".png"):
            continue
        number, _, part = PurePosixPath(name).stem.partition("_")
        if number.isdecimal() and part in CELEBAMASK_PARTS and int(number) in numbers:
            masks[int(number)][part] = name
    return dict(masks)
