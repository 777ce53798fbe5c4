"""A new kind of small network needs its network, its examples and its loss: training and file are those of all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from semanticgan.errors import InputError, TrainingDiverged, WeightsError
from semanticgan.perception.files import PictureReader, load_network
from semanticgan.perception.fitting import Fitting, fit, seeded
from semanticgan.perception.parser import load_parser
from semanticgan.perception.pictures import as_float, read_alone, require_pictures

SIZE = 4


class Brightness(nn.Module):
    """A mean, a factor and a shift."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.line = nn.Linear(1, int(config["width"]))

    def forward(self, image: Tensor) -> Tensor:
        return self.line(image.mean((1, 2, 3))[:, None])


class LightMeter(PictureReader[Brightness]):
    kind = "meter"

    @property
    def size(self) -> int:
        return SIZE

    def metadata(self) -> dict[str, Any]:
        return {"config": {"width": 1}, "unit": {"name": "levels"}}

    def description(self) -> str:
        return "a light meter"


@dataclass(frozen=True)
class MeterTraining(Fitting):
    num_steps: int = 300
    batch: int = 16
    num_held_out: int = 1
    learning_rate: float = 0.05

    kind, examples = "meter", "flashes"


def flashes(training: MeterTraining) -> Iterator[tuple[Tensor, Tensor]]:
    random = torch.Generator().manual_seed(training.seed)
    while True:
        level = torch.randint(0, 256, (training.batch, 1, 1, 1), generator=random, dtype=torch.uint8)
        yield as_float(level.expand(-1, 3, SIZE, SIZE)), level.flatten(1).float() / 255


def trained(training: MeterTraining) -> Brightness:
    network = seeded(lambda: Brightness({"width": 1}), training.seed)
    fit(network, flashes(training), nn.functional.mse_loss, training)
    return network


def test_learns_and_the_same_seed_gives_the_same_network() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (trained(MeterTraining(seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert first.line.weight.item() == pytest.approx(0.5, abs=0.02) and first.line.bias.item() == pytest.approx(
        0.5, abs=0.02
    )
    assert torch.equal(first.line.weight, again.line.weight) and not torch.equal(first.line.weight, other.line.weight)


def test_comes_back_from_its_file(tmp_path: Path) -> None:
    training = MeterTraining(num_steps=2)
    network = trained(training)
    facts = training.facts("flashes", 15, 1.26, {"error": 0.5})
    LightMeter(network, facts, "A", "B").save(tmp_path / "meter.safetensors")
    file = load_network(tmp_path / "meter.safetensors", "meter", dict, Brightness, {"unit": dict})
    again = LightMeter(file.network, *file.about)
    assert torch.equal(again.network.line.weight, network.line.weight) and file.more == {"unit": {"name": "levels"}}
    assert again.training["held_out"] == {"num_flashes": 1, "error": 0.5}
    assert (again.training["seconds"], again.training["num_flashes"], again.licence) == (1.3, 15, "A")
    assert not again.network.training and not again.network.line.weight.requires_grad
    with pytest.raises(WeightsError, match="something else"):
        load_parser(tmp_path / "meter.safetensors")
    with pytest.raises(WeightsError, match="cannot be used"):
        load_network(tmp_path / "meter.safetensors", "meter", lambda config: config["height"], Brightness)


def test_refusals_name_the_kind_and_its_examples() -> None:
    with pytest.raises(InputError, match="a meter cannot be trained in 0 steps of 16 flashes"):
        MeterTraining(num_steps=0)
    with pytest.raises(InputError, match="1 of 1 flashes would be held out, which leaves none"):
        MeterTraining().num_trained(1)
    training = MeterTraining()
    with pytest.raises(TrainingDiverged, match="the loss of the meter is nan at step 0"):
        fit(Brightness({"width": 1}), flashes(training), lambda read, level: read.sum() * torch.nan, training)


def test_rows_are_read_alone() -> None:
    """Always as many together, with zeros, which are a middle grey, behind the last."""
    seen = []

    def read(images: Tensor) -> Tensor:
        seen.append(images)
        return images.mean((1, 2, 3))

    pictures = torch.full((5, 3, SIZE, SIZE), 255, dtype=torch.uint8)
    assert read_alone(pictures, read, 4, "cpu").tolist() == [1.0] * 5
    assert [len(images) for images in seen] == [4, 4] and not seen[1][1:].any()
    assert read_alone(pictures[:0], read, 4, "cpu").shape == (0,)
    for wrong in (pictures.float(), pictures[0], pictures[:, :1]):
        with pytest.raises(InputError, match="a meter reads uint8 pictures"):
            require_pictures(wrong, "a meter")
    with pytest.raises(InputError, match="square pictures, got 4 x 2"):
        require_pictures(pictures[:, :, :2], "a meter")
