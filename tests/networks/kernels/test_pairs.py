"""Local generators and fusion by their fast routes: pairs a few at a time, heads and weighted sum in one product."""

import pytest
import torch

from semanticgan.networks.kernels import pairs
from semanticgan.networks.kernels.heads import sum_of_heads
from tests.networks.models import CONFIGS, perturbed_generator


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("at_once", [1, 2, 5, 100])
def test_every_pair_runs_once(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    points = drawn(10, 3, 4)  # 2 images, 5 regions
    monkeypatch.setattr(pairs, "STATES_IN_CACHE", at_once * 3 * 4 * 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    runs = []
    found = pairs.few_at_a_time(lambda few: (runs.append(few), points[few].exp())[1:] * 2, points, 5)
    assert all(torch.equal(part, points.exp()) for part in found)
    assert len(runs) == 2 * -(-5 // at_once)
    assert all(few.start // 5 == (few.stop - 1) // 5 for few in runs)  # of one image


def test_the_local_generators_run_the_same_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = perturbed_generator(CONFIGS["13-regions-transparent"]).double()
    codes = drawn(2, 13, generator.config.num_local_layers, generator.config.style_dim)
    whole = generator.local(codes)  # with gradients, all at once
    monkeypatch.setattr(pairs, "STATES_IN_CACHE", 1)
    with torch.no_grad():
        for own, other in zip(generator.local(codes), whole, strict=True):
            torch.testing.assert_close(own, other, rtol=1e-12, atol=1e-12)


def test_sum_of_heads() -> None:
    hidden, weights = drawn(2, 3, 5, 4), drawn(2, 3, 5, seed=1)
    head, bias = drawn(3, 6, 4, seed=2), drawn(3, 6, seed=3)
    features = torch.einsum("kfc,nkpc->nkpf", head, hidden) + bias[:, None]
    expected = sum(weights[:, k, :, None] * features[:, k] for k in range(3))
    torch.testing.assert_close(sum_of_heads(hidden, weights, head, bias), expected, rtol=1e-12, atol=1e-12)
