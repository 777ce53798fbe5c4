"""Which files of CelebAMask-HQ are taken, and what is said of those that are not."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semanticgan.data import open_dataset
from semanticgan.data.celebamask import CelebAMaskDataset
from semanticgan.errors import DataWarning, InputError
from semanticgan.training.config import load_config

Make = Callable[..., Path]
MASKS = "CelebAMask-HQ-mask-anno/0"
EVERYWHERE = np.ones((32, 32), bool)
UPPER = np.arange(32)[:, None].repeat(32, 1) < 16


def mask(values: np.ndarray = UPPER) -> Image.Image:
    return Image.fromarray(values.astype(np.uint8) * 255)


def hair(folder: Path) -> np.ndarray:
    dataset = CelebAMaskDataset(folder, 32)
    return dataset[0].labels.numpy() == dataset.regions.index("hair")


@pytest.fixture
def data(make_celebamask: Make) -> Path:
    """One picture whose skin is everywhere."""
    return make_celebamask({0: {"skin": EVERYWHERE}})


@pytest.mark.parametrize(
    "name",
    ["hair.PNG", "Hair.png", "HAIR.Png", "hair.bmp", "hair.tif", "hair.TIFF", "hair.webp", "hair.gif", "hair.pgm"],
)
def test_masks_of_any_lossless_suffix_and_any_case_are_read(data: Path, name: str) -> None:
    options = {"lossless": True} if name.endswith("webp") else {}
    mask().save(data / MASKS / f"00000_{name}", **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        assert np.array_equal(hair(data), UPPER)


@pytest.mark.parametrize("name", ["hair.jpg", "hair.JPEG", "hair.png"])
def test_masks_of_more_than_two_values_are_named_once(data: Path, name: str) -> None:
    mask().rotate(10).save(data / MASKS / f"00000_{name}", "JPEG", quality=60)
    dataset = CelebAMaskDataset(data, 32)
    with pytest.warns(DataWarning, match=rf"00000_{name}' holds \d+ values. It is cut at the middle") as said:
        dataset[0], pickle.loads(pickle.dumps(dataset))[0]
    assert len(said) == 1


def test_workers_say_it_once_and_as_a_line(make_celebamask: Make, tmp_path: Path) -> None:
    folder = make_celebamask({number: {"skin": EVERYWHERE} for number in range(6)})
    for number in range(6):
        mask().rotate(10).save(folder / MASKS / f"{number:05d}_hair.jpg", quality=60)
    program = "import sys; from semanticgan.commands import main; sys.exit(main(sys.argv[1:]))"
    words = ["prepare-data", "celebamask-hq", folder, "--size", "32", "--out", tmp_path / "out", "--workers", "2"]
    command = [sys.executable, "-c", program, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert 1 <= done.stderr.count("_hair.jpg' holds") <= 2  # two workers may meet one at the same moment
    assert "warning: mask " in done.stderr


def test_all_files_that_nothing_takes_are_one_warning(data: Path) -> None:
    for name in ("00000_moustache.png", "00000.png", "0000x_hair.png", "notes.txt", "00000_hair.psd", "40000_hair.png"):
        mask().save(data / MASKS / name, "PNG")
    with pytest.warns(DataWarning) as said:
        CelebAMaskDataset(data, 32)
    (text,) = [str(warning.message) for warning in said]
    assert text.startswith("6 files in ") and "00000_moustache.png" in text and "NUMBER_PART.png" in text
    assert ", ...." in text  # five are named


def test_pictures_that_are_not_taken_are_named(data: Path) -> None:
    for name in ("one.jpg", "1.gif", "30000.jpg", "notes.txt"):
        mask().save(data / "CelebA-HQ-img" / name, "PNG")
    with pytest.warns(DataWarning, match=r"4 files in .*CelebA-HQ-img.* not used: .*NUMBER\.jpg, numbers 0 to 29999"):
        CelebAMaskDataset(data, 32)


def test_masks_without_picture_and_of_parts_without_region_are_counted(data: Path) -> None:
    for name in ("00000_hat.png", "00007_skin.png", "00007_hair.png", "28000_hair.png"):
        mask().save(data / MASKS / name)
    with pytest.warns(DataWarning) as said:
        CelebAMaskDataset(data, 32, "photographs-11")
    first, second = (str(warning.message) for warning in said)
    assert first.startswith("2 files in ") and "00007_hair.png" in first and "no picture" in first
    assert "1 of hat" in second


def test_the_masks_of_another_split_are_no_surprise(make_celebamask: Make) -> None:
    folder = make_celebamask({0: {"skin": EVERYWHERE}, 28000: {"skin": EVERYWHERE}})
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        assert len(CelebAMaskDataset(folder, 32)) == len(CelebAMaskDataset(folder, 32, split="val")) == 1


@pytest.mark.parametrize("name", ["00000.jpg", "0.png", "00.JPG", "more/0.jpg"])
def test_two_pictures_of_one_number_are_refused(data: Path, name: str) -> None:
    path = data / "CelebA-HQ-img" / name
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (32, 32)).save(path)
    with pytest.raises(InputError, match=r"are both picture 0\. Remove or rename") as caught:
        CelebAMaskDataset(data, 32)
    assert f"img/{name}" in str(caught.value) and "img/0.jpg" in str(caught.value)


@pytest.mark.parametrize("name", ["0/00000_SKIN.png", "0/00000_skin.bmp", "0/0_skin.png", "1/00000_skin.png"])
def test_two_masks_of_one_part_are_refused(data: Path, name: str) -> None:
    path = data / "CelebAMask-HQ-mask-anno" / name
    path.parent.mkdir(exist_ok=True)
    mask().save(path)
    with pytest.raises(InputError, match=r"are both mask 'skin' of one picture\. Remove or rename") as caught:
        CelebAMaskDataset(data, 32)
    assert name in str(caught.value) and "0/00000_skin.png" in str(caught.value)


def test_a_training_can_skip_pictures_without_masks(make_celebamask: Make) -> None:
    folder = make_celebamask({0: {"skin": EVERYWHERE}, 1: {}})
    with pytest.raises(InputError, match=r"no mask .* data\.missing=skip in a training"):
        open_dataset("celebamask-hq", folder, 32)
    config = load_config("tiny", ["data.missing=skip", "data.max_megapixels=80"])
    assert (config.data.missing, config.data.max_megapixels) == ("skip", 80)
    assert len(open_dataset("celebamask-hq", folder, 32, missing=config.data.missing)) == 1
