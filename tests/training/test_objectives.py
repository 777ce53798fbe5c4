"""An objective of one's own: one class, one weight in the recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from semanticgan.errors import InputError
from semanticgan.regions import PHOTOGRAPHS_11
from semanticgan.training import objectives
from semanticgan.training.config import TrainingConfig
from semanticgan.training.objectives import GeneratorStep, Objective, Terms, known_objectives
from tests.training.test_trainer import pairs
from tests.training.trainers import trainer_of

CPU = torch.device("cpu")
Make = Callable[..., TrainingConfig]


class Brightness(Objective):
    """The mean level of generated pictures comes to that of real ones; counts its steps."""

    name = "brightness"
    steps = 0

    def terms(self, step: GeneratorStep) -> Terms:
        return {self.name: (self.weight, (step.fake.image.mean() - step.real[0].mean()).square())}

    def finish_step(self) -> dict[str, torch.Tensor]:
        self.steps += 1
        return {"brightness/steps": torch.tensor(float(self.steps))}

    def state(self) -> int:
        return self.steps

    def load_state(self, state: int) -> None:
        self.steps = state


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objectives, "_REGISTERED", {})
    objectives.register(Brightness)


@pytest.mark.usefixtures("registered")
def test_a_registered_objective_learns_by_its_weight(tiny_config: Make, tmp_path: Path) -> None:
    ends = []
    for weight in (0.001, 100.0):
        wanted = (f"loss.added.brightness={weight}", "loss.adversarial=1", "optimiser.learning_rate=0.01")
        config = tiny_config(tmp_path, *wanted)
        trainer = trainer_of(config, PHOTOGRAPHS_11, CPU)
        image, segmentation = pairs(config)
        values = [trainer.step(image * 0 + 0.8, segmentation) for _ in range(20)]
        ends.append(float(values[-1]["loss/brightness"]))
        assert float(values[-1]["brightness/steps"]) == 20
        again = trainer_of(config, PHOTOGRAPHS_11, CPU)
        again.load_state(trainer.state())
        assert float(again.step(image, segmentation)["brightness/steps"]) == 21
    assert ends[1] < 0.2 * ends[0], ends


def test_one_that_is_not_asked_for_is_not_there(tiny_config: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="brightness"):
        trainer_of(tiny_config(tmp_path, "loss.added.brightness=1"), PHOTOGRAPHS_11, CPU)
    trainer = trainer_of(tiny_config(tmp_path), PHOTOGRAPHS_11, CPU)
    assert "brightness" not in [objective.name for objective in trainer.method.objectives]


def test_objectives_of_the_package_are_found_in_their_order() -> None:
    assert tuple(known_objectives()) == objectives.ORDER
