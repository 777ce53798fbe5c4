"""StyleALAE's method: who learns in which update, what its losses are made of, and the parts in use while it grows."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from semanticgan.distributed import ALONE
from semanticgan.networks.comparison.alae import ALAEGenerator
from semanticgan.training.config import load_config
from semanticgan.training.draws import Draws
from semanticgan.training.layered import at_level
from semanticgan.training.method import prepared
from semanticgan.training.methods.alae import ALAE
from semanticgan.training.trainer import Trainer, frozen
from tests.training.test_layered_methods import config_of

FADING = 8 * 10  # images seen: within the fade from 4 to 8 pixels below
KEYS = ["growth.stable_images=64", "growth.fade_images=32", "augmentation.probability=0"]


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    """In the fade, with biases and noise scales that are not 0 any more."""
    _, opened = prepared(config_of("alae", tmp_path / "run", 400, *KEYS, "batch=8", "loss.r1_image=3"))
    method = opened(torch.device("cpu"), ALONE)
    assert isinstance(method, ALAE)
    generator = torch.Generator().manual_seed(1)
    for network in (method.generator, method.discriminator):
        for parameter in network.parameters():
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    trainer = Trainer(method, ALONE)
    trainer.images_seen = FADING
    trainer.stage = method.stage(FADING)
    trainer._enter(trainer.stage)
    method.phases(trainer.stage)
    return trainer


def batch(seed: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    picture = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return picture, picture[:, :0]


def test_every_parameter_has_one_optimiser(trainer: Trainer) -> None:
    method = trainer.method
    held = [p for o in method.optimisers.values() for group in o.param_groups for p in group["params"]]
    known = [*method.networks["generator"].parameters(), *method.networks["discriminator"].parameters()]
    assert len(held) == len(known) and set(held) == set(known)


@pytest.mark.parametrize(
    ("name", "moving"),
    [
        ("discriminator", {"E", "D"}),
        ("generator", {"F", "G"}),
        ("reconstruction", {"F", "G", "E"}),
    ],
)
def test_who_learns_in_which_update(trainer: Trainer, name: str, moving: set[str]) -> None:
    """Algorithm 1; while 8 pixels fade in, all that is of 16 pixels rests."""
    method = trainer.method
    before = copy.deepcopy({kind: method.networks[kind].state_dict() for kind in ("generator", "discriminator")})
    (phase,) = [phase for phase in method.phases(trainer.stage) if phase.name == name]
    trainer.update(phase, *batch())
    moved, rested = set(), set()
    for kind, network in before.items():
        for path, _ in method.networks[kind].named_parameters():
            if kind == "generator" and ".2." in path:
                assert torch.equal(network[path], method.networks[kind].state_dict()[path])
                continue
            who = "D" if kind == "discriminator" else path.partition(".")[0]
            who = {"mapping": "F", "encoder": "E"}.get(who, who if who == "D" else "G")
            same = torch.equal(network[path], method.networks[kind].state_dict()[path])
            (rested if same else moved).add(who)
    assert moved == moving and rested.isdisjoint(moving) and moved | rested == set("DEFG")


def test_losses_are_the_formulas(trainer: Trainer) -> None:
    """From the draws of the step. The batch is blended as the networks are; gamma is not scaled by the resolution."""
    method = trainer.method
    assert isinstance(method, ALAE) and method.level == pytest.approx(1.5)
    generator, discriminator, level = method.generator, method.discriminator, method.level
    assert isinstance(generator, ALAEGenerator)
    phases = {phase.name: phase for phase in method.phases(trainer.stage)}
    draws = {name: Draws(3, 0, name, 8, list(range(8)), torch.device("cpu")) for name in phases}
    found = {name: phase.loss(batch(), draws[name])[0] for name, phase in phases.items()}
    values = phases["discriminator"].loss(batch(), draws["discriminator"])[1]

    def score(image: torch.Tensor) -> torch.Tensor:
        return discriminator(generator.encode(image, level))

    def fake(name: str, mixing: float) -> torch.Tensor:
        codes = draws[name].latents(generator, mixing, level)
        return generator(codes, draws[name].noise(generator.noise_sides), level=level).image

    real = at_level(batch()[0], level).requires_grad_()
    real_score, fake_score = score(real), score(fake("discriminator", 0.9).detach())
    (gradient,) = torch.autograd.grad(real_score.sum(), real, create_graph=True)
    norm = gradient.square().sum((1, 2, 3)).mean()
    adversarial = F.softplus(-real_score).mean() + F.softplus(fake_score).mean()
    torch.testing.assert_close(found["discriminator"], adversarial + 3 / 2 * norm)
    torch.testing.assert_close(values["r1/image"], norm, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(found["generator"], F.softplus(-score(fake("generator", 0.9))).mean())
    w = draws["reconstruction"].latents(generator, 0.0)[:, 0]
    error = (generator.encode(fake("reconstruction", 0.0), level) - w).square().mean()
    torch.testing.assert_close(found["reconstruction"], error)


def test_w_that_is_found_again_is_no_target_that_learns(trainer: Trainer) -> None:
    """F learns from the reconstruction through G alone: with G in between cut off, it gets nothing."""
    method = trainer.method
    assert isinstance(method, ALAE)
    (phase,) = [phase for phase in method.phases(trainer.stage) if phase.name == "reconstruction"]
    draws = Draws(3, 0, phase.name, 8, list(range(8)), torch.device("cpu"))
    weight = method.generator.mapping.layers[0].weight
    with frozen(*phase.frozen):
        (through,) = torch.autograd.grad(phase.loss(batch(), draws)[0], weight)
        for block in method.generator.blocks:
            for style in (block.style1, block.style2):
                for parameter in style.adain.parameters():
                    parameter.data.zero_()  # the picture does not depend on w any more
        (cut,) = torch.autograd.grad(phase.loss(batch(), draws)[0], weight)
    assert through.abs().max() > 0 and cut.abs().max() == 0


def test_parts_in_use(tmp_path: Path) -> None:
    recipe = tmp_path / "alae.yaml"
    recipe.write_text("method: alae\nsize: 16\n")
    config = load_config(recipe)
    schedule = config.stages()  # type: ignore[attr-defined]
    assert [stage.size for stage in schedule.values()] == [4, 8, 8, 16, 16]
    fading = list(schedule.values())[3]
    assert set(fading.in_use) == {
        *("generator.mapping", "generator.constant", "discriminator"),
        *(f"generator.{part}blocks.{index}" for part in ("", "encoder.") for index in range(3)),
        *(f"generator.{part}.{index}" for part in ("to_rgb", "encoder.from_rgb") for index in (1, 2)),
    }
    assert fading.anew == ("encoder", "decoder")


def test_without_a_reconstruction_it_is_left_out(tmp_path: Path) -> None:
    _, opened = prepared(config_of("alae", tmp_path / "run", 400, *KEYS, "batch=8", "loss.reconstruction=0"))
    method = opened(torch.device("cpu"), ALONE)
    assert [phase.every for phase in method.phases(method.stage(0))] == [1, 1, 0]
