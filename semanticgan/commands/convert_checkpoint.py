"""Turn a checkpoint of the reference implementation into a safe file of weights.

The authors' .pt files are pickles. They are read without running any code in them: only tensors and training
arguments are accepted. Channel widths are read from the tensors, so smaller and larger models convert too.

The networks of face-api (identity, age, expression, landmarks) come as an npm package, which is no pickle and needs no
--trust: npm pack @vladmandic/face-api@1.7.15
"""

from __future__ import annotations

import argparse
from typing import Any

from semanticgan.commands import arguments
from semanticgan.errors import unknown_name
from semanticgan.regions import SCHEMES

EXAMPLES = (
    "CelebAMask-HQ-512x512.pt celebamask-hq-512.safetensors --trust",
    "checkpoint/200000.pt faces.safetensors --trust --precision float16 --without-discriminator",
    "vladmandic-face-api-1.7.15.tgz face-api.safetensors",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        type=arguments.path,
        metavar="FILE",
        help="checkpoint (.pt, .pth) of SemanticStyleGAN, StyleGAN2, StyleALAE or a ReStyle encoder over pSp; .npz of "
        "the TensorFlow variables of PGGAN or StyleGAN; or face-api's .tgz",
    )
    parser.add_argument("out", type=arguments.path, metavar="OUT.safetensors", help="file of weights to write")
    arguments.add_flag(parser, "--trust", "confirm that you trust the origin of a .pt file")
    parser.add_argument(
        "--regions", metavar="SCHEME", help=f"region scheme: {', '.join(SCHEMES)} (default: by their number)"
    )
    arguments.add_flag(parser, "--without-discriminator", "leave out the discriminator of a training checkpoint")
    arguments.add_weights_arguments(parser, "from the checkpoint")


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan.networks.architectures import name_of
    from semanticgan.reference import FaceApi, ReferenceEncoder, ReferenceLayers, convert_checkpoint

    if args.regions is not None and args.regions not in SCHEMES:
        raise unknown_name("region scheme", args.regions, SCHEMES)
    checkpoint = convert_checkpoint(
        args.source,
        args.out,
        trust=args.trust,
        regions=None if args.regions is None else SCHEMES[args.regions],
        include_discriminator=not args.without_discriminator,
        precision=args.precision,
        licence=args.licence,
        data_licence=args.data_licence,
        description=args.description,
        overwrite=args.overwrite,
    )
    if isinstance(checkpoint, FaceApi):
        return {"out": str(args.out), "kind": "face-api", "num_parameters": checkpoint.num_parameters}
    if isinstance(checkpoint, ReferenceEncoder):
        network = checkpoint.encoder
        return {
            "out": str(args.out),
            "kind": "encoder",
            "size": network.config.size,
            "num_rows": network.config.num_rows,
            "num_parameters": sum(parameter.numel() for parameter in network.parameters()),
        }
    found = {
        "out": str(args.out),
        "kind": "model",
        "size": checkpoint.generator.picture_size,
        "num_parameters": sum(parameter.numel() for parameter in checkpoint.generator.parameters()),
        "discriminator": checkpoint.discriminator is not None and not args.without_discriminator,
    }
    if isinstance(checkpoint, ReferenceLayers):
        layers = checkpoint.generator.config
        return {
            **found,
            "architecture": name_of(layers),
            "num_layers": layers.num_rows,
            "averaged": checkpoint.averaged,
            "mean_latent": "of the file" if checkpoint.has_mean else "estimated",
        }
    return {**found, "num_regions": checkpoint.generator.config.num_regions, "iteration": checkpoint.iteration}
