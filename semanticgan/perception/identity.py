"""Whether two pictures show the same face: the distance of what an embedding model makes of them.

Any function from pictures to vectors will do. Two are known by name: face-api's, whose Euclidean distance is below 0.6
for one person, and that of facenet-pytorch (Inception-ResNet-v1 trained on VGGFace2), of which the cosine distance is
taken. Both need files of weights; nothing is downloaded.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semanticgan import extras
from semanticgan.errors import InputError, MissingFileError, WeightsError, unknown_name
from semanticgan.files import user_path
from semanticgan.perception.face_api import SAME_PERSON, open_identity
from semanticgan.perception.pictures import as_float, require_pictures, resized

Embedding = Callable[[Tensor], Tensor]
"""Aligned face pictures, float32 [N, 3, S, S] in [-1, 1] RGB -> vectors [N, E] of any length but 0."""

FACENET_FILE = "20180402-114759-vggface2.pt"

_FACENET_SIDE = 160


def identity_distance(first: Tensor, second: Tensor, embedding: Embedding) -> Tensor:
    """One minus the cosine of the angle between the vectors of two faces.

    Args:
        first: uint8 [N, 3, S, S].
        second: uint8 [N, 3, s, s].
        embedding: of one picture at a time, so that no batch matters.

    Returns:
        float64 [N] in [0, 2] on the CPU; 0 for vectors of one direction, 1 for vectors at right angles.

    Raises:
        InputError: other types, numbers that do not fit, or an embedding without a direction.
    """
    _require_pairs(first, second)
    cosines = (_embedded(first, embedding) * _embedded(second, embedding)).sum(1)
    return 1 - cosines.clamp(-1, 1)


def euclidean_distance(first: Tensor, second: Tensor, embedding: Embedding) -> Tensor:
    """The length of the difference of the vectors of two faces, as face-api compares them.

    Args, errors: as of :func:`identity_distance`.

    Returns:
        float64 [N] on the CPU, 0 for equal vectors.
    """
    _require_pairs(first, second)
    return (_vectors(first, embedding) - _vectors(second, embedding)).norm(dim=1)


@dataclass(frozen=True)
class IdentityJudge:
    """What tells people apart.

    Attributes:
        name: what it is.
        distance: two sets of N pictures, uint8 [N, 3, S, S] each -> float64 [N].
        same_below: distance below which two pictures are of one person; None where none is known.
    """

    name: str
    distance: Callable[[Tensor, Tensor], Tensor]
    same_below: float | None = None


IDENTITIES = ("face-api", "face-api:FILE", "facenet", "facenet:FILE")
"""What :func:`open_identity_judge` takes; FILE is that of the weights, if not in its usual place."""


def open_identity_judge(name: str = "face-api", device: torch.device | str = "cpu") -> IdentityJudge:
    """The judge of that name, one of :data:`IDENTITIES`.

    Raises:
        InputError: an unknown name, or weights that are missing or others.
    """
    kind, colon, path = name.partition(":")
    weights = path if colon else None
    if kind == "face-api":
        embedding = open_identity(device, weights)
        return IdentityJudge(kind, lambda a, b: euclidean_distance(a, b, embedding), SAME_PERSON)
    if kind == "facenet":
        facenet = facenet_embedding(weights, device)
        return IdentityJudge(kind, lambda a, b: identity_distance(a, b, facenet))
    raise unknown_name("identity", name, IDENTITIES)


def facenet_embedding(weights: str | Path | None = None, device: torch.device | str = "cpu") -> Embedding:
    """The embedding of facenet-pytorch, of whole pictures at 160 pixels: the closer the crop to the face, the better.

    Args:
        weights: its file of weights, if not in PyTorch's cache. It is read without running anything in it.
        device: where to compute.

    Raises:
        InputError: the package is not installed.
        MissingFileError: the weights are not there.
        WeightsError: the file does not hold them.
    """
    extras.require("facenet")
    package: Any = importlib.import_module("facenet_pytorch")
    path = _facenet_file() if weights is None else user_path(weights, "file of weights")
    if not path.is_file():
        raise MissingFileError(
            f"the weights of facenet-pytorch are not at {str(path)!r}. Put {FACENET_FILE} from its releases (v2.2.9) "
            "there, or give another embedding model."
        )
    network = package.InceptionResnetV1(pretrained=None, classify=False)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        # The layer that names people is of no use here.
        network.load_state_dict({name: value for name, value in state.items() if not name.startswith("logits.")})
    except Exception as error:  # a pickle that is not a state dict fails in many ways
        raise WeightsError(
            f"{str(path)!r} does not hold the weights of facenet-pytorch ({type(error).__name__}). Download "
            f"{FACENET_FILE} from its releases (v2.2.9) again."
        ) from error
    network.eval().requires_grad_(False).to(device)

    def embed(pictures: Tensor) -> Tensor:
        # It was trained on (value - 127.5) / 128.
        return network(resized(pictures.to(device), _FACENET_SIDE) * (127.5 / 128))

    return embed


def _facenet_file() -> Path:
    """Where facenet-pytorch itself keeps the file: $TORCH_HOME/checkpoints, beside PyTorch's own folder ``hub``."""
    home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch"
    return Path(home).expanduser() / "checkpoints" / FACENET_FILE


def _require_pairs(first: Tensor, second: Tensor) -> None:
    for pictures in (first, second):
        require_pictures(pictures, "an embedding")
    if len(first) != len(second) or not len(first):
        raise InputError(
            f"{len(first)} faces cannot be compared with {len(second)}. Give the same number, one or more."
        )


def _vectors(pictures: Tensor, embedding: Embedding) -> Tensor:
    """float64 [N, E] on the CPU, each picture seen alone."""
    with torch.no_grad():
        return torch.cat([embedding(as_float(picture[None])).flatten(1) for picture in pictures]).double().cpu()


def _embedded(pictures: Tensor, embedding: Embedding) -> Tensor:
    """Vectors of length 1, float64 [N, E] on the CPU."""
    vectors = _vectors(pictures, embedding)
    lengths = vectors.norm(dim=1, keepdim=True)
    if not bool((lengths > 0).all() & lengths.isfinite().all()):
        raise InputError("the embedding of a face has no direction: it is 0 or not finite. Use another model.")
    return vectors / lengths
