"""Photographs: inverted in slices between renders; edited; pasted back at their own size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from semanticgan.editing.outputs import mark_of
from semanticgan.edits import Edit, Found, Source
from semanticgan.errors import InputError
from semanticgan.formats.provenance import save_marked
from semanticgan.inversion.inversion import Inversion, invert_all
from semanticgan.inversion.target import Target, targets_of
from semanticgan.model import Model
from semanticgan.progress import Progress
from semanticgan.studio.long_jobs import LongJob
from semanticgan.studio.models import Models
from semanticgan.studio.results import png_of, text_of, written
from semanticgan.studio.scripts import as_json, render, state_of
from semanticgan.wrong_arguments import whole_number

MOST_FACES = 12
_FAST = 3  # compression of large PNGs: of a photograph, half the time of 6 and 2 % more bytes
_LARGEST_THUMBNAIL = 128


class Photograph(LongJob):
    """An upload and its inversion. Where it shows several faces, the client chooses one before it is inverted.

    Args:
        models: of the studio.
        model: name of the model.
        picture: RGB.
        aligned: whether the picture's middle square is the face.

    Attributes:
        model: name of the model.
        faces: that were found, the largest first, cut out; empty before.
        inversion: once it is done.
    """

    def __init__(self, models: Models, model: str, picture: Image.Image, aligned: bool) -> None:
        super().__init__()
        self.model = model
        self.faces: list[Target] = []
        self.inversion: Inversion | None = None
        self._models, self._picture, self._aligned = models, picture, aligned
        self._face: int | None = None

    def choose(self, face: Any) -> None:
        """Decide for the Nth face, from 1 on.

        Raises:
            InputError: nothing is to be chosen, or no such face.
        """
        if self.state != "choose":
            raise InputError("nothing is to be chosen of this photograph. Upload it again.")
        self._face = whole_number("face", face, 1, len(self.faces))

    def work(self, progress: Progress) -> str:
        model = self._models.get(self.model)
        if not self.faces:
            face = None if self._aligned else "all"
            self.faces = targets_of(model, self._picture, face, aligned=self._aligned)[:MOST_FACES]
        if self._face is None and len(self.faces) > 1:
            return "choose"
        target = self.faces[(self._face or 1) - 1]
        (self.inversion,) = invert_all(model, [target], progress=progress)
        return "done"

    def result(self) -> dict[str, Any]:
        if self.inversion is None:
            return {"faces": [text_of(png_of(_thumbnail(face))) for face in self.faces]}
        picture = text_of(png_of(self.inversion.rendering.to_pil()[0]))
        return {"script": as_json(self.edit), "figures": dict(self.inversion.figures), "picture": picture}

    @property
    def edit(self) -> Edit:
        """The edit of the found code alone, without an operation."""
        inversion = self.require_inversion()
        code = inversion.code.tensor[0].detach().cpu().float()
        return Edit(Source(found=(Found(code, None, inversion.method),)))

    def require_inversion(self) -> Inversion:
        """Raises: InputError: it is not done."""
        if self.inversion is None:
            raise InputError("this photograph is not inverted yet. Wait until it is.")
        return self.inversion


def pasted(photograph: Photograph, model: Model, edit: Edit) -> bytes:
    """The photograph with an edit of its code, at its own size, as PNG with its mark.

    Raises:
        InputError: an inversion that is not done, or an edit that does not fit the model.
    """
    inversion = photograph.require_inversion()
    rendering = render(inversion.model, [state_of(model, edit)])
    whole = inversion.paste(rendering, regions=_regions(edit)) if edit.operations else inversion.photograph
    assert whole is not None, "an upload is a photograph"
    picture = Image.fromarray(whole.to_uint8())
    mark = mark_of(model, "composite", edit.shareable)
    return written(lambda path: save_marked(picture, path, mark, compress_level=_FAST), ".png")


def _regions(edit: Edit) -> Sequence[str] | None:
    """Where the edit may show; None for everywhere."""
    everywhere = any(operation.everywhere for operation in edit.operations) or not edit.regions
    return None if everywhere else list(edit.regions)


def _thumbnail(face: Target) -> Image.Image:
    pixels = ((face.picture[0].permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255)
    picture = Image.fromarray(pixels.cpu().numpy().astype(np.uint8))
    picture.thumbnail((_LARGEST_THUMBNAIL, _LARGEST_THUMBNAIL))
    return picture
