"""Many photographs inverted into a folder; a stopped run is continued.

For each face NAME.safetensors (its code), NAME.png (the reconstruction), NAME-aligned.png (the picture it was made of),
after "tune" NAME-tuning.safetensors, and last NAME.json, which says that the others are whole. inversions.json marks
the folder as one of inversions, so that nothing of somebody else is replaced.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch

from semanticgan.editing.outputs import mark_of, save_picture, to_image
from semanticgan.errors import ExistingFileError, InputError
from semanticgan.files import require_free, sha256_of, written_aside
from semanticgan.formats.strict_json import loads
from semanticgan.inversion.inversion import Inversion, invert_all
from semanticgan.inversion.region_reading import read_labels
from semanticgan.inversion.target import Target, targets_of
from semanticgan.model import Model
from semanticgan.perception.overlap import overlap
from semanticgan.perception.similarity import structural_similarity
from semanticgan.progress import Progress, to_progress
from semanticgan.rendering import Rendering
from semanticgan.temporary_files import LONGEST_NAME
from semanticgan.tuning_files import save_tuning

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".heic", ".heif", ".avif")
"""What is taken from a folder."""

_BATCH = 8  # faces
_MARKER = "inversions.json"
_OWN_NAMES = ("inversions", "figures", "sheet")  # of files about all photographs, the command's among them
_ENDINGS = ("-aligned", "-tuning")  # of the names of results
_MOST_FACES = 10_000


@dataclass(frozen=True)
class FolderInversion:
    """What became of the photographs.

    Attributes:
        faces: for each face what its NAME.json says.
        failed: photograph -> why it has no code.
        num_kept: faces that were there already.
    """

    faces: tuple[dict[str, Any], ...]
    failed: dict[str, str]
    num_kept: int


def invert_into(
    model: Model,
    photographs: Sequence[Path],
    out: Path,
    method: str = "auto",
    *,
    overwrite: bool = False,
    face: int | str | None = None,
    landmarks: Any = None,
    aligned: bool = False,
    marked: bool = True,
    progress: Progress | bool = False,
    **options: Any,
) -> FolderInversion:
    """Invert photographs, a few faces at a time.

    A photograph whose results are there, made from the same file by the same model and method, is left alone. One that
    cannot be inverted is named in ``failed``, and the others go on.

    Args:
        model: whose codes are wanted.
        photographs: of :func:`semanticgan.data.squares.pictures_in`.
        out: the folder of the results.
        method: of :func:`semanticgan.inversion.inversion.invert_all`.
        overwrite: replace results of another photograph, model or method.
        face, landmarks, aligned: as of :func:`targets_of`; landmarks are those of a single photograph.
        marked: reconstructions say in their XMP which model made them.
        progress: bar over the photographs, report and cancel.
        **options: of ``invert_all``.

    Raises:
        InputError: the folder holds photographs of these or other people's files, results of something else are there,
            results of two photographs would have one name, or not one photograph could be inverted.
        Cancelled: by ``progress``.
    """
    _claim(out, photographs, face, overwrite)
    done: dict[str, list[dict[str, Any]]] = {}
    failed: dict[str, str] = {}
    asked = {"model": model.metadata.digest, "method": method, "face": face}
    digests = {path: sha256_of(path) for path in photographs}
    for path in photographs:
        kept = _kept(out, path, {**asked, "sha256": digests[path]}, overwrite)
        if kept:
            done[path.name] = kept
    num_kept = sum(len(kept) for kept in done.values())
    left = [path for path in photographs if path.name not in done]
    with to_progress(progress).steps("inverting", len(photographs), "photograph", len(photographs) - len(left)) as step:
        for batch in _in_batches(model, left, failed, face, landmarks, aligned):
            counts = Counter(path for path, _ in batch)
            for path, inversion, seconds in _inverted(model, batch, method, options):
                entries = done.setdefault(path.name, [])
                name = path.stem if face != "all" else f"{path.stem}-{len(entries)}"
                about = {**asked, "sha256": digests[path], "photograph": path.name, "seconds": seconds}
                entries.append(_write(out, name, inversion, {**about, "faces": counts[path]}, marked))
            step(len({path for path, _ in batch}))
    if not done:
        name, reason = next(iter(failed.items()))
        raise InputError(f"no photograph could be inverted. {name}: {reason}")
    faces = tuple(entry for path in photographs for entry in done.get(path.name, []))
    return FolderInversion(faces, failed, num_kept)


def _require_names(out: Path, photographs: Sequence[Path], face: int | str | None) -> None:
    """Check what the results will be called."""
    names = {path.stem for path in photographs} | {path.stem for path in out.glob("*.json")}
    for path in photographs:
        stem = path.stem
        longest = f"{stem}{'-1000' if face == 'all' else ''}-tuning.safetensors"
        if (length := len(os.fsencode(longest))) > LONGEST_NAME:
            raise InputError(
                f"results of the photograph {path.name!r} would have names of up to {length} bytes; at most "
                f"{LONGEST_NAME} are allowed. Give it a shorter name."
            )
        if stem in _OWN_NAMES and face != "all":
            raise InputError(
                f"results of the photograph {path.name!r} would have the name of a file that is about all photographs. "
                "Rename the photograph."
            )
        pairs = [(stem, stem + ending) for ending in _ENDINGS]
        pairs += [(stem.removesuffix(ending), stem) for ending in _ENDINGS if stem.endswith(ending)]
        for one, other in pairs:
            if {one, other} <= names:
                raise InputError(
                    f"results of the photographs {one!r} and {other!r} would have one name in the output folder. "
                    "Rename one, or write them into two folders."
                )


def _claim(out: Path, photographs: Sequence[Path], face: int | str | None, overwrite: bool) -> None:
    """Make the folder one of inversions, whose files may be replaced."""
    for path in photographs:
        if path.resolve().parent == out.resolve():
            raise InputError(f"output {str(out)!r} holds the photograph {path.name!r}. Choose another folder.")
    _require_names(out, photographs, face)
    marker = out / _MARKER
    if marker.is_file():
        return
    require_free(marker)  # removes what a kill left here before the marker
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise ExistingFileError(
            f"output {str(out)!r} is a folder with other files, some of which may have the names of results. Choose a "
            "new folder, or add --overwrite."
        )
    with written_aside(marker, overwrite=True) as aside:
        aside.write_text(json.dumps({"format": "semanticgan-inversions", "format_version": 1}) + "\n", encoding="utf-8")


def _inverted(
    model: Model, batch: list[tuple[Path, Target]], method: str, options: dict[str, Any]
) -> list[tuple[Path, Inversion, float]]:
    """Each face's photograph, inversion, and seconds."""
    start = time.perf_counter()
    inversions = invert_all(model, [target for _, target in batch], method, **options)
    seconds = (time.perf_counter() - start) / len(batch)
    return [(path, inversion, seconds) for (path, _), inversion in zip(batch, inversions, strict=True)]


def _in_batches(
    model: Model, photographs: Sequence[Path], failed: dict[str, str], *how: Any
) -> Iterator[list[tuple[Path, Target]]]:
    """Faces of whole photographs, about :data:`_BATCH` at a time."""
    batch: list[tuple[Path, Target]] = []
    for path in photographs:
        try:
            batch += [(path, target) for target in targets_of(model, path, *how)]
        except InputError as error:
            failed[path.name] = str(error)
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _kept(out: Path, path: Path, wanted: dict[str, Any], overwrite: bool) -> list[dict[str, Any]]:
    """What is there of all faces of a photograph; empty where one is missing."""
    names = [out / f"{path.stem}.json"]
    if wanted["face"] == "all":
        names = [out / f"{path.stem}-{number}.json" for number in range(_MOST_FACES)]
    found = [(file, loads(file.read_bytes(), str(file))) for file in takewhile(Path.is_file, names)]
    same = [about for _, about in found if isinstance(about, dict) and wanted.items() <= about.items()]
    if len(same) == len(found):
        return same if same and same[0].get("faces") == len(same) else []
    if not overwrite:
        raise ExistingFileError(
            f"{str(found[0][0])!r} was made of another photograph, model or method. Choose another folder, or add "
            "--overwrite."
        )
    return []


def _write(out: Path, name: str, inversion: Inversion, about: dict[str, Any], marked: bool) -> dict[str, Any]:
    """The files of one face in place of what a stopped run left; returns what NAME.json says."""
    inversion.code.save(out / f"{name}.safetensors", overwrite=True)
    mark = mark_of(inversion.model) if marked else None
    save_picture(to_image(inversion.rendering.to_uint8()[0]), out / f"{name}.png", True, mark)
    save_picture(to_image(_uint8(inversion)), out / f"{name}-aligned.png", True)
    if inversion.tuning is not None:
        save_tuning(out / f"{name}-tuning.safetensors", inversion.tuning, overwrite=True)
    entry = {
        "name": name,
        **about,
        "found_by": inversion.method,
        "figures": figures_of(inversion),
        "alignment": None if inversion.alignment is None else inversion.alignment.matrix.tolist(),
    }
    with written_aside(out / f"{name}.json", overwrite=True) as aside:
        aside.write_text(json.dumps(entry) + "\n", encoding="utf-8")
    return entry


def figures_of(inversion: Inversion) -> dict[str, float]:
    """ "mse" of values in [0, 1], "psnr" in decibels, "ssim", and "miou" of the segmentation and a parser's labels."""
    again, picture = inversion.rendering.to_uint8().cpu(), _uint8(inversion)[None]
    figures = {"mse": inversion.figures["mse"], "psnr": inversion.figures["psnr"]}
    figures["ssim"] = float(structural_similarity(picture, again)[0])
    labels = read_labels(inversion.model, inversion.picture.to(inversion.model.device))
    if labels is not None:
        both = overlap(labels.cpu(), inversion.rendering.labels().cpu(), len(inversion.model.regions))
        figures["miou"] = float(both.total().mean_iou)
    return figures


def _uint8(inversion: Inversion) -> torch.Tensor:
    """The aligned picture, uint8 [3, S, S]."""
    picture = inversion.picture
    return Rendering(picture, *[picture] * 3).to_uint8()[0].cpu()
