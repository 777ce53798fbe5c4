"""The relativistic loss of R3GAN (arXiv 2501.05441): pairs by place, R1 and R2, augmentation by the difference."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from semanticgan.regions import PHOTOGRAPHS_11
from semanticgan.training.config import TrainingConfig
from semanticgan.training.objectives.adversarial import relativistic_loss
from tests.training.trainers import trainer_of

Make = Callable[..., TrainingConfig]
CPU = torch.device("cpu")


def test_the_formula() -> None:
    real, fake = torch.tensor([[2.0], [-1.0]]), torch.tensor([[0.5], [3.0]])
    expected = (math.log1p(math.exp(-1.5)) + math.log1p(math.exp(4.0))) / 2
    assert float(relativistic_loss(real, fake)) == pytest.approx(expected)
    assert float(relativistic_loss(real, real)) == pytest.approx(math.log(2))  # at chance


def test_only_the_difference_of_a_pair_counts() -> None:
    real, fake = torch.randn(8, 1, dtype=torch.float64), torch.randn(8, 1, dtype=torch.float64)
    shift = torch.randn(8, 1, dtype=torch.float64)
    assert float(relativistic_loss(real + shift, fake + shift)) == pytest.approx(float(relativistic_loss(real, fake)))


def pairs(config: TrainingConfig) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    image = torch.rand(config.batch, 3, config.size, config.size, generator=generator) * 2 - 1
    labels = torch.randint(11, (config.batch, config.size, config.size), generator=generator)
    return image, torch.nn.functional.one_hot(labels, 11).permute(0, 3, 1, 2).float() * 2 - 1


def test_both_kinds_of_pictures_are_regularised(tiny_config: Make, tmp_path: Path) -> None:
    config = tiny_config(tmp_path, "loss.relativistic=true", "features.extractor=random")
    trainer = trainer_of(config, PHOTOGRAPHS_11, CPU)
    logged = [trainer.step(*pairs(config)) for _ in range(2)]
    wanted = {f"{kind}/{of}" for kind in ("r1", "r2") for of in ("image", "segmentation", "features")}
    assert wanted <= set(logged[0]) and not wanted & set(logged[1])
    assert float(logged[0]["r2/image"]) != float(logged[0]["r1/image"])


def test_parts_of_a_batch_train_as_the_whole(tiny_config: Make, tmp_path: Path) -> None:
    """Pairs are made by place in the batch; float64, so that differences are not of rounding."""
    weights = []
    torch.set_default_dtype(torch.float64)
    try:
        for parts in (1, 2):
            overrides = ("loss.relativistic=true", f"accumulate={parts}", "batch=8", "loss.path_length_every=0")
            config = tiny_config(tmp_path, *overrides)
            trainer = trainer_of(config, PHOTOGRAPHS_11, CPU)
            for network in (trainer.method.generator, trainer.method.average):
                network.double()  # the buffers that are float32 whatever the default
            image, segmentation = pairs(config)
            for _ in range(3):
                trainer.step(image[trainer.positions].double(), segmentation[trainer.positions].double())
            weights.append(torch.cat([p.detach().flatten() for p in trainer.method.generator.parameters()]))
    finally:
        torch.set_default_dtype(torch.float32)
    torch.testing.assert_close(weights[0], weights[1], atol=1e-9, rtol=0)


def test_augmentation_follows_the_difference(
    tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    config = tiny_config(tmp_path, "loss.relativistic=true", "augmentation.adaptive=true")
    trainer = trainer_of(config, PHOTOGRAPHS_11, CPU)
    monkeypatch.setattr(trainer.method.augmentation, "observe", seen.append)
    values = trainer.step(*pairs(config))
    assert float(seen[0].mean()) == pytest.approx(float(values["score/real"] - values["score/fake"]), abs=1e-5)
