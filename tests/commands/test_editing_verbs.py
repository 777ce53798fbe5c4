"""generate, edit-region, interpolate, components and locality, on a tiny model with random weights."""

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
from semanticgan.directions import Direction
from semanticgan.directions.files import save_directions
from semanticgan.formats.provenance import read_mark
from semanticgan.latents import LatentCode
from semanticgan.rendering import Rendering

Command = Callable[..., Any]


def pixels(path: str | Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.array(picture)


def written(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def tiny(tiny_model_file: Path) -> tuple[str, ...]:
    """The arguments that choose the tiny model."""
    return ("--model", str(tiny_model_file), "--device", "cpu")


def test_generate_writes_a_picture_a_seed(command: Command, tiny: tuple[str, ...]) -> None:
    made = command("generate", *tiny, "--seeds", "0-9,20", "--out", "all", "--labels", "--latents", "--sheet").result
    assert made["seeds"] == [*range(10), 20]
    assert all(Path(path).is_file() for path in made["files"]) and len(made["files"]) == 3 * 11 + 1
    assert pixels("all/seed-0020.png").shape == (32, 32, 3)
    assert pixels("all/seed-0003-labels.png").max() < 5
    assert LatentCode.load("all/seed-0003.safetensors").regions.names[3] == "hair"
    command("generate", *tiny, "--seed", "20", "--out", "one").result  # noqa: B018
    assert (pixels("one/seed-0020.png") == pixels("all/seed-0020.png")).all()
    command("generate", *tiny, "--seed", "20", "--truncation", "0", "--out", "mean").result  # noqa: B018
    assert (pixels("mean/seed-0020.png") != pixels("all/seed-0020.png")).any()


def test_generate_replaces_nothing_unasked(command: Command, tiny: tuple[str, ...], tmp_path: Path) -> None:
    command("generate", *tiny, "--seeds", "1", "--out", "samples")
    before = written(tmp_path)
    refused = command("generate", *tiny, "--seeds", "0-3", "--out", "samples")
    assert "seed-0001.png' exists already" in refused.complaint and "--overwrite" in refused.err
    assert written(tmp_path) == before
    assert command("generate", *tiny, "--seeds", "0-3", "--out", "samples", "--overwrite").code == 0


def test_edit_region_swaps_from_another_seed(command: Command, tiny: tuple[str, ...]) -> None:
    edited = command(
        *("edit-region", *tiny, "--seed", "3", "--region", "hair", "--from-seed", "8"),
        *("--sheet", "--labels", "--save-latent", "edited.npy", "--out", "edited.png"),
    ).result
    assert edited["out"] == "edited.png" and edited["regions"] == ["hair"] and edited["what"] == "both"
    assert pixels(edited["out"]).shape == (32, 32, 3)
    assert pixels(edited["sheet"]).shape[1] > 5 * 160
    assert pixels(edited["labels"]).shape == (32, 32)
    assert np.load("edited.npy").shape == (1, 1 + 2 * 5, 16)
    assert edited["change_outside"] >= 0


def test_edit_region_with_composite_keeps_every_pixel_outside(command: Command, tiny: tuple[str, ...]) -> None:
    swap = ("edit-region", *tiny, "--seed", "3", "--region", "hair", "--from-seed", "8")
    free = command(*swap, "--out", "free.png").result
    strict = command(*swap, "--composite", "--out", "strict.png").result
    assert free["change_outside"] > 0
    assert strict["change_outside"] == 0
    command("generate", *tiny, "--seed", "3", "--out", "source")
    same = (pixels("strict.png") == pixels("source/seed-0003.png")).all(2)
    assert 0 < same.mean() < 1


@pytest.mark.parametrize(
    "words",
    [
        ("--region", "hair", "--from-seed", "8"),
        ("--region", "hair", "--direction", "towards", "--directions", "towards.safetensors", "--strength", "3"),
        ("--region", "hair", "--move", "0.1,0", "--scale", "1.3"),
    ],
    ids=lambda words: words[2].lstrip("-"),
)
def test_a_composite_is_kept_and_repeated(
    words: tuple[str, ...], command: Command, tiny: tuple[str, ...], tiny_model_file: Path
) -> None:
    model = sg.load(tiny_model_file, device="cpu")
    normal = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    towards = Direction("towards", ("hair.structure", "hair.texture"), normal, 1.5)
    save_directions("towards.safetensors", model, [towards])
    edit = ("edit-region", *tiny, "--seed", "3", *words)
    free = command(*edit, "--out", "free.png").result
    strict = command(*edit, "--composite", "--sheet", "--save-script", "e.json", "--out", "strict.png").result
    assert free["change_outside"] > 0 and not free["composite"]
    assert strict["change_outside"] == 0 and strict["composite"]
    assert command("edit-region", *tiny, "--script", "e.json", "--out", "again.png").result["composite"]
    assert (pixels("again.png") == pixels("strict.png")).all() and (pixels("free.png") != pixels("strict.png")).any()
    command(*edit, "--save-script", "plain.json", "--out", "plain.png").result  # noqa: B018
    command("edit-region", *tiny, "--script", "plain.json", "--composite", "--out", "late.png").result  # noqa: B018
    assert (pixels("late.png") == pixels("strict.png")).all()
    mark = read_mark(Path("strict.png"))
    assert mark is not None and json.loads(mark.script)["composite_after"] == 0


def test_nothing_is_kept_where_the_base_changes(command: Command, tiny: tuple[str, ...]) -> None:
    edit = ("edit-region", *tiny, "--seed", "3", "--region", "hair", "--from-seed", "8", "--include-base")
    command(*edit, "--out", "free.png").result  # noqa: B018
    for more in ((), ("--save-script", "e.json")):
        made = command(*edit, "--composite", *more, "--overwrite", "--out", "kept.png")
        assert made.result["composite"] is False and "keeps nothing here" in made.err
        assert (pixels("kept.png") == pixels("free.png")).all()


def test_edit_region_takes_and_saves_latent_codes(command: Command, tiny: tuple[str, ...]) -> None:
    command("generate", *tiny, "--seeds", "3,8", "--latents", "--out", "codes")
    by_seed = command(
        "edit-region", *tiny, "--seed", "3", "--region", "eyes", "--from-seed", "8", "--out", "a.png"
    ).result
    code_files = ("--latent", "codes/seed-0003.safetensors", "--from-latent", "codes/seed-0008.safetensors")
    by_code = command("edit-region", *tiny, *code_files, "--region", "eyes", "--out", "b.png").result
    assert (pixels("a.png") == pixels("b.png")).all()
    assert by_seed["change_inside"] == by_code["change_inside"]


def test_edit_region_what_and_base_make_a_difference(command: Command, tiny: tuple[str, ...]) -> None:
    swap = ("edit-region", *tiny, "--seed", "3", "--region", "face,hair", "--from-seed", "8")
    ways = {
        "both": (),
        "structure": ("--what", "structure"),
        "texture": ("--what", "texture"),
        "base": ("--include-base",),
    }
    for name, options in ways.items():
        assert command(*swap, *options, "--out", f"{name}.png").code == 0
    assert len({pixels(f"{name}.png").tobytes() for name in ways}) == 4


def test_edit_region_varies_and_interpolates_as_grids(command: Command, tiny: tuple[str, ...]) -> None:
    edit = ("edit-region", *tiny, "--seed", "3", "--region", "hair,eyes")
    varied = command(
        *edit, "--variations", "5", "--sheet", "--save-latent", "five.safetensors", "--out", "v.png"
    ).result
    assert varied["images"] == [f"seed {seed}" for seed in range(4, 9)]
    assert pixels("v.png").shape[1] > 3 * 160 and pixels("v-sheet.png").shape[0] > 5 * 160
    assert len(LatentCode.load("five.safetensors")) == 5
    moved = command(*edit, "--from-seed", "8", "--interpolate", "4", "--out", "i.png").result
    assert moved["images"] == ["0.00", "0.33", "0.67", "1.00"]


def test_an_absent_region_is_noted(command: Command, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from semanticgan.editing import regions

    monkeypatch.setattr(regions, "region_mask", lambda labels, wanted: torch.zeros(labels.shape, dtype=torch.bool))
    edited = command("edit-region", *tiny, "--region", "glasses", "--from-seed", "8")
    assert edited.result["change_inside"] is None
    assert edited.err == "note: no glasses is seen before or after; try another --from-seed.\n"


@pytest.mark.parametrize("suffix", ["gif", "mp4"])
def test_interpolate_makes_a_video(suffix: str, command: Command, tiny: tuple[str, ...]) -> None:
    if suffix == "mp4":
        pytest.importorskip("imageio_ffmpeg")
    way = ("interpolate", *tiny, "--seeds", "3,8,3", "--frames", "3", "--out", f"a.{suffix}")
    ways: dict[str, tuple[str, ...]] = {
        "everything": (),
        "linear": ("--method", "linear"),
        "hair": ("--region", "hair"),
        "composite": ("--region", "hair", "--composite"),
        "texture": ("--region", "hair", "--what", "texture"),
    }
    videos = set()
    for name, options in ways.items():
        made = command(*way, *options, "--overwrite").result
        assert made["frames"] == 7 and made["side"] == 256
        assert made["regions"] == (["hair"] if "--region" in options else None), name
        videos.add(Path(made["out"]).read_bytes())
    assert len(videos) == len(ways)


def test_components_adds_every_region(command: Command, tiny: tuple[str, ...]) -> None:
    drawn = command("components", *tiny, "--seed", "3", "--out", "all.png").result
    assert drawn["regions"] == ["background", "face", "eye", "hair", "glasses"]
    assert pixels("all.png").shape[1] > 5 * 160
    some = command("components", *tiny, "--order", "face,eyes", "--out", "some.png").result
    assert some["regions"] == ["face", "eye"]


def test_components_shows_a_region_only_from_its_step_on(
    command: Command, tiny: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from semanticgan.editing import sheets

    drawn = []
    original = sheets.component_sheet

    def kept(steps: Rendering, *rest: Any, **options: Any) -> Image.Image:
        drawn.append(steps)
        return original(steps, *rest, **options)

    monkeypatch.setattr(sheets, "component_sheet", kept)
    command("components", *tiny, "--order", "face,hair,eye")
    mask = (drawn[0].coarse_segmentation + 1) / 2  # [steps, K, s, s]
    shown = (mask.amax((2, 3)) > 1e-6).tolist()
    # background, face, eye, hair, glasses
    assert shown[0] == [False, True, False, False, False]
    assert shown[1] == [False, True, False, True, False]
    assert shown[2] == [False, True, True, True, False]


def test_locality_measures_outside_and_inside(command: Command, tiny: tuple[str, ...]) -> None:
    measure = ("locality", *tiny, "--region", "hair", "--what", "texture", "--seeds", "0-9")
    free = command(*measure, "--out", "numbers.json").result
    strict = command(*measure, "--composite").result
    numbers = json.loads(Path("numbers.json").read_text())
    assert [row["seed"] for row in numbers] == list(range(10))
    seen = [row["outside"] for row in numbers if row["inside"] is not None]
    assert free["change_outside"] == pytest.approx(np.mean(seen))
    assert (free["change_unseen"] is None) == (len(seen) == len(numbers))
    assert free["seeds_with_region"] == sum(row["inside"] is not None for row in numbers)
    assert free["change_outside"] > 0 and strict["change_outside"] == strict["change_outside_max"] == 0


VERBS_WITH_REGION = [
    ("edit-region", "--from-seed", "8", "--region"),
    ("interpolate", "--seeds", "1,2", "--out", "a.gif", "--region"),
    ("components", "--order"),
    ("locality", "--region"),
]


@pytest.mark.parametrize("words", VERBS_WITH_REGION, ids=lambda words: words[0])
def test_an_unknown_region_is_refused(
    words: tuple[str, ...], command: Command, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    refused = command(words[0], *tiny, *words[1:], "beak")
    assert "unknown region 'beak'. Known: background, face, eye, hair, glasses." in refused.complaint
    assert written(tmp_path) == {}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("edit-region", "--region", "hair"), "no source for the region"),
        (("edit-region", "--region", "hair", "--variations", "0"), "'0' is not a whole number from 1 to 255"),
        (
            ("edit-region", "--region", "hair", "--from-latent", "a.npy", "--variations", "3"),
            "takes its regions from seeds",
        ),
        (("edit-region", "--region", "hair", "--from-latent", "a.npy"), "latent code 'a.npy' does not exist"),
        (("edit-region", "--region", "hair", "--from-seed", "8", "--out", "a.jpg"), "Give a name in .png"),
        (("edit-region", "--region", "hair", "--from-seed", "8", "--save-latent", "a.pt"), "Use .safetensors or .npy"),
        (("edit-region", "--region", "hair", "--variations", "3", "--labels"), "--labels goes with one edited picture"),
        (("edit-region", "--region", "hair", "--from-seed", "8", "--truncation", "inf"), "is not a finite number"),
        (("interpolate", "--seeds", "3"), "one seed, 3, is not enough"),
        (("interpolate", "--seeds", "3,8", "--composite"), "Add --region"),
        (("interpolate", "--seeds", "3,8", "--out", "a.avi"), "Give a name in .mp4 or .gif"),
        (("components", "--out", "a.bmp"), "Give a name in .png"),
        (("generate", "--model", "none.safetensors"), "none.safetensors"),
        (("generate", "--model", "celebamask-hq-521"), "celebamask-hq-512"),
    ],
)
def test_mistakes_end_in_one_line_and_write_nothing(
    words: tuple[str, ...], complaint: str, command: Command, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    model = () if "--model" in words else tiny
    assert complaint in command(words[0], *model, *words[1:]).complaint
    assert written(tmp_path) == {}


@pytest.mark.parametrize(
    "words",
    [
        ("edit-region", "--region", "hair", "--from-seed", "8", "--out", "taken.png"),
        ("edit-region", "--region", "hair", "--from-seed", "8", "--sheet", "--out", "taken.png"),
        ("edit-region", "--region", "hair", "--from-seed", "8", "--save-latent", "taken.npy"),
        ("interpolate", "--seeds", "1,2", "--frames", "2", "--out", "taken.gif"),
        ("components", "--out", "taken.png"),
        ("locality", "--region", "hair", "--out", "taken.json"),
    ],
    ids=lambda words: f"{words[0]} {words[-1]}",
)
def test_existing_outputs_stay_without_overwrite(
    words: tuple[str, ...], command: Command, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    taken = Path("taken-sheet.png" if "--sheet" in words else words[-1])
    taken.write_bytes(b"mine")
    assert f"{str(taken)!r} exists already" in command(words[0], *tiny, *words[1:]).complaint
    assert written(tmp_path) == {str(taken): b"mine"}
    assert command(words[0], *tiny, *words[1:], "--overwrite").code == 0
    assert taken.read_bytes() != b"mine"


def test_an_unwritable_place_is_refused(command: Command, tiny: tuple[str, ...], tmp_path: Path) -> None:
    Path("file").write_bytes(b"")
    for words in (("generate", "--out", "file/samples"), ("components", "--out", "file/a.png")):
        assert "cannot write to" in command(words[0], *tiny, *words[1:]).complaint
    assert written(tmp_path) == {"file": b""}


def test_a_code_of_another_model_is_refused(command: Command, tiny: tuple[str, ...]) -> None:
    np.save("rows.npy", np.zeros((1, 28, 16), dtype=np.float32))
    np.save("width.npy", np.zeros((1, 11, 8), dtype=np.float32))
    np.save("images.npy", np.zeros((2, 11, 16), dtype=np.float32))
    edit = ("edit-region", *tiny, "--region", "hair", "--from-seed", "8", "--latent")
    assert "28 rows; 1 base rows and 5 regions make 11" in command(*edit, "rows.npy").complaint
    assert "needed is 1 image of width 16" in command(*edit, "width.npy").complaint
    assert "holds 2 images" in command(*edit, "images.npy").complaint
