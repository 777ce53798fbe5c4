"""Blending two models: each part is exactly that of the model it is said to come from, and nothing else moves."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import semanticgan as sg
from semanticgan.checkpoint import LoadedModel, ModelMetadata, load_model, save_model
from semanticgan.errors import InputError
from semanticgan.model import Model
from semanticgan.networks.config import GeneratorConfig
from semanticgan.regions import RegionScheme
from semanticgan.surgery.blending import Blend, blend, block_sides
from tests.conftest import TINY_CONFIG, TINY_REGIONS
from tests.networks.models import perturbed_generator

SIDES = (16, 32)


def make(seed: int, config: GeneratorConfig = TINY_CONFIG, regions: RegionScheme = TINY_REGIONS) -> Model:
    generator = perturbed_generator(config, seed).requires_grad_(False)
    metadata = ModelMetadata(
        description=f"model {seed}",
        config=config,
        regions=regions,
        discriminator=None,
        training={"images": seed},
        licence="Apache-2.0",
        data_licence=f"data {seed}",
        precision="float32",
    )
    return Model(LoadedModel(generator, regions, metadata))


@pytest.fixture(scope="module")
def first() -> Model:
    return make(1)


@pytest.fixture(scope="module")
def second(first: Model) -> Model:
    """As if adapted with the coordinates' embedding frozen: everything differs but that."""
    model = make(2)
    model.generator.local.fourier_weight.copy_(first.generator.local.fourier_weight)
    return model


@pytest.fixture(scope="module")
def codes(first: Model) -> Tensor:
    return torch.randn(2, TINY_CONFIG.num_rows, 16, generator=torch.Generator().manual_seed(0))


def state(model: Model) -> dict[str, Tensor]:
    return dict(model.generator.state_dict())


def test_blending_everything_gives_what_the_second_renders(first: Model, codes: Tensor) -> None:
    stranger = make(3)  # its embedding of the coordinates differs too
    both = blend(first, stranger, renderer_from=16, regions=TINY_REGIONS.names).model
    rendering, expected = both.render(codes), stranger.render(codes)
    for name, value in vars(expected).items():
        assert torch.equal(getattr(rendering, name), value), name
    z = torch.randn(3, 16)
    assert torch.equal(both.generator.map(z), first.generator.map(z))
    assert torch.equal(both.generator.mean_latent, first.generator.mean_latent)


@pytest.mark.parametrize(
    "options", [{}, {"renderer_from": 16, "regions": ["hair", "eye"], "weight": 0.0}], ids=["nothing", "weight 0"]
)
def test_blending_nothing_gives_the_first(first: Model, second: Model, options: dict[str, Any]) -> None:
    blended = blend(first, second, **options).model
    assert all(torch.equal(tensor, state(first)[name]) for name, tensor in state(blended).items())


def test_both_models_stay_as_they_are(codes: Tensor) -> None:
    first, second = make(1), make(2)
    before = [{name: tensor.clone() for name, tensor in state(model).items()} for model in (first, second)]
    drawn = torch.get_rng_state()
    blended = blend(first, second, renderer_from=16, regions=["hair"], weight=0.5).model
    for tensor in state(blended).values():
        tensor.zero_()
    assert torch.equal(torch.get_rng_state(), drawn)
    for model, kept in zip((first, second), before, strict=True):
        assert all(torch.equal(tensor, kept[name]) for name, tensor in state(model).items())


@pytest.mark.parametrize(("side", "taken"), [(16, (0, 1)), (32, (1,))])
def test_renderer_blocks_from_a_side_on(first: Model, second: Model, side: int, taken: tuple[int, ...]) -> None:
    blended = state(blend(first, second, renderer_from=side).model)
    for name, tensor in blended.items():
        prefixes = [
            f"renderer.{part}" for k in taken for part in (f"blocks.{k}.", f"noise_{2 * k}", f"noise_{2 * k + 1}")
        ]
        source = second if name.startswith(tuple(prefixes)) else first
        assert torch.equal(tensor, state(source)[name]), name


def test_the_whole_renderer_draws_the_second_s_picture_of_the_first_s_features(
    first: Model, second: Model, codes: Tensor
) -> None:
    blended = blend(first, second, renderer_from=16).model
    with torch.no_grad():
        feature, mask = first.generator.fusion(first.generator.local(first.generator.region_codes(codes)))
        expected = second.generator.renderer(feature, mask, second.generator.renderer.noise_maps("fixed", feature))
    assert torch.equal(blended.render(codes).image, expected.image)
    assert torch.equal(blended.render(codes).segmentation, expected.segmentation)


def test_the_label_network_goes_with_the_last_block() -> None:
    own, other = (make(seed, dataclasses.replace(TINY_CONFIG, label_channels=6)) for seed in (1, 2))
    names = [name for name in state(own) if "label_network" in name]
    assert names
    for source, blended in (
        (other, blend(own, other, renderer_from=SIDES[0])),
        (other, blend(own, other, renderer_from=SIDES[1])),
        (own, blend(own, other, regions="hair")),
    ):
        found = state(blended.model)
        assert all(torch.equal(found[name], state(source)[name]) for name in names)


@pytest.mark.parametrize("regions", [["hair"], ["background"], ["face", "glasses"], "hair,eye"])
def test_regions_bring_their_local_generator_and_nothing_else(
    first: Model, second: Model, codes: Tensor, regions: Any
) -> None:
    blended = blend(first, second, regions=regions)
    labels = TINY_REGIONS.indices(regions)
    assert blended.regions == tuple(TINY_REGIONS.names[label] for label in labels)
    outputs = [model.generator.local(model.generator.region_codes(codes)) for model in (blended.model, first, second)]
    heads = [model.generator.fusion.feature_head for model in (blended.model, first, second)]
    for label in range(len(TINY_REGIONS)):
        source = 2 if label in labels else 1
        assert torch.equal(outputs[0].hidden[:, label], outputs[source].hidden[:, label])
        assert torch.equal(outputs[0].depth[:, label], outputs[source].depth[:, label])
        assert torch.equal(heads[0].effective_weight()[label], heads[source].effective_weight()[label])
        assert torch.equal(heads[0].bias[label], heads[source].bias[label])
        assert not torch.equal(outputs[0].hidden[:, label], outputs[3 - source].hidden[:, label])
    for part in ("mapping.", "renderer.", "mean_latent", "local.fourier"):
        for name, tensor in state(blended.model).items():
            if name.startswith(part):
                assert torch.equal(tensor, state(first)[name]), name


def test_weights_are_means_of_both(first: Model, second: Model) -> None:
    blended = state(blend(first, second, renderer_from=32, regions=["hair"], weight=0.3).model)
    hair = TINY_REGIONS.index("hair")
    for name, own in (
        ("renderer.blocks.1.refine.conv.weight", slice(None)),
        ("renderer.blocks.1.to_rgb.bias", slice(None)),
        ("local.layers.0.style_weight", hair),
        ("local.depth_head.weight", hair - 1),
    ):
        expected = 0.7 * state(first)[name][own].double() + 0.3 * state(second)[name][own].double()
        torch.testing.assert_close(blended[name][own].double(), expected, rtol=1e-6, atol=1e-6)
    assert torch.equal(blended["renderer.noise_2"], state(first)["renderer.noise_2"])  # not a weaker mean of the maps
    mostly = state(blend(first, second, renderer_from=32, weight=0.6).model)
    assert torch.equal(mostly["renderer.noise_2"], state(second)["renderer.noise_2"])


def test_a_smooth_passage_follows_the_logistic_function(first: Model, second: Model) -> None:
    for smooth in (0.5, 2.0):
        parts = blend(first, second, renderer_from=32, weight=0.8, smooth=smooth).side_weights
        for side, doublings in ((16, -0.5), (32, 0.5)):
            assert parts[side] == pytest.approx(0.8 / (1 + math.exp(-doublings / smooth)), rel=1e-9)
    assert blend(first, second, renderer_from=32, smooth=1e-6).side_weights == {16: 0.0, 32: 1.0}
    assert blend(first, second, renderer_from=32).side_weights == {16: 0.0, 32: 1.0}
    assert block_sides(first.generator) == SIDES


def test_similarity_tells_related_models_from_strangers(first: Model, second: Model) -> None:
    adapted = make(1)
    source = torch.Generator().manual_seed(5)
    for name, tensor in state(adapted).items():
        if name.endswith("weight") and tensor.ndim > 1:
            tensor += 0.1 * tensor.std() * torch.randn(tensor.shape, generator=source)
    assert blend(first, first).similarity == pytest.approx(1.0, abs=1e-9)
    assert blend(first, adapted).similarity == pytest.approx(1 / math.sqrt(1.01), abs=0.01)
    assert abs(blend(first, make(3)).similarity) < 0.2


def test_the_blend_states_both_sources(first: Model, second: Model, tmp_path: Path) -> None:
    metadata = blend(first, second, renderer_from=32, regions=["hair"], weight=0.5).model.metadata
    assert metadata.licence == "Apache-2.0"  # both models' own
    assert metadata.data_licence == "of the first model: data 1; of the second: data 2"
    assert "model 1" in metadata.description and "model 2" in metadata.description
    assert metadata.training["blend"] == {"renderer_from": 32, "regions": ["hair"], "weight": 0.5, "smooth": 0.0}
    assert metadata.training["second"] == {"description": "model 2", "training": {"images": 2}}


def test_models_that_do_not_fit_are_refused(first: Model, second: Model) -> None:
    wider = dataclasses.replace(TINY_CONFIG, local_channels=12, mask_floor=0.01)
    with pytest.raises(InputError, match=r"differ in local_channels \(8 and 12\), mask_floor \(0.0 and 0.01\)"):
        blend(first, make(2, wider), renderer_from=16)
    others = RegionScheme(("background", "face", "eye", "hat", "glasses"), transparent=("glasses",))
    with pytest.raises(InputError, match=r"differ in regions .*hair.* and .*hat"):
        blend(first, make(2, regions=others), regions=["hair"])
    for options, words in (
        ({"renderer_from": 64}, "the renderer has no block of resolution 64. Give one of 16, 32"),
        ({"regions": ["hare"]}, "unknown region 'hare'. Did you mean 'hair'"),
        ({"regions": ""}, "no region given"),
        ({"renderer_from": 16, "weight": 1.5}, "between 0 .* and 1 .*, got 1.5"),
        ({"renderer_from": 16, "weight": math.nan}, "got nan"),
        ({"renderer_from": 16, "smooth": -1.0}, "0 or more, got -1.0"),
    ):
        with pytest.raises(InputError, match=words):
            blend(first, second, **options)  # type: ignore[arg-type]


@pytest.fixture
def files(first: Model, second: Model, tmp_path: Path) -> list[Path]:
    paths = []
    for name, model in (("first", first), ("second", second)):
        paths.append(tmp_path / f"{name}.safetensors")
        metadata = model.metadata
        save_model(
            paths[-1],
            model.generator,
            model.regions,
            training=metadata.training,
            licence=metadata.licence,
            data_licence=metadata.data_licence,
            description=metadata.description,
        )
    return paths


def test_the_verb_writes_the_blend(
    first: Model, second: Model, files: list[Path], command: Callable[..., Any], codes: Tensor
) -> None:
    words = ["--model", files[0], "--with", files[1], "--from-side", "32", "--region", "hair", "--region", "eyes,lips"]
    assert "unknown region 'lips'" in command("blend", *words, "--out", "x.safetensors").complaint
    words[-1] = "eyes"
    result = command("blend", *words, "--out", "blended.safetensors").result
    assert result["side_weights"] == {"16": 0.0, "32": 1.0} and result["regions"] == ["hair", "eye"]
    loaded = load_model("blended.safetensors")
    expected: Blend = blend(first, second, renderer_from=32, regions=["hair", "eye"])
    assert result["similarity"] == round(expected.similarity, 4)
    assert all(
        torch.equal(tensor, state(expected.model)[name]) for name, tensor in loaded.generator.state_dict().items()
    )
    assert loaded.metadata.data_licence == result["data_licence"] == "of the first model: data 1; of the second: data 2"
    assert loaded.metadata.training == expected.model.metadata.training
    written = Path("blended.safetensors").read_bytes()
    assert "exists already" in command("blend", *words, "--out", "blended.safetensors").complaint
    assert Path("blended.safetensors").read_bytes() == written
    half = command(
        "blend", *words, "--weight", "0.5", "--precision", "float16", "--description", "mine", "--out",
        "blended.safetensors", "--overwrite",
    ).result  # fmt: skip
    assert half["weight"] == 0.5
    metadata = load_model("blended.safetensors").metadata
    assert (metadata.description, metadata.precision) == ("mine", "float16")


def test_the_verb_says_what_is_wrong(files: list[Path], command: Callable[..., Any]) -> None:
    words = ["blend", "--model", files[0], "--with", files[1]]
    assert "Give --from-side" in command(*words, "--out", "x.safetensors").complaint
    assert "one of 16, 32" in command(*words, "--from-side", "128", "--out", "x.safetensors").complaint
    assert "ends in .safetensors" in command(*words, "--from-side", "16", "--out", "x.pt").complaint
    assert (
        "no region given" in command(*words, "--from-side", "16", "--region", ",", "--out", "x.safetensors").complaint
    )
    assert "--with" in command("blend", "--from-side", "16", "--out", "x.safetensors").complaint
    missing = command("blend", "--with", "none.safetensors", "--from-side", "16", "--out", "x.safetensors")
    assert "none.safetensors" in missing.complaint
    assert not list(Path().glob("x*"))


def test_layers_of_two_models_are_blended(tiny_layered_file: Path) -> None:
    """From a side up everything is the second's; what makes smaller maps, and the mapping, stays the first's."""
    first, second = (sg.load(tiny_layered_file, device="cpu") for _ in range(2))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in second.generator.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    mixed = blend(first, second, renderer_from=16).model
    own, other, found = (model.generator.state_dict() for model in (first, second, mixed))
    for name, tensor in found.items():
        side = first.generator.side_of(name)
        expected = other if side is not None and side >= 16 else own
        assert torch.equal(tensor, expected[name]), name
    assert block_sides(first.generator) == (4, 8, 16, 32)
    assert not torch.equal(mixed.render(mixed.sample(seed=1)).image, first.render(first.sample(seed=1)).image)
    with pytest.raises(InputError, match="there are no regions here"):
        blend(first, second, regions="hair")
