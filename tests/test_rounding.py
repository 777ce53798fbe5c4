"""The same seed is the same picture up to a stated rounding, in any batch and with any number of threads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from semanticgan.model import PRECISIONS, ROUNDING, load

SEEDS = range(8)


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_every_precision_has_its_bound() -> None:
    assert set(ROUNDING) == set(PRECISIONS)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["portraits-64", "faces-64"])
def test_batches_and_threads_differ_by_rounding_alone(name: str, precision: str) -> None:
    model = load(name, device="cpu")
    code = model.sample(seeds=SEEDS)
    pictures, labels = [], []
    for num_threads, batch_sizes in ((1, (1, 2, 3, 5, 8)), (2, (4,))):
        torch.set_num_threads(num_threads)
        for batch_size in batch_sizes:
            rendering = model.render(code, batch_size=batch_size, precision=precision)
            pictures.append(rendering.to_uint8().int())
            labels.append(rendering.labels())
    for picture, label in zip(pictures[1:], labels[1:], strict=True):
        assert int((picture - pictures[0]).abs().max()) <= ROUNDING[precision]
        assert float((picture != pictures[0]).float().mean()) < (1e-3 if precision == "float32" else 0.2)
        assert float((label != labels[0]).float().mean()) < 1e-3


def test_another_seed_differs_by_more() -> None:
    """The bound can be exceeded: neighbours are other pictures."""
    pictures = load("portraits-64", device="cpu")
    one, other = (pictures.render(pictures.sample(seed=seed)).to_uint8().int() for seed in (1, 2))
    assert int((one - other).abs().max()) > max(ROUNDING.values())
