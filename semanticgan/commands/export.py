"""Write the averaged generator of a run as one file to share, or any model as ONNX for programs without PyTorch.

With the discriminator others can continue the training (`train ... start=FILE`) and compare models in its features
(`evaluate --extractor discriminator:FILE`). The optimiser state is not included: only the run itself resumes exactly.

--format onnx writes two graphs for batches of 1 to 16: OUT.onnx, "latents" -> "image" and "segmentation" (a model of
layers has no segmentation), and OUT-mapping.onnx, "z" -> "w". "latents" is w in each row of a code.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

from semanticgan.commands import arguments
from semanticgan.errors import InputError

EXAMPLES = (
    "runs/faces --out faces.safetensors",
    "runs/faces --with-discriminator --precision float16 --figure hours=12.5 --out faces.safetensors",
    "--model portraits-64 --format onnx --out portraits-64.onnx",
)

FORMATS = ("safetensors", "onnx")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        nargs="?",
        type=arguments.path,
        metavar="RUN",
        help="a run's folder (its newest state), or one of its step-* folders",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="safetensors",
        help="safetensors: weights of a run, to load, share and continue; onnx: two graphs of any model",
    )
    parser.add_argument(
        "--model",
        metavar=arguments.MODEL,
        help=f"with --format onnx: {arguments.MODEL_HELP} (default: RUN, else the bundled model)",
    )
    parser.add_argument(
        "--out",
        type=arguments.path,
        required=True,
        metavar="OUT.safetensors|OUT.onnx",
        help="file to write; with --format onnx also OUT-mapping.onnx",
    )
    arguments.add_flag(parser, "--with-discriminator", "also store the discriminator")
    parser.add_argument(
        "--figure",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a number to store in the file, such as hours=12.5; may be repeated",
    )
    arguments.add_weights_arguments(parser, "the recipe's")


def run(args: argparse.Namespace) -> dict[str, Any]:
    return _export_onnx(args) if args.format == "onnx" else _export_weights(args)


def _export_onnx(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.export.onnx_files import MOST_IMAGES, export_onnx, require_exportable
    from semanticgan.model import load

    if args.source is not None and args.model is not None:
        raise InputError("--model and RUN both name a model. Give one of them.")
    of_weights = {
        "--with-discriminator": args.with_discriminator,
        "--figure": args.figure,
        "--precision": args.precision != "float32",
        "--description": args.description,
        "--licence": args.licence,
        "--data-licence": args.data_licence,
    }
    why = "{} belongs to files of weights. Leave it out, or use --format safetensors."
    arguments.refuse_given(of_weights, why)
    require_exportable(args.out, args.overwrite)
    model = load(args.model or args.source, device="cpu")
    out, mapping = export_onnx(model, args.out, args.overwrite)
    return {
        "out": str(out),
        "mapping": str(mapping),
        "bytes": out.stat().st_size,
        "mapping_bytes": mapping.stat().st_size,
        "rows": list(model.rows.names),
        "largest_batch": MOST_IMAGES,
    }


def _export_weights(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.checkpoint import save_model
    from semanticgan.files import require_free
    from semanticgan.runs.weights import read_weights

    if args.source is None or args.model is not None:
        raise InputError("a file of weights is made of a run. Give its run_dir as RUN, or add --format onnx.")
    figures = dict(_figure(text) for text in args.figure)
    require_free(args.out, args.overwrite)
    source = str(args.source)
    if not args.source.is_dir():
        raise InputError(f"{source!r} is not a folder of a run. Give the run_dir of a training.")
    try:
        start = read_weights(source)
    except InputError as error:
        raise InputError(f"{source!r} holds no whole training state. Give the run_dir of a training.") from error
    if args.with_discriminator and start.discriminator is None:
        raise InputError(f"the configuration of {source!r} is lost. Leave --with-discriminator out.")
    metadata = start.model.metadata
    known = sorted(figures.keys() & metadata.training.keys())
    if known:
        raise InputError(f"--figure {known[0]} is known from the run. Give figures that the run does not know.")
    training = {**metadata.training, **figures}
    licence, data_licence = args.licence or metadata.licence, args.data_licence or metadata.data_licence
    save_model(
        args.out,
        start.model.generator,
        start.model.metadata.regions,
        training=training,
        licence=licence,
        data_licence=data_licence,
        description=args.description or metadata.description,
        discriminator=start.discriminator if args.with_discriminator else None,
        precision=args.precision,
        perception=metadata.perception,
        alignment=metadata.alignment,
        overwrite=args.overwrite,
    )
    return {
        "out": str(args.out),
        "bytes": args.out.stat().st_size,
        "with_discriminator": args.with_discriminator,
        "training": training,
        "licence": licence,
        "data_licence": data_licence,
    }


def _figure(text: str) -> tuple[str, Any]:
    """NAME=VALUE -> both, a number where it is one."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InputError(f"--figure {text!r} is not NAME=VALUE, such as hours=12.5.")
    try:
        number = float(value)
    except ValueError:
        return name, value
    if not math.isfinite(number):
        raise InputError(f"--figure {text!r} is not finite. Give a number, or words.")
    return name, int(number) if number.is_integer() else number
