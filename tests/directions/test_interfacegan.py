"""Boundaries, conditions and walks equal the reference's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from semanticgan.directions.interfacegan import boundary, find, project, select, walk
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode
from semanticgan.rows import Rows
from tests.networks.fixtures import case, needs_fixtures

NAME = "directions/interfacegan"
TRAININGS = ("default", "ratio10", "count80", "half", "invalid", "noval", "count_big")


def arguments(training: str) -> dict[str, object]:
    fixture, prefix = case(NAME), f"in/train_{training}/"
    invalid = float(fixture.arrays[f"{prefix}invalid_value"])
    return {
        "codes": fixture[f"{prefix}latents"],
        "scores": fixture[f"{prefix}scores"],
        "ratio": float(fixture.arrays[f"{prefix}chosen"]),
        "split": float(fixture.arrays[f"{prefix}split"]),
        "invalid": None if math.isnan(invalid) else invalid,
        "permutations": (fixture[f"{prefix}positive_perm"].tolist(), fixture[f"{prefix}negative_perm"].tolist()),
    }


@needs_fixtures
@pytest.mark.parametrize("training", TRAININGS)
def test_boundary_equals_the_exact_solution(training: str) -> None:
    fixture, given = case(NAME), arguments(training)
    found = find(**given)  # type: ignore[arg-type]
    chosen = select(**given)  # type: ignore[arg-type]
    exact = fixture[f"exact/train_{training}/boundary"][0]
    assert float(cosine_similarity(found.normal.double(), exact, dim=0)) > 0.99999
    assert float(found.normal.norm()) == pytest.approx(1, abs=1e-6)
    codes: Tensor = given["codes"]  # type: ignore[assignment]
    torch.testing.assert_close(boundary(codes[chosen.positive], codes[chosen.negative].numpy()), found.normal)

    counts = {"n_train": (chosen.positive, chosen.negative), "n_remaining": (chosen.rest_labels, ~chosen.rest_labels)}
    if f"out/train_{training}/n_val" in fixture:
        counts["n_val"] = (chosen.positive_held_out, chosen.negative_held_out)
    for name, (positive, negative) in counts.items():
        given_counts = (
            (int(positive.sum()), int(negative.sum()))
            if name == "n_remaining"
            else (
                len(positive),
                len(negative),
            )
        )
        wanted = fixture[f"out/train_{training}/{name}"].tolist() if f"out/train_{training}/{name}" in fixture else None
        assert wanted is None or list(given_counts) == wanted, name
    for name, right in (("val", found.held_out), ("remaining", found.rest)):
        if (key := f"out/train_{training}/{name}_correct_of") in fixture:
            assert list(right) == fixture[key].tolist()


@needs_fixtures
@pytest.mark.parametrize("name", ["0", "1", "2", "2b", "3"])
def test_conditions(name: str) -> None:
    fixture = case(NAME)
    conditions = [fixture[f"in/project_{name}/cond{index}"][0] for index in range(int(name[0]))]
    given = torch.stack(conditions) if conditions else torch.empty(0, 32)
    primal = fixture[f"in/project_{name}/primal"][0]
    found = project(primal, given)
    torch.testing.assert_close(found, fixture[f"out/project_{name}/direction"][0], rtol=0, atol=1e-6)
    for condition in conditions:
        assert abs(float(found @ condition)) < 1e-6
    if conditions:
        repeated = torch.cat([given, 3 * given[:1]])  # C C^T is singular
        torch.testing.assert_close(project(primal, repeated), found, rtol=0, atol=1e-6)
        if len(conditions) == 1:
            torch.testing.assert_close(project(primal, given[0]), found)


@needs_fixtures
@pytest.mark.parametrize("name", ["z", "z2", "wp", "wp2"])
def test_walks(name: str) -> None:
    fixture = case(NAME)
    prefix = f"in/line_{name}/"
    latent, normal = fixture[f"{prefix}latent"], fixture[f"{prefix}boundary"].reshape(-1)
    start, end, steps = (float(fixture.arrays[f"{prefix}{part}"]) for part in ("start", "end", "steps"))
    distances = torch.linspace(start, end, int(steps), dtype=torch.float64)
    wanted = fixture[f"out/line_{name}/codes"]
    if latent.ndim == 2:
        found = walk(latent, normal, distances)
        assert isinstance(found, Tensor)
        torch.testing.assert_close((found @ normal).double(), distances, rtol=0, atol=1e-5)
    else:
        code = walk(LatentCode(latent, Rows.of_layers(latent.shape[1])), normal, distances)
        assert isinstance(code, LatentCode)
        found = code.tensor
    torch.testing.assert_close(found, wanted.float(), rtol=0, atol=1e-5)


def separated(num_codes: int, *shape: int) -> tuple[Tensor, Tensor, Tensor]:
    """Codes, scores that a true direction gives them, and that direction."""
    draws = torch.Generator().manual_seed(1)
    codes, direction = torch.randn(num_codes, *shape, generator=draws), torch.randn(*shape, generator=draws)
    direction = direction / direction.norm()
    noise = 0.2 * torch.randn(num_codes, generator=draws)
    return codes, (codes * direction).flatten(1).sum(1) + noise, direction


def test_a_direction_of_several_rows_is_found() -> None:
    codes, scores, direction = separated(4000, 6, 4)
    found = find(codes, scores, ratio=0.1, seed=3)
    assert found.normal.shape == (6, 4)
    assert float((found.normal * direction).sum()) > 0.97
    assert found.held_out == (found.held_out[1], 240)
    assert found.rest[0] > 0.85 * found.rest[1] and found.rest[1] == 3200
    other = project(found.normal, direction)
    assert abs(float((other * direction).sum())) < 1e-6 and other.shape == (6, 4)


def test_held_out_codes_depend_on_the_seed_alone() -> None:
    codes, scores, _ = separated(500, 4)
    first, again, other = (select(codes, scores, 0.2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.positive, again.positive) and not torch.equal(first.positive, other.positive)
    assert set(first.positive.tolist()) | set(first.positive_held_out.tolist()) == set(
        scores.argsort(descending=True)[:100].tolist()
    )
    everything = torch.cat([first.positive, first.negative, first.positive_held_out, first.negative_held_out])
    assert sorted(torch.cat([everything, first.rest]).tolist()) == list(range(500))


def test_codes_without_a_score_are_left_out() -> None:
    codes, scores, _ = separated(500, 4)
    scores[::2] = float("nan")
    chosen = select(codes, scores, 1.0, invalid=float("nan"))
    assert len(chosen.positive) == 87 and all(int(number) % 2 for number in chosen.positive)
    with pytest.raises(InputError, match="invalid=float"):
        select(codes, scores)


def test_rows_that_are_not_named_stay() -> None:
    code = LatentCode(torch.zeros(2, 3, 4), Rows.of_layers(3))
    found = walk(code, torch.eye(4)[1], [1.0, 2.0], rows=[2])
    assert isinstance(found, LatentCode) and found.tensor.shape == (4, 3, 4)
    assert found.tensor.nonzero().tolist() == [[0, 2, 1], [1, 2, 1], [2, 2, 1], [3, 2, 1]]
    assert found.tensor.amax((1, 2)).tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize(
    ("positive", "negative", "words"),
    [
        (np.ones((3, 2)), np.ones((3, 4)), "one shape"),
        (np.ones((3, 2)), np.ones((3, 2)), "are the same"),
        (np.ones((0, 2)), np.ones((3, 2)), "at least 1"),
        (np.full((3, 2), np.inf), np.ones((3, 2)), "finite"),
        ("codes", np.ones((3, 2)), "numbers"),
    ],
)
def test_classes_that_do_not_fit_are_refused(positive: object, negative: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        boundary(positive, negative)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scores": torch.ones(4)}, "one per code"),
        ({"scores": "high"}, "one per code"),
        ({"ratio": 0}, "above 0"),
        ({"split": 1.5}, "above 0"),
        ({"ratio": 0.001}, "none to train with"),
        ({"permutations": ([0], [0])}, "two orders"),
    ],
)
def test_a_selection_that_does_not_fit_is_refused(options: dict[str, object], words: str) -> None:
    codes, scores, _ = separated(100, 4)
    with pytest.raises(InputError, match=words):
        select(**{"codes": codes, "scores": scores, "ratio": 0.1, **options})  # type: ignore[arg-type]


def test_conditions_that_leave_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="lies in the span"):
        project(torch.tensor([1.0, 1.0, 0.0]), torch.eye(3)[:2])
    with pytest.raises(InputError, match="have the shape"):
        project(torch.ones(3), torch.ones(2, 4))
    with pytest.raises(InputError, match="no rows"):
        walk(torch.ones(2, 3), torch.ones(3), rows=[0])
