"""The verb `label` on drawn portraits, whose regions are known; points are given by hand."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

import semanticgan as sg
from semanticgan.data.portraits import PortraitDataset

Command = Callable[..., Any]
SIDE, LEFT, TOP, WIDTH, HEIGHT = 192, 40, 20, 260, 230
ORIENTATION = 0x0112


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """A portrait within a larger grey photograph, uint8 [HEIGHT, WIDTH, 3], and its labels, 0 outside the portrait."""
    one = PortraitDataset(SIDE, length=1, seed=5)[0]
    picture, labels = np.full((HEIGHT, WIDTH, 3), 128, np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
    picture[TOP : TOP + SIDE, LEFT : LEFT + SIDE] = np.asarray(one.image).transpose(1, 2, 0)
    labels[TOP : TOP + SIDE, LEFT : LEFT + SIDE] = np.asarray(one.labels)
    return picture, labels


def words(path: str, out: str = "out") -> tuple[str, ...]:
    points = sg.load("portraits-64", device="cpu").alignment
    assert points is not None
    places = " ".join(f"{LEFT + x * SIDE:.2f},{TOP + y * SIDE:.2f}" for x, y in points)
    own = ("--parser", "portraits-64", "--model", "portraits-64", "--device", "cpu")
    return ("label", path, "--landmarks", places, *own, "--out", out)


def layers(path: str) -> dict[str, tuple[np.ndarray, int, int]]:
    """Name -> pixels, left and top, from the top down."""
    with zipfile.ZipFile(path) as file:
        assert file.namelist()[0] == "mimetype" and file.read("mimetype") == b"image/openraster"
        stack = ElementTree.fromstring(file.read("stack.xml"))
        assert (stack.get("w"), stack.get("h")) == (str(WIDTH), str(HEIGHT))
        found = {}
        for one in stack.iter("layer"):
            pixels = np.asarray(Image.open(io.BytesIO(file.read(one.attrib["src"]))))
            found[one.attrib["name"]] = (pixels, int(one.attrib["x"]), int(one.attrib["y"]))
        found["merged"] = (np.asarray(Image.open(io.BytesIO(file.read("mergedimage.png")))), 0, 0)
    return found


def test_labels_masks_and_layers_at_the_photograph_s_size(command: Command) -> None:
    picture, truth = drawn()
    Image.fromarray(picture).save("me.png")
    before = Path("me.png").read_bytes()
    made = command(*words("me.png")).result
    assert made["faces"] == 1 and Path("me.png").read_bytes() == before
    assert sorted(made["files"]) == sorted(path.name for path in Path("out").iterdir())
    read = Image.open("out/labels.png")
    labels = np.asarray(read)
    assert read.mode == "P" and labels.shape == (HEIGHT, WIDTH)
    assert (labels == truth).mean() > 0.93
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[TOP - 1 : TOP + SIDE + 1, LEFT - 1 : LEFT + SIDE + 1] = False
    assert not labels[outside].any()
    names = sg.load("portraits-64", device="cpu").regions.names
    total = np.zeros((HEIGHT, WIDTH), int)
    for name in made["files"][1:-1]:
        mask = Image.open(f"out/{name}")
        values = np.asarray(mask).astype(int)
        total += values
        label = names.index(name.removesuffix(".png"))
        assert mask.mode == "L" and values.shape == labels.shape
        assert (labels[values > 140] == label).all() and ((values > 5) & (values < 250)).any()
        assert (values[outside] == (255 if label == 0 else 0)).all()
    assert (np.abs(total - 255) <= 40).mean() > 0.99  # regions too faint for a file of their own are left out


def test_layers_show_the_photograph(command: Command) -> None:
    picture, _ = drawn()
    Image.fromarray(picture).save("me.png")
    files = command(*words("me.png")).result["files"]
    found = layers("out/layers.ora")
    assert list(found)[-2:] == ["photograph", "merged"]
    assert {f"{name}.png" for name in list(found)[:-2]} == set(files[1:-1]) - {"background.png"}
    assert np.array_equal(found["photograph"][0], picture)
    assert np.abs(found["merged"][0][..., :3].astype(int) - picture).max() <= 1
    for name in list(found)[:-2]:
        pixels, left, top = found[name]
        height, width = pixels.shape[:2]
        assert np.array_equal(pixels[..., :3], picture[top : top + height, left : left + width])
        mask = np.asarray(Image.open(f"out/{name}.png"))
        assert np.array_equal(pixels[..., 3], mask[top : top + height, left : left + width])


@pytest.mark.parametrize("kind", ["alpha", "sixteen", "grey", "turned"])
def test_photographs_as_people_have_them(kind: str, command: Command) -> None:
    """Labels and layers are those of the plain photograph, but for what differs."""
    picture, _ = drawn()
    Image.fromarray(picture).save("plain.png")
    expected = picture
    if kind == "alpha":
        alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
        alpha[:, : WIDTH // 2] = 100
        expected = np.dstack([picture, alpha])
        Image.fromarray(expected).save("me.png")
    elif kind == "sixteen":
        assert cv2.imwrite("me.png", picture[..., ::-1].astype(np.uint16) * 257)
    elif kind == "grey":
        Image.fromarray(picture).convert("L").save("me.png")
        expected = np.repeat(np.asarray(Image.open("me.png"))[..., None], 3, 2)
        Image.fromarray(expected).save("plain.png")
    else:
        exif = Image.Exif()
        exif[ORIENTATION] = 6  # stored a quarter anticlockwise
        Image.fromarray(np.rot90(picture)).save("me.png", exif=exif)
    before = Path("me.png").read_bytes()
    command(*words("plain.png", "plain"))
    command(*words("me.png"))
    assert Path("me.png").read_bytes() == before
    assert np.array_equal(np.asarray(Image.open("out/labels.png")), np.asarray(Image.open("plain/labels.png")))
    found, plain = layers("out/layers.ora"), layers("plain/layers.ora")
    assert np.array_equal(found["photograph"][0], expected) and list(found) == list(plain)
    hair, left, top = found["hair"]
    opacity = plain["hair"][0][..., 3]
    if kind == "alpha":
        there = expected[top : top + hair.shape[0], left : left + hair.shape[1], 3]
        opacity = np.round(opacity * (there / 255)).astype(np.uint8)
    assert np.array_equal(hair[..., 3], opacity)


def test_nothing_is_replaced_without_overwrite(command: Command) -> None:
    Image.fromarray(drawn()[0]).save("me.png")
    Path("out").mkdir()
    Path("out/hair.png").write_bytes(b"mine")
    refused = command(*words("me.png"))
    assert refused.code == 2 and "hair.png" in refused.complaint
    assert [path.name for path in Path("out").iterdir()] == ["hair.png"] and Path(
        "out/hair.png"
    ).read_bytes() == b"mine"
    command(*words("me.png"), "--overwrite")
    assert Image.open("out/hair.png").size == (WIDTH, HEIGHT)
    assert command(*words("me.png")).code == 2


def test_a_face_outside_the_photograph_is_refused(command: Command) -> None:
    Image.fromarray(drawn()[0]).save("me.png")
    away = [*words("me.png")]
    away[3] = "1000,1000 1060,1000 1030,1040 1005,1070 1055,1070"
    refused = command(*away)
    assert refused.code == 2 and "outside the photograph" in refused.complaint and not Path("out").exists()
