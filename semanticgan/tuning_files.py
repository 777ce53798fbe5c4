"""Files of tunings: what a generator's weights gain for some pictures, one small ``.safetensors`` file.

Tensors are the differences T to the model's weights, in float16. A weight of two or more axes is a matrix [E, C k k].
Where a product of rank r keeps :data:`KEPT` of its squares and is smaller, it is stored as ``NAME.left`` [E, r] and
``NAME.right`` [r, C k k], by the singular value decomposition. The metadata, all text, beside those of
:mod:`semanticgan.formats.weights`:

==================  ==================================================================================
format              "semanticgan-tuning"
model               JSON: "digest" and "description" of the model that it belongs to
figures             JSON of what was reached
==================  ==================================================================================
"""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semanticgan.checkpoint import LoadedModel
from semanticgan.errors import InputError, WeightsError
from semanticgan.formats.strict_json import parse_object
from semanticgan.formats.weights import read_weights, write_weights
from semanticgan.networks.latent_generator import LatentGenerator

FORMAT = "semanticgan-tuning"
KEPT = 0.9
"""Share of the squares of a difference that its product of low rank keeps.

Measured on a tuning of the renderer of ``faces-64``: half the bytes, and 2 % of what the error gained is lost.
"""

_LEFT, _RIGHT = ".left", ".right"
_MOST_NUMBERS = 2**28  # of all differences; the generators of this package have fewer weights


@dataclass(frozen=True, eq=False)
class Tuning:
    """Differences to a generator's weights.

    Attributes:
        changes: name of a parameter -> its difference, float32.
        digest: of the model that it belongs to; "" of one that is not of a file.
        description: of that model.
        figures: what was reached, JSON-able.
    """

    changes: Mapping[str, Tensor]
    digest: str
    description: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)

    def added_to(self, loaded: LoadedModel) -> LoadedModel:
        """A model with these differences in its weights; its digest is "", since it is that of no file.

        Raises:
            InputError: another model than the tuning's.
        """
        metadata = loaded.metadata
        if self.digest != metadata.digest:
            raise InputError(
                f"the tuning belongs to the model with the digest {self.digest!r} ({self.description}); this one has "
                f"{metadata.digest!r} ({metadata.description}). Use it with that model."
            )
        generator = self._added_to(loaded.generator)
        metadata = dataclasses.replace(metadata, description=f"{metadata.description}, tuned", digest="")
        return dataclasses.replace(loaded, generator=generator, metadata=metadata)

    @torch.no_grad()
    def _added_to(self, generator: LatentGenerator) -> LatentGenerator:
        """A copy of the generator with these differences, frozen, in eval mode."""
        tuned = copy.deepcopy(generator)
        parameters = dict(tuned.named_parameters())
        for name, change in self.changes.items():
            if name not in parameters or parameters[name].shape != change.shape:
                raise InputError(f"the tuning changes {name!r} {list(change.shape)}, which this model does not have.")
            parameters[name].add_(change.to(parameters[name]))
        return tuned.eval().requires_grad_(False)


def save_tuning(path: str | Path, tuning: Tuning, overwrite: bool = False) -> None:
    """Write a tuning.

    Raises:
        InputError: a model that is not of a file, a suffix other than ``.safetensors``, an existing file.
    """
    if not tuning.digest:
        raise InputError("a tuning is stored for a model of a file. Save the model, load it and tune that one.")
    tensors: dict[str, Tensor] = {}
    for name, change in tuning.changes.items():
        tensors |= _factors(name, change.cpu())
    texts = {
        "description": f"a tuning of: {tuning.description}",
        "model": json.dumps({"digest": tuning.digest, "description": tuning.description}),
        "figures": json.dumps(dict(tuning.figures)),
    }
    write_weights(path, FORMAT, tensors, texts, "float16", overwrite)


def read_tuning(path: str | Path) -> Tuning:
    """Read a tuning and verify every tensor in its file.

    Raises:
        MissingFileError: no such file.
        WeightsError: the file is damaged, unsafe, or of something else.
    """
    raw, tensors = read_weights(path, FORMAT, ("model", "figures"))
    try:
        model = parse_object(raw["model"], numbers_only=False)
        figures = parse_object(raw["figures"], numbers_only=False)
        changes: dict[str, Tensor] = {}
        num = sum(tensor.numel() for tensor in tensors.values())
        for name, tensor in tensors.items():
            if name.endswith(_LEFT):
                right = tensors[name.removesuffix(_LEFT) + _RIGHT].flatten(1)
                num += len(tensor) * right.shape[1]
                if num > _MOST_NUMBERS:
                    raise ValueError(f"its differences have more than {_MOST_NUMBERS:,} numbers")
                product = tensor @ right
                shape = tensors[name.removesuffix(_LEFT) + _RIGHT].shape[1:]
                changes[name.removesuffix(_LEFT)] = product.reshape(-1, *shape)
            elif not name.endswith(_RIGHT):
                changes[name] = tensor
        return Tuning(changes, str(model["digest"]), str(model["description"]), figures)
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise WeightsError(f"tuning {str(path)!r} cannot be used: {error}") from error


def _factors(name: str, change: Tensor) -> dict[str, Tensor]:
    """The difference as it is stored: two factors where these are smaller, else itself."""
    if change.ndim < 2:
        return {name: change}
    matrix = change.float().flatten(1)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    kept = values.square().cumsum(0) / values.square().sum().clamp(min=1e-30)
    rank = int((kept < KEPT).sum()) + 1
    if rank * sum(matrix.shape) >= matrix.numel():
        return {name: change}
    scale = values[:rank].sqrt()
    return {
        name + _LEFT: left[:, :rank] * scale,
        name + _RIGHT: (scale[:, None] * right[:rank]).reshape(rank, *change.shape[1:]),
    }
