"""An edit and what becomes of it.

    Edit("me.jpg").swap("hair", source="her.jpg").apply(model).save("me2.jpg")

The source's code goes through the operations in their order; before and after are rendered; of a photograph, what
changed is pasted back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from semanticgan.editing.compositing import feather, region_mask
from semanticgan.editing.outputs import mark_of
from semanticgan.editing.regions import EditResult
from semanticgan.edits.sources import Resolved, Source, resolve
from semanticgan.errors import InputError, unknown_name
from semanticgan.formats.provenance import Mark, merged, shareable
from semanticgan.inversion.choices import METHODS, WAYS
from semanticgan.inversion.inversion import Inversion
from semanticgan.inversion.photograph import Photograph
from semanticgan.latents import LatentCode, mix
from semanticgan.model import Model
from semanticgan.progress import Progress
from semanticgan.rendering import Rendering
from semanticgan.rows import WHAT
from semanticgan.surgery.blending import require_related
from semanticgan.wrong_arguments import finite_number, require_names


@dataclass(frozen=True, eq=False)
class Operation:
    """Rows of regions taken from another code: all of them (a swap) or a part of the way (an interpolation).

    Attributes:
        regions: names; empty with ``include_base`` alone.
        source: of the other code; of several faces the first counts.
        what: "structure", "texture" or "both".
        include_base: the base rows, too.
        weight: 1 is a swap, 0 changes nothing.
    """

    regions: tuple[str, ...]
    source: Source
    what: str = "both"
    include_base: bool = False
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.what not in WHAT:
            raise unknown_name("choice of codes", str(self.what), WHAT)
        finite_number("weight", self.weight)


@dataclass(frozen=True, eq=False, init=False)
class Edit:
    """An edit of a seed, a code or a photograph. Each method returns a new edit.

    Attributes:
        source: where the face comes from.
        operations: in their order.
        paste: how a photograph is pasted: "auto", "transfer", "replace" or "aligned".
        model: digest of the model that the codes found belong to; "" before it was applied.
    """

    source: Source
    operations: tuple[Operation, ...] = ()
    paste: str = "auto"
    model: str = ""

    def __init__(
        self,
        source: Any,
        operations: Sequence[Operation] = (),
        paste: str = "auto",
        model: str = "",
        **more: Any,
    ) -> None:
        """An edit of a source.

        Args:
            source: the path of a photograph or of a latent code, a seed, or a LatentCode of one image.
            operations: usually added by :meth:`swap` and :meth:`interpolate`.
            paste: how a photograph is pasted.
            model: digest of the model.
            **more: of the source: ``face`` (a number from 1 on by size, or "all"), ``landmarks`` (five
                points), ``aligned``, ``truncation``.

        Raises:
            InputError: a source or paste that is none.
        """
        if paste not in WAYS:
            raise unknown_name("way to paste", str(paste), WAYS)
        object.__setattr__(self, "source", Source.of(source, **more))
        object.__setattr__(self, "operations", tuple(operations))
        object.__setattr__(self, "paste", paste)
        object.__setattr__(self, "model", model)

    def swap(
        self,
        regions: str | Iterable[str],
        source: Any,
        what: str = "both",
        include_base: bool = False,
        **more: Any,
    ) -> Edit:
        """With regions taken from another seed, code or photograph; ``**more`` as of the edit's own source.

        Raises:
            InputError: no names, a ``what`` that is none, or a source that is none.
        """
        return self.interpolate(regions, source, 1.0, what, include_base, **more)

    def interpolate(
        self,
        regions: str | Iterable[str],
        source: Any,
        weight: float,
        what: str = "both",
        include_base: bool = False,
        **more: Any,
    ) -> Edit:
        """With regions moved towards those of another seed, code or photograph: weight 1 is :meth:`swap`."""
        given = require_names(regions)
        names = tuple(name.strip() for name in given.split(",")) if isinstance(given, str) else tuple(given)
        operation = Operation(names, Source.of(source, **more), what, include_base, finite_number("weight", weight))
        return self._with(operations=(*self.operations, operation))

    def pasted(self, how: str) -> Edit:
        """With another way to paste.

        Raises:
            InputError: an unknown way.
        """
        return self._with(paste=how)

    def _with(self, **changes: Any) -> Edit:
        values = {name: getattr(self, name) for name in ("source", "operations", "paste", "model")}
        return Edit(**{**values, **changes})

    def apply(
        self,
        model: Model,
        method: str = "auto",
        render_with: Model | None = None,
        progress: Progress | bool = False,
        **options: Any,
    ) -> Edited:
        """Make the edit. What inversions find is kept in the result's :attr:`Edited.edit`.

        Args:
            model: whose codes are edited.
            method: of inversions: "encoder", "optimise", "tune" or "auto".
            render_with: a related model that renders the edited code, such as one adapted to drawings.
            progress: bar, report and cancel.
            **options: of inversions, such as ``encoder``, ``steps``.

        Raises:
            InputError: a source that cannot be read or has no face, an unknown region, codes found with another model,
                or a model to render with that is not related.
            Cancelled: by ``progress``.
        """
        self._require_model(model)
        if method not in METHODS:
            raise unknown_name("method of inversion", str(method), METHODS)
        if render_with is not None:
            require_related(model, render_with)
        resolved = resolve(self.source, model, method, progress, **options)
        others = [resolve(step.source, model, method, progress, **options) for step in self.operations]
        done = self._with(
            source=resolved.source,
            operations=[
                replace(step, source=other.source) for step, other in zip(self.operations, others, strict=True)
            ],
            model=model.metadata.digest,
        )
        codes = [self._edited(code, others) for code in resolved.codes]
        if resolved.inversions:
            return _of_photograph(done, resolved.inversions, codes, render_with)
        (before,), (after,) = resolved.codes, codes
        renderer = render_with or model
        return Edited(done, (after,), (model.render(before),), (renderer.render(after),), renderer)

    def _require_model(self, model: Model) -> None:
        if self.model and model.metadata.digest and self.model != model.metadata.digest:
            raise InputError(
                f"the edit was made with the model of digest {self.model}; this model has {model.metadata.digest}. "
                "Give that model, or make the edit anew."
            )

    def _edited(self, code: LatentCode, others: Sequence[Resolved]) -> LatentCode:
        """The code after the operations."""
        for operation, other in zip(self.operations, others, strict=True):
            how = (operation.weight, operation.what, operation.include_base)
            code = mix(code, other.codes[0], list(operation.regions), *how)
        return code

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the edit as JSON, with the codes found where it was applied.

        Raises:
            InputError: another suffix than .json, or an existing file without ``overwrite``.
        """
        from semanticgan.edits.script import save_edit

        save_edit(self, path, overwrite)

    @property
    def shareable(self) -> str:
        """The JSON of the edit as a picture's mark carries it: without codes found in faces and folders of files."""
        from semanticgan.edits.script import to_json

        return shareable(to_json(self))

    @classmethod
    def load(cls, path: str | Path) -> Edit:
        """An edit that :meth:`save` wrote.

        Raises:
            InputError: no such file, or not the JSON of an edit.
        """
        from semanticgan.edits.script import load_edit

        return load_edit(path)


@dataclass(frozen=True, eq=False)
class Edited:
    """An edit that was made. Of several faces there is one entry per face.

    Attributes:
        edit: with the codes found; its :meth:`Edit.save` replays to the same picture.
        codes: the edited codes.
        before: renderings before.
        after: renderings after.
        renderer: the model that rendered it.
        photograph: the photograph with the edit; None where the source is no photograph.
        inversions: of the photograph's faces.
        alone: whether the photograph is the rendering alone, with nothing of the photograph.
    """

    edit: Edit
    codes: tuple[LatentCode, ...]
    before: tuple[Rendering, ...]
    after: tuple[Rendering, ...]
    renderer: Model
    photograph: Photograph | None = None
    inversions: tuple[Inversion, ...] = ()
    alone: bool = False

    @property
    def code(self) -> LatentCode:
        """The edited code of the first face."""
        return self.codes[0]

    @property
    def rendering(self) -> Rendering:
        """The edited code of the first face, as the model renders it."""
        return self.after[0]

    def result(self, model: Model) -> EditResult:
        """The renderings with the masks of where the edit may show, for measures and sheets; one image per face.

        Args:
            model: of the edit; it names the regions.
        """
        regions = list(dict.fromkeys(name for step in self.edit.operations for name in step.regions))
        labels = model.regions.indices(regions or list(model.regions.names))
        before, after = _joined(self.before), _joined(self.after)
        mask = region_mask(before.labels().cpu(), labels) | region_mask(after.labels().cpu(), labels)
        names = tuple(model.regions.names[label] for label in labels)
        return EditResult(before, after, None, LatentCode.cat(self.codes), names, mask, feather(mask))

    def save(self, path: str | Path, overwrite: bool = False, keep_metadata: bool = False, marked: bool = True) -> None:
        """Write the edited photograph, or the rendering.

        Args:
            path: its suffix is the format.
            overwrite: replace an existing file.
            keep_metadata: of a photograph, keep place, serial numbers and the owner's name.
            marked: say in the XMP that a model made or changed it, which one, and how.

        Raises:
            InputError: another suffix, or an existing file without ``overwrite``.
        """
        whole = self.photograph is None or self.alone
        mark = mark_of(self.renderer, "generated" if whole else "composite", self.edit.shareable) if marked else None
        if self.photograph is None:
            self.rendering.save(path, overwrite, mark)
            return
        save_edited(self.photograph, path, mark, overwrite, keep_metadata)


def save_edited(
    photograph: Photograph,
    path: str | Path,
    mark: Mark | None,
    overwrite: bool = False,
    keep_metadata: bool = False,
) -> None:
    """Write an edited photograph, what its own file said, and its mark; arguments and errors as of Edited.save."""
    xmp = merged(mark, photograph.xmp(keep_metadata=True) or None, keep_metadata)
    photograph.save(path, overwrite, keep_metadata=keep_metadata, xmp=xmp)


def _joined(renderings: Sequence[Rendering]) -> Rendering:
    """One rendering of all images."""
    names = ("image", "segmentation", "coarse_segmentation", "depth")
    return Rendering(*(torch.cat([getattr(one, name) for one in renderings]) for name in names))


def _of_photograph(
    edit: Edit, inversions: Sequence[Inversion], codes: Sequence[LatentCode], render_with: Model | None
) -> Edited:
    """Render each face and paste one after another into the photograph."""
    regions = list(dict.fromkeys(name for step in edit.operations for name in step.regions))
    whats = {step.what for step in edit.operations}
    what = whats.pop() if len(whats) == 1 else "both"
    everywhere = render_with is not None or any(step.include_base for step in edit.operations)
    how = "aligned" if render_with is not None and edit.paste == "auto" else edit.paste
    photograph = inversions[0].photograph
    after = []
    for inversion, code in zip(inversions, codes, strict=True):
        rendering = inversion.render(code) if render_with is None else render_with.render(code)
        after.append(rendering)
        if edit.operations or render_with is not None:
            photograph = inversion.paste(
                rendering,
                how,
                regions=None if everywhere else regions,
                what=None if everywhere else what,
                photograph=photograph,
            )
    before = tuple(inversion.rendering for inversion in inversions)
    renderer = render_with or inversions[0].model
    return Edited(edit, tuple(codes), before, tuple(after), renderer, photograph, tuple(inversions), how == "aligned")
