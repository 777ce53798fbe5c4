"""CelebAMask-HQ in its original layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semanticgan.data import open_dataset
from semanticgan.data.celebamask import CelebAMaskDataset
from semanticgan.errors import InputError
from semanticgan.regions import CELEBAMASK_13, CELEBAMASK_19, CELEBAMASK_PARTS, PHOTOGRAPHS_11, RegionScheme

Make = Callable[..., Path]
SAMPLE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "celebamask-hq-sample"


def everywhere() -> np.ndarray:
    return np.ones((16, 16), bool)


def rows(first: int, last: int) -> np.ndarray:
    mask = np.zeros((16, 16), bool)
    mask[first:last] = True
    return mask


@pytest.mark.parametrize("rgb", [False, True])
def test_parts_are_painted_in_order(make_celebamask: Make, rgb: bool) -> None:
    """Part p of the order covers the rows from p on, so every row shows the last part that covers it."""
    order = ["skin", "eye_g", "l_eye", "mouth", "u_lip", "nose", "hair", "r_ear", "neck", "cloth", "hat", "ear_r"]
    assert [part for part in CELEBAMASK_PARTS if part in order] == order
    folder = make_celebamask({0: {part: rows(row, 16) for row, part in enumerate(order)}}, rgb)
    labels = CelebAMaskDataset(folder, 16)[0].labels
    painted = [CELEBAMASK_13.names[label] for label in labels[:, 0]]
    expected = ["face", "glasses", "eye", "mouth", "mouth", "nose", "hair", "ear", "neck", "cloth", "hat", "earring"]
    assert painted == expected + ["earring"] * 4
    assert bool((labels == labels[:, :1]).all())


def test_missing_parts_are_background(make_celebamask: Make) -> None:
    dataset = CelebAMaskDataset(make_celebamask({7: {"nose": rows(4, 8)}}), 16)
    assert dataset[0].labels[:, 0].tolist() == [0] * 4 + [5] * 4 + [0] * 8
    assert dataset[0].image.shape == (3, 16, 16)


def test_schemes_with_sides_and_with_fewer_regions(make_celebamask: Make) -> None:
    parts = {"skin": everywhere(), "l_eye": rows(0, 4), "r_eye": rows(4, 8), "hat": rows(8, 12)}
    folder = make_celebamask({0: parts})
    sided = CelebAMaskDataset(folder, 16, CELEBAMASK_19)
    names = ("l_eye", "r_eye", "hat", "skin")
    assert [CELEBAMASK_19.names[label] for label in sided[0].labels[::4, 0]] == list(names)
    fewer = CelebAMaskDataset(folder, 16, "photographs-11")  # no hat: what lies under it
    assert [PHOTOGRAPHS_11.names[label] for label in fewer[0].labels[::4, 0]] == ["eye", "eye", "face", "face"]
    with pytest.raises(InputError, match="none of the regions sky, sea is a part of CelebAMask-HQ"):
        CelebAMaskDataset(folder, 16, RegionScheme(("sky", "sea")))


def test_splits(make_celebamask: Make) -> None:
    folder = make_celebamask({number: {"skin": everywhere()} for number in (0, 2, 10, 27999, 28000, 29999)})
    assert [len(CelebAMaskDataset(folder, 16, split=split)) for split in ("train", "val", "all")] == [4, 2, 6]
    pairs = CelebAMaskDataset(folder, 16, split="all")
    alone = open_dataset("celebamask-hq", folder, 16, split="val")
    assert torch.equal(alone[0].image, pairs[4].image)
    assert alone.key() != pairs.key() != open_dataset("celebamask-hq", folder, 16, split="train").key()
    with pytest.raises(InputError, match="unknown split of CelebAMask-HQ 'test'"):
        CelebAMaskDataset(folder, 16, split="test")


def test_pictures_are_in_order_of_their_numbers(make_celebamask: Make) -> None:
    folder = make_celebamask({number: {"skin": everywhere()} for number in (2, 10)})
    ten = np.asarray(Image.open(folder / "CelebA-HQ-img" / "10.jpg"))
    assert np.array_equal(CelebAMaskDataset(folder, 32)[1].image.permute(1, 2, 0).numpy(), ten)


def test_pictures_without_masks(make_celebamask: Make) -> None:
    folder = make_celebamask({0: {"skin": everywhere()}, **{number: {} for number in range(1, 8)}})
    with pytest.raises(
        InputError, match=r"7 of 8 pictures .* have no mask .*img/1\.jpg.*img/5\.jpg, \.\.\.\. Add"
    ) as caught:
        CelebAMaskDataset(folder, 16)
    assert "6.jpg" not in str(caught.value)
    assert len(CelebAMaskDataset(folder, 16, missing="skip")) == 1
    with pytest.raises(InputError, match="unknown treatment"):
        CelebAMaskDataset(folder, 16, missing="ignore")


def test_other_layouts(make_celebamask: Make, make_folder: Make, to_zip: Make) -> None:
    with pytest.raises(InputError, match=r"not laid out as CelebAMask-HQ.*CelebA-HQ-img/"):
        CelebAMaskDataset(make_folder(1), 16)
    folder = make_celebamask({28000: {"skin": everywhere()}})
    with pytest.raises(InputError, match=r"no pictures of split 'train'.*numbers 0 to 27999"):
        CelebAMaskDataset(folder, 16)
    packed = CelebAMaskDataset(to_zip(folder, "CelebAMask-HQ/"), 16, split="val")
    assert packed.key() == CelebAMaskDataset(folder.parent, 16, split="val").key()
    assert torch.equal(packed[0].labels, CelebAMaskDataset(folder, 16, split="val")[0].labels)


def test_parts_of_two_sizes(make_celebamask: Make) -> None:
    folder = make_celebamask({0: {"skin": everywhere(), "hair": np.ones((8, 8), bool)}})
    with pytest.raises(InputError, match=r"00000_hair\.png' is 8x8, the parts before it are 16x16"):
        CelebAMaskDataset(folder, 16)[0]


def test_damaged_mask_is_named(make_celebamask: Make) -> None:
    folder = make_celebamask({0: {"skin": everywhere()}})
    (folder / "CelebAMask-HQ-mask-anno" / "0" / "00000_skin.png").write_bytes(b"version https://git-lfs.github.com/")
    with pytest.raises(InputError, match=r"00000_skin\.png' is a git-lfs pointer"):
        CelebAMaskDataset(folder, 16)[0]


@pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"needs two faces of CelebAMask-HQ in {SAMPLE}")
def test_real_faces() -> None:
    dataset = open_dataset("celebamask-hq", SAMPLE, 128)
    assert len(dataset) == 2
    for pair in dataset:
        shares = np.bincount(pair.labels.numpy().ravel(), minlength=13) / 128**2
        assert shares[CELEBAMASK_13.index("hair")] > 0.15 and shares[CELEBAMASK_13.index("face")] > 0.1
        # the eyes lie in the middle of the upper half, the mouth below them
        eye, mouth = (
            np.argwhere(pair.labels.numpy() == CELEBAMASK_13.index(name)).mean(0) for name in ("eye", "mouth")
        )
        assert 40 < eye[0] < 70 < mouth[0] < 105 and 45 < eye[1] < 85
