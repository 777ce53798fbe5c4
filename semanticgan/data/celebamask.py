"""CelebAMask-HQ in its original layout: 30,000 faces with one mask file per part.

``CelebA-HQ-img/{i}.jpg`` (1024 pixels) and ``CelebAMask-HQ-mask-anno/{i // 2000}/{i:05d}_{part}.png`` (512 pixels,
0 or 255, grey or RGB; no file where the part is not seen). Names count without regard to case, masks may have any
suffix of :data:`MASK_SUFFIXES`, and :mod:`semanticgan.data.masks` says how their values are read.
Source: Lee et al., arXiv 1907.11922; painting order and split as in arXiv 2112.02236.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np

from semanticgan.choices import SPLITS as SPLITS
from semanticgan.data import pictures
from semanticgan.data.decoding import MAX_MEGAPIXELS, read_header, turning_beside
from semanticgan.data.encoding import Source
from semanticgan.data.folders import find_scheme
from semanticgan.data.masks import read_mask
from semanticgan.data.once import Once, doubtful_turning
from semanticgan.data.orientation import Header
from semanticgan.data.pairs import Pair, PairDataset, content_key, to_pair
from semanticgan.data.storage import Storage, first_names, open_storage
from semanticgan.errors import DataWarning, InputError, unknown_name
from semanticgan.regions import CELEBAMASK_13, CELEBAMASK_PARTS, RegionScheme

IMAGES, MASKS = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno"
MASK_SUFFIXES = (".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".pbm", ".pgm", ".ppm", ".jpg", ".jpeg")

Key = TypeVar("Key", int, str)


class CelebAMaskDataset(PairDataset):
    """The pictures of a split that are there, in order of their numbers, painted in a scheme's regions.

    A part takes the region of its own name (schemes that keep sides), else the one that ``CELEBAMASK_PARTS`` gives it;
    a part for which the scheme has no region leaves what lies under it. Files that are not used for another reason are
    named in a :class:`~semanticgan.errors.DataWarning`.

    Args:
        path: the dataset's folder or zip, or a folder that holds nothing else.
        size: side of the pairs in pixels.
        scheme: the regions to paint, a scheme or its name in ``regions.SCHEMES``; the 13 of the paper if not given.
        split: "train" (0-27999), "val" (28000-29999) or "all".
        missing: "error" or "skip" a picture without any mask.
        max_megapixels: the limit on the size of a picture or mask.

    Attributes:
        skipped: names of the pictures that were left out because they have no mask.

    Raises:
        MissingFileError: there is nothing at ``path``.
        InputError: another layout, no pictures of the split, pictures without masks, two pictures of one number, two
            masks of one part, an unknown name.
    """

    def __init__(
        self,
        path: str | Path,
        size: int,
        scheme: RegionScheme | str | None = None,
        split: str = "train",
        missing: str = "error",
        max_megapixels: float = MAX_MEGAPIXELS,
    ) -> None:
        if split not in SPLITS:
            raise unknown_name("split of CelebAMask-HQ", split, SPLITS)
        if missing not in ("error", "skip"):
            raise unknown_name("treatment of pictures without masks", missing, ("error", "skip"))
        self.size = size
        self._max_megapixels = max_megapixels
        self._doubt, self._soft = Once(), Once()
        self.regions = CELEBAMASK_13 if scheme is None else find_scheme(scheme)
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
        self._masks = _find_masks(self._storage, f"{self._root}{MASKS}/", found, SPLITS[split])
        self._warn_of_parts_left_out()
        bare = [number for number in found if number not in self._masks]
        if bare and (missing == "error" or len(bare) == len(found)):
            raise InputError(
                f"{len(bare)} of {len(found)} pictures in {str(self._storage.path)!r} have no mask in {MASKS}/: "
                f"{first_names([found[number] for number in bare])}. "
                "Add the masks, or leave these pictures out: data.missing=skip in a training, the option missing of "
                "prepare-data with the value skip."
            )
        self.skipped = tuple(found[number] for number in bare)
        self._pictures = [(number, found[number]) for number in sorted(found) if number in self._masks]

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> Pair:
        number, name = self._pictures[index]
        content, name = self._storage.read(name), self._storage.label(name)
        picture = pictures.read_picture(content, name, self._max_megapixels)
        labels = self._paint(number, read_header(content, name), name)
        pictures.require_same_shape(picture, labels, name)
        return to_pair(pictures.resize_picture(picture, self.size), pictures.resize_labels(labels, self.size))

    def stem(self, index: int) -> str:
        return PurePosixPath(self._pictures[index][1]).stem

    def source(self, index: int) -> Source:
        """Name, sides and parts of a pair, from the headers of its picture and of one mask."""
        number, name = self._pictures[index]
        masks = self._masks[number]
        sides = [
            read_header(self._storage.read(file), self._storage.label(file)).size
            for file in (name, *masks.values())[:2]
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

    def fingerprint(self, index: int) -> str:
        """Digest of names and stamps of a picture and its masks."""
        number, picture = self._pictures[index]
        names = [picture, *self._masks[number].values()]
        return content_key(["celebamask-hq", *((name[len(self._root) :], self._storage.stamp(name)) for name in names)])

    def _warn_of_parts_left_out(self) -> None:
        left_out = Counter(part for masks in self._masks.values() for part in masks if part not in self._labels)
        if left_out:
            counts = ", ".join(f"{count} of {part}" for part, count in sorted(left_out.items()))
            warnings.warn(
                f"masks of parts that have no region in {', '.join(self.regions.names)} are not used: {counts}.",
                DataWarning,
                stacklevel=3,
            )

    def _paint(self, number: int, picture: Header, picture_name: str) -> np.ndarray:
        """uint8 [H, W]: the parts one over the other, in the order of ``CELEBAMASK_PARTS``."""
        labels: np.ndarray | None = None
        for part, label in self._labels.items():
            name = self._masks[number].get(part)
            if name is None:
                continue
            mask = self._read_mask(name, picture, picture_name)
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
            labels = np.zeros_like(self._read_mask(name, picture, picture_name), dtype=np.uint8)
        return labels

    def _read_mask(self, name: str, picture: Header, picture_name: str) -> np.ndarray:
        """Bool [H, W], turned as the picture is."""
        content, name = self._storage.read(name), self._storage.label(name)
        turning = turning_beside(picture, content, name)
        if turning and turning.doubtful:
            self._doubt.warn(doubtful_turning(picture_name, name))
        mask = read_mask(
            content, name, max_megapixels=self._max_megapixels, orientation=turning and turning.orientation
        )
        if mask.num_values > 2:
            self._soft.warn(
                f"mask {name!r} holds {mask.num_values} values. It is cut at the middle between the smallest and the "
                "largest, as are all masks of more than two values."
            )
        return mask.part


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
    """Names of the pictures by number; names a file that is none in a warning."""
    found: dict[int, str] = {}
    unused = []
    for name in storage.sizes:
        if not name.startswith(prefix):
            continue
        path = PurePosixPath(name)
        if path.suffix.lower() not in pictures.PICTURE_SUFFIXES or not _is_number(path.stem):
            unused.append(name)
        elif int(path.stem) in numbers:
            _add_once(found, int(path.stem), name, storage)
        elif int(path.stem) not in SPLITS["all"]:
            unused.append(name)
    _warn_of_unused(
        unused,
        storage.label(prefix),
        f"Pictures are named NUMBER.jpg, numbers {SPLITS['all'].start} to {SPLITS['all'].stop - 1}, with the suffix "
        f"{', '.join(pictures.PICTURE_SUFFIXES)}.",
    )
    return dict(sorted(found.items()))


def _find_masks(storage: Storage, prefix: str, numbers: Mapping[int, str], split: range) -> dict[int, dict[str, str]]:
    """Names of the masks by number and part, for the numbers wanted; names a file that is none in a warning."""
    masks: defaultdict[int, dict[str, str]] = defaultdict(dict)
    unused, alone = [], []
    for name in storage.sizes:
        if not name.startswith(prefix):
            continue
        path = PurePosixPath(name)
        number, _, part = path.stem.lower().partition("_")
        if path.suffix.lower() not in MASK_SUFFIXES or not _is_number(number) or part not in CELEBAMASK_PARTS:
            unused.append(name)
        elif int(number) in numbers:
            _add_once(masks[int(number)], part, name, storage)
        elif int(number) in split:
            alone.append(name)
        elif int(number) not in SPLITS["all"]:
            unused.append(name)
    _warn_of_unused(
        unused,
        storage.label(prefix),
        f"Masks are named NUMBER_PART.png, with the part {', '.join(CELEBAMASK_PARTS)} and the suffix "
        f"{', '.join(MASK_SUFFIXES)}.",
    )
    _warn_of_unused(alone, storage.label(prefix), f"There is no picture of such a number in {IMAGES}/.")
    return dict(masks)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _add_once(found: dict[Key, str], key: Key, name: str, storage: Storage) -> None:
    """Raises: InputError: another file has the key already."""
    if key in found:
        what = f"picture {key}" if isinstance(key, int) else f"mask {key!r} of one picture"
        raise InputError(
            f"{found[key]} and {name} in {str(storage.path)!r} are both {what}. Remove or rename one of them."
        )
    found[key] = name


def _warn_of_unused(unused: Sequence[str], where: str, rule: str) -> None:
    if unused:
        warnings.warn(
            f"{len(unused)} file{'s' * (len(unused) > 1)} in {where!r} {'are' if len(unused) > 1 else 'is'} not used: "
            f"{first_names(unused)}. {rule}",
            DataWarning,
            stacklevel=4,
        )
