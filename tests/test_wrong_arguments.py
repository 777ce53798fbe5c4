"""Every public function and method refuses wrong arguments with an InputError of one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import semanticgan as sg
from semanticgan.directions import Direction
from semanticgan.editing.regions import edit, interpolate_regions, swap_regions, vary_regions
from semanticgan.editing.session import EditingSession
from semanticgan.model import choose_device
from semanticgan.networks.config import DiscriminatorConfig
from tests.conftest import TINY_CONFIG, TINY_REGIONS

WIDTH, ROWS, SIDE, COARSE, NUM_REGIONS = 16, 11, 32, 16, 5
OTHER_REGIONS = sg.RegionScheme(("background", "face", "eye", "hat", "glasses"), transparent=("glasses",))
NO_CODE: list[Any] = [None, 3, "hair", b"hair", np.zeros((1, ROWS, WIDTH)), object(), [1], {}]
NO_NAMES: list[Any] = [None, 3, 1.5, b"hair", [3], [None], [], "", ",", ["hair", 2], {"hair": 1}, object(), "hiar"]
NO_NUMBER: list[Any] = [None, "0.5", b"1", [], [0.5], {}, float("nan"), float("inf"), 10**400, True, 1j, object()]
NO_SEED: list[Any] = ["3", b"3", 1.5, True, [1], {}, object(), float("nan"), 2**70]
NO_SEEDS: list[Any] = ["0-3", b"3", 5, [], ["3"], [1.5], [True], [None], np.zeros((2, 2)), object(), [2**70]]
NO_TENSOR: list[Any] = [None, 3, "w", [1.0], np.zeros((1, WIDTH)), object()]
NO_DEVICE: list[Any] = [None, 3, b"cpu", "gpu", "", [], object(), "cuda:99"]


@pytest.fixture(scope="module")
def model(tiny_model_file: Path) -> sg.Model:
    return sg.load(tiny_model_file, device="cpu")


def calls(what: str, function: Callable[..., Any], values: list[Any]) -> list[Any]:
    return [pytest.param(function, value, id=f"{what}-{number}") for number, value in enumerate(values)]


def code(m: sg.Model, num_images: int = 1) -> sg.LatentCode:
    return m.sample(seeds=range(num_images))


def other(m: sg.Model) -> sg.LatentCode:
    return sg.LatentCode(code(m).tensor, OTHER_REGIONS)


def rendering(m: sg.Model) -> sg.Rendering:
    return m.render(code(m))


def tensors(*shapes: tuple[int, ...]) -> list[Any]:
    return [torch.zeros(shape) for shape in shapes]


HAIR = Direction("hair", ("hair.texture",), torch.ones(1, 16), 1.0)

WRONG_LATENTS = [
    *tensors((), (3,), (2, 3), (0, WIDTH), (2, 3, WIDTH), (1, ROWS, WIDTH, 1)),
    torch.zeros(1, WIDTH, dtype=torch.int64),
    torch.zeros(1, WIDTH, dtype=torch.complex64),
    torch.zeros(1, WIDTH, dtype=torch.bool),
]
FUNCTIONS = [
    *calls("load", lambda m, x: sg.load(x, device="cpu"), [3, 1.5, b"a.safetensors", ["a"], object(), "zzz", ""]),
    *calls(
        "load-address",
        lambda m, x: sg.load(x, device="cpu"),
        ["https://x/y", "HTTP://x/y.safetensors", "s3://x", "file:///a"],
    ),
    *calls("load-device", lambda m, x: sg.load(device=x), NO_DEVICE),
    *calls("choose-device", lambda m, x: choose_device(x), NO_DEVICE),
    *calls("model-of", lambda m, x: sg.Model(x), [None, 3, "portraits-64", object()]),
    *calls("swap-a", lambda m, x: sg.swap(x, code(m), "hair"), NO_CODE),
    *calls("swap-b", lambda m, x: sg.swap(code(m), x, "hair"), NO_CODE),
    *calls("swap-regions", lambda m, x: sg.swap(code(m), code(m), x), NO_NAMES),
    *calls("swap-what", lambda m, x: sg.swap(code(m), code(m), "hair", what=x), [None, 3, "colour", ["both"], b"both"]),
    *calls("swap-fit", lambda m, x: sg.swap(code(m, 2), x(m), "hair"), [other, lambda m: code(m, 3)]),
    *calls("mix-weight", lambda m, x: sg.mix(code(m), code(m), "hair", x), NO_NUMBER),
    *calls("move-direction", lambda m, x: sg.move(code(m), x), [None, "smile", 3, torch.zeros(2)]),
    *calls("move-strength", lambda m, x: sg.move(code(m), HAIR, x), [None, "much", float("nan"), b"2"]),
    *calls("mix-regions", lambda m, x: sg.mix(code(m), code(m), x, 0.5), NO_NAMES),
    *calls("interpolate-a", lambda m, x: sg.interpolate(x, code(m), 0.5), NO_CODE),
    *calls("interpolate-b", lambda m, x: sg.interpolate(code(m), x, 0.5), NO_CODE),
    *calls(
        "interpolate-t", lambda m, x: sg.interpolate(code(m), code(m), x), [None, "x", [], -1, 2, [0, 3], {}, 10**400]
    ),
    *calls("interpolate-without-t", lambda m, x: sg.interpolate(code(m), x), [0.5, code]),
    *calls("interpolate-list", lambda m, x: sg.interpolate(x, 0.5), [[], None, 3, "ab", [1, 2], [None, None]]),
    *calls("interpolate-one", lambda m, x: sg.interpolate([code(m)], x), [0.0, None]),
    *calls("interpolate-many", lambda m, x: sg.interpolate(code(m, 2), code(m), x), [0.5]),
    *calls("interpolate-regions", lambda m, x: sg.interpolate(code(m), code(m), 0.5, regions=x), NO_NAMES[1:]),
    *calls(
        "interpolate-method", lambda m, x: sg.interpolate(code(m), code(m), 0.5, method=x), [None, 3, "quintic", []]
    ),
    *calls("interpolate-other", lambda m, x: sg.interpolate(code(m), other(m), x), [0.5]),
    *calls("truncate-code", lambda m, x: sg.truncate(x, m.generator.mean_latent, 0.5), NO_CODE),
    *calls("truncate-mean", lambda m, x: sg.truncate(code(m), x, 0.5), [*NO_TENSOR, *tensors((3,), (1, WIDTH), ())]),
    *calls("truncate-psi", lambda m, x: sg.truncate(code(m), m.generator.mean_latent, x), NO_NUMBER),
    *calls("region-index", lambda m, x: m.regions.index(x), ["hiar", ""]),
]
CODES = [
    *calls("tensor", lambda m, x: sg.LatentCode(x, TINY_REGIONS), [*NO_TENSOR, *WRONG_LATENTS, *tensors((1, 3, 4))]),
    *calls("float8", lambda m, x: sg.LatentCode(torch.zeros(1, ROWS, WIDTH).to(x), TINY_REGIONS), [torch.float8_e5m2]),
    *calls("regions", lambda m, x: sg.LatentCode(code(m).tensor, x), [None, "hair", ["background", "hair"], 3, {}]),
    *calls(
        "from-w", lambda m, x: sg.LatentCode.from_w(x, TINY_REGIONS, 1), [*NO_TENSOR, *tensors((), (3,), (1, 2, 3))]
    ),
    *calls("from-w-regions", lambda m, x: sg.LatentCode.from_w(torch.zeros(1, WIDTH), x, 1), [None, "hair", 3]),
    *calls(
        "from-w-base", lambda m, x: sg.LatentCode.from_w(torch.zeros(1, WIDTH), TINY_REGIONS, x), [None, "1", -1, 1.5]
    ),
    *calls("cat", lambda m, x: sg.LatentCode.cat(x), [None, [], 3, "ab", [None], [code], b"a"]),
    *calls("cat-one", lambda m, x: sg.LatentCode.cat(code(m)), [None]),
    *calls("cat-other", lambda m, x: sg.LatentCode.cat([code(m), other(m)]), [None]),
    *calls(
        "index", lambda m, x: code(m, 2)[x], [2, -3, 1.5, "0", b"0", None, [], [2], [True], ["0"], slice("a"), (5,)]
    ),
    *calls("index-empty", lambda m, x: code(m, 2)[x], [slice(2, 2), torch.tensor([9]), np.array([0.5]), {0: 1}]),
    *calls("structure", lambda m, x: code(m).structure(x), [None, 3, "hiar", b"hair", ["hair", 2]]),
    *calls("texture", lambda m, x: code(m).texture(x), [None, 3, "hiar", b"hair", ["hair", 2]]),
    *calls("rows", lambda m, x: code(m).rows.indices(x), NO_NAMES),
    *calls("rows-layers", lambda m, x: code(m).rows.indices(layers=x), ["0-3", 0, [0], "hair"]),
    *calls("swap-layers", lambda m, x: sg.swap(code(m), code(m), layers=x), ["0-3", 0, [0], "hair"]),
    *calls("edit-layers", lambda m, x: m.edit(code(m), reference=3, layers=x), ["0-3", 0, [0], "hair"]),
    *calls("replace-layers", lambda m, x: code(m).replace(layers=x), [3, "0-3", {"0-3": torch.zeros(WIDTH)}]),
    *calls("replace-base", lambda m, x: code(m).replace(base=x), [3, "a", np.zeros(3), *tensors((5,), (3, 3))]),
    *calls(
        "replace-structure", lambda m, x: code(m).replace(structure=x), [3, "hair", ["hair"], {"hiar": torch.zeros(16)}]
    ),
    *calls(
        "replace-texture", lambda m, x: code(m).replace(texture={"hair": x}), [None, 3, np.zeros(16), *tensors((5,))]
    ),
    *calls(
        "to", lambda m, x: code(m).to(x), [None, 3.5, b"cpu", "gpu", "cuda:99", "meta", torch.device("meta"), object()]
    ),
    *calls("save", lambda m, x: code(m).save(x), ["a.pt", "a", "folder/"]),
    *calls("load-regions", lambda m, x: sg.LatentCode.load("none.npy", x), [None, "hair"]),
]
MODEL = [
    *calls("sample-seed", lambda m, x: m.sample(seed=x), NO_SEED),
    *calls("sample-seeds", lambda m, x: m.sample(seeds=x), NO_SEEDS),
    *calls("sample-nothing", lambda m, x: m.sample(x), [None]),
    *calls("sample-both", lambda m, x: m.sample(3, seeds=x), [[3]]),
    *calls("sample-n", lambda m, x: m.sample(seed=3, n=x), [0, -1, 1.5, "3", True, [2], 10**9]),
    *calls("sample-n-seeds", lambda m, x: m.sample(seeds=[1], n=x), [1]),
    *calls("sample-n-seed", lambda m, x: m.sample(seed=x, n=2), NO_SEED),
    *calls("sample-truncation", lambda m, x: m.sample(seed=3, truncation=x), NO_NUMBER),
    *calls("code", lambda m, x: m.code(x), [*NO_TENSOR, *tensors((), (3,), (2, 3), (1, 1, WIDTH), (0, WIDTH))]),
    *calls("edit-code", lambda m, x: m.edit(x, "hair", 3), NO_CODE),
    *calls("edit-regions", lambda m, x: m.edit(code(m), x, 3), NO_NAMES),
    *calls("edit-reference", lambda m, x: m.edit(code(m), "hair", x), [None, 1.5, "3", True, [3], np.zeros(3), 2**70]),
    *calls("edit-what", lambda m, x: m.edit(code(m), "hair", 3, what=x), [None, 3, "colour"]),
    *calls("render", lambda m, x: m.render(x), [*NO_CODE, *WRONG_LATENTS]),
    *calls("render-other", lambda m, x: m.render(other(m)), [None]),
    *calls(
        "render-noise", lambda m, x: m.render(code(m), x), [None, 3, "fixd", b"fixed", [], [1, 2, 3, 4], object(), {}]
    ),
    *calls("render-maps", lambda m, x: m.render(code(m), [x] * 4), [None, 3, *tensors((), (1, 1, 3, 3))]),
    *calls("render-batch", lambda m, x: m.render(code(m), batch_size=x), [0, -1, 1.5, None, "2", True]),
    *calls(
        "render-visible", lambda m, x: m.render(code(m), visible=x), [3, "hair", [1] * 5, np.ones(5), *tensors((5,))]
    ),
    *calls("render-coordinates", lambda m, x: m.render(code(m), coordinates=x), [3, "hair", [1], *tensors((5,))]),
    *calls("render-precision", lambda m, x: m.render(code(m), precision=x), [None, 16, "float8", torch.float32]),
    *calls("edit-source", lambda m, x: sg.Edit(x), [None, 1.5, True, object(), -1, 2**63]),
    *calls("edit-regions", lambda m, x: sg.Edit(3).swap(x, 8), [None, 3, b"hair", [3]]),
    *calls("edit-weight", lambda m, x: sg.Edit(3).interpolate("hair", 8, x), [None, "1", float("nan")]),
    *calls("edit-layers", lambda m, x: sg.Edit(3).swap(None, 8, layers=x), [None, 3, b"0-3", "hair", ["0-3"]]),
    *calls("edit-composite", lambda m, x: sg.Edit(3).composited(x), [-1, 1, "0", 1.5, True]),
    *calls("invert", lambda m, x: m.invert(x), [None, 3, [1], object(), *tensors((3,))]),
    *calls("invert-method", lambda m, x: m.invert(torch.zeros(1, 3, m.size, m.size), x), [None, 3, "magic"]),
    *calls("session", lambda m, x: m.session(x), [None, 16, "float8"]),
    *calls("session-of", lambda m, x: EditingSession(x), [None, 3, "portraits-64"]),
    *calls("session-render", lambda m, x: m.session().render(x), [*NO_CODE, *WRONG_LATENTS]),
    *calls("session-noise", lambda m, x: m.session().render(code(m), x), [None, 3, "fixd"]),
    *calls("session-visible", lambda m, x: m.session().render(code(m), visible=x), [3, *tensors((5,))]),
    *calls("to", lambda m, x: m.to(x), NO_DEVICE),
]
NETWORKS = [
    *calls("generator", lambda m, x: sg.Generator(x), [None, 3, {}, TINY_CONFIG.to_dict()]),
    *calls("discriminator", lambda m, x: sg.Discriminator(x), [None, 3, {}, TINY_CONFIG]),
    *calls("map", lambda m, x: m.generator.map(x), [*NO_TENSOR, *tensors((), (3,), (2, 3), (1, 2, WIDTH))]),
    *calls("forward", lambda m, x: m.generator(x), [*NO_TENSOR, *tensors((), (3,), (2, 3), (2, 3, WIDTH))]),
    *calls("forward-code", lambda m, x: m.generator(code(m)), [None]),
    *calls(
        "forward-noise",
        lambda m, x: m.generator(code(m).tensor, x),
        [None, 3, "fixd", [], [1] * 4, tensors((1, 1, 3, 3))],
    ),
    *calls("forward-visible", lambda m, x: m.generator(code(m).tensor, visible=x), [3, "hair", *tensors((5,), (1, 4))]),
    *calls(
        "forward-places", lambda m, x: m.generator(code(m).tensor, coordinates=x), [3, *tensors((5,), (1, 5, 3, 3, 2))]
    ),
    *calls("score", lambda m, x: discriminator()(x), [*NO_TENSOR, *tensors((), (1, 3, 16, 16), (1, 1, 32, 32))]),
    *calls("score-both", lambda m, x: discriminator()(torch.zeros(1, 3, 32, 32), x), [3, *tensors((1, 4, 32, 32))]),
    *calls("config", lambda m, x: type(TINY_CONFIG).from_dict(x), [None, 3, [], {"depth": 3}, {"size": "64"}]),
]
EDITS = [
    *calls("swap", lambda m, x: swap_regions(m, code(m), code(m), x), NO_NAMES),
    *calls("swap-codes", lambda m, x: swap_regions(m, x, code(m), "hair"), NO_CODE),
    *calls("vary-seeds", lambda m, x: vary_regions(m, code(m), "hair", x), NO_SEEDS),
    *calls("vary-regions", lambda m, x: vary_regions(m, code(m), x, [1]), NO_NAMES),
    *calls(
        "interpolate-steps", lambda m, x: interpolate_regions(m, [code(m), code(m)], x, "hair"), [1, 0, 1.5, None, "3"]
    ),
    *calls("interpolate-codes", lambda m, x: interpolate_regions(m, x, 3, "hair"), [None, [], 3, "ab", [None, None]]),
    *calls("edit-source", lambda m, x: edit(m, x, code(m), "hair"), NO_CODE),
    *calls("edit-edited", lambda m, x: edit(m, code(m), x, "hair"), NO_CODE),
    *calls("edit-model", lambda m, x: edit(x, code(m), code(m), "hair"), [None, 3, "portraits-64"]),
]
RENDERINGS = [
    *calls("save-suffix", lambda m, x: rendering(m).save(x), ["a.xyz", "a", "a.png.exe", "a.safetensors"]),
]


def discriminator() -> sg.Discriminator:
    return sg.Discriminator(DiscriminatorConfig(32, NUM_REGIONS, {4: 8, 8: 8, 16: 8, 32: 8}))


@pytest.mark.parametrize(("function", "value"), [*FUNCTIONS, *CODES, *MODEL, *NETWORKS, *EDITS, *RENDERINGS])
def test_wrong_arguments(
    model: sg.Model, function: Callable[..., Any], value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(sg.InputError) as caught:
        function(model, value)
    message = str(caught.value)
    assert "\n" not in message and 10 < len(message) < 600, message


def test_right_arguments_of_unusual_types(model: sg.Model) -> None:
    """Numbers of numpy, tensors of one number, tuples and generators are as good as Python's own."""
    a, b = model.sample(seed=np.int64(3)), model.sample(seeds=np.array([8]))
    assert sg.mix(a, b, ("hair",), np.float32(0.5)) == sg.mix(a, b, "hair", torch.tensor(0.5))
    assert sg.swap(a, b, (name for name in ["hair", "eye"])) == sg.swap(a, b, "hair,eyes")
    assert model.edit(a, "hair", np.int64(8)) == sg.swap(a, b, "hair")
    both = sg.LatentCode.cat(code for code in (a, b))
    assert both[np.array([1])] == both[torch.tensor([False, True])] == both[-1] == b
    assert model.render(a, batch_size=np.int64(2)) == model.render(a)


def test_every_public_name_is_tested() -> None:
    source = Path(__file__).read_text()
    for name in set(sg.__all__) - {"InputError", "directions"}:  # a module, see tests/directions
        assert f"sg.{name}" in source
    for kind in (sg.Model, sg.LatentCode, sg.Rendering):
        methods = {name for name, value in vars(kind).items() if callable(value) and not name.startswith("_")}
        for name in methods - {"labels", "to_uint8", "to_pil"}:  # these take nothing
            assert f".{name}(" in source, name
