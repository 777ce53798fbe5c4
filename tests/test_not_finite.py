"""A code or a picture that is not finite is an error in one line, and no black picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import semanticgan as sg
from semanticgan.errors import InputError
from semanticgan.model import Model
from tests.conftest import Run

NAN, INF = float("nan"), float("inf")


@pytest.fixture(scope="module")
def model(tiny_model_file: Path) -> Model:
    return sg.load(tiny_model_file, device="cpu")


@pytest.mark.parametrize("value", [NAN, INF, -INF, 3e38, -3e38])
@pytest.mark.parametrize("row", [0, 3, -1])
def test_codes(model: Model, value: float, row: int) -> None:
    code = model.sample(seeds=[0, 1, 2])
    code.tensor[2, row] = value
    for render in (
        lambda: model.render(code),
        lambda: model.render(code, batch_size=1),
        lambda: model.session().render(code),
    ):
        with pytest.raises(InputError, match="not finite"):
            render()


def test_codes_too_large_for_float32(model: Model) -> None:
    with pytest.raises(InputError, match="not finite"):
        model.render(model.sample(seed=0).tensor.double() * 1e300)


def test_truncation(model: Model) -> None:
    with pytest.raises(InputError, match="not finite"):
        model.render(model.sample(seed=0, truncation=1e38))


@pytest.mark.parametrize("what", ["noise", "coordinates", "weights"])
def test_other_inputs(model: Model, what: str) -> None:
    given: dict[str, Any] = {}
    if what == "noise":
        given["noise"] = [torch.full((1, 1, side, side), NAN) for side in model.generator.renderer.noise_sides]
    elif what == "coordinates":
        side = model.config.coarse_size
        given["coordinates"] = torch.full((1, model.config.num_regions, side, side, 2), NAN)
    parameters = list(model.generator.renderer.parameters())
    kept = [parameter.detach().clone() for parameter in parameters]
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(NAN if what == "weights" else 0.05)  # new weights of noise are 0
    try:
        with pytest.raises(InputError, match="not finite"):
            model.render(model.sample(seed=0), **given)
    finally:
        with torch.no_grad():
            for parameter, before in zip(parameters, kept, strict=True):
                parameter.copy_(before)


def test_the_command_line(command: Callable[..., Run], tiny_model_file: Path, model: Model) -> None:
    np.save("large.npy", np.full_like(model.sample(seed=0).tensor.numpy(), 3e38))
    edit = ("edit-region", "--model", tiny_model_file, "--latent", "large.npy", "--region", "hair", "--from-seed", 1)
    assert "not finite" in command(*edit, "--device", "cpu", "--out", "out.png").complaint
    assert not Path("out.png").exists()
    sampled = ("generate", "--model", tiny_model_file, "--device", "cpu", "--out", "samples")
    assert "not finite" in command(*sampled, "--truncation", "1e38").complaint
    assert not list(Path("samples").glob("*.png"))
