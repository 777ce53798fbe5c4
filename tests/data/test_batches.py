"""The order of pictures is a function of the seed and the step; flips know about sides."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest
import torch

from semanticgan.data import (
    Batch,
    Pair,
    PairDataset,
    batch_flips,
    batch_indices,
    batches,
    flip,
    open_dataset,
    to_network,
)
from semanticgan.errors import InputError
from semanticgan.regions import CELEBAMASK_19, PHOTOGRAPHS_11, RegionScheme


class Numbered(PairDataset):
    """Pair i is filled with i; its left half has label 1, its right half label 2."""

    size = 4

    def __init__(self, length: int, regions: RegionScheme = PHOTOGRAPHS_11) -> None:
        self.length, self.regions = length, regions

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Pair:
        labels = torch.tensor([1, 1, 2, 2], dtype=torch.uint8).expand(4, 4)
        return Pair(torch.full((3, 4, 4), index, dtype=torch.uint8), labels)

    def key(self) -> str:
        return str(self.length)


def take(batches: Iterator[Batch], count: int) -> list[Batch]:
    return list(islice(batches, count))


def test_every_epoch_shows_every_picture_once_in_another_order() -> None:
    drawn = [index for step in range(15) for index in batch_indices(step, 4, 10, seed=3)]
    epochs = [drawn[start : start + 10] for start in range(0, 60, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 6
    assert batch_indices(0, 10, 10, seed=4) != epochs[0]


def test_order_is_the_same_at_every_batch_size_and_for_small_sets() -> None:
    one = [batch_indices(step, 1, 7, seed=0)[0] for step in range(30)]
    many = [index for step in range(3) for index in batch_indices(step, 10, 7, seed=0)]
    assert one == many  # a batch may run over several epochs


def test_order_is_pinned() -> None:
    """A resumed run must see the same order after an update of any library."""
    assert batch_indices(2, 8, 11, seed=5) == [8, 10, 0, 6, 3, 4, 8, 9]
    drawn = [batch_indices(step, 16, 2486, seed=0) for step in range(400)]
    assert hashlib.sha256(repr(drawn).encode()).hexdigest()[:16] == "8e22c32c87311f65"
    assert batch_flips(0, 12, seed=5) == [bit == "1" for bit in "101001110110"]


def test_flips_are_even_and_independent_of_the_batch_size() -> None:
    flips = batch_flips(0, 2000, seed=1)
    assert 900 < sum(flips) < 1100
    assert flips == [flipped for step in range(500) for flipped in batch_flips(step, 4, seed=1)]
    assert flips != batch_flips(0, 2000, seed=2)


def test_flip_mirrors_picture_and_labels() -> None:
    pair = Pair(torch.arange(12, dtype=torch.uint8).view(3, 2, 2), torch.tensor([[1, 2], [3, 2]], dtype=torch.uint8))
    mirrored = flip(pair, PHOTOGRAPHS_11)
    assert mirrored.image[0].tolist() == [[1, 0], [3, 2]]
    assert mirrored.labels.tolist() == [[2, 1], [2, 3]] and mirrored.labels.dtype == torch.uint8


def test_flip_exchanges_sides() -> None:
    sides = {name: CELEBAMASK_19.index(name) for name in ("l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear")}
    assert list(sides.values()) == [4, 5, 6, 7, 8, 9]
    labels = torch.tensor([[4, 6, 8, 10, 13]], dtype=torch.uint8)
    pair = Pair(torch.zeros(3, 1, 5, dtype=torch.uint8), labels)
    assert flip(pair, CELEBAMASK_19).labels.tolist() == [[13, 10, 9, 7, 5]]
    assert torch.equal(flip(flip(pair, CELEBAMASK_19), CELEBAMASK_19).labels, labels)


def test_batches_are_what_the_functions_say() -> None:
    for step, batch in enumerate(take(batches(Numbered(10), 4, seed=3), 8)):
        assert batch.image.shape == (4, 3, 4, 4) and batch.labels.shape == (4, 4, 4)
        assert batch.image.dtype == batch.labels.dtype == torch.uint8
        assert batch.image[:, 0, 0, 0].tolist() == batch_indices(step, 4, 10, 3)
        assert (batch.labels[:, 0, 0] == 2).tolist() == batch_flips(step, 4, 3)
    unflipped = take(batches(Numbered(10), 4, seed=3, flip=False), 8)
    assert all(bool((batch.labels[:, 0, 0] == 1).all()) for batch in unflipped)


@pytest.mark.parametrize(
    ("workers", "start_method"), [(0, None), (1, None), (2, "fork"), (1, "spawn"), (2, "forkserver")]
)
def test_resumed_batches_are_the_same_with_any_workers(
    make_folder: Callable[..., Path], to_zip: Callable[..., Path], workers: int, start_method: str | None
) -> None:
    """In spawned processes too, from a zip that this process has already opened."""
    dataset = open_dataset("folder", to_zip(make_folder(7)), 16, PHOTOGRAPHS_11)
    whole = take(batches(dataset, 3, seed=8), 7)
    before = torch.get_rng_state()
    resumed = take(batches(dataset, 3, start_step=4, seed=8, workers=workers, start_method=start_method), 3)
    assert torch.equal(torch.get_rng_state(), before)
    for one, other in zip(whole[4:], resumed, strict=True):
        assert torch.equal(one.image, other.image) and torch.equal(one.labels, other.labels)


@pytest.mark.parametrize("workers", [0, 2])
def test_unusable_file_stays_one_clear_line(make_folder: Callable[..., Path], workers: int) -> None:
    folder = make_folder(4)
    (folder / "image" / "0002.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"0002\.png' is an empty file") as caught:
        take(batches(open_dataset("folder", folder, 16, PHOTOGRAPHS_11), 2, workers=workers), 2)
    assert "\n" not in str(caught.value)


def test_wrong_numbers() -> None:
    with pytest.raises(InputError, match="dataset is empty"):
        batches(Numbered(0), 4)
    with pytest.raises(InputError, match="seed -1 is not a seed"):
        batches(Numbered(4), 1, seed=-1)
    for wrong in ({"batch": 0}, {"batch": 1, "start_step": -1}):
        with pytest.raises(InputError, match="batch must be 1 or more"):
            batches(Numbered(3), **wrong)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_to_network(dtype: torch.dtype) -> None:
    values = torch.tensor([0, 255, 51, 204], dtype=torch.uint8).view(1, 1, 2, 2).expand(1, 3, 2, 2)
    labels = torch.tensor([[[0, 4], [2, 1]]], dtype=torch.uint8)
    image, segmentation = to_network(Batch(values, labels), num_regions=5, dtype=dtype)
    assert image.dtype == segmentation.dtype == dtype
    assert torch.allclose(image[0, 2].float().flatten(), torch.tensor([-1.0, 1.0, -0.6, 0.6]), atol=4e-3)
    assert segmentation.shape == (1, 5, 2, 2)
    assert torch.equal(segmentation.argmax(1), labels.long())
    assert bool(((segmentation == 1).sum(1) == 1).all()) and bool(((segmentation == -1).sum(1) == 4).all())
