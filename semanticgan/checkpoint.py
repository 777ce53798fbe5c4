"""Files of weights: one ``.safetensors`` a model, self-describing and verified on load.

Tensors lie under their state-dict names, a discriminator's under ``discriminator.`` + name. The metadata, all text:

==================  ==================================================================================
format              "semanticgan-model"
format_version      "1"
description         one line
config              JSON of the GeneratorConfig
regions             JSON of the RegionScheme
discriminator       JSON of the DiscriminatorConfig; absent without one
training            JSON of whatever the training says of itself: images seen, hours, scores
licence             terms of the weights
data_licence        terms of the training data
precision           "float32", or "float16" for files kept small; either is loaded as float32
sha256              JSON of the SHA-256 of every tensor's stored bytes
metadata_sha256     SHA-256 of all entries above
==================  ==================================================================================
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from semanticgan.errors import InputError, WeightsError, unknown_name
from semanticgan.files import require_file, require_free, user_path, written_aside
from semanticgan.formats.tensorfile import LARGEST_HEADER, TensorFile, open_tensors, parse_object, save_tensors
from semanticgan.networks.config import DiscriminatorConfig, GeneratorConfig
from semanticgan.networks.discriminator import Discriminator
from semanticgan.networks.generator import Generator
from semanticgan.regions import RegionScheme

Shapes = Mapping[str, Sequence[int]]
Network = TypeVar("Network", bound=nn.Module)

FORMAT = "semanticgan-model"
FORMAT_VERSION = "1"
DISCRIMINATOR_PREFIX = "discriminator."
PRECISIONS: Mapping[str, torch.dtype] = {"float32": torch.float32, "float16": torch.float16}

_LIBRARY_HEADER = 100_000_000  # what the safetensors library reads at most
_REQUIRED = ("config", "regions", "training", "licence", "data_licence", "description", "precision", "sha256")


@dataclass(frozen=True)
class ModelMetadata:
    """What a file of weights says of itself.

    Attributes:
        description: one line.
        config: numbers of the generator.
        regions: its regions.
        discriminator: numbers of the discriminator in the file, None without one.
        training: figures of the training, JSON-able.
        licence: terms of the weights.
        data_licence: terms of the training data.
        precision: "float32" or "float16", as stored.
    """

    description: str
    config: GeneratorConfig
    regions: RegionScheme
    discriminator: DiscriminatorConfig | None
    training: Mapping[str, Any]
    licence: str
    data_licence: str
    precision: str


@dataclass(frozen=True)
class LoadedModel:
    """A file of weights in memory; the networks are in eval mode, their parameters float32.

    Attributes:
        generator: the (EMA) generator.
        regions: its regions.
        metadata: what the file says of itself.
        discriminator: None unless the file has one and it was asked for.
    """

    generator: Generator
    regions: RegionScheme
    metadata: ModelMetadata
    discriminator: Discriminator | None = None


def save_model(
    path: str | Path,
    generator: Generator,
    regions: RegionScheme,
    *,
    training: Mapping[str, Any],
    licence: str,
    data_licence: str,
    description: str = "",
    discriminator: Discriminator | None = None,
    precision: str = "float32",
    overwrite: bool = False,
) -> None:
    """Write a model. The generator's ``mean_latent`` is stored as it is: estimate it before.

    Args:
        path: a ``.safetensors`` file.
        generator: the generator to keep, of a training its EMA.
        regions: as many as the generator has, with the same ones transparent.
        training: figures of the training, JSON-able.
        licence: terms of the weights.
        data_licence: terms of the training data.
        description: one line; by default size and number of regions.
        discriminator: kept for adaptation and metrics.
        precision: "float32", or "float16", half the size, with every weight rounded to 11 bits.
        overwrite: replace an existing file.

    Raises:
        InputError: regions that do not fit, weights that are not finite, a suffix other than ``.safetensors``, an
            existing file without ``overwrite``.
    """
    _require_fitting(generator.config, regions)
    state = dict(generator.state_dict())
    texts = {
        "description": description or f"a model of {generator.config.size} pixels and {len(regions)} regions",
        "config": json.dumps(generator.config.to_dict()),
        "regions": json.dumps(regions.to_dict()),
        "training": json.dumps(dict(training)),
        "licence": licence,
        "data_licence": data_licence,
    }
    if discriminator is not None:
        state |= {DISCRIMINATOR_PREFIX + name: tensor for name, tensor in discriminator.state_dict().items()}
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
    file = _open(require_file(path, "file of weights"))
    metadata = _parse(file)
    _require_shapes(file, metadata)
    content = file.read()
    with ThreadPoolExecutor(max_workers=1) as beside:  # SHA-256 leaves the interpreter to the building of networks
        digests = beside.submit(_require_digests, file, content)
        loaded = _build(file, content, metadata, with_discriminator)
        digests.result()
    _require_finite(file, content)
    generator, discriminator = loaded
    if discriminator is not None:
        discriminator.eval().to(device)
    return LoadedModel(generator.eval().to(device), metadata.regions, metadata, discriminator)


def _build(
    file: TensorFile, content: memoryview, metadata: ModelMetadata, with_discriminator: bool
) -> tuple[Generator, Discriminator | None]:
    """The networks of a file, filled with its tensors."""
    state: dict[str, dict[str, Tensor]] = {"generator": {}, "discriminator": {}}
    for name in file.entries:
        part = "discriminator" if name.startswith(DISCRIMINATOR_PREFIX) else "generator"
        state[part][name.removeprefix(DISCRIMINATOR_PREFIX)] = file.tensor(name, content)
    with torch.random.fork_rng(devices=[]):  # building draws weights that are overwritten at once
        generator = Generator(metadata.config)
        wanted = with_discriminator and metadata.discriminator is not None
        discriminator = Discriminator(metadata.discriminator) if wanted and metadata.discriminator else None
    fill(generator, state["generator"], file.what)
    if discriminator is not None:
        fill(discriminator, state["discriminator"], f"discriminator in {file.what}")
    return generator, discriminator


def read_metadata(path: str | Path) -> ModelMetadata:
    """What a file of weights says of itself; its tensors are not read.

    Raises:
        MissingFileError, WeightsError: as :func:`load_model`, as far as the metadata tells.
    """
    return _parse(_open(require_file(path, "file of weights")))


def write_weights(
    path: str | Path,
    file_format: str,
    tensors: Mapping[str, Tensor],
    texts: Mapping[str, str],
    precision: str = "float32",
    overwrite: bool = False,
) -> None:
    """Write tensors and what is said of them, with all that :func:`read_weights` verifies.

    Args:
        path: a ``.safetensors`` file.
        file_format: what kind of file it is, the metadata's ``format``.
        tensors: by name, stored in ``precision`` whatever they are.
        texts: the rest of the metadata; a ``description`` is made one line.
        precision: "float32" or "float16".
        overwrite: replace an existing file.

    Raises:
        InputError: as :func:`save_model`, but for the regions.
    """
    path = user_path(path, "file of weights")
    if path.suffix != ".safetensors":
        raise InputError(f"a file of weights ends in .safetensors, got {str(path)!r}. Choose such a name.")
    if precision not in PRECISIONS:
        raise unknown_name("precision", precision, PRECISIONS)
    require_free(path, overwrite)
    stored = {name: _stored(name, tensor, PRECISIONS[precision]) for name, tensor in tensors.items()}
    metadata = {
        "format": file_format,
        "format_version": FORMAT_VERSION,
        **texts,
        "description": " ".join(texts.get("description", "").split()),
        "precision": precision,
        "sha256": json.dumps({name: _sha256(tensor) for name, tensor in stored.items()}),
    }
    metadata["metadata_sha256"] = _metadata_sha256(metadata)
    if (length := len(json.dumps(metadata))) > LARGEST_HEADER // 2:
        raise InputError(f"the metadata have {length:,} bytes, at most {LARGEST_HEADER // 2:,} are written.")
    with written_aside(path, overwrite) as aside:
        save_tensors(stored, aside, metadata)


def read_weights(path: Path, file_format: str, required: Iterable[str]) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and float32 tensors of a file that :func:`write_weights` wrote, every tensor verified.

    Args:
        path: the file.
        file_format: the kind of file that is wanted.
        required: names that its metadata must have beside those that every file has.

    Raises:
        MissingFileError, WeightsError: as :func:`load_model`.
    """
    file = _open(require_file(path, "file of weights"))
    _require_intact(file, file_format, (*required, "precision", "sha256"))
    content = file.read()
    _require_digests(file, content)
    _require_finite(file, content)
    return dict(file.metadata), {name: file.tensor(name, content).to(torch.float32, copy=True) for name in file.entries}


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
    """A network with these weights; its shapes are compared with theirs before it takes memory.

    Args:
        make: makes the network with weights of any value.
        tensors: its floating tensors; the others, counts of batches seen, are no weights and nothing reads them.
        what: begins the messages.

    Raises:
        WeightsError: as :func:`fill`.
    """
    try:
        with torch.device("meta"):
            outline = make()
    except (RuntimeError, OverflowError, TypeError) as error:
        raise WeightsError(f"the config of {what} asks for tensors that are too large.") from error
    state = outline.state_dict()
    floating = {name: tensor.shape for name, tensor in state.items() if tensor.is_floating_point()}
    require_shapes(floating, {name: tensor.shape for name, tensor in tensors.items()}, what)
    with torch.random.fork_rng(devices=[]):  # building draws weights that are overwritten at once
        network = make()
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


@functools.lru_cache(maxsize=8)
def shapes_of(config: GeneratorConfig | DiscriminatorConfig) -> Shapes:
    """The shapes of a network's tensors, found without making them.

    Raises:
        InputError: the config asks for more than PyTorch can address.
    """
    try:
        with torch.device("meta"):
            network = Generator(config) if isinstance(config, GeneratorConfig) else Discriminator(config)
    except (RuntimeError, OverflowError) as error:
        raise InputError("the config asks for tensors that are too large.") from error
    return MappingProxyType({name: tensor.shape for name, tensor in network.state_dict().items()})


def file_kind(path: Path) -> str:
    """What the first bytes of a file look like: "safetensors", "pickle", or a phrase for a message.

    Phrases: "an empty file", "an HTML page", "a git-lfs pointer", "not a file of weights".
    """
    with open(path, "rb") as file:
        start = file.read(512)
    if not start:
        return "an empty file"
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= _LIBRARY_HEADER:
        return "safetensors"
    if start.startswith(b"version https://git-lfs"):
        return "a git-lfs pointer"
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "an HTML page"
    if start.startswith(b"PK\x03\x04") or (start[0] == 0x80 and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")):
        return "pickle"
    return "not a file of weights"


_CURES = {
    "an empty file": "Download it again.",
    "an HTML page": "Download the file itself, not the page that shows it.",
    "a git-lfs pointer": "Run `git lfs pull` where it came from, or download the file itself.",
    "pickle": (
        "A checkpoint of the authors is made safe by: tools/convert_checkpoint.py FILE.pt OUT.safetensors --trust "
        "(or: semanticgan convert-checkpoint ...)."
    ),
    "not a file of weights": "Give a .safetensors file written by semanticgan, or download it again.",
}


def _open(path: Path) -> TensorFile:
    """The file with its header checked."""
    kind = file_kind(path)
    if kind != "safetensors":
        kind_name = "a PyTorch pickle, which is never opened as weights" if kind == "pickle" else kind
        raise WeightsError(f"file of weights {str(path)!r} is {kind_name}. {_CURES[kind]}")
    return open_tensors(path, f"file of weights {str(path)!r}")


def _parse(file: TensorFile) -> ModelMetadata:
    raw = file.metadata
    _require_intact(file, FORMAT, _REQUIRED)
    try:
        config = GeneratorConfig.from_dict(parse_object(raw["config"]))
        regions = RegionScheme.from_dict(parse_object(raw["regions"]))
        _require_fitting(config, regions)
        discriminator = None
        if "discriminator" in raw:
            discriminator = DiscriminatorConfig.from_dict(parse_object(raw["discriminator"]))
        return ModelMetadata(
            description=raw["description"],
            config=config,
            regions=regions,
            discriminator=discriminator,
            training=parse_object(raw["training"], numbers_only=False),
            licence=raw["licence"],
            data_licence=raw["data_licence"],
            precision=raw["precision"],
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(f"metadata of {file.what} cannot be used: {error}") from error


def _require_intact(file: TensorFile, file_format: str, required: Iterable[str]) -> None:
    """Check the metadata's format, version, entries and checksum."""
    raw, what = file.metadata, file.what
    if raw.get("format") != file_format:
        raise WeightsError(f"{what} is a .safetensors file of something else. Give one written by semanticgan.")
    if raw.get("format_version") != FORMAT_VERSION:
        raise WeightsError(
            f"{what} has format version {str(raw.get('format_version'))[:20]!a}, this version of semanticgan reads "
            f"{FORMAT_VERSION}. Update semanticgan, or write the file again."
        )
    missing = [name for name in required if name not in raw]
    if missing or raw.get("metadata_sha256") != _metadata_sha256(raw):
        reason = f"lacks {', '.join(missing)}" if missing else "its checksum differs"
        raise WeightsError(f"metadata of {what} is damaged ({reason}). Download or write it again.")
    if raw["precision"] not in PRECISIONS:
        problem = unknown_name("precision", raw["precision"], PRECISIONS)
        raise WeightsError(f"metadata of {what} cannot be used: {problem}")


def _require_shapes(file: TensorFile, metadata: ModelMetadata) -> None:
    """Check that the header has the tensors of the config, before anything of their size is made."""
    wanted = dict(shapes_of(metadata.config))
    if metadata.discriminator is not None:
        theirs = shapes_of(metadata.discriminator)
        wanted |= {DISCRIMINATOR_PREFIX + name: shape for name, shape in theirs.items()}
    require_shapes(wanted, {name: entry.shape for name, entry in file.entries.items()}, file.what)


def _require_digests(file: TensorFile, content: memoryview) -> None:
    """Raises: WeightsError: a tensor is missing, unknown, of another type, or not what was saved."""
    what = file.what
    try:
        hashes = parse_object(file.metadata["sha256"])
    except ValueError as error:
        raise WeightsError(f"metadata of {what} cannot be used: {error}") from error
    dtype = {"float32": "F32", "float16": "F16"}[file.metadata["precision"]]
    for name in sorted(hashes.keys() - file.entries.keys()):
        raise WeightsError(f"{what} lacks the tensor {name!r}. Download or write it again.")
    for name, entry in file.entries.items():
        if name not in hashes:
            raise WeightsError(f"{what} holds the unknown tensor {name!r}. Download or write it again.")
        digest = hashlib.sha256(content[entry.start : entry.end]).hexdigest()
        if entry.dtype != dtype or digest != hashes[name]:
            raise WeightsError(f"{what} is damaged: tensor {name!r} is not what was saved. Download or write it again.")


def _require_finite(file: TensorFile, content: memoryview) -> None:
    """Raises: WeightsError: a tensor holds numbers that are not finite."""
    if not _all_finite(content, PRECISIONS[file.metadata["precision"]]):
        broken = next(name for name in file.entries if not bool(file.tensor(name, content).isfinite().all()))
        raise WeightsError(f"{file.what}: tensor {broken!r} holds numbers that are not finite. Use another file.")


def _all_finite(content: memoryview, dtype: torch.dtype) -> bool:
    """Whether all numbers are finite: the least and the largest tell, in a tenth of the time of ``isfinite``."""
    return not content or all(math.isfinite(bound) for bound in torch.frombuffer(content, dtype=dtype).aminmax())


def _require_fitting(config: GeneratorConfig, regions: RegionScheme) -> None:
    if len(regions) != config.num_regions or sorted(regions.transparent_indices) != sorted(config.transparent):
        raise InputError(
            f"the generator has {config.num_regions} regions with {sorted(config.transparent)} transparent, the "
            f"scheme {len(regions)} with {sorted(regions.transparent_indices)}. Give the scheme that it was made for."
        )


def _stored(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    stored = tensor.detach().to("cpu", dtype).clone(memory_format=torch.contiguous_format)
    if not bool(torch.isfinite(stored).all()):
        reason = "exceeds float16; use float32" if bool(torch.isfinite(tensor).all()) else "is not finite: not saved"
        raise InputError(f"weights cannot be saved: tensor {name!r} {reason}.")
    return stored


def _sha256(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.contiguous().view(-1).view(torch.uint8).numpy().data).hexdigest()


def _metadata_sha256(metadata: Mapping[str, str]) -> str:
    entries = {name: value for name, value in metadata.items() if name != "metadata_sha256"}
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()
