"""A few numbers of seeded networks, kept here: they tell when a change of the code changes what models put out.

``python -m tests.networks.test_golden`` writes them anew; do that only when outputs are meant to change.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from semanticgan.networks.config import DiscriminatorConfig
from semanticgan.networks.discriminator import Discriminator
from tests.networks.models import CONFIGS, perturbed_generator

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "networks.json"
NUM_VALUES = 6


def some_values(tensor: Tensor) -> list[float]:
    """Values spread evenly over a tensor, and its mean square."""
    flat = tensor.detach().double().flatten()
    picked = flat[torch.linspace(0, len(flat) - 1, min(NUM_VALUES, len(flat))).long()]
    return [round(value, 6) for value in (*picked.tolist(), flat.square().mean().item())]


def generator_values(name: str) -> dict[str, list[float]]:
    generator = perturbed_generator(CONFIGS[name])
    z = torch.randn(2, generator.config.style_dim, generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        w = generator.map(z)
        rendering = generator(w)
        mean = generator.estimate_mean_latent(64, seed=0)
    outputs = {"w": w, "mean_latent": mean, **vars(rendering)}
    return {name: some_values(output) for name, output in outputs.items()}


def discriminator_values() -> dict[str, list[float]]:
    source = torch.Generator().manual_seed(7)
    config = DiscriminatorConfig(16, 5, {4: 8, 8: 8, 16: 6}, {4: 8, 8: 6, 16: 4})
    with torch.random.fork_rng(devices=[]):
        discriminator = Discriminator(config)
    with torch.no_grad():
        for _, tensor in sorted(discriminator.state_dict().items()):
            tensor.copy_(torch.randn(tensor.shape, generator=source))
        image = torch.randn(4, 3, 16, 16, generator=source)
        segmentation = torch.randn(4, 5, 16, 16, generator=source).sign()
        both, alone = discriminator(image, segmentation), discriminator(image)
    return {"with_segmentation": some_values(both), "image_alone": some_values(alone)}


def all_values() -> dict[str, dict[str, list[float]]]:
    return {**{name: generator_values(name) for name in CONFIGS}, "discriminator": discriminator_values()}


@pytest.mark.parametrize("name", [*CONFIGS, "discriminator"])
def test_golden_values(name: str) -> None:
    golden = json.loads(GOLDEN.read_text())[name]
    found = discriminator_values() if name == "discriminator" else generator_values(name)
    assert found.keys() == golden.keys()
    for output, values in golden.items():
        assert found[output] == pytest.approx(values, rel=1e-4, abs=2e-5), output


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(all_values(), indent=1) + "\n")
