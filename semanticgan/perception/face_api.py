"""Networks of face-api that look at faces: who it is, landmarks, expression, age and gender presentation.

Opened from one file, which ``semanticgan convert-checkpoint`` makes of the npm package. Gradients flow to the pictures.

A network takes an aligned picture and a :class:`Square` that says where the face lies, or a crop as it is: of two
different sides it is padded to a square with black. What it is good for and where it fails: docs/metrics.md.

Shape legend: N pictures, H W their sides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from typing_extensions import Self

from semanticgan.checkpoint import build
from semanticgan.errors import InputError, MissingFileError
from semanticgan.files import user_path
from semanticgan.formats.weights import read_weights
from semanticgan.perception.face_api_crops import PHOTOGRAPH, Square, network_input
from semanticgan.perception.face_api_networks import (
    EXPRESSIONS,
    GENDERS,
    NUM_LANDMARKS,
    RECOGNITION_SIDE,
    SIDE,
    AgeGender,
    FaceRecognition,
    TrunkNetwork,
)
from semanticgan.reference.face_api import FILE_NAME, FORMAT, PACKAGE
from semanticgan.registry import cache_folder

SAME_PERSON = 0.6
"""Descriptors of one person are less than this Euclidean distance apart, in photographs."""

Network = TypeVar("Network", bound=nn.Module)


class FaceReader:
    """A network, frozen, and where in its pictures the face lies.

    Attributes:
        name: of the network in the package.
        network: in eval mode.
        make: makes it, with weights of any value.
        square: shares of the picture's sides; None takes the whole picture.
    """

    name: str
    side: int
    make: Callable[[], nn.Module]

    def __init__(self, network: nn.Module, square: Square | None) -> None:
        self.network, self.square = network, square

    @classmethod
    def open(
        cls, device: torch.device | str = "cpu", weights: str | Path | None = None, square: Square | None = PHOTOGRAPH
    ) -> Self:
        """The network of the converted file.

        Args:
            device: where to compute.
            weights: the converted file, if not in :func:`usual_place`.
            square: where the face lies in the pictures; None reads whole pictures, which then are crops of faces.

        Raises:
            MissingFileError: the file is not there; the message says how to get it.
            WeightsError: it is damaged, or another file.
        """
        return cls(load_network(cls.name, cls.make, device, weights), square)

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def seen(self, images: Tensor) -> Tensor:
        """What the network takes of images float32 [N, 3, H, W] in [-1, 1].

        Raises:
            InputError: no floating images, or a square outside of them.
        """
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point() or not images.numel():
            raise InputError(
                f"a network of faces takes floating images [N, 3, H, W] in [-1, 1], got {images.dtype} "
                f"{list(images.shape)}."
            )
        return network_input((images.to(self.device) + 1) * 127.5, self.side, self.square)


class Identity(FaceReader):
    """Who it is. An :data:`semanticgan.perception.identity.Embedding`."""

    name = "face_recognition"
    side = RECOGNITION_SIDE
    make = FaceRecognition

    def __call__(self, images: Tensor) -> Tensor:
        """Descriptors float32 [N, 128] of images [N, 3, H, W] in [-1, 1]; of one person they are near each other."""
        return self.network(self.seen(images))

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """Euclidean distances [N] of the descriptors of two sets of images; below 0.6 for one person.

        A picture and its copy through 64 pixels are about 0.2 apart.
        """
        return (self(first) - self(second)).square().sum(1).add(1e-12).sqrt()


@dataclass(frozen=True)
class AgeAndGender:
    """Attributes: years: float32 [N]; logits: float32 [N, 2] of male and female presentation, for losses."""

    years: Tensor
    logits: Tensor

    @property
    def female(self) -> Tensor:
        """Probability [N] of female presentation."""
        return self.logits.softmax(1)[:, GENDERS.index("female")]


class AgeGenderReader(FaceReader):
    """Age and gender presentation, of photographs alone; ages of dark-skinned women come out too high."""

    name = "age_gender"
    side = SIDE
    make = AgeGender

    def __call__(self, images: Tensor) -> AgeAndGender:
        """Of images [N, 3, H, W] in [-1, 1]."""
        years, logits = self.network(self.seen(images))
        return AgeAndGender(years, logits)


@dataclass(frozen=True)
class Expression:
    """Attributes: logits: float32 [N, 7] of :data:`EXPRESSIONS`, for losses; the softmax has hardly a gradient."""

    logits: Tensor

    @property
    def probabilities(self) -> Tensor:
        """[N, 7]."""
        return self.logits.softmax(1)


class ExpressionReader(FaceReader):
    """Expression; only "happy" was checked, others are rare."""

    name = "face_expression"
    side = SIDE
    make = partial(TrunkNetwork, len(EXPRESSIONS))

    def __call__(self, images: Tensor) -> Expression:
        """Of images [N, 3, H, W] in [-1, 1]."""
        return Expression(self.network(self.seen(images)))


class LandmarkReader(FaceReader):
    """68 landmarks: 0-16 jaw, 17-26 brows, 27-35 nose, 36-41 eye at the picture's left, 42-47 other, 48-67 mouth."""

    name = "face_landmark_68"
    side = SIDE
    make = partial(TrunkNetwork, 2 * NUM_LANDMARKS)

    def __call__(self, images: Tensor) -> Tensor:
        """x and y float32 [N, 68, 2], shares of the width and the height, of images [N, 3, H, W] in [-1, 1]."""
        height, width = images.shape[-2:]
        points: Tensor = self.network(self.seen(images)).unflatten(1, (NUM_LANDMARKS, 2))
        if self.square is not None:
            start = points.new_tensor([self.square.x, self.square.y])
            return start + points * self.square.side
        # Shares of the padded square -> shares of the picture; the original takes both margins as equal.
        sides = points.new_tensor([width, height])
        longer = max(height, width)
        return (points * longer - (longer - sides) / 2) / sides


open_identity = Identity.open
open_age_gender = AgeGenderReader.open
open_expression = ExpressionReader.open
open_landmarks = LandmarkReader.open


def usual_place() -> Path:
    """Where the converted file is looked for: ``face-api.safetensors`` in the package's cache folder."""
    return cache_folder() / "models" / "face-api.safetensors"


def load_network(
    name: str, make: Callable[[], Network], device: torch.device | str, weights: str | Path | None
) -> Network:
    """One of the networks in the converted file, every tensor verified, frozen and in eval mode.

    Raises:
        MissingFileError, WeightsError: as :meth:`FaceReader.open`.
    """
    path = usual_place() if weights is None else user_path(weights, "file of face-api's weights")
    if not path.is_file():
        raise MissingFileError(
            f"the weights of face-api are not at {str(path)!r}. Run `npm pack {PACKAGE}`, then "
            f"`semanticgan convert-checkpoint {FILE_NAME} {path}`."
        )
    _, tensors = read_weights(path, FORMAT, ("description", "licence", "data_licence"))
    own = {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
    return build(make, own, f"{name} in {str(path)!r}").eval().requires_grad_(False).to(device)
