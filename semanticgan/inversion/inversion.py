"""A photograph's latent code, what it looks like, and the way back into the photograph.

==========  =======================================================================================
method      the code
==========  =======================================================================================
"encoder"   of the model's encoder, in five passes; of a StyleALAE, which holds its own, in one
"optimise"  each row optimised, from the encoder's code where the model has one, else from the mean
"tune"      the same, then the generator's weights are tuned to the picture
"auto"      "encoder" where the model has one, else "optimise"
==========  =======================================================================================
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from semanticgan.encoder_files import LoadedEncoder, load_encoder
from semanticgan.errors import InputError, unknown_name
from semanticgan.formats.strict_json import parse_object
from semanticgan.formats.weights import open_weights
from semanticgan.inversion.alignment import Alignment
from semanticgan.inversion.choices import METHODS
from semanticgan.inversion.encode import PASSES, encode
from semanticgan.inversion.optimise import optimise
from semanticgan.inversion.photograph import Photograph
from semanticgan.inversion.region_reading import read_memberships
from semanticgan.inversion.target import Source, Target, targets_of
from semanticgan.inversion.tuning import tune, tuned
from semanticgan.latents import LatentCode
from semanticgan.model import EncoderModel, Model, load
from semanticgan.progress import Progress, to_progress
from semanticgan.registry import bundled
from semanticgan.rendering import Rendering
from semanticgan.tuning_files import Tuning

if TYPE_CHECKING:
    from semanticgan.inversion.faces import Face
    from semanticgan.perception.perceptual import Distance


@dataclass(frozen=True, eq=False)
class Inversion:
    """The inversion of one picture.

    Attributes:
        code: of one image.
        rendering: of the code.
        picture: [1, 3, S, S] in [-1, 1], the aligned photograph, which the rendering is to look like.
        model: what renders the code; after "tune" its weights are tuned.
        method: how the code was found: "encoder", "optimise" or "tune".
        photograph: what the picture was cut from; None of a picture that was given aligned.
        alignment: where the picture lies in the photograph.
        face: the face in the photograph.
        tuning: what was added to the model's weights; None unless they were tuned.
        figures: such as "mse" and "psnr" of the rendering.
    """

    code: LatentCode
    rendering: Rendering
    picture: Tensor
    model: Model
    method: str
    photograph: Photograph | None = None
    alignment: Alignment | None = None
    face: Face | None = None
    tuning: Tuning | None = None
    figures: Mapping[str, float] = field(default_factory=dict)

    def render(self, code: LatentCode) -> Rendering:
        """An edited code by the model of this inversion."""
        return self.model.render(code)

    def paste(
        self,
        rendering: Rendering,
        how: str = "auto",
        *,
        regions: str | Sequence[str] | None = None,
        what: str | None = None,
        photograph: Photograph | None = None,
    ) -> Photograph:
        """The photograph with what an edit changed, at the photograph's own size.

        Args:
            rendering: of the edited code, :meth:`render`.
            how: "transfer", "replace", "aligned" or "auto", as :func:`semanticgan.inversion.pasting.paste` says.
            regions: names of the regions that may change; None: wherever the renderings differ.
            what: what was changed, "structure", "texture" or "both"; None: told from the renderings.
            photograph: paste into this one, such as the result of an edit of another face.

        Raises:
            InputError: a picture that was given aligned has no photograph.
        """
        from semanticgan.inversion.pasting import paste

        if self.photograph is None or self.alignment is None:
            raise InputError("the picture was given aligned: it has no photograph. Use the rendering itself.")
        labels = None if regions is None else self.model.regions.indices(regions)
        into = self.photograph if photograph is None else photograph
        seen = read_memberships(self.model, self.picture)
        return paste(into, self.alignment, self.rendering, rendering, seen=seen, how=how, regions=labels, what=what)


def invert(
    model: Model,
    source: Source,
    method: str = "auto",
    *,
    encoder: LoadedEncoder | str | Path | None = None,
    face: int | str | None = None,
    landmarks: Any = None,
    aligned: bool = False,
    passes: int = PASSES,
    steps: int | None = None,
    distance: Distance | str | None = "auto",
    progress: Progress | bool = False,
) -> Inversion:
    """The inversion of one photograph or picture; arguments as of :func:`invert_all` and :func:`targets_of`.

    Raises:
        InputError: an unreadable source, no face, another face than those that are there, an unknown method.
    """
    if face == "all":
        raise InputError('invert finds one code. Use semanticgan.inversion.inversion.invert_all for face="all".')
    targets = targets_of(model, source, face, landmarks, aligned)
    (found,) = invert_all(
        model, targets, method, encoder=encoder, passes=passes, steps=steps, distance=distance, progress=progress
    )
    return found


def invert_all(
    model: Model,
    targets: Sequence[Target],
    method: str = "auto",
    *,
    encoder: LoadedEncoder | str | Path | None = None,
    passes: int = PASSES,
    steps: int | None = None,
    distance: Distance | str | None = "auto",
    codes: LatentCode | None = None,
    progress: Progress | bool = False,
) -> list[Inversion]:
    """The inversions of aligned pictures, all in one batch; none depends on the others.

    Args:
        model: whose codes are wanted.
        targets: of :func:`semanticgan.inversion.target.targets_of`.
        method: one of :data:`METHODS`.
        encoder: in place of the model's own: one in memory, or its file.
        passes: of the encoder.
        steps: of the optimisation, at most; None is its default.
        distance: perceptual distance of the optimisation; "auto" is ``lite0`` where it is installed.
        codes: found before, of one image per target; nothing is looked for, but "tune" tunes.
        progress: bar, report and cancel.

    Raises:
        InputError: an unknown method, "encoder" without an encoder, or one of another model.
        Cancelled: by ``progress``.
    """
    if method not in METHODS:
        raise unknown_name("method of inversion", str(method), METHODS)
    if not targets:
        return []
    progress = to_progress(progress)
    figures: Sequence[Mapping[str, float]] = [{}] * len(targets)
    if codes is None:
        method, codes, figures = _found(model, targets, method, encoder, passes, steps, distance, progress)
    tunings: list[Tuning | None] = [None] * len(targets)
    if method == "tune":
        tunings = [
            tune(model, codes[index], target.picture, distance=distance, progress=progress)
            for index, target in enumerate(targets)
        ]
    return [
        _inversion(target, codes[index], model, method, tunings[index], figures[index])
        for index, target in enumerate(targets)
    ]


def _found(
    model: Model,
    targets: Sequence[Target],
    method: str,
    encoder: LoadedEncoder | str | Path | None,
    passes: int,
    steps: int | None,
    distance: Distance | str | None,
    progress: Progress,
) -> tuple[str, LatentCode, Sequence[Mapping[str, float]]]:
    """The method that "auto" means, codes of all targets, and figures of each."""
    pictures = torch.cat([target.picture for target in targets]).to(model.device)
    start = _encoded(model, pictures, encoder, passes)
    if method == "auto":
        method = "optimise" if start is None else "encoder"
    if method == "encoder":
        if start is None:
            raise InputError(
                "this model has no encoder. Use method optimise, give encoder=FILE, or train one "
                "(semanticgan train encoder-faces-64 model=MODEL run_dir=FOLDER)."
            )
        return method, start, [{}] * len(targets)
    labels = _labels_of(targets)
    found = optimise(model, pictures, start=start, steps=steps, labels=labels, distance=distance, progress=progress)
    return method, found.code, found.figures


def _encoded(
    model: Model, pictures: Tensor, encoder: LoadedEncoder | str | Path | None, passes: int
) -> LatentCode | None:
    """Codes of aligned pictures by the encoder given, else the model's own, else the bundled one; None without any."""
    if encoder is None and model.has_encoder:
        return model.code(model.encode(pictures))
    own = opened_encoder(model, encoder)
    return None if own is None else encode(own, model, pictures, passes)


def _labels_of(targets: Sequence[Target]) -> Tensor | str:
    """The labels that were given with the pictures, else "auto"."""
    given = [target.labels for target in targets if target.labels is not None]
    return torch.cat(given) if len(given) == len(targets) else "auto"


def _inversion(
    target: Target, code: LatentCode, model: Model, method: str, tuning: Tuning | None, figures: Mapping[str, float]
) -> Inversion:
    model = model if tuning is None else tuned(model, tuning)
    rendering = model.render(code)
    error = (rendering.image.clamp(-1, 1) - target.picture.to(model.device)).square().mean().double() / 4
    known = {"mse": float(error), "psnr": float(-10 * error.clamp(min=1e-12).log10())}
    place = (target.photograph, target.alignment, target.face)
    return Inversion(code, rendering, target.picture, model, method, *place, tuning, {**figures, **known})


def opened_encoder(model: Model, encoder: LoadedEncoder | str | Path | None = None) -> LoadedEncoder | None:
    """The encoder that is given, or the bundled one of this model; None where there is none.

    Raises:
        InputError: no file of an encoder.
    """
    if isinstance(encoder, LoadedEncoder):
        return encoder
    if encoder is None:
        path = _bundled_encoders().get(model.metadata.digest)
        return None if path is None else load_encoder(path)
    opened = load(encoder, device="cpu")
    if not isinstance(opened, EncoderModel):
        raise InputError(f"{str(encoder)!r} is a model, not an encoder. Give the file of an encoder.")
    return opened.loaded


@functools.cache
def _bundled_encoders() -> dict[str, Path]:
    """Digest of the model -> file of its encoder."""
    found = {}
    for path in bundled("encoders").values():
        model = parse_object(open_weights(path).metadata["model"], numbers_only=False)
        found[str(model["digest"])] = path
    return found
