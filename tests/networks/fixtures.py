"""Inputs and outputs of the reference implementation with random weights, where they lie beside the checkout."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from semanticgan.networks.discriminator import Discriminator
from semanticgan.networks.generator import Generator
from semanticgan.reference import (
    discriminator_config_from_reference,
    discriminator_from_reference,
    generator_config_from_reference,
    generator_from_reference,
)

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
TOLERANCE = 1e-4  # of the output's scale

CHECKPOINT = FOLDER / "e_official_checkpoint_000001.pt"

needs_fixtures = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"the reference implementation's outputs are not at {FOLDER}"
)


class Case:
    """One .npz of the fixtures."""

    def __init__(self, name: str) -> None:
        with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as file:
            self.arrays = {key: file[key] for key in file.files}
        self.meta: dict[str, Any] = json.loads(str(self.arrays.pop("meta.json")))

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def __getitem__(self, name: str) -> Tensor:
        return torch.from_numpy(self.arrays[name])

    def starting(self, prefix: str) -> dict[str, Tensor]:
        """Tensors by what follows ``prefix`` in their names."""
        return {
            name.removeprefix(prefix): torch.from_numpy(array)
            for name, array in self.arrays.items()
            if name.startswith(prefix)
        }

    def noise(self, prefix: str) -> list[Tensor]:
        """``prefix`` 0, 1, 2, ..."""
        count = sum(name.startswith(prefix) for name in self.arrays)
        return [self[f"{prefix}{index}"] for index in range(count)]

    def generator(self, prefix: str = "sd/") -> Generator:
        tensors = self.starting(prefix)
        config = generator_config_from_reference(tensors, self.meta["config"])
        generator = Generator(config)
        state = generator_from_reference(tensors, config)
        assert set(generator.load_state_dict(state, strict=False).missing_keys) == {"mean_latent"}
        return generator.eval()

    def discriminator(self, prefix: str = "sd/") -> Discriminator:
        tensors = self.starting(prefix)
        config = discriminator_config_from_reference(tensors)
        discriminator = Discriminator(config)
        discriminator.load_state_dict(discriminator_from_reference(tensors, config))
        return discriminator.eval()

    def reference_gradients(
        self,
        gradients: Mapping[str, Tensor | None],
        prefix: str,
        translate: Callable[[Mapping[str, Tensor]], dict[str, Tensor]],
    ) -> dict[str, Tensor | None]:
        """Gradients by our names and layout -> by the authors' names and layout.

        Every number of the authors' tensors is given an index, and the indices are translated like weights: they
        tell where each of our numbers comes from. None stands for "no gradient".
        """
        theirs = {name: tensor for name, tensor in self.starting(prefix).items() if not name.endswith(".kernel")}
        sizes = [tensor.numel() for tensor in theirs.values()]
        starts = np.cumsum([0, *sizes[:-1]]).tolist()
        indices = {
            name: torch.arange(start, start + size, dtype=torch.float64).view(tensor.shape)
            for (name, tensor), start, size in zip(theirs.items(), starts, sizes, strict=True)
        }
        flat = torch.full((sum(sizes),), float("nan"), dtype=torch.float64)
        for name, source in translate(indices).items():
            gradient = gradients.get(name)
            if gradient is not None:
                flat[source.flatten().long()] = gradient.detach().double().flatten()
        found: dict[str, Tensor | None] = {}
        for (name, tensor), start, size in zip(theirs.items(), starts, sizes, strict=True):
            part = flat[start : start + size].view(tensor.shape)
            found[name] = None if bool(part.isnan().all()) else part
        return found


@lru_cache(maxsize=8)
def case(name: str) -> Case:
    """A fixture, read once; skips the test where there are none."""
    if not FOLDER.is_dir():
        pytest.skip(f"the reference implementation's outputs are not at {FOLDER}")
    return Case(name)


def assert_parity(value: Tensor, expected: Tensor, tolerance: float = TOLERANCE) -> None:
    """Equal to ``tolerance`` of the scale of what is expected."""
    assert value.shape == expected.shape, (list(value.shape), list(expected.shape))
    difference, scale = (value.double() - expected.double()).abs().max().item(), expected.abs().max().item()
    assert difference <= tolerance * scale, f"differs by {difference:.2e} at a scale of {scale:.2e}"


def assert_gradient_norms(gradients: Mapping[str, Tensor | None], names: list[str], norms: Tensor) -> None:
    """Each gradient norm, by its own scale or, where it is tiny, that of the largest; NaN means no gradient."""
    largest = norms[~norms.isnan()].max().item()
    for name, norm in zip(names, norms.tolist(), strict=True):
        gradient = gradients[name]
        if norm != norm:
            assert gradient is None or not gradient.any(), name
            continue
        found = 0.0 if gradient is None else gradient.norm().item()
        assert abs(found - norm) <= TOLERANCE * max(norm, 1e-3 * largest), (name, found, norm)
