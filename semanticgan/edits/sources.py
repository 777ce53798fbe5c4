"""Where a code comes from: a seed, a file of a code, a code in memory, or the faces of a photograph."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from semanticgan.errors import InputError
from semanticgan.files import require_file, sha256_of
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.progress import Progress
from semanticgan.seeds import require_seed
from semanticgan.wrong_arguments import finite_number, shown

if TYPE_CHECKING:
    from semanticgan.inversion.alignment import Alignment
    from semanticgan.inversion.inversion import Inversion
    from semanticgan.inversion.target import Target

_CODE_SUFFIXES = (".safetensors", ".npy")


@dataclass(frozen=True, eq=False)
class Found:
    """What an inversion found of one face, so that it is not looked for again.

    Attributes:
        code: [R, D].
        alignment: where the face lies in the photograph; None of a code that is not a photograph's.
        method: how it was found: "encoder", "optimise", "tune"; "" of a code that was given.
    """

    code: Tensor
    alignment: Alignment | None = None
    method: str = ""


@dataclass(frozen=True, eq=False)
class Source:
    """Where codes come from. One of ``image``, ``seed``, ``latent`` and a code in ``found``.

    Attributes:
        image: path of a photograph.
        face: which face of it: None for the largest, N by size from 1 on, "all".
        landmarks: five points (x, y) by hand, in pixels.
        aligned: the photograph is aligned already.
        seed: of a sample.
        truncation: of the sample.
        latent: path of a code.
        sha256: of the photograph's file, once it was read.
        found: a code in memory, or what the inversion found, one per face.
    """

    image: str | None = None
    face: int | str | None = None
    landmarks: tuple[tuple[float, float], ...] | None = None
    aligned: bool = False
    seed: int | None = None
    truncation: float = 1.0
    latent: str | None = None
    sha256: str = ""
    found: tuple[Found, ...] = ()

    def __post_init__(self) -> None:
        finite_number("truncation", self.truncation)

    @classmethod
    def of(cls, given: Any, **more: Any) -> Source:
        """A source of a seed, a path of a photograph or code, or a LatentCode of one image.

        Args:
            given: that.
            **more: ``face``, ``landmarks``, ``aligned`` of a photograph; ``truncation`` of a seed.

        Raises:
            InputError: something else.
        """
        if isinstance(given, Source):
            return replace(given, **more)
        if isinstance(given, LatentCode):
            if len(given) != 1:
                raise InputError(f"an edit takes a code of one image, got {len(given)}. Choose one: code[0].")
            return cls(found=(Found(given.tensor[0].detach().cpu().float()),), **more)
        if isinstance(given, (str, os.PathLike)):
            path = os.fspath(given)
            kind = "latent" if path.lower().endswith(_CODE_SUFFIXES) else "image"
            values: dict[str, Any] = {kind: path, **more}
            return cls(**values)
        if isinstance(given, (bool, float)) or not hasattr(given, "__index__"):
            raise InputError(
                f"an edit takes a seed, the path of a photograph or a latent code, or a LatentCode, got {shown(given)}."
            )
        return cls(seed=require_seed(given), **more)

    def __str__(self) -> str:
        """Such as "seed 8" or "her.jpg"."""
        if self.seed is not None:
            return f"seed {self.seed}"
        name = self.image or self.latent or "a code"
        return f"{name}, face {self.face}" if self.image and self.face else name


@dataclass(frozen=True, eq=False)
class Resolved:
    """A source with its codes.

    Attributes:
        source: with what was found.
        codes: one per face, each of one image.
        inversions: one per code of a photograph; empty for other sources.
    """

    source: Source
    codes: tuple[LatentCode, ...]
    inversions: tuple[Inversion, ...] = ()


def resolve(source: Source, model: Model, method: str, progress: Progress | bool = False, **options: Any) -> Resolved:
    """The codes of a source.

    Args:
        source: see there.
        model: whose codes.
        method: of the inversion, where there is one to make.
        progress: of the inversion.
        **options: of :func:`semanticgan.inversion.inversion.invert_all`, such as ``encoder``.

    Raises:
        InputError: a missing or unreadable file, no face, a photograph that is not the one that was inverted, or a code
            that does not fit the model.
    """
    if source.image is not None:
        return _of_photograph(source, model, method, progress, options)
    if source.seed is not None:
        code = model.sample(seed=source.seed, truncation=source.truncation)
    elif source.latent is not None:
        code = LatentCode.load(source.latent, model.rows).to(model.device)
        if len(code) != 1:
            raise InputError(f"the latent code {source.latent!r} holds {len(code)} images; an edit takes one.")
    else:
        code = _code(model, source.found[0].code)
    return Resolved(source, (code,))


def _of_photograph(
    source: Source, model: Model, method: str, progress: Progress | bool, options: dict[str, Any]
) -> Resolved:
    from semanticgan.inversion.inversion import invert_all
    from semanticgan.inversion.photograph import read_photograph
    from semanticgan.inversion.target import targets_of

    path = require_file(Path(str(source.image)), "photograph")
    digest = sha256_of(path)
    if source.found and source.sha256 != digest:
        raise InputError(
            f"the photograph {str(path)!r} is not the one that this edit was made for. Give that file, or edit this "
            "one anew."
        )
    photograph = read_photograph(path)
    if source.found:
        targets = [_again(model, photograph, found) for found in source.found]
        codes = LatentCode.cat([_code(model, found.code) for found in source.found])
        inversions = invert_all(model, targets, source.found[0].method or "encoder", codes=codes, progress=progress)
    else:
        targets = targets_of(model, photograph, source.face, source.landmarks, source.aligned)
        inversions = invert_all(model, targets, method, progress=progress, **options)
    found = tuple(
        Found(inversion.code.tensor[0].detach().cpu().float(), inversion.alignment, inversion.method)
        for inversion in inversions
    )
    done = replace(source, sha256=digest, found=found)
    return Resolved(done, tuple(inversion.code for inversion in inversions), tuple(inversions))


def _again(model: Model, photograph: Any, found: Found) -> Target:
    from semanticgan.inversion.target import target_at

    if found.alignment is None:
        raise InputError("the edit has a photograph and no place of the face in it. Edit the photograph anew.")
    return target_at(model, photograph, found.alignment)


def _code(model: Model, rows: Tensor) -> LatentCode:
    wanted = (len(model.rows), model.config.style_dim)
    if tuple(rows.shape) != wanted:
        raise InputError(
            f"the edit holds a code of {rows.shape[0]} rows of {rows.shape[1]}; this model has {wanted[0]} of "
            f"{wanted[1]}. Give the model that the edit was made with."
        )
    return LatentCode(rows[None].to(model.device), model.rows)
