"""The pictures that are scored."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from semanticgan.data.portraits import PortraitDataset
from semanticgan.errors import InputError
from semanticgan.metrics.samples import dataset_pictures, first_indices, generated_pictures
from semanticgan.model import Model, load


@pytest.fixture(scope="module")
def model(tiny_model_file: Path) -> Model:
    return load(tiny_model_file, device="cpu")


def test_generated_pictures_are_those_of_their_seeds_whatever_the_batch(model: Model) -> None:
    seeds = [5, 0, 2**40, 5, 7]
    expected = torch.cat([model.render(model.sample(seed=seed)).to_uint8() for seed in seeds])
    assert torch.equal(expected[0], expected[3]) and not torch.equal(expected[0], expected[1])
    for batch_size, sizes in ((1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (32, [5])):
        batches = list(generated_pictures(model, seeds, batch_size=batch_size))
        assert [len(batch) for batch in batches] == sizes
        found = torch.cat(batches)
        assert found.dtype == torch.uint8
        assert int((found.int() - expected.int()).abs().max()) <= 1  # a value at the edge of two levels


def test_truncation_0_is_one_picture(model: Model) -> None:
    (found,) = generated_pictures(model, [1, 2], truncation=0.0)
    assert int((found[0].int() - found[1].int()).abs().max()) <= 1


def test_pictures_of_a_dataset_come_in_order() -> None:
    dataset = PortraitDataset(16, length=5)
    batches = list(dataset_pictures(dataset, [4, 0, 1], batch_size=2))
    assert [len(batch) for batch in batches] == [2, 1]
    assert torch.equal(torch.cat(batches), torch.stack([dataset[index].image for index in (4, 0, 1)]))


def test_counts_that_do_not_fit_are_refused(model: Model) -> None:
    dataset = PortraitDataset(16, length=5)
    assert first_indices(dataset, None) == range(5) and first_indices(dataset, 2) == range(2)
    for num in (0, 6):
        with pytest.raises(InputError, match=f"{num} pictures were asked for, but the data have 5"):
            first_indices(dataset, num)
    with pytest.raises(InputError, match="batch_size is at least 1"):
        next(generated_pictures(model, [0], batch_size=0))
