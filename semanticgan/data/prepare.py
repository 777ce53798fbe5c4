"""A dataset decoded and resized once, written where it is read fast: a folder of files, or one LMDB.

A folder holds ``image/00000.png``, ``label/00000.png`` (indexed, in the scheme's colours), ``attributes.jsonl`` where
there are attributes, and ``SHA256SUMS``, which ``sha256sum -c`` understands; an LMDB holds ``data.mdb``
(:mod:`semanticgan.data.lmdb_pairs`). Beside them lie ``dataset.json`` with regions, side, count, key of the source,
digest of the files and share of each region, and ``report.json`` with what was found and how long it took. All but the
report has the same bytes however often the work was cut off.

Everything is written into a hidden folder beside the output, which is renamed at the end; a repeated command takes up
what is there.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from semanticgan import extras
from semanticgan.data import lmdb_pairs
from semanticgan.data.encoding import (
    LARGEST_PNG,
    PICTURE_FORMATS,
    PICTURE_SUFFIX,
    Attributes,
    Encoder,
    HasSources,
    Record,
)
from semanticgan.data.pairs import PairDataset
from semanticgan.data.pictures import read_labels
from semanticgan.data.reading import num_processors, read_all
from semanticgan.data.report import Gathered
from semanticgan.errors import ExistingFileError, InputError, UnwritableError, unknown_name
from semanticgan.files import require_free, sync_folder, user_path, written_aside

FORMATS = ("folder", "lmdb")
SUMS = "SHA256SUMS"

_OWN_NAMES = ("image", "label", "dataset.json", "report.json", "attributes.jsonl", SUMS, lmdb_pairs.FILE)
_LOCK = "lock.mdb"


@dataclass(frozen=True)
class Prepared:
    """What :func:`prepare` wrote.

    Attributes:
        path: the folder.
        count: pairs in it.
        size: side of the pairs in pixels.
        digest: SHA-256 over names and contents of all pictures and label maps.
        shares: part of all pixels that each region has, 0..1, by name.
        report: all of ``report.json``: the above, what was found in the source, bytes and speed.
    """

    path: Path
    count: int
    size: int
    digest: str
    shares: Mapping[str, float]
    report: Mapping[str, Any] = field(default_factory=dict)


def prepare(
    dataset: PairDataset,
    out: str | Path,
    *,
    output_format: str = "folder",
    picture_format: str | None = None,
    attributes: Attributes | None = None,
    sources: HasSources | None = None,
    skipped: Sequence[str] = (),
    workers: int | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Prepared:
    """Write every pair of a dataset, at the dataset's side.

    Args:
        dataset: read completely.
        out: the folder to write.
        output_format: "folder" or "lmdb".
        picture_format: "png" (lossless) or "jpeg" (see :mod:`semanticgan.data.encoding`). If not given, PNG in a folder
            and in an LMDB of up to ``LARGEST_PNG`` pixels, JPEG in a larger one. Label maps are always lossless.
        attributes: what is known of a picture by its index, JSON-able; in ``attributes.jsonl`` or the pair's record.
        sources: where the pairs come from, for the report.
        skipped: names of pictures that the dataset leaves out, for the report.
        workers: processes; None for one a processor.
        overwrite: replace an earlier output of this function.
        progress: show a bar on stderr.

    Raises:
        ExistingFileError: ``out`` exists and ``overwrite`` is false, or is no output of this function.
        UnwritableError: it cannot be written.
        InputError: a dataset without labels, an unknown format, or what the dataset raises for a file that cannot be
            used; a repeated call continues there.
    """
    if not dataset.labelled:
        raise InputError("these pictures have no label maps, so there are no pairs to prepare. Use them as they are.")
    if output_format not in FORMATS:
        raise unknown_name("format of a prepared dataset", output_format, FORMATS)
    if output_format == "lmdb":
        extras.require("lmdb")
    if picture_format is None:
        picture_format = "jpeg" if output_format == "lmdb" and dataset.size > LARGEST_PNG else "png"
    if picture_format not in PICTURE_FORMATS:
        raise unknown_name("picture format", picture_format, PICTURE_FORMATS)
    out = require_free(out, overwrite)
    _require_replaceable(out)
    workers = num_processors() if workers is None else workers
    plan = {
        "format": 1,
        "size": dataset.size,
        "count": len(dataset),
        "regions": dataset.regions.to_dict(),
        "source": dataset.key(),
        "output_format": output_format,
        "picture_format": picture_format,
    }
    partial = out.with_name(f".{out.name}.preparing")
    _open_partial(partial, plan, output_format)
    work = _Work(Encoder(dataset, picture_format, attributes, sources), partial, plan, workers, progress)
    start = time.perf_counter()
    gathered, num_taken_up = (_write_lmdb if output_format == "lmdb" else _write_folder)(work)
    seconds = time.perf_counter() - start
    summary = {**plan, "digest": gathered.digest, "shares": gathered.shares}
    _write_json(partial / "dataset.json", summary)
    report = {
        "count": len(dataset),
        "size": dataset.size,
        "output_format": output_format,
        "picture_format": picture_format,
        "bytes": sum(path.stat().st_size for path in partial.rglob("*") if path.is_file() and path.name != _LOCK),
        "seconds": round(seconds, 2),
        "images_per_second": round((len(dataset) - num_taken_up) / seconds, 2),
        "num_taken_up": num_taken_up,
        "workers": workers,
        "digest": gathered.digest,
        "shares": gathered.shares,
        **gathered.findings(skipped),
    }
    _write_json(partial / "report.json", report)
    _publish(partial, out)
    return Prepared(out, len(dataset), dataset.size, gathered.digest, gathered.shares, report)


def require_outside(out: str | Path, source: str | Path) -> None:
    """Check that an output is neither its source nor lies in it, where it would be read as part of it next time.

    Raises:
        InputError: it is or does.
    """
    out, source = user_path(out, "output"), user_path(source, "data")
    resolved, inner = source.resolve(), out.resolve()
    if inner == resolved or resolved in inner.parents:
        where = "is" if inner == resolved else "lies inside"
        raise InputError(
            f"output {str(out)!r} {where} the source {str(source)!r}. Choose an output outside of it, such as "
            f"{str(source.with_name(source.name + '-prepared'))!r}."
        )


@dataclass(frozen=True)
class _Work:
    """What is to be written, where, and how."""

    encoder: Encoder
    folder: Path
    plan: Mapping[str, Any]
    workers: int
    progress: bool

    def read(self, items: Dataset[Any], first: int = 0) -> Iterator[Any]:
        bar = "preparing pictures" if self.progress else None
        return read_all(items, self.workers if self.workers > 1 else 0, bar, first)


def _write_lmdb(work: _Work) -> tuple[Gathered, int]:
    """All pairs in one LMDB, encoded by many processes and written by this one, in order."""
    writer, gathered = lmdb_pairs.PairWriter(work.folder), Gathered(work.encoder.dataset.regions)
    for index, record in enumerate(writer.records):
        gathered.add(f"{index:08d}", record)
    num_taken_up = len(writer.records)
    for index, encoded in enumerate(work.read(work.encoder, num_taken_up), num_taken_up):
        gathered.add(f"{index:08d}", encoded.record)
        writer.append(encoded)
    writer.finish({**work.plan, "digest": gathered.digest, "shares": gathered.shares})
    return gathered, num_taken_up


def _write_folder(work: _Work) -> tuple[Gathered, int]:
    """All pairs as files, each written by the process that encodes it."""
    gathered, num_taken_up = Gathered(work.encoder.dataset.regions), 0
    writer, lines, sums = _FileWriter(work.encoder, work.folder), [], []
    for index, (record, taken_up) in enumerate(work.read(writer)):
        image_path, label_path = writer.paths(index)
        gathered.add(image_path.name, record)
        num_taken_up += taken_up
        sums += [f"{record.image}  image/{image_path.name}\n", f"{record.labels}  label/{label_path.name}\n"]
        if record.attributes is not None:
            lines.append(json.dumps(record.attributes) + "\n")
    if lines:
        _write(work.folder / "attributes.jsonl", "".join(lines).encode())
    _write(work.folder / SUMS, "".join(sums).encode())
    return gathered, num_taken_up


class _FileWriter(Dataset[tuple[Record, bool]]):
    """Reading item i writes pair i, unless it is written already; the second value says whether it was."""

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self._encoder, self._folder = encoder, folder
        self._digits = max(5, len(str(len(encoder) - 1)))

    def __len__(self) -> int:
        return len(self._encoder)

    def paths(self, index: int) -> tuple[Path, Path]:
        """Where the picture and the label map of a pair are."""
        name = f"{index:0{self._digits}}"
        suffix = PICTURE_SUFFIX[self._encoder.picture_format]
        return self._folder / "image" / f"{name}{suffix}", self._folder / "label" / f"{name}.png"

    def __getitem__(self, index: int) -> tuple[Record, bool]:
        image_path, label_path = self.paths(index)
        try:
            image, encoded = image_path.read_bytes(), label_path.read_bytes()
            labels = read_labels(encoded, str(label_path), self._encoder.dataset.regions)
        except (OSError, InputError):  # not there yet, or cut short by a power failure
            pair = self._encoder[index]
            _write(image_path, pair.image)
            _write(label_path, pair.labels)
            return pair.record, False
        return self._encoder.record(index, image, encoded, labels), True


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


def _open_partial(partial: Path, plan: Mapping[str, Any], output_format: str) -> None:
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
    for name in ("image", "label") if output_format == "folder" else (".",):
        (partial / name).mkdir(parents=True, exist_ok=True)
    _write_json(partial / "dataset.json", plan)


def _publish(partial: Path, out: Path) -> None:
    """Give the finished folder its name; an earlier output stays until the new one is complete."""
    for leftover in partial.glob("**/.*"):  # files that a killed process was writing aside
        leftover.unlink()
    (partial / _LOCK).unlink(missing_ok=True)
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
