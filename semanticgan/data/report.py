"""What a preparation found: counts, shares, missing parts and odd sides, gathered from the records of the pairs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from semanticgan.data.encoding import Record, Source, pair_digest
from semanticgan.data.storage import first_names
from semanticgan.regions import CELEBAMASK_PARTS, RegionScheme

_NAMED = 20


class Gathered:
    """Records summed up in the order of the pairs.

    Args:
        regions: what the labels mean.

    Attributes:
        count: pairs so far.
    """

    def __init__(self, regions: RegionScheme) -> None:
        self._regions = regions
        self._pixels = np.zeros(len(regions), dtype=np.int64)
        self._pairs_with = np.zeros(len(regions), dtype=np.int64)
        self._digest = hashlib.sha256()
        self._sources: list[Source] = []
        self._blank: list[str] = []
        self.count = 0

    def add(self, name: str, record: Record) -> None:
        """Take in the next pair, stored as ``name``."""
        self.count += 1
        pixels = np.array(record.pixels)
        self._pixels += pixels
        self._pairs_with += pixels > 0
        if not pixels[1:].any():
            self._blank.append(name if record.source is None else record.source.name)
        self._digest.update(pair_digest(name, record).encode())
        if record.source is not None:
            self._sources.append(record.source)

    @property
    def digest(self) -> str:
        """SHA-256 over names and contents of all pictures and label maps."""
        return self._digest.hexdigest()

    @property
    def shares(self) -> dict[str, float]:
        """Part of all pixels that each region has, 0..1, by name."""
        total = max(int(self._pixels.sum()), 1)
        return {name: round(int(n) / total, 6) for name, n in zip(self._regions.names, self._pixels, strict=True)}

    def findings(self, skipped: Sequence[str] = ()) -> dict[str, Any]:
        """JSON-able: in how many pairs each region is seen, and what is known of the source.

        Args:
            skipped: names of the pictures that were left out because they have no mask.
        """
        seen = {name: int(n) for name, n in zip(self._regions.names, self._pairs_with, strict=True)}
        findings: dict[str, Any] = {
            "pairs_with_region": seen,
            "regions_without_pictures": [name for name, count in seen.items() if not count],
            "num_blank": len(self._blank),
            "blank": self._blank[:_NAMED],
            "skipped": list(skipped),
        }
        if self._sources:
            findings |= _sides(self._sources)
        if any(source.parts for source in self._sources):
            counts = Counter(part for source in self._sources for part in source.parts)
            findings["pairs_with_part"] = {part: counts[part] for part in CELEBAMASK_PARTS}
        return findings


def warnings_of(findings: Mapping[str, Any], count: int) -> list[str]:
    """What of the findings may be a mistake in the data, one sentence each.

    Args:
        findings: of :meth:`Gathered.findings`.
        count: pairs in all.
    """
    background, found = next(iter(findings["pairs_with_region"])), []
    if findings["num_blank"]:
        found.append(
            f"{findings['num_blank']} of {count} label maps are blank, nothing but {background!r}: "
            f"{first_names(findings['blank'])}. Check the masks of these pictures, or leave them out."
        )
    missing = findings["regions_without_pictures"]
    if missing:
        found.append(
            f"no picture of {count} has the region{'s' * (len(missing) > 1)} {', '.join(missing[:_NAMED])}"
            f"{', ...' * (len(missing) > _NAMED)}. Check the masks, choose a region scheme without them, or use more "
            "pictures."
        )
    return found


def _sides(sources: Sequence[Source]) -> dict[str, Any]:
    """How often each shape of picture and label map occurs, and who differs from the commonest or is not square."""
    pictures, labels = Counter(source.picture for source in sources), Counter(source.labels for source in sources)
    usual = pictures.most_common(1)[0][0], labels.most_common(1)[0][0]
    odd = [
        source
        for source in sources
        if (source.picture, source.labels) != usual or any(w != h for w, h in (source.picture, source.labels))
    ]
    return {
        "picture_sides": {_text(side): number for side, number in pictures.most_common()},
        "label_sides": {_text(side): number for side, number in labels.most_common()},
        "num_unusual_sides": len(odd),
        "unusual_sides": [
            f"{source.name}: picture {_text(source.picture)}, labels {_text(source.labels)}" for source in odd[:_NAMED]
        ],
    }


def _text(side: tuple[int, int]) -> str:
    return f"{side[0]}x{side[1]}"
