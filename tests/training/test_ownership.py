"""Regions that nobody else paints, and that paint nothing else: pictures drawn without them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from semanticgan.errors import InputError
from semanticgan.perception.parser import FaceParser
from semanticgan.regions import PHOTOGRAPHS_11
from semanticgan.training.config import TrainingConfig
from semanticgan.training.draws import Draws
from semanticgan.training.objectives.ownership import SEAM, Ownership, continuation, locality_loss, ownership_loss
from tests.training.test_trainer import pairs
from tests.training.trainers import trainer_of

Make = Callable[..., TrainingConfig]
CPU = torch.device("cpu")
OWNED = "loss.owned={eyes: 1, mouth: 1, glasses: 5}"


def test_what_is_around_is_carried_on() -> None:
    """A slope of grey stays a slope under a mouth of another colour, on which nothing depends."""
    slope = torch.linspace(-0.5, 0.5, 32).double().expand(1, 3, 32, 32).clone()
    there = torch.zeros(1, 32, 32).double()
    there[:, 14:18, 12:20] = 1.0
    painted = torch.where(there.bool().unsqueeze(1), 9.0, slope)
    found = continuation(painted, there)
    assert torch.allclose(found[:, :, 14:18, 14:18], slope[:, :, 14:18, 14:18], atol=0.03)
    assert torch.equal(found, continuation(slope.where(~there.bool().unsqueeze(1), -3.0), there))
    assert continuation(painted, torch.ones_like(there)).isnan().all()


def test_ownership_is_a_mean_over_the_area_of_each_region() -> None:
    """By hand: 8 pixels differ by 1/2, of another region 2 pixels by 1; and there is no telling what is behind one."""
    image, behind = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    behind[:, :, :2], behind[:, :, 2, :2], behind[:, :, 3, 3] = 0.5, 1.0, float("nan")
    hidden = torch.zeros(1, 2, 4, 4)
    hidden[0, 0, :2], hidden[0, 1, 2, :2], hidden[0, 1, 3, 3] = 1.0, 1.0, 1.0
    first, second = 8 * 0.25 / (8 + 4), 2 * 1.0 / (2 + 4)
    weights = torch.tensor([1.0, 5.0])
    image.requires_grad_()
    for kept, expected in (([1, 1], first + 5 * second), ([0, 1], 5 * second), ([0, 0], 0.0)):
        found = ownership_loss(image, behind, hidden * torch.tensor(kept).view(1, 2, 1, 1), weights)
        assert found.item() == pytest.approx(expected, abs=1e-7)
        (gradient,) = torch.autograd.grad(found, image)
        assert gradient.isfinite().all()


def test_locality_counts_what_is_not_near() -> None:
    hidden = torch.zeros(1, 16, 16)
    hidden[:, 8, 8] = 1.0
    whole = torch.zeros(1, 3, 16, 16)
    image = torch.ones(1, 3, 16, 16)
    assert locality_loss(image, whole, hidden).item() == pytest.approx(1 - (2 * SEAM + 1) ** 2 / 256)
    image[:, :, 0, 0] = 3.0
    assert locality_loss(image, whole, hidden).item() == pytest.approx(1 - (2 * SEAM + 1) ** 2 / 256 + 8 / 256)


def test_half_of_the_owned_regions_are_hidden_and_no_other(
    tiny_config: Make, tmp_path: Path, parser_file: Path
) -> None:
    config = tiny_config(tmp_path, OWNED, f"loss.parser={parser_file}")
    trainer = trainer_of(config, PHOTOGRAPHS_11, CPU)
    ownership = Ownership(config, PHOTOGRAPHS_11, trainer.method.reader)
    visible = torch.cat([ownership.visible(Draws(0, step, "generator", 8, range(8), CPU)) for step in range(100)])
    owned = list(PHOTOGRAPHS_11.indices(["eye", "mouth", "glasses"]))
    assert visible.shape == (800, 11) and set(visible.unique().tolist()) == {0.0, 1.0}
    assert (visible[:, owned].mean(0) - 0.5).abs().max() < 0.07
    others = [label for label in range(11) if label not in owned]
    assert (visible[:, others] == 1).all()
    part = ownership.visible(Draws(0, 7, "generator", 8, [5, 6], CPU))
    assert torch.equal(part, visible[7 * 8 + 5 : 7 * 8 + 7]), "depends on how the batch is shared"


def test_who_is_seen_stays_beside_who_is_hidden(tiny_config: Make, tmp_path: Path, parser_file: Path) -> None:
    """Glasses that are hidden reach a pixel over their edge, but not into an eye that is seen."""
    config = tiny_config(tmp_path, OWNED, f"loss.parser={parser_file}")
    trainer = trainer_of(config, PHOTOGRAPHS_11, CPU)
    ownership = Ownership(config, PHOTOGRAPHS_11, trainer.method.reader)
    eye, glasses = PHOTOGRAPHS_11.indices(["eye", "glasses"])
    read = torch.zeros(1, 11, 32, 32)
    read[:, eye, 10, 10], read[:, glasses, 11, 10] = 99.0, 99.0
    read[:, 1] += 50.0
    visible = torch.ones(1, 11)
    visible[:, glasses] = 0.0
    whole, image = torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 32)
    for y, x, counts in ((11, 10, True), (11, 11, True), (10, 10, False), (9, 10, False)):
        changed = image.clone()
        changed[:, :, y, x] = 1.0
        found = ownership.losses(changed, whole, read, visible)["ownership"]
        assert found.item() == pytest.approx(8 * 5 * 1.0 / (8 + 4) if counts else 0.0, abs=1e-5)


def test_comes_when_it_is_due(tiny_config: Make, tmp_path: Path, parser_file: Path) -> None:
    wanted = (OWNED, f"loss.parser={parser_file}", "loss.ownership_every=2", "loss.ownership_after=8")
    config = tiny_config(tmp_path, *wanted)
    trainer = trainer_of(config, PHOTOGRAPHS_11, CPU)
    logged = [trainer.step(*pairs(config)) for _ in range(6)]
    assert ["loss/ownership" in values for values in logged] == [False, False, True, False, True, False]
    assert ["loss/locality" in values for values in logged] == [False, False, True, False, True, False]


def test_training_makes_what_is_behind_a_continuation(
    tiny_config: Make, tmp_path: Path, parser_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step sees the same codes; eyes are where a stripe is read, and nothing else teaches."""

    def stripe(_: FaceParser, images: torch.Tensor, size: int) -> torch.Tensor:
        logits = images.new_zeros(len(images), 11, size, size)
        logits[:, 2, 6:9] = 20.0
        return logits

    monkeypatch.setattr(FaceParser, "logits", stripe)
    monkeypatch.setattr(Draws, "_seeds", lambda draws, purpose: list(draws.positions))
    monkeypatch.setattr(Draws, "hidden", lambda draws, num: torch.ones(len(draws.positions), num, dtype=torch.bool))
    wanted = ("loss.owned.eyes=1", f"loss.parser={parser_file}", "loss.ownership_every=1", "loss.style_mixing=0")
    alone = ("loss.adversarial=0", "loss.agreement=0", "loss.mask=0", "loss.locality=0", "loss.path_length_every=0")
    config = tiny_config(tmp_path, *wanted, *alone)
    trainer = trainer_of(config, PHOTOGRAPHS_11, CPU)
    values = [float(trainer.step(*pairs(config))["loss/ownership"]) for _ in range(60)]
    assert values[-1] < 0.3 * values[0], values


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ((OWNED,), r"loss.owned names eyes, mouth, glasses, which needs a parser\. Give loss.parser"),
        (("loss.owned.moth=1", "loss.parser=PARSER"), "unknown region 'moth'"),
        (("loss.owned={eye: 1, eyes: 2}", "loss.parser=PARSER"), "loss.owned names a region twice: eye, eyes"),
        (("loss.owned.eyes=-1",), r"loss\.owned\.eyes must be 0 or more, got -1\.0"),
    ],
)
def test_what_cannot_be_owned_is_refused(
    tiny_config: Make, tmp_path: Path, parser_file: Path, overrides: tuple[str, ...], said: str
) -> None:
    given = [value.replace("PARSER", str(parser_file)) for value in overrides]
    with pytest.raises(InputError, match=said):
        trainer_of(tiny_config(tmp_path, *given), PHOTOGRAPHS_11, CPU)
