"""A dataset decoded and resized once, written where it is read fast: a folder of files, or one LMDB.

A folder holds ``image/00000.png``, ``label/00000.png`` (indexed, in the scheme's colours), ``attributes.jsonl`` where
there are attributes, and ``SHA256SUMS``, which ``sha256sum -c`` understands; an LMDB holds ``data.mdb``
(:mod:`semanticgan.data.lmdb_pairs`). Beside them lie ``dataset.json`` with regions, side, count, key of the source,
digest of the files and share of each region, and ``report.json`` with what was found and how long it took. All but the
report has the same bytes however often the work was cut off.

Everything is written into a hidden folder beside the output, which is renamed at the end. A repeated command keeps the
pairs there whose sources are unchanged (:mod:`semanticgan.data.kept`). One process at a time writes an output, and an
earlier output is replaced only if it holds nothing but its own files (:mod:`semanticgan.data.prepared_files`).
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semanticgan import extras
from semanticgan.choices import LARGEST_PNG, PICTURE_FORMATS
from semanticgan.choices import PREPARED_FORMATS as FORMATS
from semanticgan.data import lmdb_pairs
from semanticgan.data.encoding import Attributes, Encoder, HasSources
from semanticgan.data.kept import Done, Journal, PairFiles, Preparing, Refused, write
from semanticgan.data.pairs import PairDataset
from semanticgan.data.prepared_files import (
    ATTRIBUTES,
    DESCRIPTION,
    JOURNAL,
    LOCK,
    REPORT,
    SUMS,
    belongs_to_unfinished,
    files_left_aside,
    files_of_set,
    read_json,
    remove_files,
    remove_pairs,
    remove_set,
    require_only,
)
from semanticgan.data.reading import num_processors, read_all
from semanticgan.data.report import Gathered, warnings_of
from semanticgan.data.storage import first_names
from semanticgan.errors import DataWarning, ExistingFileError, InputError, unknown_name
from semanticgan.files import make_folder, require_free, sync_folder, user_path
from semanticgan.places import held
from semanticgan.progress import Progress

# Of a plan what all files depend on; whether the file of a pair can be kept depends on its source, too.
_DECIDE_THE_FILES = ("format", "size", "regions", "output_format", "picture_format")
_MOST_COMPLAINTS = 100


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
    progress: Progress | bool = False,
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
        workers: processes; None for one per processor.
        overwrite: replace an earlier output of this function that holds no other files.
        progress: told of every pair; True shows a bar on stderr.

    Raises:
        ExistingFileError: ``out`` exists and ``overwrite`` is false, or is no output of this function.
        UnwritableError: it cannot be written.
        InputError: a dataset without labels, an unknown format, another process that prepares ``out``, or files that
            cannot be used, all of them named; a repeated call keeps the other pairs.

    Warns:
        DataWarning: label maps are blank, or no picture has a region.
    """
    plan = _plan(dataset, output_format, picture_format)
    out = user_path(out, "output")
    if out.name in ("", ".."):  # such as "."
        out = out.resolve()
    _require_replaceable(out, overwrite)
    refusal = f"another process is preparing {str(out)!r}. Wait until it ends, or choose another output."
    make_folder(out.parent)
    with held(out.with_name(f".{out.name}.lock"), refusal, keep=False):
        _finish_replacing(out)
        replaceable = _require_replaceable(out, overwrite)
        partial = out.with_name(f".{out.name}.preparing")
        _open_partial(partial, plan)
        encoder = Encoder(dataset, plan["picture_format"], attributes, sources)
        work = _Work(encoder, partial, plan, num_processors() if workers is None else workers, progress)
        report = _prepare(work, skipped)
        _publish(partial, out, replaceable)
    for warning in warnings_of(report, len(dataset)):
        warnings.warn(warning, DataWarning, stacklevel=2)
    return Prepared(out, len(dataset), dataset.size, report["digest"], report["shares"], report)


def _plan(dataset: PairDataset, output_format: str, picture_format: str | None) -> dict[str, Any]:
    """What is written of the set before its pairs.

    Raises:
        InputError: a dataset without labels, or an unknown format.
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
    return {
        "format": 1,
        "size": dataset.size,
        "count": len(dataset),
        "regions": dataset.regions.to_dict(),
        "source": dataset.key(),
        "output_format": output_format,
        "picture_format": picture_format,
    }


@dataclass(frozen=True)
class _Work:
    """What is to be written, where, and how."""

    encoder: Encoder
    folder: Path
    plan: Mapping[str, Any]
    workers: int
    progress: Progress | bool

    def files(self) -> PairFiles:
        return PairFiles(self.folder, self.plan["count"], self.plan["picture_format"])

    def read(self, items: Preparing, first: int = 0) -> Iterator[Done | Refused]:
        return read_all(items, self.workers if self.workers > 1 else 0, self.progress, "preparing pictures", first)


def _prepare(work: _Work, skipped: Sequence[str]) -> dict[str, Any]:
    """Write all files of the set into the hidden folder; the report is returned, too."""
    start = time.perf_counter()
    journal = Journal(work.folder)
    try:
        write_pairs = _write_lmdb if work.plan["output_format"] == "lmdb" else _write_folder
        gathered, num_taken_up = write_pairs(work, journal)
    finally:
        journal.close()
    seconds = time.perf_counter() - start
    summary = {**work.plan, "digest": gathered.digest, "shares": gathered.shares}
    _write_json(work.folder / DESCRIPTION, summary)
    remove_files(work.folder, files_left_aside(work.folder))
    (work.folder / LOCK).unlink(missing_ok=True)
    written = [path for path in work.folder.rglob("*") if path.is_file() and path.name not in (REPORT, JOURNAL)]
    report = {
        "count": gathered.count,
        "size": work.plan["size"],
        "output_format": work.plan["output_format"],
        "picture_format": work.plan["picture_format"],
        "bytes": sum(path.stat().st_size for path in written),
        "seconds": round(seconds, 2),
        "images_per_second": round((gathered.count - num_taken_up) / seconds, 2),
        "num_taken_up": num_taken_up,
        "workers": work.workers,
        "digest": gathered.digest,
        "shares": gathered.shares,
        **gathered.findings(skipped),
    }
    _write_json(work.folder / REPORT, report)
    return report


def _write_folder(work: _Work, journal: Journal) -> tuple[Gathered, int]:
    """All pairs as files, each written by the process that encodes it."""
    gathered, num_taken_up = Gathered(work.encoder.dataset.regions), 0
    files, complaints, lines, sums = work.files(), _Complaints(work), list[str](), list[str]()
    for index, item in enumerate(work.read(Preparing(work.encoder, files, journal.entries, write=True))):
        if isinstance(item, Refused):
            complaints.add(item)
            continue
        record, names = item.encoded.record, files.names(index)
        gathered.add(Path(names[0]).name, record)
        if item.taken_up:
            num_taken_up += 1
        else:
            journal.add(index, item.fingerprint, record)
        sums += [f"{record.image}  {names[0]}\n", f"{record.labels}  {names[1]}\n"]
        if record.attributes is not None:
            lines.append(json.dumps(record.attributes) + "\n")
    complaints.raise_if_any()
    remove_pairs(work.folder, keep={name for index in range(gathered.count) for name in files.names(index)})
    if lines:
        write(work.folder / ATTRIBUTES, "".join(lines).encode())
    write(work.folder / SUMS, "".join(sums).encode())
    return gathered, num_taken_up


def _write_lmdb(work: _Work, journal: Journal) -> tuple[Gathered, int]:
    """All pairs in one LMDB, encoded by many processes and written by this one, in order.

    After a pair that cannot be used nothing can be appended: the pairs that follow are kept as files until the command
    is repeated.
    """
    files, complaints = work.files(), _Complaints(work)
    _keep_as_files_where_changed(work, journal, files)
    writer, gathered = lmdb_pairs.PairWriter(work.folder), Gathered(work.encoder.dataset.regions)
    for index, record in enumerate(writer.records):
        gathered.add(f"{index:08d}", record)
    first = num_taken_up = len(writer.records)
    items = Preparing(work.encoder, files, journal.entries, write=False)
    for index, item in enumerate(work.read(items, first), first):
        if isinstance(item, Refused):
            for number, encoded in enumerate(writer.take_waiting(), len(writer.records)):
                files.write(number, encoded.image, encoded.labels)
            complaints.add(item)
            continue
        if not item.taken_up:
            journal.add(index, item.fingerprint, item.encoded.record)
        num_taken_up += item.taken_up
        if complaints:
            if not item.taken_up:
                files.write(index, item.encoded.image, item.encoded.labels)
        else:
            gathered.add(f"{index:08d}", item.encoded.record)
            writer.append(item.encoded)
    complaints.raise_if_any()
    writer.finish({**work.plan, "digest": gathered.digest, "shares": gathered.shares})
    remove_pairs(work.folder, keep=set())
    return gathered, num_taken_up


def _keep_as_files_where_changed(work: _Work, journal: Journal, files: PairFiles) -> None:
    """Begin the LMDB anew where a source of its pairs has changed; the other pairs are kept as files.

    An LMDB is only appended to, so that its bytes do not depend on how often the work was cut off.
    """
    writer, dataset = lmdb_pairs.PairWriter(work.folder), work.encoder.dataset
    if not writer.records:
        return
    unchanged = [
        index
        for index, record in enumerate(writer.records)
        if index < len(dataset)
        and (entry := journal.entries.get(index)) is not None
        and entry == (dataset.fingerprint(index), record.image, record.labels)
    ]
    plan = {key: writer.metadata.get(key) for key in work.plan} if writer.metadata else work.plan
    if len(unchanged) == len(writer.records) and plan == json.loads(json.dumps(work.plan)):
        return
    for index in unchanged:
        files.write(index, *writer.read(index))
    remove_files(work.folder, [lmdb_pairs.FILE, LOCK])


class _Complaints:
    """Pairs that cannot be prepared, gathered so that one run names them all and prepares the rest."""

    def __init__(self, work: _Work) -> None:
        self._count = work.plan["count"]
        self._complaints: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._complaints)

    def add(self, refused: Refused) -> None:
        """Take in a pair.

        Raises:
            InputError: there are too many; the data as a whole are wrong.
        """
        self._complaints.append(refused.complaint)
        if len(self._complaints) >= _MOST_COMPLAINTS:
            self.raise_if_any()

    def raise_if_any(self) -> None:
        """Name the pairs.

        Raises:
            InputError: there are any.
        """
        if len(self._complaints) == 1:
            raise InputError(f"{self._complaints[0]} Then repeat the command: what is prepared is kept.")
        if self._complaints:
            named = first_names([complaint.rstrip(".") for complaint in self._complaints])
            more = "at least " if len(self._complaints) >= _MOST_COMPLAINTS else ""
            raise InputError(
                f"{more}{len(self._complaints)} of {self._count} pairs cannot be used: {named}. Correct or replace "
                "them, then repeat the command: what is prepared is kept."
            )


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    write(path, (json.dumps(content, indent=1) + "\n").encode())


def _open_partial(partial: Path, plan: Mapping[str, Any]) -> None:
    """Make the hidden folder ready: what an earlier run left aside goes, and its pairs where they cannot be used."""
    if os.path.lexists(partial):
        begun = read_json(partial / DESCRIPTION) if partial.is_dir() and not partial.is_symlink() else {}
        if not begun and (not partial.is_dir() or partial.is_symlink() or any(partial.iterdir())):
            raise ExistingFileError(
                f"{str(partial)!r} is in the way and was not written by this command. "
                "Move it, or choose another output."
            )
        require_only(partial, belongs_to_unfinished, "what this command was writing")
        remove_files(partial, files_left_aside(partial))
        if begun and any(begun.get(key) != json.loads(json.dumps(plan[key])) for key in _DECIDE_THE_FILES):
            remove_pairs(partial, keep=set())
            remove_files(partial, [lmdb_pairs.FILE, LOCK, JOURNAL, ATTRIBUTES, SUMS, REPORT])
    for name in ("image", "label"):
        (partial / name).mkdir(parents=True, exist_ok=True)
    _write_json(partial / DESCRIPTION, plan)


def _publish(partial: Path, out: Path, replaceable: Sequence[str]) -> None:
    """Give the finished folder its name; an earlier output, of these files, stays until the new one is complete."""
    (partial / JOURNAL).unlink()
    replaced = out.with_name(f".{out.name}.replaced")
    if os.path.lexists(out):
        os.rename(out, replaced)
    os.rename(partial, out)
    sync_folder(out.absolute().parent)
    remove_files(replaced, replaceable)


def _finish_replacing(out: Path) -> None:
    """After a kill while an earlier output was being replaced: it comes back, or what is left of it goes."""
    replaced = out.with_name(f".{out.name}.replaced")
    if not os.path.lexists(replaced):
        return
    if os.path.lexists(out):
        remove_set(replaced)
    else:
        os.rename(replaced, out)


def _require_replaceable(out: Path, overwrite: bool) -> list[str]:
    """Names of the files of an earlier output, which is replaced when asked for, and only if it holds nothing else."""
    require_free(out, overwrite)
    return files_of_set(out) if os.path.lexists(out) else []
