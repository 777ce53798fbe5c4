"""reconstruct, mix, blend and edit-region --layers, on a tiny StyleALAE with random weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import semanticgan as sg
from semanticgan.formats.provenance import read_mark
from semanticgan.latents import LatentCode

Command = Callable[..., Any]
SCHEMAS = ("SSSDDD", "DDDDSS")


def pixels(path: str | Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.array(picture)


def written(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def tiny(tiny_alae_file: Path) -> tuple[str, ...]:
    """The arguments that choose the tiny StyleALAE."""
    return ("--model", str(tiny_alae_file), "--device", "cpu")


@pytest.fixture
def model(tiny_alae_file: Path) -> sg.Model:
    return sg.load(tiny_alae_file, device="cpu")


def draw(path: Path, width: int = 16, height: int = 16, seed: int = 0) -> np.ndarray:
    """A picture of no face at all."""
    path.parent.mkdir(exist_ok=True)
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(levels).save(path)
    return levels


def test_reconstruct_writes_what_the_model_makes_of_each_picture(
    command: Command, tiny: tuple[str, ...], model: sg.Model
) -> None:
    given = {name: draw(Path("in") / name, seed=seed) for seed, name in enumerate(("b.png", "a.bmp", "c.tiff"))}
    Path("in/notes.txt").write_text("no picture")
    made = command("reconstruct", "in", *tiny, "--latents", "--out", "out").result
    files = {Path(path).name for path in made["files"]}
    assert files == {path.name for path in Path("out").iterdir()} and len(files) == 3 + 3 + 1
    errors = []
    for name, levels in given.items():
        picture = torch.from_numpy(levels).permute(2, 0, 1)[None].float() / 127.5 - 1
        expected = model.reconstruct(picture)
        found = pixels(Path("out") / f"{Path(name).stem}.png")
        off = np.abs(found.astype(int) - np.asarray(expected.to_pil()[0], dtype=int))
        assert off.max() <= 1
        code = LatentCode.load(Path("out") / f"{Path(name).stem}.safetensors")
        torch.testing.assert_close(code.tensor[0], model.encode(picture).expand(6, -1))
        errors.append(float((expected.image.clamp(-1, 1) - picture).square().mean()) / 4)
    assert made["mse"] == pytest.approx(np.mean(errors), rel=1e-4) and made["size"] == 16
    assert pixels("out/sheet.png").shape[1] > 6 * 160, "three pairs in a row"
    mark = read_mark(Path("out/a.png"))
    assert mark is not None and mark.kind == "composite"


def test_reconstruct_crops_only_when_it_is_asked_to(command: Command, tiny: tuple[str, ...], model: sg.Model) -> None:
    levels = draw(Path("wide.png"), 40, 20)
    complaint = command("reconstruct", "wide.png", *tiny).complaint
    assert "'wide.png' is 40x20, not square" in complaint and "--crop" in complaint
    assert not Path("reconstructed").exists()
    command("reconstruct", "wide.png", *tiny, "--crop", "--no-mark").result  # noqa: B018
    middle = np.asarray(Image.fromarray(levels[:, 10:30]).resize((16, 16), Image.Resampling.LANCZOS))
    expected = model.reconstruct(torch.tensor(middle).permute(2, 0, 1)[None].float() / 127.5 - 1).to_pil()[0]
    assert np.abs(pixels("reconstructed/wide.png").astype(int) - np.asarray(expected, dtype=int)).max() <= 1
    assert read_mark(Path("reconstructed/wide.png")) is None


def test_reconstruct_says_what_is_wrong_with_a_path(
    command: Command, tiny: tuple[str, ...], tiny_model_file: Path, tmp_path: Path
) -> None:
    draw(Path("a.png"))
    Path("empty").mkdir()
    Path("broken.png").write_bytes(Path("a.png").read_bytes()[:60])
    Path("x.tfrecords").write_bytes(b"\0" * 64)
    draw(Path("more/a.png"))
    draw(Path("sheet.png"))
    before = written(tmp_path)
    for words, expected in (
        (("none",), "picture 'none' does not exist"),
        (("empty",), "the folder 'empty' has no pictures"),
        (("broken.png",), "'broken.png'"),
        (("x.tfrecords",), "'x.tfrecords'"),
        (("a.png", "more"), "would have one name"),
        (("sheet.png",), "Rename the picture"),
        (("a.png", "--out", ".", "--overwrite"), "'a.png' is a picture to reconstruct"),
        (("a.png", "--model", str(tiny_model_file)), "models of the method alae have one"),
    ):
        assert expected in command("reconstruct", *tiny, *words).complaint, words
        assert written(tmp_path) == before


def test_reconstruct_and_mix_replace_nothing_unasked(command: Command, tiny: tuple[str, ...], tmp_path: Path) -> None:
    draw(Path("a.png"))
    for words in (("reconstruct", "a.png", *tiny, "--out", "out"), ("mix", *tiny, "--schema", SCHEMAS[0])):
        assert command(*words).code == 0
        before = written(tmp_path)
        assert "exists already" in command(*words).complaint
        assert written(tmp_path) == before
        assert command(*words, "--overwrite").code == 0


def tile(sheet: np.ndarray, row: int, column: int, left: int) -> np.ndarray:
    """A picture of the sheet at its own 16 pixels; each stands there ten times as large."""
    top, first = 16 + row * 186, left + column * 166
    enlarged = sheet[top : top + 160, first : first + 160]
    return np.asarray(Image.fromarray(enlarged).resize((16, 16), Image.Resampling.BOX), dtype=int)


def test_mix_takes_each_layer_from_the_code_of_its_letter(
    command: Command, tiny: tuple[str, ...], model: sg.Model
) -> None:
    words = [word for schema in SCHEMAS for word in ("--schema", schema)]
    made = command("mix", *tiny, "--seeds", "1-3", "--with-seeds", "7,5", *words, "--out", "m.png").result
    assert made == {
        "out": "m.png",
        "schemas": list(SCHEMAS),
        "layers": 6,
        "sources": ["seed 1", "seed 2", "seed 3"],
        "destinations": ["seed 7", "seed 5"],
    }
    sheet = pixels("m.png")
    left = sheet.shape[1] - 16 - 4 * 166 + 6
    for block, schema in enumerate(SCHEMAS):
        for row, below in enumerate((7, 5)):
            for column, above in enumerate((1, 2, 3)):
                code = torch.cat(
                    [
                        model.sample(seed=above if letter == "S" else below).tensor[:, layer : layer + 1]
                        for layer, letter in enumerate(schema)
                    ],
                    1,
                )
                expected = np.asarray(model.render(code).to_pil()[0], dtype=int)
                found = tile(sheet, 3 * block + 1 + row, column + 1, left)
                assert np.abs(found - expected).mean() < 4, (schema, below, above)
    mark = read_mark(Path("m.png"))
    assert mark is not None and mark.kind == "generated"


def test_mix_takes_pictures(command: Command, tiny: tuple[str, ...], model: sg.Model) -> None:
    for seed, name in enumerate(("a.png", "b.png")):
        draw(Path("in") / name, seed=seed)
    made = command("mix", *tiny, "--pictures", "in", "--with-seeds", "5", "--schema", "SSDDDD").result
    assert (made["sources"], made["destinations"]) == (["a", "b"], ["seed 5"])
    picture = torch.tensor(pixels("in/a.png")).permute(2, 0, 1)[None].float() / 127.5 - 1
    code = model.sample(seed=5).tensor.clone()
    code[:, :2] = model.encode(picture)[:, None]
    sheet = pixels("mixed.png")
    found = tile(sheet, 1, 1, sheet.shape[1] - 16 - 3 * 166 + 6)
    assert np.abs(found - np.asarray(model.render(code).to_pil()[0], dtype=int)).mean() < 4
    mark = read_mark(Path("mixed.png"))
    assert mark is not None and mark.kind == "composite"
    itself = command("mix", *tiny, "--pictures", "in", "--schema", "SSDDDD", "--out", "self.png").result
    assert itself["destinations"] == ["a", "b"]


def test_mix_says_what_is_wrong_with_a_schema(
    command: Command, tiny: tuple[str, ...], tiny_model_file: Path, tmp_path: Path
) -> None:
    for words, expected in (
        (("--schema", "SSSDDX"), "a schema has 6 letters here, one a layer"),
        (("--schema", "SSSDD"), "such as 'SSSDDD', got str 'SSSDD'"),
        (("--schema", "SSSDDD", "--schema", "SD"), "got str 'SD'"),
        ((), "Add --schema, such as --schema SSSDDD"),
        (("--schema", "SSSDDD", "--pictures", "none"), "picture 'none' does not exist"),
        (("--schema", "SSSDDD", "--out", "a.jpg"), "'.jpg'"),
        (("--schema", "SSSDDD", "--seeds", "0-99", "--with-seeds", "0-999"), "too many for one sheet"),
        (("--schema", "SSSDDD", "--model", str(tiny_model_file)), "has regions, not layers to mix"),
    ):
        assert expected in command("mix", *tiny, *words).complaint, words
        assert written(tmp_path) == {}


def test_edit_region_swaps_layers(command: Command, tiny: tuple[str, ...], model: sg.Model) -> None:
    swap = ("edit-region", *tiny, "--seed", "3", "--layers", "0-1,4", "--from-seed", "8")
    made = command(*swap, "--sheet", "--save-latent", "e.npy", "--out", "e.png").result
    code = model.sample(seed=3).tensor.clone()
    code[:, [0, 1, 4]] = model.sample(seed=8).tensor[:, [0, 1, 4]]
    assert np.array_equal(np.load("e.npy"), code.numpy())
    before, after = (np.asarray(model.render(one).to_pil()[0], dtype=int) for one in (model.sample(seed=3), code))
    assert np.abs(pixels("e.png") - after).max() <= 1
    assert made["layers"] == [0, 1, 4] and made["images"] == "seed 8"
    assert made["change"] == pytest.approx(np.abs(after - before).mean(), abs=0.02)
    assert pixels(made["sheet"]).shape[1] > 4 * 160


def test_edit_region_varies_and_interpolates_layers(command: Command, tiny: tuple[str, ...]) -> None:
    edit = ("edit-region", *tiny, "--seed", "3", "--layers", "3")
    varied = command(*edit, "--variations", "3", "--save-latent", "v.safetensors", "--sheet", "--out", "v.png").result
    assert varied["images"] == ["seed 4", "seed 5", "seed 6"] and len(LatentCode.load("v.safetensors")) == 3
    assert pixels("v.png").shape[1] > 2 * 160 and pixels("v-sheet.png").shape[0] > 3 * 160
    words = ("--from-seed", "8", "--interpolate", "3", "--save-latent", "i.npy", "--out", "i.png")
    assert command(*edit, *words).result["images"] == ["0.00", "0.50", "1.00"]
    way = np.load("i.npy")
    np.testing.assert_allclose(way[1, 3], (way[0, 3] + way[2, 3]) / 2, atol=1e-6)
    assert (way[0, :3] == way[2, :3]).all() and (way[0, 3] != way[2, 3]).any()


def test_edit_region_changes_layers_of_pictures(command: Command, tiny: tuple[str, ...], model: sg.Model) -> None:
    draw(Path("a.png"), seed=1)
    words = ("edit-region", *tiny, "--image", "a.png", "--aligned", "--layers", "4-5", "--from-seed", "8")
    made = command(*words, "--save-latent", "e.npy", "--out", "e.png").result
    assert made["source"] == "a.png" and pixels("e.png").shape == (16, 16, 3)
    picture = torch.tensor(pixels("a.png")).permute(2, 0, 1)[None].float() / 127.5 - 1
    np.testing.assert_allclose(np.load("e.npy")[:, 0], model.encode(picture).numpy(), atol=1e-4)
    mark = read_mark(Path("e.png"))
    assert mark is not None and mark.kind == "composite"


def test_edited_layers_go_back_into_a_photograph(command: Command, tiny: tuple[str, ...], model: sg.Model) -> None:
    """The middle square of a photograph twice as fine changes by the renderings' difference; beside it no bit."""
    levels = np.full((32, 60, 3), 128, np.uint8)
    Image.fromarray(levels).save("a.png")
    words = ("edit-region", *tiny, "--image", "a.png", "--aligned", "--layers", "2-5", "--from-seed", "8")
    command(*words, "--save-latent", "e.safetensors", "--out", "e.png").result  # noqa: B018
    found = pixels("e.png").astype(float)
    assert found.shape == levels.shape and (found[:, :14] == 128).all() and (found[:, 46:] == 128).all()
    source = model.code(model.encode(torch.zeros(1, 3, 16, 16) + 1 / 255))
    before = model.render(source).image
    after = model.render(LatentCode.load("e.safetensors")).image
    wanted = (after.clamp(-1, 1) - before.clamp(-1, 1))[0].permute(1, 2, 0).numpy() * 127.5
    inner = (found - 128)[:, 14:46].reshape(16, 2, 16, 2, 3).mean((1, 3))[4:-4, 4:-4]
    close = np.abs(inner - wanted[4:-4, 4:-4])
    assert np.abs(wanted).mean() > 3 and close.mean() < 0.3 * np.abs(wanted).mean()
    command(*words, "--paste", "aligned", "--no-mark", "--out", "alone.tif").result  # noqa: B018
    assert pixels("alone.tif").shape == (16, 16, 3) and read_mark(Path("alone.tif")) is None
    assert command(*words, "--out", "e.jpg").code == 0 and read_mark(Path("e.jpg")).kind == "composite"  # type: ignore[union-attr]
    assert "'.jpg'" in command(*words[:-2], "--variations", "2", "--out", "v.jpg").complaint


def test_an_edit_of_layers_is_kept_and_repeated(command: Command, tiny: tuple[str, ...]) -> None:
    swap = ("edit-region", *tiny, "--seed", "3", "--layers", "0-1,4", "--from-seed", "8")
    assert command(*swap, "--save-script", "e.json", "--out", "e.png").code == 0
    again = command("edit-region", *tiny, "--script", "e.json", "--sheet", "--out", "f.png").result
    assert np.array_equal(pixels("e.png"), pixels("f.png")) and again["layers"] == [0, 1, 4]
    assert Path(again["sheet"]).is_file()
    mark = read_mark(Path("e.png"))
    assert mark is not None and json.loads(mark.script)["operations"][0]["layers"] == "0-1,4"
    draw(Path("a.png"), seed=1)
    words = ("edit-region", *tiny, "--image", "a.png", "--aligned", "--layers", "4-5", "--from-seed", "8", "--sheet")
    assert command(*words, "--save-script", "p.json", "--out", "p.png").result["method"] == "encoder"
    assert command("edit-region", *tiny, "--script", "p.json", "--out", "q.png").code == 0
    assert np.array_equal(pixels("p.png"), pixels("q.png"))


def test_layers_that_do_not_fit(command: Command, tiny: tuple[str, ...], tiny_model_file: Path, tmp_path: Path) -> None:
    swap = ("edit-region", *tiny, "--from-seed", "8")
    for words, expected in (
        ((*swap, "--layers", "0-6"), "0-6"),
        ((*swap, "--layers", "hair"), "hair"),
        ((*swap, "--layers", "0", "--region", "hair"), "--region for models of regions"),
        ((*swap, "--layers", "0", "--labels"), "--labels for models of regions"),
        ((*swap, "--layers", "0", "--model", str(tiny_model_file)), "there are no layers here"),
        ((*swap,), "--layers 0-3"),
        ((*swap, "--region", "hair"), "Choose layers"),
        (("edit-region", *tiny, "--layers", "0"), "Add --from-seed"),
        ((*swap, "--layers", "0", "--composite"), "--composite for models of regions"),
        ((*swap, "--layers", "0", "--script", "e.json"), "--script has its own"),
        (("edit-region", *tiny, "--layers", "0", "--variations", "2", "--save-script", "e.json"), "--save-script goes"),
    ):
        assert expected in command(*words).complaint, words
        assert written(tmp_path) == {}


def test_blend_writes_a_model_of_layers(command: Command, tiny: tuple[str, ...], tiny_alae_file: Path) -> None:
    found = command("blend", *tiny[:2], "--with", str(tiny_alae_file), "--from-side", "8", "--out", "b.safetensors")
    assert found.result["side_weights"] == {"4": 0.0, "8": 1.0, "16": 1.0}
    blended = sg.load("b.safetensors", device="cpu")
    assert blended.metadata.architecture == "alae"
    for name, tensor in sg.load(tiny_alae_file, device="cpu").generator.state_dict().items():
        assert torch.equal(blended.generator.state_dict()[name], tensor), name
