"""A folder or zip of pictures beside label maps: ``image/NAME.jpg`` and ``label/NAME.png``.

What the labels mean is said by the caller (``scheme``) or by a ``dataset.json`` beside the two folders,
``{"regions": {"names": [...], ...}}`` as ``RegionScheme.to_dict`` writes it.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from semanticgan.data import pictures
from semanticgan.data.decoding import MAX_MEGAPIXELS, read_header, turning_beside
from semanticgan.data.encoding import Source
from semanticgan.data.label_maps import read_labels
from semanticgan.data.once import Once, doubtful_turning
from semanticgan.data.pairs import Pair, PairDataset, content_key, to_pair
from semanticgan.data.storage import Storage, first_names, open_storage
from semanticgan.data.unread import has_picture_suffix, warn, warn_of_unread
from semanticgan.errors import InputError, unknown_name
from semanticgan.formats import strict_json
from semanticgan.regions import BISENET_19_ORDER, CELEBAMASK_19_ORDER, SCHEMES, RegionScheme, relabel_table

LABEL_ORDERS: Mapping[str, Sequence[str]] = {"celebamask-19": CELEBAMASK_19_ORDER, "bisenet-19": BISENET_19_ORDER}
"""Orders of labels that maps may come in, to be mapped into a scheme's."""

_MAPS_READ_FOR_A_GUESS = 500


class FolderDataset(PairDataset):
    """Pictures and label maps of equal names in ``image/`` and ``label/`` of a folder or zip.

    The two folders may lie in one further folder, and may have folders of their own: a picture and its map have equal
    paths but for the suffix (``PICTURE_SUFFIXES`` and ``LABEL_SUFFIXES`` of :mod:`semanticgan.data.pictures`).
    Everything is in order of the names. Names are compared in composed Unicode (NFC).
    Pictures that links give a second name are left out with their maps.

    Args:
        path: a folder or zip.
        size: side of the pairs in pixels; see :mod:`semanticgan.data.pictures` for how pictures become square.
        scheme: what the labels mean: a scheme, its name in ``regions.SCHEMES``, "guess" for the smallest of these
            that holds the labels found, or None for what ``dataset.json`` says.
        label_order: name of the order that the maps come in (:data:`LABEL_ORDERS`), if it is not the scheme's own.
        max_megapixels: the limit on the size of a picture or map.

    Raises:
        MissingFileError: there is nothing at ``path``.
        InputError: no pairs, a picture without a map or a map without a picture, an unknown or unsaid scheme.
    """

    def __init__(
        self,
        path: str | Path,
        size: int,
        scheme: RegionScheme | str | None = None,
        label_order: str | None = None,
        max_megapixels: float = MAX_MEGAPIXELS,
    ) -> None:
        self.size = size
        self._max_megapixels = max_megapixels
        self._doubt = Once()
        self._storage = open_storage(path)
        self._pairs = _find_pairs(self._storage)
        self._label_order = label_order
        self._root = _root(self._storage)
        self._description = _read_description(self._storage, self._root)
        self.regions = self._choose_scheme(scheme)
        if label_order is not None and label_order not in LABEL_ORDERS:
            raise unknown_name("label order", label_order, LABEL_ORDERS)
        self._table = None if label_order is None else relabel_table(LABEL_ORDERS[label_order], self.regions)

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> Pair:
        image_name, label_name = self._pairs[index]
        image_content, label_content = self._storage.read(image_name), self._storage.read(label_name)
        image_name, label_name = self._storage.label(image_name), self._storage.label(label_name)
        picture = pictures.read_picture(image_content, image_name, self._max_megapixels)
        turning = turning_beside(read_header(image_content, image_name), label_content, label_name)
        if turning and turning.doubtful:
            self._doubt.warn(doubtful_turning(image_name, label_name))
        labels = read_labels(
            label_content,
            label_name,
            self.regions,
            self._table,
            max_megapixels=self._max_megapixels,
            orientation=turning and turning.orientation,
        )
        pictures.require_same_shape(picture, labels, image_name)
        return to_pair(pictures.resize_picture(picture, self.size), pictures.resize_labels(labels, self.size))

    def stem(self, index: int) -> str:
        return PurePosixPath(self._pairs[index][0]).stem

    def source(self, index: int) -> Source:
        """Names and sides of a pair, from the headers of its files."""
        picture, labels = (
            read_header(self._storage.read(name), self._storage.label(name)).size for name in self._pairs[index]
        )
        return Source(self._pairs[index][0], picture, labels)

    def picture_digest(self, index: int) -> bytes:
        return hashlib.sha256(self._storage.read(self._pairs[index][0])).digest()

    def key(self) -> str:
        """Digest of names and byte counts of the files, side, regions and label order; a folder and its zip agree."""
        root = len(self._root)
        files = [(name[root:], self._storage.sizes[name]) for pair in self._pairs for name in pair]
        return content_key(
            ["folder", self.size, self.regions.to_dict(), self._label_order, self._description.get("digest"), files]
        )

    def fingerprint(self, index: int) -> str:
        """Digest of names and stamps of a pair's files and of the label order."""
        root = len(self._root)
        files = [(name[root:], self._storage.stamp(name)) for name in self._pairs[index]]
        return content_key(["folder", self._label_order, files])

    def _choose_scheme(self, scheme: RegionScheme | str | None) -> RegionScheme:
        described = self._described_scheme()
        if scheme is None or (scheme == "guess" and described is not None):
            if described is None:
                raise InputError(
                    f"{str(self._storage.path)!r} does not say what its labels mean. Give a scheme "
                    f"({', '.join(SCHEMES)}, or 'guess'), or {self._advice_for_a_description()}."
                )
            return described
        if scheme == "guess":
            return self._guess_scheme()
        chosen = find_scheme(scheme)
        if described is not None and self._label_order is None:
            require_begins(chosen, described, f"{str(self._storage.path)!r}")
        return chosen

    def _described_scheme(self) -> RegionScheme | None:
        if "regions" not in self._description:
            return None
        try:
            return RegionScheme.from_dict(self._description["regions"])
        except InputError as error:
            raise InputError(
                f"the 'regions' in dataset.json of {str(self._storage.path)!r} are not a region scheme: {error} "
                'Write {"regions": {"names": ["background", ...]}}.'
            ) from error

    def _advice_for_a_description(self) -> str:
        if f"{self._root}dataset.json" in self._storage.sizes:
            return 'add "regions": {"names": ["background", ...]} to its dataset.json, which has no \'regions\''
        return "put a dataset.json beside image/ and label/"

    def _guess_scheme(self) -> RegionScheme:
        anything = RegionScheme(names=tuple(f"region-{label}" for label in range(255)))
        top = 0
        for _, name in self._pairs[:_MAPS_READ_FOR_A_GUESS]:
            labels = read_labels(
                self._storage.read(name), self._storage.label(name), anything, max_megapixels=self._max_megapixels
            )
            top = max(top, int(labels.max()))
        holding = [known for known in sorted(SCHEMES.values(), key=len) if len(known) > top]
        if not holding:
            raise InputError(
                f"{str(self._storage.path)!r} holds the label {top}, more than any known scheme "
                f"({', '.join(SCHEMES)}). To say what it means, {self._advice_for_a_description()}."
            )
        return holding[0]


def find_scheme(name: RegionScheme | str) -> RegionScheme:
    """A scheme by its name in ``regions.SCHEMES``, or the scheme itself.

    Raises:
        InputError: no such scheme; the message lists the known ones.
    """
    if isinstance(name, RegionScheme):
        return name
    if name not in SCHEMES:
        raise unknown_name("region scheme", name, SCHEMES)
    return SCHEMES[name]


def require_begins(chosen: RegionScheme, stored: RegionScheme, where: str) -> None:
    """Check that a scheme begins with the one that data say they have.

    Raises:
        InputError: it does not.
    """
    if chosen.names[: len(stored)] != stored.names:
        raise InputError(
            f"the labels of {where} are {', '.join(stored.names)}, as the data say, but the scheme asked for is "
            f"{', '.join(chosen.names)}. Leave the scheme out, or choose one that begins with these."
        )


def _root(storage: Storage) -> str:
    """The prefix of ``image/`` and ``label/``: "" or "FOLDER/"."""
    tops = {name.split("/", 1)[0] for name in storage.sizes if "/" in name}
    if not tops & {"image", "label"} and len(tops) == 1:
        return f"{tops.pop()}/"
    return ""


def _find_pairs(storage: Storage) -> list[tuple[str, str]]:
    """(picture, label map) names, sorted by the path that they share; what is not read is named in a warning."""
    root = _root(storage)
    images = _by_stem(storage, f"{root}image/", pictures.PICTURE_SUFFIXES)
    labels = _by_stem(storage, f"{root}label/", pictures.LABEL_SUFFIXES)
    if not images and not labels:
        found = f"it has {len(storage.sizes)} other files" if storage.sizes else "it is empty"
        raise InputError(
            f"no pictures in {str(storage.path)!r} ({found}). "
            f"Put pictures ({_suffixes(pictures.PICTURE_SUFFIXES)}) into image/ and label maps (png) of the same names "
            "into label/."
        )
    repeated = storage.repeated(images.values())
    for stem in [stem for stem, name in images.items() if name in repeated]:
        images.pop(stem)
        labels.pop(stem, None)
    unread = _unread(storage, root)
    _require_partners(storage, images, labels, unread)
    if repeated:
        warn(storage, f"left out as links to other pictures of it ({len(repeated)}): {first_names([*repeated])}.")
    warn_of_unread(
        storage,
        unread,
        f"Pictures are read from image/ ({_suffixes(pictures.PICTURE_SUFFIXES)}), label maps from label/ "
        f"({_suffixes(pictures.LABEL_SUFFIXES)}). Convert others to use them.",
    )
    return [(images[stem], labels[stem]) for stem in sorted(images)]


def _unread(storage: Storage, root: str) -> list[str]:
    """Names of files that are in image/ or label/ and not read, and of pictures outside of both."""
    places = {f"{root}image/": pictures.PICTURE_SUFFIXES, f"{root}label/": pictures.LABEL_SUFFIXES}
    unread = []
    for name in storage.sizes:
        suffixes = next((read for place, read in places.items() if name.startswith(place)), ())
        inside, suffix = bool(suffixes), posixpath.splitext(name)[1].lower()
        if suffix not in suffixes and (inside or has_picture_suffix(name)):
            unread.append(name)
    return unread


def _require_partners(
    storage: Storage, images: Mapping[str, str], labels: Mapping[str, str], unread: Sequence[str]
) -> None:
    """Check that every picture has a label map and the reverse; ``unread`` may explain what is missing."""
    root = _root(storage)
    for some, others, missing, place in (
        (images, labels, "without label map", f"{root}label/"),
        (labels, images, "without picture", f"{root}image/"),
    ):
        alone = {stem: name for stem, name in some.items() if stem not in others}
        if alone:
            what = "picture" if some is images else "label map"
            partners = [name for name in unread if name.startswith(place) and _stem(name, place) in alone]
            reason = f" Not read are {first_names(partners)}: convert them to png." if partners else ""
            raise InputError(
                f"{len(alone)} {what}{'s' * (len(alone) > 1)} {missing} in {str(storage.path)!r}: "
                f"{first_names([*alone.values()])}.{reason} "
                "Every picture image/NAME.jpg needs its label/NAME.png, and the reverse; add or remove what is missing."
            )


def _by_stem(storage: Storage, prefix: str, suffixes: Sequence[str]) -> dict[str, str]:
    """Names of files below ``prefix`` by their path without prefix and suffix."""
    found: dict[str, str] = {}
    for name in storage.sizes:
        if not name.startswith(prefix) or posixpath.splitext(name)[1].lower() not in suffixes:
            continue
        stem = _stem(name, prefix)
        if stem in found:
            raise InputError(
                f"{found[stem]} and {name} in {str(storage.path)!r} share a name. Remove or rename one of them."
            )
        found[stem] = name
    return found


def _stem(name: str, prefix: str) -> str:
    return posixpath.splitext(name)[0][len(prefix) :]


def _suffixes(suffixes: Sequence[str]) -> str:
    return ", ".join(suffix[1:] for suffix in suffixes)


def _read_description(storage: Storage, root: str) -> dict[str, Any]:
    name = f"{root}dataset.json"
    if name not in storage.sizes:
        return {}
    description = strict_json.loads(storage.read(name), storage.label(name))
    if not isinstance(description, dict):
        raise InputError(f"{storage.label(name)!r} must be a JSON object with 'regions'. Correct or remove it.")
    return description
