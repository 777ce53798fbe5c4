"""Pictures without masks: a folder or zip of nothing but pictures, for adaptation to a new domain."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np

from semanticgan.data import pictures
from semanticgan.data.decoding import MAX_MEGAPIXELS
from semanticgan.data.pairs import Pair, PairDataset, content_key, to_pair
from semanticgan.data.storage import Storage, first_names, open_storage
from semanticgan.data.unread import has_picture_suffix, warn, warn_of_unread
from semanticgan.errors import InputError
from semanticgan.regions import RegionScheme

NO_REGIONS = RegionScheme(("background", "none"))
"""The scheme of pictures for a model without regions: all labels are 0, the second region is nowhere."""


class PictureDataset(PairDataset):
    """Pictures of a folder or zip, whatever folders they lie in, in order of their names.

    Pictures have a suffix of ``pictures.PICTURE_SUFFIXES`` and become square as :mod:`semanticgan.data.pictures` says.
    Their labels are all 0 and mean nothing, which the attribute ``labelled`` says. Of a dataset of pairs, ``image/``
    beside ``label/``, only the pictures are taken.

    Args:
        path: a folder or zip.
        size: side of the pictures in pixels.
        regions: the regions of the model that is to be adapted.
        max_megapixels: the limit on the size of a picture.

    Raises:
        MissingFileError: there is nothing at ``path``.
        InputError: no pictures at ``path``.
    """

    labelled = False

    def __init__(
        self, path: str | Path, size: int, regions: RegionScheme, max_megapixels: float = MAX_MEGAPIXELS
    ) -> None:
        self.size = size
        self._max_megapixels = max_megapixels
        self.regions = regions
        self._storage = open_storage(path)
        self._names = _find_pictures(self._storage)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> Pair:
        """Picture ``index`` as image uint8 [3, S, S] and labels uint8 [S, S], all 0."""
        name = self._names[index]
        picture = pictures.read_picture(self._storage.read(name), self._storage.label(name), self._max_megapixels)
        return to_pair(pictures.resize_picture(picture, self.size), np.zeros((self.size, self.size), dtype=np.uint8))

    def stem(self, index: int) -> str:
        return PurePosixPath(self._names[index]).stem

    def picture_digest(self, index: int) -> bytes:
        return hashlib.sha256(self._storage.read(self._names[index])).digest()

    def key(self) -> str:
        """Digest of names and byte counts of the pictures, side and regions; a folder and its zip agree."""
        root = _common_folder(self._names)
        files = [(name[len(root) :], self._storage.sizes[name]) for name in self._names]
        return content_key(["unlabelled", self.size, self.regions.to_dict(), files])

    def fingerprint(self, index: int) -> str:
        """Digest of a picture's name and stamp."""
        name = self._names[index]
        return content_key(["unlabelled", name, self._storage.stamp(name)])


def _find_pictures(storage: Storage) -> list[str]:
    """Names of the pictures, in sorted order; what is not read is named in a warning."""
    found = [name for name in storage.sizes if has_picture_suffix(name)]
    root = _common_folder(found)
    beside_labels = any(name.startswith(f"{root}image/") for name in found)
    if beside_labels:
        # Label maps are .png too: beside image/ they are told by their folder.
        found = [name for name in found if not name.startswith(f"{root}label/")]
    suffixes = ", ".join(suffix[1:] for suffix in pictures.PICTURE_SUFFIXES)
    if not found:
        content = f"it has {len(storage.sizes)} other files" if storage.sizes else "it is empty"
        raise InputError(
            f"no pictures in {str(storage.path)!r} ({content}). Give a folder or zip of pictures ({suffixes})."
        )
    others = [name for name in storage.sizes if not has_picture_suffix(name)]
    if beside_labels:
        others = [name for name in others if not name.startswith(f"{root}label/")]
    warn_of_unread(storage, others, f"Pictures are read from {suffixes}. Convert others to use them.")
    repeated = storage.repeated(found)
    if repeated:
        warn(storage, f"left out as links to other pictures of it ({len(repeated)}): {first_names([*repeated])}.")
    found = [name for name in found if name not in repeated]
    _warn_of_shared_names(storage, found)
    return found


def _warn_of_shared_names(storage: Storage, found: list[str]) -> None:
    counts = Counter(str(PurePosixPath(name).with_suffix("")) for name in found)
    shared = [name for name in found if counts[str(PurePosixPath(name).with_suffix(""))] > 1]
    if shared:
        warn(
            storage,
            f"{len(shared)} pictures differ only in the suffix: {first_names(shared)}. Each counts as a picture of its "
            "own; remove those that show the same.",
        )


def _common_folder(names: list[str]) -> str:
    """The folder that holds every file, "" or "FOLDER/": a zip may have one more than the folder it was made of."""
    tops = {name.split("/", 1)[0] if "/" in name else "" for name in names}
    return f"{tops.pop()}/" if len(tops) == 1 and "" not in tops else ""
