"""Files of pictures, label maps and videos, and sheets."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from semanticgan.editing.outputs import label_picture, save_picture, to_image
from semanticgan.editing.regions import swap_regions, vary_regions
from semanticgan.editing.sheets import (
    component_sheet,
    difference_map,
    draw_grid,
    draw_sheet,
    edit_sheet,
    heat_map,
    tint,
)
from semanticgan.editing.videos import require_video_writer, save_video
from semanticgan.errors import ExistingFileError, InputError
from semanticgan.latents import LatentCode
from semanticgan.regions import CELEBAMASK_13


def frames(count: int, side: int = 16) -> list[torch.Tensor]:
    return [torch.full((3, side, side), 40 * i, dtype=torch.uint8) for i in range(count)]


def test_label_maps_are_lossless_indexed_png(tmp_path: Path) -> None:
    labels = torch.randint(0, 13, (32, 32), dtype=torch.uint8)
    save_picture(label_picture(labels, CELEBAMASK_13), tmp_path / "labels.png")
    with Image.open(tmp_path / "labels.png") as read:
        assert read.mode == "P"
        assert (np.array(read) == labels.numpy()).all()
        shown = np.array(read.convert("RGB"))
    assert (shown == CELEBAMASK_13.colourise(labels.numpy())).all()


def test_pictures_are_lossless_and_never_replaced_unasked(tmp_path: Path) -> None:
    picture = torch.randint(0, 256, (3, 8, 8), dtype=torch.uint8)
    save_picture(to_image(picture), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as read:
        assert (np.array(read) == picture.permute(1, 2, 0).numpy()).all()
    with pytest.raises(ExistingFileError):
        save_picture(to_image(picture), tmp_path / "a.png")
    with pytest.raises(InputError, match=r"suffix '\.jpg'\. Give a name in \.png"):
        save_picture(to_image(picture), tmp_path / "a.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_gif_holds_its_frames(tmp_path: Path) -> None:
    assert save_video(iter(frames(5)), tmp_path / "a.gif", frames_per_second=10, enlarge=2) == 5
    with Image.open(tmp_path / "a.gif") as read:
        assert (read.n_frames, read.size, read.info["duration"]) == (5, (32, 32), 100)
        read.seek(3)
        assert np.abs(np.array(read.convert("RGB")).astype(int) - 120).max() <= 4


def test_mp4_holds_its_frames(tmp_path: Path) -> None:
    imageio = pytest.importorskip("imageio.v2")
    pytest.importorskip("imageio_ffmpeg")
    save_video(frames(6, side=64), tmp_path / "a.mp4", frames_per_second=12)
    with imageio.get_reader(tmp_path / "a.mp4") as read:
        assert (read.count_frames(), read.get_meta_data()["size"]) == (6, (64, 64))
        assert abs(float(np.asarray(read.get_data(5)).mean()) - 200) < 6


def test_a_missing_video_package_is_said_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    advice = r'imageio-ffmpeg, which is not installed\. Run `pip install "semanticgan\[video\]"`'
    with pytest.raises(InputError, match=advice):
        require_video_writer(tmp_path / "a.mp4")
    assert require_video_writer(tmp_path / "a.gif") == tmp_path / "a.gif"


def test_a_video_without_frames_leaves_no_file(tmp_path: Path) -> None:
    for name in ("a.gif", "a.mp4"):
        with pytest.raises(InputError, match="at least one frame"):
            save_video([], tmp_path / name)
    with pytest.raises(InputError, match=r"\.mp4 or \.gif"):
        save_video(frames(2), tmp_path / "a.avi")
    assert list(tmp_path.iterdir()) == []


def test_difference_map_is_dark_where_nothing_changed() -> None:
    before = torch.zeros(3, 8, 8, dtype=torch.uint8)
    after = before.clone()
    after[:, 4:] = 64
    drawn = np.array(difference_map(before, after)).sum(2)
    assert (drawn[:4] < 10).all() and (drawn[4:] > 500).all()


def test_heat_map_grows_brighter_and_is_enlarged_without_smoothing() -> None:
    drawn = np.array(heat_map(torch.tensor([[0.0, 0.5], [1.0, 2.0]]), side=8)).astype(int).sum(2)
    assert drawn[0, 0] < drawn[0, 7] < drawn[7, 0] == drawn[7, 7]
    assert len(np.unique(drawn)) == 3


def test_tint_is_grey_outside_the_mask_and_coloured_inside() -> None:
    opacity = torch.zeros(8, 8)
    opacity[:4] = 1
    drawn = np.array(tint(torch.randint(0, 256, (3, 8, 8), dtype=torch.uint8), opacity, (200, 20, 20))).astype(int)
    assert (np.ptp(drawn[4:], axis=2) == 0).all()
    assert (drawn[:4, :, 0] > drawn[:4, :, 1] + 60).all()


def test_sheet_shows_every_picture_at_a_whole_multiple() -> None:
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    pictures = [Image.new("RGB", (64, 64), colour) for colour in colours]
    sheet = np.array(draw_sheet([pictures[:2], pictures[2:]], ["a", "b"], ["first", "second"], "title", "caption"))
    for colour in colours:
        assert (sheet == colour).all(2).sum() == 192 * 192
    grid = np.array(draw_grid(pictures, ["a", "b", "c"]))
    for colour in colours:
        assert (grid == colour).all(2).sum() == 192 * 192
    with pytest.raises(InputError, match="at least one picture"):
        draw_grid([], [])


def test_edit_sheet_shows_source_reference_region_result_and_difference(model: Any) -> None:
    swapped = swap_regions(model, model.sample(seeds=[1, 2]), model.sample(seed=4), ["hair"], "texture")
    sheet = edit_sheet(swapped, model.regions, row_names=["seed 1", "seed 2"], title="hair: texture")
    assert sheet.width > 5 * 192 and sheet.height > 2 * 192
    varied = vary_regions(model, model.sample(seed=1), ["hair"], seeds=[4, 5])
    assert edit_sheet(varied, model.regions).width < 5 * 192  # no reference to show


def test_edit_sheet_shows_each_image_beside_its_own_reference(model: Any) -> None:
    swapped = swap_regions(model, model.sample(seeds=[1, 2]), model.sample(seeds=[4, 5]), ["hair"])
    sheet = np.array(edit_sheet(swapped, model.regions))
    assert swapped.reference is not None
    for reference in swapped.reference.to_uint8():
        background = reference[:, 0, -1].numpy()
        assert (sheet == background).all(2).any()


def test_component_sheet_has_a_column_a_region(model: Any) -> None:
    order = ["background", "face", "eye", "hair"]
    steps = model.render(LatentCode.cat([model.sample(seed=1)] * 4))
    sheet = component_sheet(steps, order, model.regions, title="seed 1")
    assert 4 * 192 < sheet.width < 6 * 192 and 4 * 192 < sheet.height < 5 * 192
