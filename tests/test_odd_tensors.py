"""Tensors that are no ordinary ones, and numbers beyond float32, are refused in a line wherever codes enter."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import semanticgan as sg
from semanticgan.commands import main
from semanticgan.errors import InputError

MAKERS: dict[str, Callable[[Tensor], Tensor]] = {
    "sparse": lambda x: x.to_sparse(),
    "meta": lambda x: x.to("meta"),
    "int32": lambda x: x.int(),
    "bool": lambda x: x.bool(),
    "complex64": lambda x: x.to(torch.complex64),
    "float8": lambda x: x.to(torch.float8_e4m3fn),
    "no image": lambda x: x[:0],
}


@pytest.fixture(scope="module")
def model() -> sg.Model:
    return sg.load(device="cpu")


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("rows", [False, True])
def test_odd_tensors(model: sg.Model, kind: str, rows: bool) -> None:
    width, num_rows = model.config.style_dim, model.config.num_rows
    odd = MAKERS[kind](torch.zeros((1, num_rows, width) if rows else (1, width)))
    for use in (model.generator, *([] if kind == "float8" else [model.render, model.session().render])):
        with pytest.raises(InputError):
            use(odd)
    with pytest.raises(InputError):
        sg.LatentCode(odd, model.regions) if rows and kind != "meta" else model.generator.map(odd)


def test_float64_needs_a_generator_of_float64(model: sg.Model) -> None:
    with pytest.raises(InputError, match=r"such as torch\.float32"):
        model.generator(torch.zeros(1, model.config.style_dim, dtype=torch.float64))


@pytest.mark.parametrize("number", [1e39, -1e300, 10**400])
def test_numbers_beyond_float32(model: sg.Model, number: float) -> None:
    a, b = model.sample(seed=1), model.sample(seed=2)
    for use in (
        lambda: model.sample(seed=1, truncation=number),
        lambda: sg.mix(a, b, ["hair"], number),
        lambda: sg.truncate(a, model.generator.mean_latent, number),
        lambda: sg.interpolate(a, b, number),
    ):
        with pytest.raises(InputError):
            use()


@pytest.mark.parametrize("typed", ["1e300", "-1e300", "1e39", "-inf"])
def test_numbers_beyond_float32_on_the_command_line(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--truncation", typed, "--out", "never"]) == 2
    assert "is not a finite number within float32" in capsys.readouterr().err
