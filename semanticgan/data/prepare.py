"""A dataset decoded and resized once, written as a folder that ``FolderDataset`` reads fast.

``image/00000.png``, ``label/00000.png`` (indexed, in the scheme's colours), ``attributes.jsonl`` where there are
attributes, and ``dataset.json`` with regions, side, count, key of the source, digest of the files and share of each
region. Everything is written into a hidden folder beside the output, which is renamed at the end; a repeated command
takes up what is there.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from semanticgan.data.pairs import PairDataset
from semanticgan.data.pictures import read_labels
from semanticgan.data.reading import read_all
from semanticgan.errors import ExistingFileError, InputError, UnwritableError
from semanticgan.files import require_free, sync_folder, written_aside
from semanticgan.regions import RegionScheme

Attributes = Callable[[int], Mapping[str, Any]]

_OWN_NAMES = ("image", "label", "dataset.json", "attributes.jsonl")


@dataclass(frozen=True)
class Prepared:
    """A folder that :func:`prepare` wrote.

    Attributes:
        path: the folder.
        count: pairs in it.
        size: side of the pairs in pixels.
        digest: SHA-256 over names and contents of all pictures and label maps.
        shares: part of all pixels that each region has, 0..1, by name.
    """

    path: Path
    count: int
    size: int
    digest: str
    shares: Mapping[str, float]


def prepare(
    dataset: PairDataset,
    out: str | Path,
    *,
    attributes: Attributes | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Prepared:
    """Write every pair of a dataset, at the dataset's side, as lossless files.

    Args:
        dataset: read completely.
        out: the folder to write.
        attributes: what is known of a picture by its index, JSON-able, one line each of ``attributes.jsonl``.
        workers: processes; None for one a processor.
        overwrite: replace an earlier output of this function.
        progress: show a bar on stderr.

    Raises:
        ExistingFileError: ``out`` exists and ``overwrite`` is false, or is no output of this function.
        UnwritableError: it cannot be written.
        InputError: what the dataset raises for a file that cannot be used; a repeated call continues there.
    """
    out = require_free(out, overwrite)
    _require_replaceable(out)
    plan = {
        "format": 1,
        "size": dataset.size,
        "count": len(dataset),
        "regions": dataset.regions.to_dict(),
        "source": dataset.key(),
    }
    partial = out.with_name(f".{out.name}.preparing")
    _open_partial(partial, plan)
    if workers is None:
        workers = _num_processors()
    pixels = np.zeros(len(dataset.regions), dtype=np.int64)
    digest = hashlib.sha256()
    lines = []
    writer = _Writer(dataset, partial, attributes)
    for written in read_all(writer, workers if workers > 1 else 0, "preparing pictures" if progress else None):
        pixels += np.array(written.pixels)
        digest.update(written.digest.encode())
        if written.attributes is not None:
            lines.append(json.dumps(written.attributes) + "\n")
    if attributes is not None:
        _write(partial / "attributes.jsonl", "".join(lines).encode())
    shares = {
        name: round(float(share), 6) for name, share in zip(dataset.regions.names, pixels / pixels.sum(), strict=True)
    }
    _write_json(partial / "dataset.json", {**plan, "digest": digest.hexdigest(), "shares": shares})
    _publish(partial, out)
    return Prepared(out, len(dataset), dataset.size, digest.hexdigest(), shares)


class _Written(NamedTuple):
    """What a worker reports of one pair: pixels of each region, digest of the two files, attributes."""

    pixels: list[int]
    digest: str
    attributes: dict[str, Any] | None


class _Writer(Dataset[_Written]):
    """Reading item i writes pair i, unless it is written already."""

    def __init__(self, dataset: PairDataset, folder: Path, attributes: Attributes | None) -> None:
        self.dataset, self.folder, self.attributes = dataset, folder, attributes
        self.digits = max(5, len(str(len(dataset) - 1)))

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> _Written:
        image_path, label_path = (self.folder / kind / f"{index:0{self.digits}}.png" for kind in ("image", "label"))
        try:
            image, label = image_path.read_bytes(), label_path.read_bytes()
            labels = read_labels(label, str(label_path), self.dataset.regions)
        except (OSError, InputError):  # not there yet, or cut short by a power failure
            pair = self.dataset[index]
            labels = pair.labels.numpy()
            image, label = _png(pair.image.permute(1, 2, 0).numpy()), _png(labels, self.dataset.regions)
            _write(image_path, image)
            _write(label_path, label)
        digest = hashlib.sha256(image_path.name.encode())
        for content in (image, label):
            digest.update(hashlib.sha256(content).digest())
        pixels = np.bincount(labels.ravel(), minlength=len(self.dataset.regions))
        attributes = None if self.attributes is None else dict(self.attributes(index))
        return _Written(pixels.tolist(), digest.hexdigest(), attributes)


def _png(values: np.ndarray, regions: RegionScheme | None = None) -> bytes:
    """RGB uint8 [H, W, 3], or labels uint8 [H, W] with the palette of their regions."""
    picture = Image.fromarray(np.ascontiguousarray(values))
    if regions is not None:
        picture.putpalette(regions.palette())
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _write(path: Path, content: bytes) -> None:
    try:
        with written_aside(path, overwrite=True) as aside:
            aside.write_bytes(content)
    except InputError:
        raise
    except OSError as error:
        raise UnwritableError(
            f"cannot write {str(path)!r} ({error.strerror}). Make room, then repeat the command: it continues."
        ) from error


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    _write(path, (json.dumps(content, indent=1) + "\n").encode())


def _open_partial(partial: Path, plan: Mapping[str, Any]) -> None:
    """Make the hidden folder ready: keep one of the same plan, begin anew where another was meant."""
    if partial.exists():
        begun = _read_json(partial / "dataset.json")
        if {key: begun.get(key) for key in plan} == json.loads(json.dumps(plan)):
            return
        if not begun and any(path.is_file() and not path.name.startswith(".") for path in partial.rglob("*")):
            raise ExistingFileError(
                f"{str(partial)!r} is in the way and was not written by this command. "
                "Move it, or choose another output."
            )
        shutil.rmtree(partial)
    for kind in ("image", "label"):
        (partial / kind).mkdir(parents=True)
    _write_json(partial / "dataset.json", plan)


def _publish(partial: Path, out: Path) -> None:
    """Give the finished folder its name; an earlier output stays until the new one is complete."""
    for leftover in partial.glob("**/.*"):  # files that a killed process was writing aside
        leftover.unlink()
    replaced = out.with_name(f".{out.name}.replaced")
    if out.exists():
        shutil.rmtree(replaced, ignore_errors=True)
        os.rename(out, replaced)
    os.rename(partial, out)
    sync_folder(out.absolute().parent)
    shutil.rmtree(replaced, ignore_errors=True)


def _require_replaceable(out: Path) -> None:
    """Nothing but an earlier output, known by its digest and holding nothing else, is ever replaced."""
    if not out.exists():
        return
    if "digest" not in _read_json(out / "dataset.json"):
        raise ExistingFileError(
            f"{str(out)!r} exists and is no prepared dataset, so it is not replaced. Choose another output, or move it."
        )
    others = sorted(path.name for path in out.iterdir() if path.name not in _OWN_NAMES and path.name[0] != ".")
    if others:
        raise ExistingFileError(
            f"{str(out)!r} holds more than a prepared dataset ({', '.join(others[:3])}), so it is not replaced. "
            "Choose another output, or move these files."
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _num_processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
