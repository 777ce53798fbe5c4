"""The source of an edit as JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from semanticgan.edits.reading import Reader
from semanticgan.edits.sources import Found, Source

_MOST_FACES = 1000


def source_to(source: Source) -> dict[str, Any]:
    """JSON-able, read back by :func:`source_from`."""
    content: dict[str, Any] = {}
    if source.image is not None:
        content = {"image": source.image, "face": source.face, "aligned": source.aligned, "sha256": source.sha256}
        if source.landmarks is not None:
            content["landmarks"] = [list(point) for point in source.landmarks]
    elif source.seed is not None:
        content = {"seed": source.seed, "truncation": source.truncation}
    elif source.latent is not None:
        content = {"latent": source.latent}
    if source.found:
        content["found"] = [
            {
                "code": found.code.tolist(),
                "alignment": None if found.alignment is None else found.alignment.matrix.tolist(),
                "method": found.method,
            }
            for found in source.found
        ]
    return content


def source_from(read: Reader, item: Any, where: str) -> Source:
    """Of :func:`source_to`; ``where`` says whose source it is, for messages.

    Raises:
        InputError: it is not what :func:`source_to` gives.
    """
    values = read.mapping(item, where)
    found = tuple(_found(read, entry, where) for entry in read.items(values, "found", _MOST_FACES, missing=()))
    if "image" in values:
        read.keys(values, ("image", "face", "aligned", "sha256"), where, ("landmarks", "found"))
        face = values["face"]
        if face not in (None, "all") and (isinstance(face, bool) or not isinstance(face, int) or face < 1):
            read.refuse(f'"face" of {where}', 'a whole number from 1 on, "all" or null', face)
        landmarks = values.get("landmarks")
        points = None if landmarks is None else tuple((x, y) for x, y in read.table(landmarks, where, 5, 2))
        return Source(
            image=read.text(values, "image"),
            face=face,
            landmarks=points,
            aligned=read.flag(values, "aligned"),
            sha256=read.text(values, "sha256"),
            found=found,
        )
    if "seed" in values:
        read.keys(values, ("seed", "truncation"), where)
        if isinstance(values["seed"], bool) or not isinstance(values["seed"], int):
            read.refuse(f'"seed" of {where}', "a whole number from 0 to 2^63 - 1", values["seed"])
        return Source.of(values["seed"], truncation=read.number(values, "truncation"))
    if "latent" in values:
        read.keys(values, ("latent",), where)
        return Source(latent=read.text(values, "latent"))
    if len(found) != 1:
        read.refuse(where, '"image", "seed", "latent" or one code in "found"', sorted(values))
    read.keys(values, ("found",), where)
    return Source(found=found)


def _found(read: Reader, item: Any, where: str) -> Found:
    from semanticgan.inversion.alignment import Alignment

    values = read.mapping(item, f'"found" of {where}')
    read.keys(values, ("code", "alignment", "method"), f'"found" of {where}')
    code = read.table(values["code"], f'"code" of {where}')
    alignment = None
    if values["alignment"] is not None:
        alignment = Alignment(np.array(read.table(values["alignment"], f'"alignment" of {where}', 2, 3)))
    return Found(torch.tensor(code), alignment, read.text(values, "method"))
