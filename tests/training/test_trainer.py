"""The steps of a training: lazy regularisation, averages, mixing, and that nothing draws from global streams."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from semanticgan.regions import PHOTOGRAPHS_11
from semanticgan.training.config import TrainingConfig
from tests.training.trainers import trainer_of

Make = Callable[..., TrainingConfig]
CPU = torch.device("cpu")


def pairs(config: TrainingConfig) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    image = torch.rand(config.batch, 3, config.size, config.size, generator=generator) * 2 - 1
    labels = torch.randint(11, (config.batch, config.size, config.size), generator=generator)
    return image, torch.nn.functional.one_hot(labels, 11).permute(0, 3, 1, 2).float() * 2 - 1


def test_lazy_regularisation_comes_when_it_is_due(tiny_config: Make, tmp_path: Path) -> None:
    config = tiny_config(tmp_path)
    trainer = trainer_of(config, PHOTOGRAPHS_11, CPU)
    logged = [trainer.step(*pairs(config)) for _ in range(6)]
    assert ["r1/image" in values for values in logged] == [True, False, False, False, True, False]
    assert ["path_length/mean" in values for values in logged] == [True, False, True, False, True, False]


def test_adam_is_scaled_for_lazy_regularisation(tiny_config: Make, tmp_path: Path) -> None:
    trainer = trainer_of(tiny_config(tmp_path, "loss.r1_every=16", "loss.path_length_every=4"), PHOTOGRAPHS_11, CPU)
    for name, every in (("generator", 4), ("discriminator", 16)):
        share = every / (every + 1)
        group = trainer.method.optimisers[name].param_groups[0]
        assert math.isclose(group["lr"], 0.002 * share)
        assert group["betas"] == (0.0, pytest.approx(0.99**share))


def test_average_has_the_stated_half_life(tiny_config: Make, tmp_path: Path) -> None:
    """Half of a change is in the average after half_life images, whatever the batch."""
    for batch in (4, 8):
        trainer = trainer_of(tiny_config(tmp_path, f"batch={batch}", "ema.half_life=80"), PHOTOGRAPHS_11, CPU)
        before = copy.deepcopy(trainer.method.average)
        with torch.no_grad():
            for parameter in trainer.method.generator.parameters():
                parameter.add_(1.0)
        for _ in range(80 // batch):
            trainer._update_averages(list(trainer.method.averages(trainer.stage)))
        for old, new in zip(before.parameters(), trainer.method.average.parameters(), strict=True):
            torch.testing.assert_close(new - old, torch.full_like(old, 0.5), atol=1e-4, rtol=0)


def test_global_random_state_is_neither_read_nor_changed(tiny_config: Make, tmp_path: Path) -> None:
    config = tiny_config(tmp_path)
    ends = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        trainer = trainer_of(config, PHOTOGRAPHS_11, CPU)
        trainer.step(*pairs(config))
        assert torch.equal(torch.get_rng_state(), state)
        ends.append(torch.cat([parameter.flatten() for parameter in trainer.method.generator.parameters()]))
    assert torch.equal(*ends)


def test_both_networks_learn(tiny_config: Make, tmp_path: Path) -> None:
    config = tiny_config(tmp_path)
    trainer = trainer_of(config, PHOTOGRAPHS_11, CPU)
    before = (
        copy.deepcopy(trainer.method.generator.state_dict()),
        copy.deepcopy(trainer.method.discriminator.state_dict()),
    )
    for _ in range(2):
        trainer.step(*pairs(config))
    for old, network in zip(before, (trainer.method.generator, trainer.method.discriminator), strict=True):
        still = [name for name, parameter in network.named_parameters() if torch.equal(old[name], parameter)]
        assert not still


def test_discriminator_is_not_moved_by_the_generator_step(tiny_config: Make, tmp_path: Path) -> None:
    config = tiny_config(tmp_path)
    trainer = trainer_of(config, PHOTOGRAPHS_11, CPU)
    before = copy.deepcopy(trainer.method.discriminator.state_dict())
    (phase,) = (phase for phase in trainer.method.phases(trainer.stage) if phase.name == "generator")
    trainer.update(phase, *pairs(config))
    assert all(torch.equal(before[name], tensor) for name, tensor in trainer.method.discriminator.state_dict().items())
    assert all(parameter.requires_grad for parameter in trainer.method.discriminator.parameters())


def test_everything_of_a_step_is_on_its_device(
    tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device "meta" stands for an accelerator: it refuses operations with tensors of the CPU."""
    device = torch.device("meta")
    with pytest.raises(RuntimeError):
        torch.zeros(3, device=device) + torch.zeros(3)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())  # which meta has not
    config = tiny_config(tmp_path)
    trainer = trainer_of(config, PHOTOGRAPHS_11, device)
    for _ in range(2):  # with and without R1 and path length
        values = trainer.step(*(given.to(device) for given in pairs(config)))
        assert {value.device for value in values.values()} == {device}
    trainer.method.average.estimate_mean_latent()
    state = trainer.state()
    assert {tensor.device for name in ("generator", "average") for tensor in state["networks"][name].values()} == {
        device
    }


def test_bfloat16_step_is_near_the_float32_one(tiny_config: Make, tmp_path: Path) -> None:
    losses = {}
    for precision in ("float32", "bfloat16"):
        config = tiny_config(tmp_path, f"precision={precision}")
        losses[precision] = trainer_of(config, PHOTOGRAPHS_11, CPU).step(*pairs(config))
    for name in ("loss/discriminator", "loss/generator", "loss/mask"):
        torch.testing.assert_close(losses["bfloat16"][name], losses["float32"][name], rtol=0.05, atol=0.01)
