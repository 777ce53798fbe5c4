"""Several processes that share a batch do what one process does."""

from __future__ import annotations

import functools
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch

from semanticgan.distributed import share_of
from semanticgan.networks.discriminator import minibatch_deviation
from tests.programs import run_well

ADAPTIVE = ("augmentation.adaptive=true", "augmentation.probability=0.5", "augmentation.images_to_one=200")
GUIDED = (
    "features.extractor=random",
    "loss.parser=portraits-64",
    "loss.coarse_agreement=1",
    "loss.classifier=attributes-64",
    "generator.label_channels=6",
    "loss.owned={eye: 1, mouth: 1, hair: 2}",
)


@functools.cache  # several tests compare with the same run
def steps(num_processes: int, *overrides: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "steps.pt"
        run_well(["-m", "tests.training.shared_steps", str(out), "batch=8", *overrides], num_processes)
        result: dict[str, Any] = torch.load(out, weights_only=True)
    return result


@pytest.mark.parametrize(("batch", "num_shares"), [(8, 2), (16, 2), (16, 4), (32, 4), (24, 3), (12, 6), (2, 2)])
def test_shares_are_the_batch(batch: int, num_shares: int) -> None:
    shares = [share_of(batch, num_shares, index) for index in range(num_shares)]
    assert sorted(position for share in shares for position in share) == list(range(batch))


@pytest.mark.parametrize(("batch", "num_shares"), [(8, 2), (16, 4), (32, 4), (48, 6)])
def test_shares_keep_the_groups_of_the_minibatch_deviation(batch: int, num_shares: int) -> None:
    x = torch.randn(batch, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    whole = minibatch_deviation(x)
    for index in range(num_shares):
        share = share_of(batch, num_shares, index)
        torch.testing.assert_close(minibatch_deviation(x[share]), whole[share])  # a sum in another order


def assert_same_training(found: dict[str, Any], expected: dict[str, Any], tolerance: float) -> None:
    for step, (one, other) in enumerate(zip(found["logged"], expected["logged"], strict=True)):
        assert one.keys() == other.keys()
        for name in one:
            error = abs(float(one[name]) - float(other[name])) / max(abs(float(other[name])), 0.01)
            assert error < max(tolerance, 1e-6), f"{name} of step {step} differs by {error}"  # logs are float32
    for step, (gradients, others) in enumerate(zip(found["gradients"], expected["gradients"], strict=True)):
        error = ((gradients - others).abs().max() / others.abs().max()).item()
        assert error < tolerance, f"gradients of step {step} differ by {error}"
    for network in ("generator", "discriminator", "average"):
        for name, tensor in expected["state"]["networks"][network].items():
            torch.testing.assert_close(
                found["state"]["networks"][network][name], tensor, rtol=tolerance, atol=tolerance, msg=name
            )


@pytest.mark.parametrize("overrides", [(), ADAPTIVE, GUIDED], ids=["plain", "adaptive", "guided"])
def test_two_processes_train_as_one(overrides: tuple[str, ...]) -> None:
    """9 steps of losses, gradients and weights, R1 in every fourth and path length in every second, in float64."""
    one, two = steps(1, *overrides), steps(2, *overrides)
    assert "r1/segmentation" in one["logged"][4] and "path_length/penalty" in one["logged"][2]
    assert_same_training(two, one, 1e-9)


@pytest.mark.parametrize("overrides", [(), GUIDED], ids=["plain", "guided"])
def test_parts_train_as_the_whole(overrides: tuple[str, ...]) -> None:
    """A batch in two parts; only path length differs, by its mean over each part in place of the batch."""
    whole = steps(1, "loss.path_length_every=0", *overrides)
    parts = steps(1, "loss.path_length_every=0", "accumulate=2", *overrides)
    assert_same_training(parts, whole, 1e-9)


def test_recomputed_activations_change_nothing() -> None:
    assert_same_training(steps(1, "recompute=true"), steps(1), 1e-9)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the names of threads")
def test_an_error_leaves_no_thread_of_the_group() -> None:
    """Its traceback has the trainer, which holds the group; who drops it last must not be the trainer."""
    run_well(["-m", "tests.training.shared_error"], 2)
