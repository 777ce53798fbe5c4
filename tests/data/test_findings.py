"""What a preparation says at its end of blank label maps and of regions that no picture has."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from semanticgan.regions import PHOTOGRAPHS_11

Make = Callable[..., Path]
Command = Callable[..., Any]
SIDE = 64


def rewrite(folder: Path, change: Callable[[int, np.ndarray], np.ndarray]) -> None:
    for index, path in enumerate(sorted((folder / "label").iterdir())):
        image = Image.fromarray(change(index, np.asarray(Image.open(path)).copy()))
        image.putpalette(PHOTOGRAPHS_11.palette())
        image.save(path)


@pytest.mark.parametrize("output_format", ["folder", "lmdb"])
def test_blank_maps_and_missing_regions(
    make_folder: Make, command: Command, tmp_path: Path, output_format: str
) -> None:
    folder = make_folder(4)
    hair, neck = (PHOTOGRAPHS_11.index(name) for name in ("hair", "neck"))
    rewrite(folder, lambda index, labels: labels * (index not in (1, 3)) * (labels != hair) * (labels != neck))
    arguments = ("prepare-data", "folder", folder, "--scheme", "photographs-11", "--size", SIDE, "--workers", 0)
    run = command(*arguments, "--format", output_format, "--out", "out")
    assert (run.result["num_blank"], run.result["blank"]) == (2, ["image/0001.png", "image/0003.png"])
    assert run.result["regions_without_pictures"] == sorted(("hair", "neck"), key=PHOTOGRAPHS_11.index)
    warnings = [line for line in run.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 2
    assert "2 of 4 label maps are blank" in warnings[0] and "image/0001.png, image/0003.png" in warnings[0]
    assert "no picture of 4 has the regions" in warnings[1] and "hair" in warnings[1] and "neck" in warnings[1]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["num_blank"] == 2 and "hair" in report["regions_without_pictures"]


def test_nothing_is_said_of_a_complete_set(make_folder: Make, command: Command) -> None:
    arguments = ("prepare-data", "folder", make_folder(3), "--scheme", "photographs-11", "--size", SIDE, "--out", "out")
    run = command(*arguments, "--workers", 0)
    assert run.result["num_blank"] == 0 and run.result["regions_without_pictures"] == []
    assert "warning" not in run.err


def test_a_map_of_one_region_is_not_blank(make_folder: Make, command: Command) -> None:
    folder = make_folder(2)
    rewrite(folder, lambda index, labels: np.full_like(labels, 3) if index else labels)
    arguments = ("prepare-data", "folder", folder, "--scheme", "photographs-11", "--size", SIDE, "--out", "out")
    assert command(*arguments, "--workers", 0).result["num_blank"] == 0


def test_celebamask_masks_that_are_all_blank(make_celebamask: Make, command: Command) -> None:
    full, blank = np.ones((16, 16), bool), np.zeros((16, 16), bool)
    source = make_celebamask({0: {"skin": full, "hair": blank}, 1: {"skin": blank, "hair": blank}})
    run = command("prepare-data", "celebamask-hq", source, "--size", 16, "--workers", 0, "--out", "out")
    assert run.result["blank"] == ["CelebA-HQ-img/1.jpg"] and "face" not in run.result["regions_without_pictures"]
    assert "1 of 2 label maps are blank" in run.err and "hair" in run.err
