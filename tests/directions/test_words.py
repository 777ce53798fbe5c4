"""Edits by text run with a small CLIP of random weights: the similarity rises, other rows and the outside stay.

Whether pictures follow the words only published weights can show, which the tests do not have.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import semanticgan as sg
from semanticgan import extras
from semanticgan.directions.clip import Clip, open_clip_network
from semanticgan.directions.words import TextEdit, edit_by_text
from semanticgan.errors import Cancelled, InputError, MissingFileError, WeightsError
from semanticgan.inversion.search import Settings
from semanticgan.model import Model
from semanticgan.progress import Progress

pytestmark = pytest.mark.skipif(extras.problem("text") is not None, reason="semanticgan[text] is not installed")

SIZES = {
    "embed_dim": 16,
    "vision_cfg": {"layers": 2, "width": 32, "head_width": 16, "patch_size": 8, "image_size": 48},
    "text_cfg": {"layers": 2, "width": 32, "heads": 2, "context_length": 12},
}
NETWORK = "tiny-clip"
TEXT = "a person with red hair"


@pytest.fixture(scope="module")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of open_clip with random weights, whose sizes open_clip knows under a name."""
    extras.require("text")
    import open_clip

    folder = tmp_path_factory.mktemp("clip")
    (folder / f"{NETWORK}.json").write_text(json.dumps(SIZES))
    open_clip.add_model_config(folder / f"{NETWORK}.json")
    vision, text = open_clip.CLIPVisionCfg(**SIZES["vision_cfg"]), open_clip.CLIPTextCfg(**SIZES["text_cfg"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = open_clip.CLIP(SIZES["embed_dim"], vision, text)
    save_file(network.state_dict(), folder / "open_clip_model.safetensors")
    return folder / "open_clip_model.safetensors"


@pytest.fixture(scope="module")
def clip(network_file: Path) -> Clip:
    return open_clip_network(NETWORK, weights=network_file)


@pytest.fixture(scope="module")
def model(tiny_model_file: Path) -> Model:
    return sg.load(tiny_model_file, device="cpu")


def run(model: Model, clip: Clip, **options: Any) -> TextEdit:
    chosen = {"regions": "hair", "what": "texture", "clip": clip, "settings": Settings(steps=25, rate=0.2), **options}
    return edit_by_text(model, model.sample(seeds=[1, 2]), TEXT, **chosen)


def test_similarity_rises_and_other_rows_stay(model: Model, clip: Clip) -> None:
    code, found = model.sample(seeds=[1, 2]), run(model, clip, prior=0.0)
    assert bool((found.after > found.before).all())
    (row,) = model.rows.indices("hair", "texture")
    changed = (found.code.tensor != code.tensor).any(2).any(0).nonzero().flatten().tolist()
    assert changed == [row]
    with torch.no_grad():
        torch.testing.assert_close(found.after, clip.similarity(model.render(found.code).image, TEXT))
        torch.testing.assert_close(found.before, clip.similarity(model.render(code).image, TEXT))
    assert found.change_outside.shape == (2,) and found.steps == (25, 25)


def test_change_outside_is_held_down(model: Model, clip: Clip) -> None:
    """Structure rows move borders and what is drawn beyond them."""
    free, held = (run(model, clip, what="both", outside=weight, prior=0.0) for weight in (0.0, 2.0))
    assert bool((held.change_outside < 0.7 * free.change_outside).all())
    assert bool((held.after > held.before).all())


def test_prior_holds_the_code(model: Model, clip: Clip) -> None:
    code = model.sample(seeds=[1, 2])
    free, held = (run(model, clip, prior=weight) for weight in (0.0, 10.0))
    centre = model.generator.mean_latent
    assert (held.code.texture("hair") - centre).norm() < (code.texture("hair") - centre).norm()
    assert (held.code.texture("hair") - centre).norm() < (free.code.texture("hair") - centre).norm()


def test_an_image_does_not_depend_on_the_others(model: Model, clip: Clip) -> None:
    slow = Settings(steps=6, rate=0.05)
    both = run(model, clip, settings=slow)
    alone = edit_by_text(model, model.sample(seed=2), TEXT, "hair", "texture", clip, settings=slow)
    torch.testing.assert_close(both.code.tensor[1:], alone.code.tensor, rtol=0, atol=2e-3)


def test_it_is_cancelled(model: Model, clip: Clip) -> None:
    cancel = threading.Event()
    progress = Progress(report=lambda done, total, what: cancel.set() if done >= 2 else None, cancel=cancel)
    with pytest.raises(Cancelled, match="2 of 25"):
        run(model, clip, progress=progress)


def test_embeddings_are_those_of_open_clip(clip: Clip, network_file: Path) -> None:
    """Of pictures as its own preprocessing makes them."""
    import open_clip
    from PIL import Image

    network, _, preprocess = open_clip.create_model_and_transforms(NETWORK, pretrained=str(network_file))
    picture = torch.randint(0, 256, (48, 48, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network.eval().encode_image(preprocess(Image.fromarray(picture.numpy()))[None], normalize=True)
        words = network.encode_text(open_clip.get_tokenizer(NETWORK)([TEXT]), normalize=True)
    given = picture.permute(2, 0, 1)[None] / 127.5 - 1
    torch.testing.assert_close(clip.of_pictures(given), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(clip.of_text(TEXT), words)
    larger = torch.nn.functional.interpolate(given, size=(96, 96), mode="nearest")
    assert float((clip.of_pictures(larger) @ expected.T).min()) > 0.9


def test_weights_come_from_the_cache_or_not_at_all(
    network_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import open_clip
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MissingFileError) as told:
        open_clip_network()
    command = "`hf download laion/CLIP-ViT-B-32-laion2B-s34B-b79K open_clip_model.safetensors`"
    assert command in str(told.value) and str(tmp_path) in str(told.value)

    snapshot = tmp_path / "models--somebody--tiny" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40)
    (snapshot / network_file.name).write_bytes(network_file.read_bytes())
    published = {"hf_hub": "somebody/tiny/", "mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda network, tag: published)
    found = open_clip_network(NETWORK, "any")
    assert found.mean == (0.5, 0.5, 0.5) and found.deviation == (0.25, 0.25, 0.25) and found.side == 48


def test_what_is_no_network_or_text_is_refused(
    model: Model, clip: Clip, network_file: Path, tmp_path: Path, tiny_layered_file: Path
) -> None:
    (tmp_path / "damaged.safetensors").write_bytes(b"nothing")
    (tmp_path / "clip.bin").write_bytes(b"nothing")
    layered = sg.load(tiny_layered_file, device="cpu")
    for words, call in {
        "unknown network of CLIP 'ViT-B-23'.* Did you mean 'ViT-B-32'": lambda: open_clip_network("ViT-B-23"),
        "unknown tag of ViT-B-32 'best'": lambda: open_clip_network(tag="best"),
        "some words": lambda: edit_by_text(model, model.mean, " ", "hair", clip=clip),
        "too long": lambda: edit_by_text(model, model.mean, "red " * 12, "hair", clip=clip),
        "Choose layers": lambda: edit_by_text(layered, layered.mean, TEXT, "hair", clip=clip),
        "a Clip, such as": lambda: edit_by_text(model, model.mean, TEXT, "hair", clip="ViT-B-32"),  # type: ignore
    }.items():
        with pytest.raises(InputError, match=words):
            call()
    for name, network, words in (
        ("damaged.safetensors", NETWORK, "is damaged"),
        ("clip.bin", NETWORK, "no .safetensors file"),
    ):
        with pytest.raises(WeightsError, match=words):
            open_clip_network(network, weights=tmp_path / name)
    with pytest.raises(MissingFileError):
        open_clip_network(NETWORK, weights=tmp_path / "missing.safetensors")
