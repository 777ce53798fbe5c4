"""A pair as it is stored: an encoded picture, an encoded label map, and a record of what they hold.

Label maps are indexed PNG in the colours of their regions, always lossless. Pictures are PNG, lossless, or JPEG of
quality 97 without chroma subsampling: on photographs of 512 pixels 0.8 of 255 levels off on average and a third of the
bytes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from semanticgan.data.pairs import PairDataset
from semanticgan.regions import RegionScheme

PICTURE_SUFFIX: Mapping[str, str] = {"png": ".png", "jpeg": ".jpg"}

_JPEG_QUALITY = 97

Attributes = Callable[[int], Mapping[str, Any]]


class Source(NamedTuple):
    """Where a pair comes from.

    Attributes:
        name: of its picture in the source.
        picture: (width, height) of the picture before it was made square.
        labels: (width, height) of the label map before.
        parts: the parts that have a mask, where masks are stored by part.
    """

    name: str
    picture: tuple[int, int]
    labels: tuple[int, int]
    parts: tuple[str, ...] = ()


@runtime_checkable
class HasSources(Protocol):
    """A dataset that knows where its pairs come from."""

    def source(self, index: int) -> Source: ...


class Record(NamedTuple):
    """What is known of a stored pair.

    Attributes:
        image: SHA-256 of the encoded picture, 64 hexadecimal digits.
        labels: SHA-256 of the encoded label map.
        pixels: number of pixels of each region.
        source: where it comes from, if that is known.
        attributes: what is depicted, if that is known; JSON-able.
    """

    image: str
    labels: str
    pixels: list[int]
    source: Source | None = None
    attributes: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, read back by :meth:`from_dict`."""
        described = {**self._asdict(), "source": self.source._asdict() if self.source else None}
        return {key: value for key, value in described.items() if value is not None}

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> Record:
        source = described.get("source")
        if source is not None:
            source = Source(
                source["name"], tuple(source["picture"]), tuple(source["labels"]), tuple(source.get("parts", ()))
            )
        return cls(**{**described, "source": source})


class Encoded(NamedTuple):
    """A pair as it is stored.

    Attributes:
        image: the picture's file.
        labels: the label map's file.
        record: what they hold.
    """

    image: bytes
    labels: bytes
    record: Record


class Encoder(Dataset[Encoded]):
    """The pairs of a dataset, encoded; made to be read by several processes.

    Args:
        dataset: what is encoded.
        picture_format: "png" or "jpeg".
        attributes: what is known of a picture by its index.
        sources: where pairs come from, by index.
    """

    def __init__(
        self,
        dataset: PairDataset,
        picture_format: str,
        attributes: Attributes | None = None,
        sources: HasSources | None = None,
    ) -> None:
        self.dataset, self.picture_format = dataset, picture_format
        self._attributes, self._sources = attributes, sources

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Encoded:
        pair = self.dataset[index]
        labels = pair.labels.numpy()
        image = _encode_picture(pair.image.permute(1, 2, 0).numpy(), self.picture_format)
        encoded = _encode_labels(labels, self.dataset.regions)
        return Encoded(image, encoded, self.record(index, image, encoded, labels))

    def record(self, index: int, image: bytes, encoded: bytes, labels: np.ndarray) -> Record:
        """The record of a pair from its two files and its labels uint8 [S, S]."""
        return Record(
            hashlib.sha256(image).hexdigest(),
            hashlib.sha256(encoded).hexdigest(),
            np.bincount(labels.ravel(), minlength=len(self.dataset.regions)).tolist(),
            None if self._sources is None else self._sources.source(index),
            None if self._attributes is None else dict(self._attributes(index)),
        )


def pair_digest(name: str, record: Record) -> str:
    """SHA-256 over a pair's name and its two files; a dataset's digest is that over these, in order."""
    return hashlib.sha256(name.encode() + bytes.fromhex(record.image + record.labels)).hexdigest()


def _encode_picture(picture: np.ndarray, picture_format: str) -> bytes:
    """RGB uint8 [H, W, 3] -> the content of a file."""
    file = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(picture))
    if picture_format == "jpeg":
        image.save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    else:
        image.save(file, "PNG")
    return file.getvalue()


def _encode_labels(labels: np.ndarray, regions: RegionScheme) -> bytes:
    """uint8 [H, W] -> an indexed PNG with the palette of the regions."""
    file = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(labels))
    image.putpalette(regions.palette())
    image.save(file, "PNG")
    return file.getvalue()
