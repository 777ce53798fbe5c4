"""Files of weights: one ``.safetensors`` a model, self-describing and verified on load.

Tensors lie under their state-dict names, a discriminator's under ``discriminator.`` + name. The metadata, all text,
beside those of :mod:`semanticgan.formats.weights`:

==================  ==================================================================================
format              "semanticgan-model"
architecture        of :mod:`semanticgan.networks.architectures`; absent for SemanticStyleGAN
config              JSON of the generator's configuration
regions             JSON of the RegionScheme; absent for a layered model
discriminator       JSON of the discriminator's configuration; absent without one
training            JSON of whatever the training says of itself: images seen, hours, scores
licence             terms of the weights
data_licence        terms of the training data
perception          JSON list of the perception networks that it learnt from; absent where there are none
alignment           JSON list of five points: where faces lie in its pictures (semanticgan.face_points); may be absent
==================  ==================================================================================
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semanticgan.errors import InputError, WeightsError
from semanticgan.face_points import FacePoints, face_points
from semanticgan.formats.strict_json import parse_json, parse_object
from semanticgan.formats.tensorfile import TensorFile
from semanticgan.formats.weights import (
    open_weights,
    require_digests,
    require_finite,
    require_intact,
    write_weights,
)
from semanticgan.networks.architectures import OWN, architecture, name_of
from semanticgan.networks.config import GeneratorConfig, LatentConfig, NetworkConfig
from semanticgan.networks.latent_generator import LatentGenerator
from semanticgan.outline import Network, outline
from semanticgan.regions import RegionScheme
from semanticgan.rows import Rows

Shapes = Mapping[str, Sequence[int]]

FORMAT = "semanticgan-model"
DISCRIMINATOR_PREFIX = "discriminator."
_REQUIRED = ("config", "training", "licence", "data_licence", "description", "precision", "sha256")


@dataclass(frozen=True)
class ModelMetadata:
    """What a file of weights says of itself.

    Attributes:
        description: one line.
        config: numbers of the generator.
        regions: its regions; None for a layered model.
        discriminator: numbers of the discriminator in the file, None without one.
        training: figures of the training, JSON-able.
        licence: terms of the weights.
        data_licence: terms of the training data.
        precision: "float32" or "float16", as stored.
        digest: 16 hexadecimal digits over the generator's tensors as stored; "" for a model that is not of a file.
        perception: names of the perception networks that it learnt from, which cannot judge it.
        alignment: where faces lie in its pictures, None where that is not known.
    """

    description: str
    config: LatentConfig
    regions: RegionScheme | None
    discriminator: NetworkConfig | None
    training: Mapping[str, Any]
    licence: str
    data_licence: str
    precision: str
    digest: str = ""
    perception: tuple[str, ...] = ()
    alignment: FacePoints | None = None

    @property
    def architecture(self) -> str:
        """Which system it is, of :mod:`semanticgan.networks.architectures`."""
        return name_of(self.config)

    @property
    def rows(self) -> Rows:
        """The rows of its codes: those of its regions, or one a layer."""
        if self.regions is None:
            return Rows.of_layers(self.config.num_rows)
        assert isinstance(self.config, GeneratorConfig)
        return Rows.of_regions(self.regions, self.config.num_base_layers)


@dataclass(frozen=True)
class LoadedModel:
    """A file of weights in memory; the networks are in eval mode, their parameters float32.

    Attributes:
        generator: the (EMA) generator.
        regions: its regions; None for a layered model.
        metadata: what the file says of itself.
        discriminator: None unless the file has one and it was asked for.
    """

    generator: LatentGenerator
    regions: RegionScheme | None
    metadata: ModelMetadata
    discriminator: nn.Module | None = None


def save_model(
    path: str | Path,
    generator: LatentGenerator,
    regions: RegionScheme | None,
    *,
    training: Mapping[str, Any],
    licence: str,
    data_licence: str,
    description: str = "",
    discriminator: nn.Module | None = None,
    precision: str = "float32",
    perception: Iterable[str] = (),
    alignment: FacePoints | None = None,
    overwrite: bool = False,
) -> None:
    """Write a model. The generator's ``mean_latent`` is stored as it is: estimate it before.

    Args:
        path: a ``.safetensors`` file.
        generator: the generator to keep, of a training its EMA.
        regions: as many as the generator has, with the same ones transparent; None for a layered model.
        training: figures of the training, JSON-able.
        licence: terms of the weights.
        data_licence: terms of the training data.
        description: one line; by default architecture or regions, and size.
        discriminator: kept for adaptation and metrics.
        precision: "float32", or "float16", half the size, with every weight rounded to 11 bits.
        perception: names of the perception networks that it learnt from.
        alignment: where faces lie in its pictures.
        overwrite: replace an existing file.

    Raises:
        InputError: regions that do not fit, weights that are not finite, a suffix other than ``.safetensors``, an
            existing file without ``overwrite``.
    """
    config, size = generator.config, generator.picture_size
    _require_fitting(config, regions)
    state = dict(generator.state_dict())
    texts = {
        "config": json.dumps(config.to_dict()),
        "training": json.dumps(dict(training)),
        "licence": licence,
        "data_licence": data_licence,
    }
    if regions is None:
        texts["architecture"] = name_of(config)
        texts["description"] = description or f"{texts['architecture']} of {size} pixels"
    else:
        texts["regions"] = json.dumps(regions.to_dict())
        texts["description"] = description or f"a model of {size} pixels and {len(regions)} regions"
    if learnt_from := sorted(set(perception)):
        texts["perception"] = json.dumps(learnt_from)
    if alignment is not None:
        texts["alignment"] = json.dumps(alignment)
    if discriminator is not None:
        state |= {DISCRIMINATOR_PREFIX + name: tensor for name, tensor in discriminator.state_dict().items()}
        assert isinstance(discriminator.config, NetworkConfig)
        texts["discriminator"] = json.dumps(discriminator.config.to_dict())
    write_weights(path, FORMAT, state, texts, precision, overwrite)


def load_model(
    path: str | Path, device: torch.device | str = "cpu", *, with_discriminator: bool = False
) -> LoadedModel:
    """Read a model and verify every tensor in its file.

    Raises:
        MissingFileError: no such file.
        WeightsError: the file is damaged, unsafe, of another version or no file of weights; the message names the cure.
    """
    file = open_weights(path)
    metadata = _parse(file)
    networks = _outlines(file, metadata)
    content = file.read()
    with ThreadPoolExecutor(max_workers=1) as beside:  # SHA-256 leaves the interpreter to the filling of networks
        digests = beside.submit(require_digests, file, content)
        for prefix, network in networks.items():
            wanted = network.state_dict()
            network.load_state_dict({name: file.tensor(prefix + name, content) for name in wanted})
        digests.result()
    require_finite(file, content)
    generator, discriminator = networks[""], networks.get(DISCRIMINATOR_PREFIX) if with_discriminator else None
    assert isinstance(generator, LatentGenerator)
    if discriminator is not None:
        discriminator.eval().to(device)
    return LoadedModel(generator.eval().to(device), metadata.regions, metadata, discriminator)


def _outlines(file: TensorFile, metadata: ModelMetadata) -> dict[str, nn.Module]:
    """The networks of a file, still without weights, by the prefix of their names; the header has their shapes."""
    kind = architecture(metadata.architecture)
    makes: dict[str, Callable[[], nn.Module]] = {"": lambda: kind.generator(metadata.config)}
    if metadata.discriminator is not None:
        makes[DISCRIMINATOR_PREFIX] = lambda: kind.discriminator(metadata.discriminator)
    num_stored = sum(math.prod(entry.shape) for entry in file.entries.values())
    networks = {prefix: outline(make, num_stored, file.what) for prefix, make in makes.items()}
    wanted = {
        prefix + name: tensor.shape
        for prefix, network in networks.items()
        for name, tensor in network.state_dict().items()
    }
    require_shapes(wanted, {name: entry.shape for name, entry in file.entries.items()}, file.what)
    return networks


def read_metadata(path: str | Path) -> ModelMetadata:
    """What a file of weights says of itself; its tensors are not read.

    Raises:
        MissingFileError, WeightsError: as :func:`load_model`, as far as the metadata tells.
    """
    return _parse(open_weights(path))


def fill(module: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Copy tensors into a network that must have exactly these, in these shapes.

    Raises:
        WeightsError: missing, unknown or misshapen tensors; ``what`` begins the message.
    """
    require_shapes(
        {name: tensor.shape for name, tensor in module.state_dict().items()},
        {name: tensor.shape for name, tensor in tensors.items()},
        what,
    )
    module.load_state_dict(dict(tensors))


def build(make: Callable[[], Network], tensors: Mapping[str, Tensor], what: str) -> Network:
    """A network with these weights, which takes no more memory than they account for.

    Args:
        make: makes the network with weights of any value.
        tensors: its floating tensors; the others, counts of batches seen, are no weights and nothing reads them.
        what: begins the messages.

    Raises:
        WeightsError: as :func:`fill`.
    """
    network = outline(make, sum(tensor.numel() for tensor in tensors.values()), what)
    counts = {name: tensor for name, tensor in network.state_dict().items() if not tensor.is_floating_point()}
    fill(network, {**tensors, **counts}, what)
    return network


def require_shapes(wanted: Shapes, given: Shapes, what: str) -> None:
    """Compare what a network needs with what there is.

    Raises:
        WeightsError: missing, unknown or misshapen tensors; ``what`` begins the message.
    """
    for problem, names in (("lacks", wanted.keys() - given.keys()), ("holds unknown", given.keys() - wanted.keys())):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise WeightsError(
                f"{what} {problem} tensors: {', '.join(sorted(names)[:3])}{more}. It does not fit its own config."
            )
    for name, shape in given.items():
        if tuple(shape) != tuple(wanted[name]):
            raise WeightsError(
                f"{what}: tensor {name!r} has the shape {list(shape)}, its config asks for {list(wanted[name])}."
            )


def _parse(file: TensorFile) -> ModelMetadata:
    raw = file.metadata
    require_intact(file, FORMAT, _REQUIRED if "architecture" in raw else ("regions", *_REQUIRED))
    try:
        kind = architecture(raw.get("architecture", OWN))
        config = kind.config.from_dict(parse_object(raw["config"]))
        regions = RegionScheme.from_dict(parse_object(raw["regions"])) if kind.has_regions else None
        _require_fitting(config, regions)
        discriminator = None
        if "discriminator" in raw:
            discriminator = kind.discriminator_config.from_dict(parse_object(raw["discriminator"]))
        return ModelMetadata(
            description=raw["description"],
            config=config,
            regions=regions,
            discriminator=discriminator,
            training=parse_object(raw["training"], numbers_only=False),
            licence=raw["licence"],
            data_licence=raw["data_licence"],
            precision=raw["precision"],
            digest=digest_of(parse_object(raw["sha256"], numbers_only=False)),
            perception=_names(parse_json(raw.get("perception", "[]"))),
            alignment=face_points(parse_json(raw.get("alignment", "[]"))),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(f"metadata of {file.what} cannot be used: {error}") from error


def _names(given: Any) -> tuple[str, ...]:
    """Raises: TypeError: it is no list of texts."""
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise TypeError("a JSON list of names is needed")
    return tuple(given)


def digest_of(sha256: Mapping[str, Any]) -> str:
    """Of the generator's tensors: SHA-256 over their names and digests."""
    own = sorted((name, str(digest)) for name, digest in sha256.items() if not name.startswith(DISCRIMINATOR_PREFIX))
    return hashlib.sha256(json.dumps(own).encode()).hexdigest()[:16]


def _require_fitting(config: NetworkConfig, regions: RegionScheme | None) -> None:
    if not isinstance(config, GeneratorConfig):
        if regions is not None:
            raise InputError(f"{name_of(config)} has layers, not regions. Leave the region scheme out.")
        return
    if regions is None:
        raise InputError(f"the generator has {config.num_regions} regions. Give their scheme.")
    if len(regions) != config.num_regions or sorted(regions.transparent_indices) != sorted(config.transparent):
        raise InputError(
            f"the generator has {config.num_regions} regions with {sorted(config.transparent)} transparent, the "
            f"scheme {len(regions)} with {sorted(regions.transparent_indices)}. Give the scheme that it was made for."
        )
