"""Rows by name, and codes of regions and of layers: what a choice means, and that every operation keeps to it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

import semanticgan as sg
from semanticgan.checkpoint import LoadedModel
from semanticgan.errors import InputError
from semanticgan.regions import CELEBAMASK_13
from semanticgan.rows import Rows, layers_text, require_layers

SCHEME = sg.RegionScheme(("background", "face", "hair"))
REGIONS, LAYERS = Rows.of_regions(SCHEME, 2), Rows.of_layers(10)
WIDTH = 6


def layered(seed: int, num_images: int = 1) -> sg.LatentCode:
    return sg.LatentCode(torch.randn(num_images, 10, WIDTH, generator=torch.Generator().manual_seed(seed)), LAYERS)


def changed_rows(before: sg.LatentCode, after: sg.LatentCode) -> list[int]:
    return (before.tensor != after.tensor).any(2).any(0).nonzero().flatten().tolist()


def test_names_are_those_of_the_rows() -> None:
    assert REGIONS.names == (
        "base.0", "base.1", "background.structure", "background.texture", "face.structure", "face.texture",
        "hair.structure", "hair.texture",
    )  # fmt: skip
    assert Rows.of_layers(3).names == ("layer.0", "layer.1", "layer.2")
    assert (len(REGIONS), len(LAYERS)) == (8, 10) == (len(REGIONS.names), len(LAYERS.names))
    assert Rows.of_regions(SCHEME, 0).names[0] == "background.structure"
    for region in SCHEME.names:
        assert [REGIONS.names[row] for row in REGIONS.indices(region)] == [f"{region}.structure", f"{region}.texture"]
    assert repr(REGIONS) == "Rows(2 base rows and 3 regions)" and repr(LAYERS) == "Rows(10 layers)"


def test_regions_choose_their_rows() -> None:
    assert REGIONS.indices("hair", "structure") == [6]
    assert REGIONS.indices(["hair", "face"], "texture") == [5, 7]
    assert REGIONS.indices("face", include_base=True) == [0, 1, 4, 5]
    assert REGIONS.indices("skin") == [4, 5], "an alias"


@pytest.mark.parametrize(
    ("layers", "rows"),
    [
        ("0-3", [0, 1, 2, 3]),
        ("0,2,5-7", [0, 2, 5, 6, 7]),
        (" 9 , 1 - 2", [1, 2, 9]),
        ("layer.4", [4]),
        (["layer.8", 1], [1, 8]),
        (3, [3]),
        ([2, 0, 2], [0, 2]),
        (range(8, 10), [8, 9]),
        ((layer for layer in (1, 2)), [1, 2]),
        (np.array([1, 3]), [1, 3]),
        (torch.tensor(5), [5]),
    ],
)
def test_layers_choose_their_rows(layers: Any, rows: list[int]) -> None:
    assert LAYERS.indices(layers=layers) == rows


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([3], "3"), ([2, 0, 1], "0-2"), ([0, 2, 5, 6, 7, 7], "0,2,5-7")]
)
def test_layers_as_a_text(numbers: list[int], text: str) -> None:
    assert layers_text(numbers) == text == require_layers(text)
    assert not text or LAYERS.indices(layers=text) == sorted(set(numbers))


@pytest.mark.parametrize("given", [3, None, "first", "0-", ",", "0," * 5000, "3-2"])
def test_texts_that_choose_no_layers(given: Any) -> None:
    with pytest.raises(InputError, match="layers"):
        require_layers(given)


@pytest.mark.parametrize(
    "layers",
    ["", ",", "10", "0-10", "3-1", "-1", "a", "0-", "1.5", "0--2", "0x1", "99999", "٣", "1,,2", [], [-1], [10], [1.0],
     [True], True, None, 1.5, b"1", {"0": 1}, ["a"], [None], object(), np.array([0.5])],
)  # fmt: skip
def test_wrong_layers(layers: Any) -> None:
    with pytest.raises(InputError, match="layers are numbers from 0 to 9 here, such as layers='0-3'") as caught:
        LAYERS.indices(layers=layers)
    assert "\n" not in str(caught.value)


def test_mistakes_name_the_rows() -> None:
    with pytest.raises(InputError, match=r"unknown region 'hiar'\. Did you mean 'hair'"):
        REGIONS.indices("hiar")
    with pytest.raises(InputError, match=r"belong to the regions background, face, hair .* regions='hair'"):
        REGIONS.indices(layers="0-3")
    with pytest.raises(InputError, match="belong to the regions"):
        REGIONS.indices("hair", layers="0-3")
    for choice in ({"regions": "hair"}, {"what": "texture", "layers": "0"}, {"include_base": True, "layers": "0"}):
        with pytest.raises(InputError, match=r"no regions here: the rows are layer\.0 to layer\.9.*layers='0-3'"):
            LAYERS.indices(**choice)  # type: ignore[arg-type]
    for rows in (REGIONS, LAYERS):
        with pytest.raises(InputError, match="Known: structure, texture, both"):
            rows.indices(what="colour")
        with pytest.raises(InputError):
            rows.indices()


@pytest.mark.parametrize("rows", [REGIONS, LAYERS, Rows.of_regions(CELEBAMASK_13, 2)])
def test_rows_as_json(rows: Rows) -> None:
    read = Rows.from_dict(json.loads(json.dumps(rows.to_dict())))
    assert read == rows and hash(read) == hash(rows) and read.names == rows.names


@pytest.mark.parametrize(
    "description",
    [None, 3, [], {}, {"num_layers": 0}, {"num_layers": 1.0}, {"num_layers": True}, {"num_layers": 10**9},
     {"num_layers": 3, "num_base": 0}, {"layers": 3}, {"regions": SCHEME.to_dict()},
     {"regions": SCHEME.to_dict(), "num_base": -1}, {"regions": SCHEME.to_dict(), "num_base": "2"},
     {"regions": {"names": ["one"]}, "num_base": 2}, {"regions": SCHEME.to_dict(), "num_base": 2, "num_layers": 3}],
)  # fmt: skip
def test_descriptions_that_are_none(description: Any) -> None:
    with pytest.raises(InputError) as caught:
        Rows.from_dict(description)
    assert "\n" not in str(caught.value)


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'num_layers'"):
        Rows.from_dict({"num_layer": 3})


def test_rows_that_are_none() -> None:
    scheme: Any
    for scheme, num_base, num_layers in ((SCHEME, 2, 3), (None, 0, 0), (None, 1, 3), ("hair", 0, 0), (None, 0, "3")):
        with pytest.raises(InputError):
            Rows(scheme, num_base, num_layers)
    with pytest.raises(InputError, match="regions must be a RegionScheme"):
        Rows.of_regions(None, 2)  # type: ignore[arg-type]


def test_a_code_carries_its_rows() -> None:
    tensor = torch.randn(2, 8, WIDTH)
    code = sg.LatentCode(tensor, REGIONS)
    assert code.rows.names == REGIONS.names and code.regions == SCHEME and code.num_base == 2
    assert code == sg.LatentCode(tensor, SCHEME), "with a scheme, the rows before the regions' are base rows"
    assert sg.LatentCode.from_w(tensor[:, 0], REGIONS) == sg.LatentCode.from_w(tensor[:, 0], SCHEME, 2)
    for made in (code[0], code.to("cpu"), code.replace(base=torch.zeros(WIDTH)), sg.LatentCode.cat([code, code])):
        assert made.rows == REGIONS
    for rows in (LAYERS, Rows.of_regions(SCHEME, 3), Rows.of_layers(7)):
        with pytest.raises(InputError, match=f"make {len(rows)} rows, got 8"):
            sg.LatentCode(tensor, rows)
    assert code != sg.LatentCode(tensor, Rows.of_layers(8))


def test_a_code_of_layers_has_no_regions() -> None:
    code = layered(0, 2)
    assert code.rows.names[3] == "layer.3" and code.num_base == 0
    assert repr(code) == "LatentCode([2, 10, 6], num_layers=10, device='cpu')"
    assert Image.open(io.BytesIO(code._repr_png_())).size == (512, 2 * 10 * 6 + 4)
    for use in (
        lambda: code.regions,
        lambda: code.structure("hair"),
        lambda: code.texture("hair"),
        lambda: code.replace(base=torch.zeros(WIDTH)),
        lambda: code.replace(structure={"hair": torch.zeros(WIDTH)}),
    ):
        with pytest.raises(InputError, match=r"there are no regions here: the rows are layer\.0 to layer\.9"):
            use()


def test_operations_on_layers_keep_to_them() -> None:
    a, b = layered(1, 2), layered(2)
    swapped = sg.swap(a, b, layers="0-3")
    assert changed_rows(a, swapped) == [0, 1, 2, 3] and swapped.rows == LAYERS
    assert torch.equal(swapped.tensor[:, :4], b.tensor[:, :4].expand(2, -1, -1))
    assert sg.mix(a, b, weight=1.0, layers=[0, 1, 2, 3]) == swapped and sg.mix(a, b, weight=0, layers=0) == a
    half = sg.mix(a, b, layers=[7])
    assert changed_rows(a, half) == [7]
    torch.testing.assert_close(half.tensor[:, 7], (a.tensor[:, 7] + b.tensor[:, 7]) / 2)

    a = a[0]
    way = sg.interpolate(a, b, [0.0, 0.5, 1.0], layers=[0, 1])
    assert way[0] == a and way[2] == sg.swap(a, b, layers=[0, 1]) and changed_rows(a, way[1]) == [0, 1]
    assert sg.interpolate(a, b, 1.0) == b
    cubic = sg.interpolate([a, b, layered(3)], 1.5, layers="9", method="cubic")
    assert changed_rows(a, cubic) == [9]

    replaced = a.replace(layers={2: torch.zeros(WIDTH), "4-5": b.tensor[:, 0]})
    assert changed_rows(a, replaced) == [2, 4, 5] and torch.equal(replaced.tensor[:, 5], b.tensor[:, 0])
    with pytest.raises(InputError, match=r"layer of 2 has the shape \[1, 6\], got \[5\]"):
        a.replace(layers={2: torch.zeros(5)})
    assert sg.LatentCode.cat([a, b])[1] == b


def test_truncation_of_chosen_rows() -> None:
    code, mean = layered(1), torch.randn(WIDTH)
    coarse = sg.truncate(code, mean, 0.5, layers="0-7")
    assert changed_rows(code, coarse) == list(range(8))
    assert torch.equal(coarse.tensor[:, :8], sg.truncate(code, mean, 0.5).tensor[:, :8])
    means = torch.randn(10, WIDTH)
    assert torch.equal(sg.truncate(code, means, 0.0).tensor[0], means)
    of_regions = sg.LatentCode(torch.randn(1, 8, WIDTH), REGIONS)
    assert changed_rows(of_regions, sg.truncate(of_regions, mean, 0.5, regions="hair", what="texture")) == [7]
    with pytest.raises(InputError, match=r"shape \[6\] or \[10, 6\], got \[9, 6\]"):
        sg.truncate(code, means[:9], 0.5)


def test_codes_of_regions_and_of_layers_do_not_mix() -> None:
    tensor = torch.randn(1, 10, WIDTH)
    regions = sg.LatentCode(tensor, Rows.of_regions(SCHEME, 4))
    with pytest.raises(InputError, match=r"different rows: layer\.0 to layer\.9 against background"):
        sg.swap(layered(1), regions, layers="0-3")
    with pytest.raises(InputError, match=r"layer\.0 to layer\.9 against layer\.0 to layer\.8"):
        sg.interpolate(layered(1), sg.LatentCode(tensor[:, :9], Rows.of_layers(9)), 0.5)
    with pytest.raises(InputError, match="no regions here"):
        sg.swap(layered(1), layered(2), "hair")
    with pytest.raises(InputError, match="no layers here"):
        sg.interpolate(regions, regions, 0.5, layers="0-3")


@pytest.mark.parametrize("suffix", [".safetensors", ".npy"])
def test_files_of_layers(suffix: str, tmp_path: Path) -> None:
    code, path = layered(1, 2), tmp_path / f"code{suffix}"
    code.save(path)
    assert sg.LatentCode.load(path, LAYERS) == code
    if suffix == ".safetensors":
        assert sg.LatentCode.load(path) == code
    else:
        with pytest.raises(InputError, match="does not name its regions or layers"):
            sg.LatentCode.load(path)
    for wanted in (Rows.of_layers(9), Rows.of_regions(SCHEME, 2), CELEBAMASK_13, "hair", 3):
        with pytest.raises(InputError) as caught:
            sg.LatentCode.load(path, wanted)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)


def test_files_of_regions_are_those_of_yesterday(tmp_path: Path) -> None:
    """The metadata have the same keys and texts, so that older versions read them. The oldest lack ``num_base``."""
    code, path = sg.LatentCode(torch.randn(1, 8, WIDTH), REGIONS), tmp_path / "code.safetensors"
    code.save(path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert metadata == {
        "format": "semanticgan-latent-code",
        "format_version": "1",
        "regions": json.dumps(SCHEME.to_dict()),
        "num_base": "2",
    }
    del metadata["num_base"]
    save_file({"latent_code": code.tensor}, path, metadata)
    assert (
        sg.LatentCode.load(path)
        == sg.LatentCode.load(path, REGIONS)
        == sg.LatentCode.load(path, regions=SCHEME)
        == code
    )


@pytest.mark.parametrize(
    "rows", [{"num_layers": "9"}, {"num_layers": "x"}, {"num_layers": "1e1"}, {"num_layers": "10", "num_base": "0"},
             {"num_layers": "10", "regions": json.dumps(SCHEME.to_dict())}, {"num_layers": "[10]"}, {},
             {"num_base": "2"}],
)  # fmt: skip
def test_damaged_rows_in_files(rows: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "code.safetensors"
    known = {"format": "semanticgan-latent-code", "format_version": "1"}
    save_file({"latent_code": layered(1).tensor}, path, known | rows)
    with pytest.raises(InputError, match="is damaged") as caught:
        sg.LatentCode.load(path)
    assert "\n" not in str(caught.value)


class ToyGenerator(nn.Module):
    """A layered generator's mapping: w = z + 1."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(style_dim=WIDTH)
        self.picture_size, self.latent_dim = 8, WIDTH
        self.register_buffer("mean_latent", torch.full((WIDTH,), 2.0))

    def map(self, z: Tensor) -> Tensor:
        return z + 1


def test_a_model_of_layers_has_the_same_names() -> None:
    loaded: Any = LoadedModel(ToyGenerator(), None, SimpleNamespace(description="a toy"))  # type: ignore[arg-type]
    model = sg.Model(loaded, rows=LAYERS)
    a, b = model.sample(seed=3), model.sample(seeds=[8, 9])
    assert a.tensor.shape == (1, 10, WIDTH) and a.rows == model.rows == model.mean.rows == LAYERS
    assert bool((model.mean.tensor == 2).all()) and model.code(torch.zeros(WIDTH)).tensor.shape == a.tensor.shape
    assert model.sample(seed=3, truncation=0.0) == model.mean
    assert model.edit(a, reference=b[0], layers="0-3") == sg.swap(a, model.sample(seed=8), layers="0-3")
    assert model.edit(a, reference=8, layers="0-3") == sg.swap(a, b[0], layers="0-3")
    assert "num_layers=10" in repr(model)
    for use in (lambda: model.regions, lambda: model.edit(a, "hair", 8), model.session):
        with pytest.raises(InputError, match=r"there are no regions here: the rows are layer\.0"):
            use()
    with pytest.raises(InputError, match="Use a code of this model"):
        model.render(sg.LatentCode(torch.zeros(1, 8, WIDTH), REGIONS))


def test_a_rendering_without_regions() -> None:
    rendering = sg.Rendering(torch.zeros(1, 3, 8, 8), *(torch.zeros(1, 0, 8, 8) for _ in range(3)))
    assert len(rendering.to_pil()) == 1 and "num_regions=0" in repr(rendering)
    with pytest.raises(InputError, match="no regions"):
        rendering.labels()


def test_rows_of_the_bundled_model() -> None:
    model = sg.load(device="cpu")
    code = model.sample(seed=3)
    assert code.rows == model.rows and code.rows.names[-2:] == ("earring.structure", "earring.texture")
    assert len(code.rows.names) == code.tensor.shape[1]
    assert [name for name in code.rows.names if name.startswith("base.")] == ["base.0", "base.1"]
