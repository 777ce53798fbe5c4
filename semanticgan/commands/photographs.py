"""Arguments of the verbs that take a photograph in place of a seed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semanticgan.commands import arguments, edit_operations
from semanticgan.errors import InputError
from semanticgan.inversion.choices import METHODS, WAYS
from semanticgan.progress import Progress

if TYPE_CHECKING:
    from semanticgan.edits import Edit, Edited, Operation
    from semanticgan.inversion.inversion import Inversion
    from semanticgan.latents import LatentCode
    from semanticgan.model import Model


def add_image_argument(
    parser: argparse._ActionsContainer, text: str = "photograph of any size, instead of --seed"
) -> None:
    """``--image``, a photograph in place of a seed; :func:`add_photograph_arguments` adds how it is read."""
    arguments.add_path(parser, "--image", text, "PHOTO")


def add_photograph_arguments(parser: argparse.ArgumentParser, method: str = "--inversion") -> None:
    """How ``--image`` is read: --face, --landmarks, --aligned, --inversion, --encoder.

    Args:
        parser: where to.
        method: the option that names the method of inversion.
    """
    group = parser.add_argument_group("photographs")
    group.add_argument(
        "--face", type=face, metavar="N", help='which face by size, from 1 on; or "all" (default: the largest)'
    )
    group.add_argument(
        "--landmarks",
        metavar="POINTS",
        help='five points by hand, in pixels: "x,y x,y x,y x,y x,y" for the eye at the left, the eye at the right, the '
        "tip of the nose, the left and the right corner of the mouth; or a file of them",
    )
    arguments.add_flag(group, "--aligned", "the photograph is aligned already: use its middle square")
    group.add_argument(
        method,
        dest="inversion",
        choices=METHODS,
        default="auto",
        help="how the code is found: encoder (fast), optimise (closer), tune (closest), or auto, the encoder where the "
        "model has one",
    )
    arguments.add_path(group, "--encoder", "encoder of the model, in place of the bundled one")


def face(text: str) -> int | str:
    """``--face``: a number, or "all"."""
    return text if text == "all" else arguments.at_least(1, 1000)(text)


def model_of(args: argparse.Namespace) -> str | None:
    """The model of a photograph that no ``--model`` names: the authors' where it is in the cache, else the bundled one.

    Its terms are said on stderr. None where there is no photograph: the default model.
    """
    from semanticgan.registry import PHOTOGRAPHS, RELEASED_PHOTOGRAPHS, is_cached

    if not (getattr(args, "image", None) or getattr(args, "from_image", None)):
        return None
    name = RELEASED_PHOTOGRAPHS if is_cached(RELEASED_PHOTOGRAPHS) else PHOTOGRAPHS
    sys.stderr.write(f"note: the model of photographs is {name}; its terms: research only. --model chooses another.\n")
    return name


def photograph_options(args: argparse.Namespace) -> dict[str, Any]:
    """What :func:`add_photograph_arguments` read, as ``Edit`` takes it of its source."""
    from semanticgan.inversion.faces import read_landmarks

    points = None if args.landmarks is None else read_landmarks(args.landmarks)
    landmarks = None if points is None else tuple((float(x), float(y)) for x, y in points)
    return {"face": args.face, "landmarks": landmarks, "aligned": args.aligned}


def code_of_image(args: argparse.Namespace, model: Model, image: Path, number: int | str | None) -> LatentCode:
    """The code of a face in a photograph; arguments and errors as of :func:`inversion_of_image`."""
    return inversion_of_image(args, model, image, number).code


def inversion_of_image(args: argparse.Namespace, model: Model, image: Path, number: int | str | None) -> Inversion:
    """The inversion of a face in a photograph.

    Args:
        args: the method and how the photograph is read.
        model: whose code.
        image: the photograph.
        number: of the face.

    Raises:
        InputError: no face, or all of them.
    """
    if number == "all":
        raise InputError("--face all goes with one edited picture and with invert. Choose one face: --face 1.")
    own = image == args.image
    found: Inversion = model.invert(
        image,
        args.inversion,
        face=number,
        landmarks=args.landmarks if own else None,
        aligned=args.aligned,
        encoder=args.encoder,
        progress=Progress(bar=True),
    )
    return found


def add_edit_arguments(parser: argparse.ArgumentParser) -> None:
    """How an edited photograph is put together and kept: --from-face to --save-script."""
    arguments.add_count(
        parser,
        "--from-face",
        "which face of --from-image by size, from 1 on (default: the largest)",
        1,
        1000,
        metavar="N",
    )
    parser.add_argument(
        "--paste",
        choices=WAYS,
        default="auto",
        help="how a photograph is put together: transfer adds what changed, replace puts the rendered region in, "
        "aligned writes the rendered picture alone; auto is transfer after a change of texture or of layers or in a "
        "photograph much finer than the model, else replace",
    )
    parser.add_argument(
        "--render-with",
        metavar=arguments.MODEL,
        help="render the edited code by this model, which was adapted from the first",
    )
    arguments.add_flag(parser, "--keep-metadata", "keep GPS and serial numbers of the photograph's metadata")
    arguments.add_path(parser, "--save-script", "also write the edit as JSON, for --script")


NOTHING_KEPT = "note: --composite keeps nothing here: an operation may change the whole picture.\n"


def run_edit(args: argparse.Namespace, outputs: Mapping[str, Path]) -> dict[str, Any]:
    """Make one edit of ``edit-region`` by :mod:`semanticgan.edits` and write its files."""
    from semanticgan.editing.outputs import label_picture, save_picture
    from semanticgan.model import load

    edit = _edit_of_script(args) if args.script else None
    model = arguments.load_model(args)
    edit = edit_of(args, model) if edit is None else edit
    other = None if args.render_with is None else load(args.render_with, device=args.device)
    edited = edit.apply(model, args.inversion, other, progress=Progress(bar=True), encoder=args.encoder)
    edited.save(args.out, args.overwrite, args.keep_metadata, args.mark)
    if args.save_script:
        edited.edit.save(args.save_script, args.overwrite)
    if args.save_latent:
        edited.code.save(args.save_latent, args.overwrite)
    if args.labels:
        save_picture(label_picture(edited.rendering.labels()[0], model.regions), outputs["labels"], args.overwrite)
    if edited.edit.composite_after is not None and not edited.composited:
        sys.stderr.write(NOTHING_KEPT)
    found: dict[str, Any] = {
        **{name: str(path) for name, path in outputs.items()},
        "source": str(edited.edit.source),
        "from": [str(step) for step in edited.edit.operations],
        "faces": len(edited.codes),
        "method": edited.inversions[0].method if edited.inversions else None,
        "psnr": [inversion.figures["psnr"] for inversion in edited.inversions],
    }
    of_model = _of_layers if model.rows.regions is None else _of_regions
    return found | of_model(args, outputs, model, edited)


def _of_regions(args: argparse.Namespace, outputs: Mapping[str, Path], model: Model, edited: Edited) -> dict[str, Any]:
    """The sheet of an edit of regions, and what is said of it."""
    from semanticgan.editing.outputs import save_picture
    from semanticgan.editing.sheets import edit_sheet

    result = edited.result(model)
    if args.sheet:
        mark = arguments.mark_of(args, model)
        save_picture(edit_sheet(result, model.regions), outputs["sheet"], args.overwrite, mark)
    change = result.change()
    inside = change.inside[~change.inside.isnan()]
    figures: dict[str, float] = {}
    for step in edited.edit.operations:
        figures |= step.figures  # of an optimisation, among them its own change outside
    outside = float(change.outside.mean())
    return {
        **figures,
        "regions": list(result.regions),
        "composite": edited.composited,
        "change_outside": outside if edited.composited else figures.get("change_outside", outside),
        "change_inside": float(inside.mean()) if len(inside) else None,
    }


def _of_layers(args: argparse.Namespace, outputs: Mapping[str, Path], model: Model, edited: Edited) -> dict[str, Any]:
    """The sheet of an edit of layers, and what is said of it."""
    from semanticgan.editing.outputs import save_picture
    from semanticgan.edits.sources import resolve

    steps = edited.edit.operations
    sources = [source for step in steps for source in step.sources]
    code = resolve(sources[0], model, args.inversion).codes[0] if args.sheet and sources else None
    result = edited.layers_result(None if code is None else model.render(code))
    if args.sheet:
        kind = "composite" if args.image or args.from_image else "generated"
        title = f"layers {args.layers}" if args.layers else ""
        save_picture(result.sheet((), title), outputs["sheet"], args.overwrite, arguments.mark_of(args, model, kind))
    return {
        "layers": sorted({layer for step in steps for layer in _layers(model, step)}),
        "images": ", ".join(map(str, steps)),
        "change": float(result.change().mean()),
    }


def _layers(model: Model, step: Operation) -> list[int]:
    """Numbers of the layers that an operation changes."""
    from semanticgan.edits.operations import Move

    layers = str(getattr(step, "layers", ""))
    if layers:
        return model.rows.indices(layers=layers)
    rows = step.direction.rows if isinstance(step, Move) and step.direction else ()
    return [model.rows.names.index(row) for row in rows]


def _edit_of_script(args: argparse.Namespace) -> Edit:
    """The edit of --script, whose model is that of --model where none was named; with --composite, as a composite."""
    from semanticgan.edits import Edit

    edit = Edit.load(args.script)
    if args.model is None:
        args.model = model_of_script(edit.model, args.script)
    return edit.composited() if args.composite and edit.composite_after is None else edit


def edit_of(args: argparse.Namespace, model: Model) -> Edit:
    """The edit that the arguments describe."""
    edit = _plain_edit_of(args, model)
    return edit.composited() if args.composite else edit


def _plain_edit_of(args: argparse.Namespace, model: Model) -> Edit:
    from semanticgan.edits import Edit

    if args.image:
        edit = Edit(args.image, paste=args.paste, **photograph_options(args))
    elif args.latent:
        edit = Edit(args.latent)
    else:
        edit = Edit(args.seed, truncation=args.truncation)
    if edit_operations.is_given(args):
        return edit_operations.with_operations(edit, args, model)
    if not args.region and not args.layers:
        return edit
    regions = arguments.region_names(model, args.region) if args.region else None
    if args.layers:
        model.rows.indices(layers=args.layers)  # says which layers there are
    taken = (args.what, args.include_base, args.layers or "")
    if args.from_image:
        return edit.swap(regions, args.from_image, *taken, face=args.from_face, aligned=args.aligned)
    if args.from_latent:
        return edit.swap(regions, args.from_latent, *taken)
    return edit.swap(regions, args.from_seed, *taken, truncation=args.truncation)


def model_of_script(digest: str, script: Path) -> str | None:
    """The name of the model that an edit was made with.

    Raises:
        InputError: it is neither bundled nor in the cache.
    """
    from semanticgan.checkpoint import read_metadata
    from semanticgan.registry import RELEASES, bundled, fetch, is_cached

    if not digest:
        return None
    known = bundled() | {name: fetch(name) for name in RELEASES if is_cached(name)}
    for name, file in known.items():
        if read_metadata(file).digest == digest:
            return name
    raise InputError(
        f"the edit {str(script)!r} was made with a model of the digest {digest}, which is not bundled. Add --model."
    )
