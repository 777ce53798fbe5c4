"""An edit and what becomes of it.

    Edit("me.jpg").swap("hair", source="her.jpg").apply(model).save("me2.jpg")

The source's code goes through the operations in their order; before and after are rendered; of a photograph, what
changed is pasted back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from typing_extensions import Self

from semanticgan.editing.compositing import feather, region_mask
from semanticgan.editing.layers import LayerEdit
from semanticgan.editing.outputs import mark_of
from semanticgan.editing.regions import EditResult
from semanticgan.edits.compositing import composited
from semanticgan.edits.operation import Operation, State
from semanticgan.edits.sources import Resolved, Source, resolve
from semanticgan.edits.steps import Steps
from semanticgan.errors import InputError, unknown_name
from semanticgan.formats.provenance import Mark, merged, shareable
from semanticgan.inversion.choices import METHODS, WAYS
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.progress import Progress
from semanticgan.rendering import Rendering
from semanticgan.surgery.blending import require_related
from semanticgan.wrong_arguments import whole_number

if TYPE_CHECKING:
    from semanticgan.inversion.inversion import Inversion
    from semanticgan.inversion.photograph import Photograph


@dataclass(frozen=True, eq=False, init=False)
class Edit(Steps):
    """An edit of a seed, a code or a photograph. Each method returns a new edit.

    Attributes:
        source: where the face comes from.
        operations: in their order.
        paste: how a photograph is pasted: "auto", "transfer", "replace" or "aligned".
        model: digest of the model that the codes found belong to; "" before it was applied.
        composite_after: a number n of operations: pixels outside the feathered regions of the later ones are those of
            the picture after the first n; None for the picture as it is rendered.
    """

    source: Source
    operations: tuple[Operation, ...] = ()
    paste: str = "auto"
    model: str = ""
    composite_after: int | None = None

    def __init__(
        self,
        source: Any,
        operations: Sequence[Operation] = (),
        paste: str = "auto",
        model: str = "",
        composite_after: int | None = None,
        **more: Any,
    ) -> None:
        """An edit of a source.

        Args:
            source: the path of a photograph or of a latent code, a seed, or a LatentCode of one image.
            operations: usually added by :meth:`swap` and :meth:`interpolate`.
            paste: how a photograph is pasted.
            model: digest of the model.
            composite_after: as of :meth:`composited`.
            **more: of the source: ``face`` (a number from 1 on by size, or "all"), ``landmarks`` (five
                points), ``aligned``, ``truncation``.

        Raises:
            InputError: a source or paste that is none, or a composite of a photograph.
        """
        if paste not in WAYS:
            raise unknown_name("way to paste", str(paste), WAYS)
        object.__setattr__(self, "source", Source.of(source, **more))
        if composite_after is not None:
            if self.source.image is not None:
                raise InputError(
                    "a composite is for generated pictures; a photograph keeps every pixel outside the regions. Leave "
                    "it out."
                )
            composite_after = whole_number("composite_after", composite_after, 0, len(operations))
        object.__setattr__(self, "composite_after", composite_after)
        object.__setattr__(self, "operations", tuple(operations))
        object.__setattr__(self, "paste", paste)
        object.__setattr__(self, "model", model)

    def then(self, operation: Operation) -> Self:
        """With one more operation, of :mod:`semanticgan.edits.operations`."""
        return replace(self, operations=(*self.operations, operation))

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions that its operations are about."""
        return tuple(dict.fromkeys(name for step in self.operations for name in step.names))

    def pasted(self, how: str) -> Self:
        """With another way to paste.

        Raises:
            InputError: an unknown way.
        """
        return replace(self, paste=how)

    def composited(self, after: int | None = 0) -> Self:
        """With pixels outside the regions of the operations kept, to the byte.

        The regions, seen before or after, have a soft edge of 1/32 of the side. An operation that may change the whole
        picture, as base rows do, leaves the picture as it is rendered; :attr:`Edited.composited` says which it is.

        Args:
            after: pixels are those after this number of operations, 0 for those of the source; None for no composite.

        Raises:
            InputError: no such number, or an edit of a photograph.
        """
        return replace(self, composite_after=after)

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
                a model to render with that is not related, or a composite by a layered model.
            Cancelled: by ``progress``.
        """
        self.require_model(model)
        if method not in METHODS:
            raise unknown_name("method of inversion", str(method), METHODS)
        if render_with is not None:
            require_related(model, render_with)
        resolved = resolve(self.source, model, method, progress, **options)
        others = [
            [resolve(source, model, method, progress, **options) for source in step.sources] for step in self.operations
        ]
        states, operations, kept = self._edited(model, resolved, others, progress)
        done = replace(self, source=resolved.source, operations=tuple(operations), model=model.metadata.digest)
        if resolved.inversions:
            return _of_photograph(done, resolved.inversions, states, render_with)
        (before,), (after,) = resolved.codes, states
        renderer = render_with or model
        first, last, whole = model.render(before), _rendered(renderer, after), None
        if kept is not None:
            whole = composited(renderer, _rendered(renderer, kept), last, operations[self.composite_after :])
        return Edited(done, (after.code,), (first,), (whole or last,), renderer, composited=whole is not None)

    def require_model(self, model: Model) -> None:
        """Check that the edit belongs to a model.

        Raises:
            InputError: it was made with another one, or is a composite and the model has no regions.
        """
        if self.composite_after is not None and model.rows.regions is None:
            raise InputError("a composite keeps pixels outside regions, and this model has layers. Leave it out.")
        if self.model and model.metadata.digest and self.model != model.metadata.digest:
            raise InputError(
                f"the edit was made with the model of digest {self.model}; this model has {model.metadata.digest}. "
                "Give that model, or make the edit anew."
            )

    def _edited(
        self, model: Model, resolved: Resolved, others: Sequence[Sequence[Resolved]], progress: Progress | bool
    ) -> tuple[list[State], list[Operation], State | None]:
        """A state per face after all operations, the operations with what they found, and the state that is kept."""
        states = [State(code) for code in resolved.codes]
        operations: list[Operation] = []
        kept = states[0] if self.composite_after == 0 else None
        for operation, sources in zip(self.operations, others, strict=True):
            step = operation.with_sources([other.source for other in sources])
            if step.of_one_face and len(states) > 1:
                raise InputError(f"{step} is for one face, and the photograph has {len(states)}. Choose one: face=1.")
            for face, state in enumerate(states):
                states[face], step = step.apply(model, state, [other.codes[0] for other in sources], progress)
            operations.append(step)
            if len(operations) == self.composite_after:
                kept = states[0]
        return states, operations, kept

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the edit as JSON, with the codes found where it was applied.

        Raises:
            InputError: another suffix than .json, or an existing file without ``overwrite``.
        """
        from semanticgan.edits.script import save_edit

        save_edit(self, path, overwrite)

    @property
    def shareable(self) -> str:
        """The JSON of the edit as a mark carries it: without codes, numbers of directions and folders of files."""
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
        composited: whether ``after`` keeps the pixels that :meth:`Edit.composited` says.
    """

    edit: Edit
    codes: tuple[LatentCode, ...]
    before: tuple[Rendering, ...]
    after: tuple[Rendering, ...]
    renderer: Model
    photograph: Photograph | None = None
    inversions: tuple[Inversion, ...] = ()
    alone: bool = False
    composited: bool = False

    @property
    def code(self) -> LatentCode:
        """The edited code of the first face."""
        return self.codes[0]

    @property
    def rendering(self) -> Rendering:
        """The edited code of the first face, as the model renders it; of a composite, with the pixels that are kept."""
        return self.after[0]

    def result(self, model: Model) -> EditResult:
        """The renderings with the masks of where the edit may show, for measures and sheets; one image per face.

        Args:
            model: of the edit; it names the regions.
        """
        regions = list(self.edit.regions)
        labels = model.regions.indices(regions or list(model.regions.names))
        before, after = _joined(self.before), _joined(self.after)
        mask = region_mask(before.labels().cpu(), labels) | region_mask(after.labels().cpu(), labels)
        names = tuple(model.regions.names[label] for label in labels)
        return EditResult(before, after, None, LatentCode.cat(self.codes), names, mask, feather(mask))

    def layers_result(self, reference: Rendering | None = None) -> LayerEdit:
        """The renderings of a layered model, for measures and sheets; one image per face.

        Args:
            reference: of the code that layers came from, shown on sheets.
        """
        return LayerEdit(_joined(self.before), _joined(self.after), reference, LatentCode.cat(self.codes))

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


def _rendered(model: Model, state: State) -> Rendering:
    return model.render(state.code, coordinates=state.coordinates)


def _of_photograph(
    edit: Edit, inversions: Sequence[Inversion], states: Sequence[State], render_with: Model | None
) -> Edited:
    """Render each face and paste one after another into the photograph."""
    whats = {step.whats for step in edit.operations}
    what = whats.pop() if len(whats) == 1 else "both"
    everywhere = render_with is not None or any(step.everywhere for step in edit.operations) or not edit.regions
    how = "aligned" if render_with is not None and edit.paste == "auto" else edit.paste
    photograph = inversions[0].photograph
    after = []
    for inversion, state in zip(inversions, states, strict=True):
        rendering = _rendered(render_with or inversion.model, state)
        after.append(rendering)
        if edit.operations or render_with is not None:
            photograph = inversion.paste(
                rendering,
                how,
                regions=None if everywhere else list(edit.regions),
                what=None if everywhere else what,
                photograph=photograph,
            )
    before = tuple(inversion.rendering for inversion in inversions)
    renderer = render_with or inversions[0].model
    codes = tuple(state.code for state in states)
    return Edited(edit, codes, before, tuple(after), renderer, photograph, tuple(inversions), how == "aligned")
