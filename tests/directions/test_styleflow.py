"""StyleFlow against the outputs of the authors' code, by its own sharper solutions."""

from __future__ import annotations

import math
import sys
import time

import numpy as np
import pytest
import torch
from torch import Tensor

from semanticgan.directions import styleflow
from semanticgan.directions.flow_networks import Solver
from semanticgan.directions.styleflow import StyleFlow, from_reference, log_likelihood
from semanticgan.errors import InputError, WeightsError
from tests.networks.fixtures import Case, case

CODES, DENSITY, GRADIENTS = 1e-3, 1e-2, 2e-2  # absolute; of a tensor's largest element
FORWARD = ("fwd", "fwd_nologp", "fwd_ui", "fwd_2d")
REVERSE = ("rev_same", "rev_gender", "rev_age", "rev_yaw", "rev_light")


def opened(name: str) -> tuple[Case, StyleFlow]:
    fixture = case(f"directions/styleflow_{name}")
    return fixture, from_reference(fixture.starting("sd/"))


def probes_of(fixture: Case, name: str) -> Tensor:
    """[N, B, R, D]; a code of one row gets its axis."""
    blocks = fixture.meta["config"]["num_blocks"]
    probes = torch.stack([fixture[f"in/{name}/e{block}"] for block in range(blocks)], dim=1)
    return probes if probes.ndim == 4 else probes[:, :, None]


def error(found: Tensor, expected: Tensor) -> float:
    return (found.double() - expected.double().view(found.shape)).abs().max().item()


@pytest.mark.parametrize("name", FORWARD + REVERSE)
@pytest.mark.parametrize("blocks", ["cnf_b1", "cnf_b2"])
def test_codes_and_log_density(blocks: str, name: str) -> None:
    fixture, flow = opened(blocks)
    codes, conditions = fixture[f"in/{name}/x"], fixture[f"in/{name}/context"]
    reverse, expected = bool(fixture[f"in/{name}/reverse"]), fixture[f"exact/{name}/y"]
    alone = flow.decode(codes, conditions) if reverse else flow.encode(codes, conditions)
    assert alone.shape == codes.shape and error(alone, expected) < CODES
    rows = codes if codes.ndim == 3 else codes[:, None]
    density = fixture[f"in/{name}/logpx"].view(*rows.shape[:2], 1) if f"in/{name}/logpx" in fixture else None
    flowed = flow(rows, conditions.flatten(1), density, probes_of(fixture, name), reverse)
    assert error(flowed.codes, expected) < CODES
    if density is not None:
        assert error(flowed.log_density, fixture[f"exact/{name}/logp"]) < DENSITY


@pytest.mark.parametrize("name", ["fwd", "rev_age"])
@pytest.mark.parametrize("blocks", ["cnf_b1", "cnf_b2"])
def test_a_sharper_tolerance_meets_the_exact_solution(blocks: str, name: str) -> None:
    fixture, flow = opened(blocks)
    flow.double().solver = Solver(1e-9)
    codes, conditions = fixture[f"in/{name}/x"].double(), fixture[f"in/{name}/context"].double()
    reverse, probes = bool(fixture[f"in/{name}/reverse"]), probes_of(fixture, name).double()
    flowed = flow(codes, conditions, fixture[f"in/{name}/logpx"].double(), probes, reverse)
    assert error(flowed.codes, fixture[f"exact/{name}/y"]) < 1e-5
    assert error(flowed.log_density, fixture[f"exact/{name}/logp"]) < 1e-5
    alone = flow.decode(codes, conditions) if reverse else flow.encode(codes, conditions)
    assert error(alone, fixture[f"exact/{name}/y"]) < 1e-5


@pytest.mark.parametrize(
    ("blocks", "adjoint", "dtype", "tolerance", "bound"),
    [
        ("cnf_b1", True, torch.float32, 1e-5, GRADIENTS),
        ("cnf_b2", True, torch.float32, 1e-5, GRADIENTS),
        ("cnf_b1", True, torch.float64, 1e-9, 1e-5),
        ("cnf_b1", False, torch.float32, 1e-5, 5e-2),
        ("cnf_b2", False, torch.float64, 1e-9, 1e-5),
    ],
)
def test_a_training_step(blocks: str, adjoint: bool, dtype: torch.dtype, tolerance: float, bound: float) -> None:
    """The loss, every gradient, of the adjoint solve or of the steps, and the running statistics after the step."""
    fixture, flow = opened(blocks)
    flow.to(dtype).train().requires_grad_(True).solver = Solver(tolerance, adjoint)
    codes = fixture["in/train/x"].to(dtype)
    probes = probes_of(fixture, "train").to(dtype)
    flowed = flow(codes, fixture["in/train/context"].to(dtype), fixture["in/train/logpx"].to(dtype), probes)
    rows, width = codes.shape[1:]
    loss = -log_likelihood(flowed).mean()
    constant = 0.5 * rows * width * (width - 1) * math.log(2 * math.pi)  # the reference adds D constants, not one
    expected = fixture["exact/train/loss"].item() - constant
    assert loss.item() == pytest.approx(expected, abs=rows * DENSITY if dtype == torch.float32 else 1e-5)
    loss.backward()
    own = dict(flow.named_parameters())
    wanted = fixture.starting("exact/train/param_grad/")
    assert {styleflow._own_name(name) for name in wanted} == own.keys()
    for name, gradient in wanted.items():
        found = own[styleflow._own_name(name)].grad
        assert found is not None
        assert error(found, gradient) <= bound * gradient.abs().max().item(), name
    for norm in flow.norms:
        norm.fold()
    state = flow.state_dict()
    for name, value in fixture.starting("exact/train/after/").items():
        if not name.endswith(".step"):
            assert error(state[styleflow._own_name(name)], value) < (1e-3 if dtype == torch.float32 else 1e-6), name


def test_the_sizes_that_were_released() -> None:
    """Weights by rule, as the fixture's meta says."""
    fixture = case("directions/styleflow_full")
    flow = from_reference(full_weights(int(fixture["in/rule/seed"])))
    for name in ("fwd", "rev"):
        codes, conditions = fixture[f"in/{name}/x"], fixture[f"in/{name}/context"]
        started = time.perf_counter()
        found = flow.encode(codes, conditions) if name == "fwd" else flow.decode(codes, conditions)
        assert time.perf_counter() - started < 5.0
        assert error(found, fixture[f"out/{name}/y"]) < 2e-3
        density, probes = fixture[f"in/{name}/logpx"], probes_of(fixture, name)
        with torch.no_grad():
            flowed = flow(codes, conditions.flatten(1), density, probes, name == "rev")
        assert error(flowed.codes, fixture[f"out/{name}/y"]) < 2e-3
        assert error(flowed.log_density, fixture[f"out/{name}/logp"]) < DENSITY


def full_weights(seed: int) -> dict[str, Tensor]:
    """The released model's names and shapes (as of our own flow of these sizes), filled by the rule."""
    shapes: dict[str, tuple[int, ...]] = {}
    norm = ("weight", "bias", "step", "running_mean", "running_var")
    sides = {"weight": (512,), "bias": (512,), "step": (1,), "running_mean": (512,), "running_var": (512,)}
    shapes |= {f"chain.0.{part}": sides[part] for part in norm}
    shapes |= {"chain.1.sqrt_end_time": (), "chain.1.odefunc._num_evals": ()}
    for layer in range(6):
        start = f"chain.1.odefunc.diffeq.layers.{layer}."
        shapes |= {f"{start}_layer.weight": (512, 512), f"{start}_layer.bias": (512,)}
        shapes |= {f"{start}_hyper_bias.weight": (512, 18), f"{start}_hyper_gate.weight": (512, 18)}
        shapes |= {f"{start}_hyper_gate.bias": (512,)}
    shapes |= {f"chain.2.{part}": sides[part] for part in norm}
    state = {}
    for index, (name, shape) in enumerate(shapes.items()):
        random = np.random.default_rng([seed, index])
        if len(shape) == 2:
            factor = 0.05 if "_hyper_" in name else 1.5
            values = random.standard_normal(shape) * factor / np.sqrt(shape[1])
        elif name.endswith("running_var"):
            values = 0.5 + random.random(shape)
        elif name.endswith((".step", "sqrt_end_time")):
            values = np.ones(shape)
        else:
            values = np.zeros(shape) if name.endswith("_num_evals") else 0.1 * random.standard_normal(shape)
        state[name] = torch.from_numpy(np.asarray(values, dtype=np.float32))
    return state


def small(**sizes: object) -> StyleFlow:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return StyleFlow(**{"style_dim": 8, "num_conditions": 2, "hidden": (16, 16), **sizes})  # type: ignore[arg-type]


def test_an_edit_takes_the_chosen_rows_and_leaves_the_others() -> None:
    flow, codes = small(num_blocks=2), torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(1))
    old, new = torch.zeros(1, 2), torch.tensor([[1.0, -1.0]])
    same = flow.edit(codes, old, old)
    assert (same - codes).abs().max() < 1e-3
    edited = flow.edit(codes, old, new, rows=[1, 3])
    assert torch.equal(edited[:, [0, 2, 4]], codes[:, [0, 2, 4]])
    assert (edited[:, [1, 3]] - codes[:, [1, 3]]).abs().min(2).values.max() > 1e-4
    assert torch.equal(edited[:, [1, 3]], flow.edit(codes, old, new)[:, [1, 3]])
    assert flow.training  # as it was


def test_a_code_does_not_depend_on_the_others() -> None:
    flow = small().eval()
    codes = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(1))
    conditions = torch.randn(3, 2, generator=torch.Generator().manual_seed(2))
    together = flow.encode(codes, conditions)
    assert torch.equal(together[1:2], flow.encode(codes[1:2], conditions[1:2]))
    assert torch.equal(together[:, 0], flow.encode(codes, conditions)[:, 0])


@pytest.mark.parametrize("reverse", [False, True])
def test_both_ways_to_gradients_agree(reverse: bool) -> None:
    flow, random = small().double(), torch.Generator().manual_seed(1)
    codes, conditions = torch.randn(2, 3, 8, generator=random), torch.randn(2, 2, generator=random)
    probes = torch.randn(2, 1, 3, 8, generator=random).double()
    found = []
    for adjoint in (True, False):
        flow.solver = Solver(1e-8, adjoint)
        flow.zero_grad()
        flowed = flow(codes.double(), conditions.double(), None, probes, reverse)
        (flowed.codes.square().sum() + flowed.log_density.sum()).backward()
        found.append([parameter.grad for parameter in flow.parameters()])
    for one, other in zip(*found, strict=True):
        assert one is not None and other is not None
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)


def test_what_is_refused() -> None:
    flow, codes, conditions = small(), torch.zeros(2, 5, 8), torch.zeros(2, 2)
    for given, message in (
        ((torch.zeros(2, 5, 9), conditions), r"takes codes \[N, R, 8\], got \[2, 5, 9\]"),
        ((codes, torch.zeros(2, 3)), r"takes conditions \[2, 2\] here, got \[2, 3\]"),
        ((codes, torch.zeros(3, 2)), r"takes conditions \[2, 2\] here, got \[3, 2\]"),
        ((codes.log(), conditions), "not finite"),
        ((codes.numpy(), conditions), r"codes must be a torch.Tensor"),
    ):
        with pytest.raises(InputError, match=message):
            flow.encode(*given)
    with pytest.raises(InputError, match="no row is chosen"):
        flow.edit(codes, conditions, conditions, rows=[])
    with pytest.raises(InputError, match="a row"):
        flow.edit(codes, conditions, conditions, rows=[5])
    with pytest.raises(InputError, match="num_blocks"):
        small(num_blocks=0)
    with pytest.raises(WeightsError, match="not one of StyleFlow"):
        from_reference({"weight": codes})
    state = full_weights(0)
    del state["chain.1.odefunc.diffeq.layers.3._hyper_gate.bias"]
    with pytest.raises(WeightsError, match="lacks tensors"):
        from_reference(state)


def test_without_the_package_of_the_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchdiffeq", None)
    with pytest.raises(InputError, match=r"StyleFlow needs torchdiffeq, which is not installed\. Run `pip install"):
        small().encode(torch.zeros(1, 5, 8), torch.zeros(1, 2))
