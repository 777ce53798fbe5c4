"""The drawn portraits: reproducible, completely and truthfully labelled, varied at the rates that are stated."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from semanticgan.data import open_dataset
from semanticgan.data.portraits import PortraitDataset
from semanticgan.errors import InputError
from semanticgan.portraits import (
    DrawingStyle,
    Portrait,
    PortraitAttributes,
    draw_portrait,
    portrait_attributes,
    render_portrait,
)
from semanticgan.portraits.attributes import HAIR_STYLES
from semanticgan.portraits.woodcut import INKS
from semanticgan.regions import CELEBAMASK_13

ALWAYS = ("background", "face", "eye", "eyebrow", "mouth", "nose", "cloth")


@cache
def portraits(count: int = 160) -> list[Portrait]:
    return [draw_portrait(7, index, 64) for index in range(count)]


@cache
def records(count: int = 500) -> list[PortraitAttributes]:
    return [portrait_attributes(3, index) for index in range(count)]


def digest(portrait: Portrait) -> str:
    return hashlib.sha256(portrait.image.tobytes() + portrait.labels.tobytes()).hexdigest()


def redraw(attributes: PortraitAttributes, size: int = 64, style: str | DrawingStyle = "storybook") -> Portrait:
    return render_portrait(attributes, np.random.Generator(np.random.PCG64(5)), size, style)


def has(portrait: Portrait, region: str) -> bool:
    return bool((portrait.labels == CELEBAMASK_13.index(region)).any())


def rate(values: list[bool]) -> float:
    return sum(values) / len(values)


def test_same_arguments_same_bytes_in_another_process_and_order() -> None:
    code = (
        "import hashlib; from semanticgan.portraits import draw_portrait\n"
        "for i in (11, 3, 7):\n"
        "    p = draw_portrait(2, i, 64); print(hashlib.sha256(p.image.tobytes() + p.labels.tobytes()).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert other[::-1] == [digest(draw_portrait(2, index, 64)) for index in (7, 3, 11)]


def test_seed_and_index_both_matter() -> None:
    assert len({digest(draw_portrait(seed, index, 32)) for seed in range(4) for index in range(4)}) == 16


def test_attributes_do_not_depend_on_size() -> None:
    drawn = [draw_portrait(1, 4, size).attributes for size in (32, 64, 128, 256)]
    assert all(attributes == portrait_attributes(1, 4) for attributes in drawn)


@pytest.mark.parametrize("size", [32, 64, 96, 100, 128])
def test_shapes_and_types(size: int) -> None:
    portrait = draw_portrait(0, 1, size)
    assert portrait.image.shape == (size, size, 3) and portrait.image.dtype == np.uint8
    assert portrait.labels.shape == (size, size) and portrait.labels.dtype == np.uint8


def test_sizes_show_the_same_person() -> None:
    """The larger drawing, averaged down, is close to the smaller one."""
    for index in range(4):
        small, large = draw_portrait(0, index, 64), draw_portrait(0, index, 128)
        averaged = large.image.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
        assert np.abs(averaged - small.image).mean() < 4
        assert (large.labels[::2, ::2] == small.labels).mean() > 0.93


def test_labels_are_complete() -> None:
    """Every face has its features, and the parts cover believable shares of the picture."""
    for portrait in portraits():
        assert portrait.labels.max() < len(CELEBAMASK_13)
        for region in ALWAYS:
            assert has(portrait, region), region
        share = np.bincount(portrait.labels.ravel(), minlength=13) / portrait.labels.size
        assert 0.10 < share[1] < 0.50 and 0.004 < share[2] < 0.04 and 0.01 < share[9] < 0.25
    assert {int(label) for portrait in portraits() for label in np.unique(portrait.labels)} == set(range(13))


def test_no_region_in_stray_pixels() -> None:
    for portrait in portraits():
        counts = np.bincount(portrait.labels.ravel(), minlength=13)
        assert counts[counts > 0].min() >= 3, portrait.attributes


def test_records_agree_with_labels() -> None:
    for portrait in portraits():
        a = portrait.attributes
        assert has(portrait, "glasses") == a.glasses == (a.glasses_style != "none")
        assert has(portrait, "hat") == a.hat == (a.hat_style != "none")
        assert has(portrait, "earring") == a.earring == (a.earring_style != "none")
        if not a.hat:
            assert has(portrait, "hair") != a.bald, a
        assert a.bald == (a.hair_style == "bald")


def test_rates_of_attributes() -> None:
    drawn = records()
    assert 0.17 < rate([a.glasses for a in drawn]) < 0.26
    assert 0.13 < rate([a.hat for a in drawn]) < 0.21
    assert 0.18 < rate([a.earring for a in drawn]) < 0.32
    assert 0.01 < rate([a.bald for a in drawn]) < 0.08
    assert 0.06 < rate([a.beard for a in drawn]) < 0.25
    assert 0.10 < rate([a.bangs for a in drawn]) < 0.35
    assert 0.40 < rate([a.presentation == "feminine" for a in drawn]) < 0.64
    assert {a.hair_style for a in drawn} == set(HAIR_STYLES)
    assert np.std([a.yaw for a in drawn]) > 10 and max(abs(a.yaw) for a in drawn) <= 35
    assert not any(a.beard for a in drawn if a.age < 18 or a.presentation == "feminine")


def test_eyes_are_where_aligned_faces_have_them() -> None:
    heights, distances = [], []
    for portrait in portraits():
        y, x = np.nonzero(portrait.labels == CELEBAMASK_13.index("eye"))
        heights.append(y.mean() / 64)
        middle = (x.min() + x.max()) / 2
        distances.append((x[x > middle].mean() - x[x <= middle].mean()) / 64)
    assert 0.44 < np.mean(heights) < 0.49 and np.std(heights) < 0.02
    assert 0.21 < np.mean(distances) < 0.27


def base_record() -> PortraitAttributes:
    """A plain face that looks ahead: no hair, nothing worn."""
    bare: dict[str, Any] = {
        "glasses": False,
        "hat": False,
        "earring": False,
        "bangs": False,
        "beard": False,
        "moustache": False,
    }
    styles: dict[str, Any] = {
        "glasses_style": "none",
        "hat_style": "none",
        "earring_style": "none",
        "beard_style": "none",
    }
    return dataclasses.replace(
        portrait_attributes(0, 0),
        **bare,
        **styles,
        yaw=0.0,
        pitch=0.0,
        roll=0.0,
        hair_style="bald",
        bald=True,
        hair_tucked=False,
        mouth_open=0.0,
        skin_tone=0.2,
    )


def test_turning_the_head_moves_near_parts_over_far_ones() -> None:
    """Parallax: with the face turned to the picture's right, the nose lies right of the head's middle."""

    def nose_offset(yaw: float) -> float:
        labels = redraw(dataclasses.replace(base_record(), yaw=yaw)).labels
        head = np.isin(labels, [1, 2, 3, 4, 5]).nonzero()[1]
        return float((labels == 5).nonzero()[1].mean() - (head.min() + head.max()) / 2)

    assert nose_offset(25) > 4 and nose_offset(-25) < -4 and abs(nose_offset(0)) < 1


def test_lifting_the_chin_raises_the_nose_between_eyes_and_mouth() -> None:
    def share(pitch: float) -> float:
        labels = redraw(dataclasses.replace(base_record(), pitch=pitch)).labels
        eye, nose, mouth = ((labels == k).nonzero()[0].mean() for k in (2, 5, 4))
        return float((nose - eye) / (mouth - eye))

    assert share(12) < share(0) < share(-12)


def test_light_agrees_on_face_and_neck() -> None:
    """Mirroring the light exchanges the bright and the dark side everywhere."""
    for region in ("face", "neck"):
        sides = []
        for light_x in (-0.55, 0.55):
            portrait = redraw(dataclasses.replace(base_record(), light_x=light_x, light_y=-0.5, light_z=0.67))
            tone = portrait.image.mean(axis=2)
            inside = portrait.labels == CELEBAMASK_13.index(region)
            columns = np.arange(64)[None, :] + np.zeros((64, 1))
            middle = columns[inside].mean()
            sides.append(tone[inside & (columns > middle)].mean() - tone[inside & (columns < middle)].mean())
        assert sides[0] < -2 and sides[1] > 2, region


def test_attributes_show() -> None:
    base = base_record()

    def count(region: str, **changes: object) -> int:
        labels = redraw(dataclasses.replace(base, **changes)).labels  # type: ignore[arg-type]
        return int((labels == CELEBAMASK_13.index(region)).sum())

    assert count("mouth", mouth_open=1.0, smile=0.8) > 1.3 * count("mouth", smile=0.8)
    hair = {style: count("hair", hair_style=style, bald=False) for style in HAIR_STYLES if style != "bald"}
    assert hair["buzz"] < hair["short"] < hair["bob"] < hair["long straight"]
    assert count("ear", hair_style="short", bald=False) > 20 and count("ear", hair_style="bob", bald=False) == 0
    assert count("eyebrow", hair_style="fringe", bald=False, bangs=True) <= count("eyebrow")
    assert count("face", beard=True, beard_style="full") >= count("face")


def test_style_changes_paint_but_never_labels() -> None:
    flat = DrawingStyle("flat", line=0.6, shading=0.5, tone_steps=3, strands=0.0, blush=0.0)
    for index in range(6):
        first, second = draw_portrait(0, index, 64), draw_portrait(0, index, 64, flat)
        assert first.attributes == second.attributes
        assert (first.image != second.image).any()
        assert (first.labels != second.labels).mean() < 0.01


@pytest.mark.parametrize(("size", "count"), [(32, 12), (64, 60), (100, 4), (128, 6), (256, 2)])
def test_woodcut_has_the_storybook_s_labels_and_records(size: int, count: int) -> None:
    for index in range(count):
        painted, printed = draw_portrait(7, index, size), draw_portrait(7, index, size, "woodcut")
        assert np.array_equal(painted.labels, printed.labels)
        assert painted.attributes == printed.attributes


def test_woodcut_differs_at_first_sight() -> None:
    """Other colours, far steeper edges, and nothing that is not mixed from the inks."""
    inks = np.array(list(INKS.values()))

    def steepness(image: np.ndarray) -> float:
        return float(np.abs(np.diff(image.astype(np.float64).mean(axis=2), axis=0)).mean())

    for index in range(12):
        painted = portraits()[index].image
        printed = draw_portrait(7, index, 64, "woodcut").image
        assert np.abs(painted.astype(int) - printed).mean() > 25
        assert steepness(printed) > 2 * steepness(painted)
        assert (printed.reshape(-1, 3).max(axis=0) <= inks.max(axis=0)).all()
        assert (printed.reshape(-1, 3).min(axis=0) >= inks.min(axis=0)).all()


def test_woodcut_has_contours_and_lines() -> None:
    """The outline against the ground is ink; the ground itself is nothing but two inks in level lines."""
    portrait = draw_portrait(7, 3, 256, "woodcut")
    ink = (np.abs(portrait.image.astype(int) - np.array(INKS["ink"])) <= 2).all(axis=2)
    ground = portrait.labels == 0
    edge = cv2.dilate(ground.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~ground
    assert ink[edge].mean() > 0.9
    assert ink[ground].mean() < 0.1
    far = cv2.erode(ground.astype(np.uint8), np.ones((15, 15), np.uint8), borderValue=1).astype(bool)
    pure = np.stack([(portrait.image == np.array(colour)).all(axis=2) for colour in INKS.values()])
    shares = pure[:, far].mean(axis=1)
    assert np.sort(shares)[-2:].sum() > 0.5 and (np.sort(shares)[:-2] < 0.01).all()


def test_an_unknown_technique_is_refused() -> None:
    with pytest.raises(InputError, match="woodcut"):
        DrawingStyle("mine", technique="woodcutt")


def test_record_is_json() -> None:
    attributes = portrait_attributes(0, 0)
    record = json.loads(json.dumps(attributes.to_dict()))
    assert record == attributes.to_dict()
    assert {
        "smile",
        "mouth_open",
        "glasses",
        "hat",
        "earring",
        "bald",
        "bangs",
        "beard",
        "moustache",
        "age",
        "yaw",
    } <= set(record)
    with pytest.raises(dataclasses.FrozenInstanceError):
        attributes.smile = 1.0  # type: ignore[misc]


def test_dataset() -> None:
    dataset = PortraitDataset(64, length=20, seed=3)
    assert len(dataset) == 20 and dataset.regions is CELEBAMASK_13 and dataset.size == 64
    pair = dataset[5]
    drawn = draw_portrait(3, 5, 64)
    opened = open_dataset("portraits", size=64, length=20, seed=3, style="woodcut")
    assert np.array_equal(opened[5].image.permute(1, 2, 0).numpy(), draw_portrait(3, 5, 64, "woodcut").image)
    assert pair.image.dtype == pair.labels.dtype == torch.uint8
    assert np.array_equal(pair.image.permute(1, 2, 0).numpy(), drawn.image)
    assert np.array_equal(pair.labels.numpy(), drawn.labels)
    assert dataset.attributes(5) == drawn.attributes
    keys = {PortraitDataset(64, 20, 3).key(), PortraitDataset(64, 20, 4).key(), PortraitDataset(32, 20, 3).key()}
    assert len(keys) == 3 and dataset.key() in keys
    printed = DrawingStyle("storybook", technique="woodcut")
    styled = {PortraitDataset(64, 20, 3, style).key() for style in ("storybook", "woodcut", printed)}
    assert len(styled) == 3 and dataset.key() in styled
    with pytest.raises(IndexError):
        dataset[20]


@pytest.mark.parametrize(
    "arguments",
    [
        {"size": 8},
        {"size": 4096},
        {"size": 64, "seed": -1},
        {"size": 64, "length": 0},
        {"size": 64, "style": "storibook"},
    ],
)
def test_wrong_arguments(arguments: dict[str, object]) -> None:
    with pytest.raises(InputError):
        PortraitDataset(**arguments)  # type: ignore[arg-type]


def test_wrong_arguments_of_one_portrait() -> None:
    for seed, index, size in ((-1, 0, 64), (0, -1, 64), (0, 0, 4)):
        with pytest.raises(InputError):
            draw_portrait(seed, index, size)
    with pytest.raises(InputError, match="storybook"):
        draw_portrait(0, 0, 64, "storibook")
