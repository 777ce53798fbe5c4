"""Other people's checkpoints, turned into safe files of weights. What a file holds is told from its names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from semanticgan.checkpoint import save_model
from semanticgan.encoder_files import LoadedEncoder, save_encoder
from semanticgan.errors import WeightsError
from semanticgan.face_points import FFHQ
from semanticgan.files import require_file, require_free, sha256_of
from semanticgan.formats.arrayfile import read_npz
from semanticgan.reference import alae, face_api, pggan, restyle, semanticstylegan, stylegan, stylegan2
from semanticgan.reference.face_api import FaceApi
from semanticgan.reference.layers import ReferenceLayers
from semanticgan.reference.opening import load_pickle, require_trust
from semanticgan.reference.restyle import ReferenceEncoder
from semanticgan.reference.semanticstylegan import (
    ReferenceCheckpoint,
    default_regions,
    discriminator_config_from_reference,
    discriminator_from_reference,
    generator_config_from_reference,
    generator_from_reference,
    read_checkpoint,
)
from semanticgan.regions import RegionScheme

__all__ = [
    "DATA_LICENCE",
    "LICENCE",
    "FaceApi",
    "ReferenceCheckpoint",
    "ReferenceEncoder",
    "ReferenceLayers",
    "convert_checkpoint",
    "default_regions",
    "discriminator_config_from_reference",
    "discriminator_from_reference",
    "generator_config_from_reference",
    "generator_from_reference",
    "read_checkpoint",
]

LICENCE = "that of the source checkpoint; the authors release code and weights under CC BY-NC-SA 4.0"
DATA_LICENCE = "that of the data the source was trained on; CelebAMask-HQ: non-commercial research and education only"


def convert_checkpoint(
    source: str | Path,
    out: str | Path,
    trust: bool = False,
    *,
    regions: RegionScheme | None = None,
    include_discriminator: bool = True,
    precision: str = "float32",
    licence: str | None = None,
    data_licence: str | None = None,
    description: str | None = None,
    overwrite: bool = False,
) -> ReferenceCheckpoint | ReferenceEncoder | ReferenceLayers | FaceApi:
    """Turn an authors' ``.pt``, or the npm package of face-api, into a safe file of weights.

    Args:
        source: the ``.pt`` or ``.pth`` file, zip or legacy format, of SemanticStyleGAN, StyleGAN2 (of rosinality),
            StyleALAE or a ReStyle encoder; the package's ``.tgz``, or an ``.npz`` of TensorFlow variables of PGGAN or
            StyleGAN, which are no pickles and need no ``trust``.
        out: the ``.safetensors`` file to write.
        trust: the user's word on the origin of a ``.pt``, without which it is not opened. Nothing in it is ever run.
        regions: names of the regions; by default the 13 of CelebAMask-HQ where there are 13, else numbered ones.
        include_discriminator: keep the discriminator of a training checkpoint, which adaptation starts from.
        precision: as :func:`semanticgan.checkpoint.save_model`.
        licence, data_licence: terms of the weights and of the training data; by default those that the authors state.
        description: one line on the model.
        overwrite: replace an existing ``out``.

    Raises:
        InputError: ``trust`` is false, or the file is missing, unsafe, damaged or of another model.
    """
    source = require_file(source, "checkpoint")
    if face_api.is_package(source):
        texts = {"description": description, "licence": licence, "data_licence": data_licence}
        return face_api.convert(source, out, texts, precision, overwrite)
    if source.suffix != ".npz":
        require_trust(source, trust)
    require_free(out, overwrite)
    training: dict[str, Any] = {"source": source.name, "source_sha256": sha256_of(source)}
    system, found = _of_variables(source) if source.suffix == ".npz" else _of_pickle(source)
    description = description or f"{system} converted from {source.name}"
    terms = {"licence": licence or LICENCE, "data_licence": data_licence or DATA_LICENCE, "description": description}
    if isinstance(found, ReferenceEncoder):
        encoder = LoadedEncoder(found.encoder, found.mean, found.rows, {}, training, **terms)
        save_encoder(out, encoder, precision, overwrite)
        return found
    alignment = None
    if isinstance(found, ReferenceCheckpoint):
        alignment, sizes = FFHQ, found.generator.config
        regions = regions or default_regions(sizes.num_regions, sizes.transparent)
        if found.iteration is not None:
            training["iteration"] = found.iteration
    else:
        regions = None
    discriminator = found.discriminator if include_discriminator else None
    stored: dict[str, Any] = {"precision": precision, "overwrite": overwrite, "training": training, **terms}
    save_model(out, found.generator, regions, discriminator=discriminator, alignment=alignment, **stored)
    return found


def _of_pickle(source: Path) -> tuple[str, ReferenceCheckpoint | ReferenceEncoder | ReferenceLayers]:
    """The system and the networks of an authors' checkpoint."""
    content = load_pickle(source)
    if restyle.is_encoder(content):
        return "ReStyle encoder", restyle.of_content(content, source)
    for module in (alae, stylegan2):
        if module.is_it(content):
            return module.SYSTEM, module.of_content(content, source)
    return "SemanticStyleGAN", semanticstylegan.of_content(content, source)


def _of_variables(source: Path) -> tuple[str, ReferenceLayers]:
    """The system and the networks of an ``.npz`` of TensorFlow variables."""
    variables, what = read_npz(source), f"checkpoint {str(source)!r}"
    if pggan.is_pggan(variables):
        generator, discriminator = pggan.of_variables(variables, what)
        averaged = any(name.startswith("Gs/") for name in variables)
        return pggan.SYSTEM, ReferenceLayers(generator, discriminator, averaged, has_mean=True)
    if stylegan.is_stylegan(variables):
        styled, judge = stylegan.of_variables(variables, what)
        return stylegan.SYSTEM, ReferenceLayers(styled, judge, False, True)
    raise WeightsError(
        f"{what} holds {sorted(variables)[:3]}; the variables of PGGAN are named G/4x4/Dense/weight and so on, those "
        "of StyleGAN G_synthesis/4x4/Const/const."
    )
