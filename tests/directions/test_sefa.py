"""SeFa equals the reference's sorted eigenvalues and subspaces, and reads the weights that really read a row."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import semanticgan as sg
from semanticgan.checkpoint import LoadedModel, ModelMetadata
from semanticgan.directions.sefa import factorise, of_model, style_weights
from semanticgan.directions.vectors import moved, sample_w
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.networks.comparison.alae import ALAEConfig, ALAEGenerator
from semanticgan.networks.comparison.layered import LayeredGenerator
from semanticgan.networks.comparison.pggan import PGGANConfig, PGGANGenerator
from semanticgan.networks.comparison.stylegan import StyleGANConfig, StyleGANGenerator
from semanticgan.networks.comparison.stylegan2 import StyleGAN2Config, StyleGAN2Generator
from tests.networks.fixtures import Case, assert_parity, case, needs_fixtures

CASES = [f"{gan}_{layers}" for gan in ("stylegan", "stylegan2") for layers in ("all", "range", "mix", "last")]
TOLERANCE = 1e-5


def generator_of(gan: str, fixture: Case) -> LayeredGenerator:
    """The package's own network with the style weights of the fixture."""
    tensors = fixture.starting(f"sd/{gan}/")
    if gan == "pggan":
        first = tensors["layer0.weight"]  # [out, in, 4, 4]
        pggan = PGGANGenerator(PGGANConfig(size=16, style_dim=24, channels=dict.fromkeys((4, 8, 16), 16)))
        pggan.blocks[0].dense.weight.data = first.flip(2, 3).permute(0, 2, 3, 1).reshape(-1, 24, 1, 1).clone()
        return pggan
    layers = {number: tensors.get(f"synthesis.layer{number}.style.weight") for number in range(8)}
    widths = {4: 20, 8: 20, 16: 16, 32: 8}
    if gan == "stylegan":
        stylegan = StyleGANGenerator(StyleGANConfig(size=32, style_dim=24, num_mapping_layers=2, channels=widths))
        own = [layer.adain.style for block in stylegan.blocks for layer in (block.first, block.second)]  # type: ignore
        put(own, [layers[number] for number in range(8)])
        return stylegan
    generator = StyleGAN2Generator(StyleGAN2Config(size=32, style_dim=24, num_mapping_layers=2, channels=widths))
    convolutions = [layer for block in generator.blocks for layer in (block.upsample, block.refine) if layer]
    put([layer.conv.style for layer in convolutions], [layers[number] for number in range(7)])  # type: ignore
    colours = [tensors[f"synthesis.output{number}.style.weight"] for number in range(4)]
    put([block.to_rgb.conv.style for block in generator.blocks], colours)  # type: ignore[union-attr]
    return generator


def put(modules: list[nn.Module], weights: list[Tensor | None]) -> None:
    for module, weight in zip(modules, weights, strict=True):
        assert weight is not None and module.weight.shape == weight.shape
        module.weight.data = weight.clone()


def model_of(generator: LayeredGenerator) -> Model:
    about = ModelMetadata("random weights", generator.config, None, None, {}, "none", "none", "float32")
    return Model(LoadedModel(generator, None, about))


@needs_fixtures
@pytest.mark.parametrize("name", [*CASES, "pggan_all"])
def test_values_and_subspace_equal_the_reference(name: str) -> None:
    fixture = case("directions/sefa")
    model = model_of(generator_of(name.partition("_")[0], fixture))
    layers = str(fixture.arrays[f"in/{name}/layers_arg"])
    (found,) = of_model(model, layers=None if layers == "all" else layers, num_samples=100).values()
    if name != "pggan_all":
        assert list(found.rows) == fixture[f"out/{name}/layers"].tolist()
    assert_parity(found.values, fixture[f"out64/{name}/sorted_values"].float(), TOLERANCE)
    assert bool((found.values.diff() <= 0).all())
    projector = found.directions[:3].T @ found.directions[:3]
    assert_parity(projector, fixture[f"out64/{name}/sorted_projector_top3"].float(), TOLERANCE)


@needs_fixtures
@pytest.mark.parametrize("name", CASES)
def test_edited_codes_equal_the_reference(name: str) -> None:
    """Its sign is that of the largest component, as here."""
    fixture = case("directions/sefa")
    model = model_of(generator_of(name.partition("_")[0], fixture))
    layers = str(fixture.arrays[f"in/{name}/layers_arg"])
    (found,) = of_model(model, layers=None if layers == "all" else layers, num_samples=100).values()
    code = LatentCode(fixture[f"in/{name}/code"], model.rows)
    edited = moved(code, found.rows, found.directions[0], float(fixture.arrays[f"in/{name}/distance"]))
    assert_parity(edited.tensor, fixture[f"out64/{name}/edited"].float(), TOLERANCE)


def test_factorisation_ignores_scales_and_rows_of_zeros() -> None:
    weights = [torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), torch.eye(4)[:2]]
    values, directions = factorise(weights)
    scaled = [weights[0] * torch.tensor([1.0, 3, 9, 0.1, 7])[:, None], torch.cat([9 * weights[1], torch.zeros(1, 4)])]
    for given, wanted in zip(factorise(scaled), (values, directions), strict=True):
        torch.testing.assert_close(given, wanted)
    assert float(values.sum()) == pytest.approx(7, rel=1e-6)  # the trace: one per row of length 1
    torch.testing.assert_close(directions @ directions.T, torch.eye(4), atol=1e-6, rtol=0)
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    assert bool((largest > 0).all())


def test_a_weight_is_read_by_its_row_alone(tiny_model_file: Path) -> None:
    """A step that no style matrix of a row sees changes nothing; every other step does."""
    model = sg.load(tiny_model_file, device="cpu")
    weights, code, names = style_weights(model), model.sample(seed=3), model.rows.names
    assert [len(group) for group in weights] == [4, *(3 if row == 0 else 2 - row % 2 for row in range(10))]
    for row, group in enumerate(weights):
        _, _, v = torch.linalg.svd(torch.cat(group), full_matrices=True)
        null = v[sum(len(weight) for weight in group) :]
        before = model.render(code)
        if len(null):
            after = model.render(moved(code, [row], null[-1], 5.0))
            torch.testing.assert_close(after.image, before.image, atol=1e-5, rtol=0)
        seen = model.render(moved(code, [row], v[0], 5.0))
        assert (seen.image - before.image).abs().max() > 1e-3, names[row]


def test_regions_are_factorised_apart(tiny_model_file: Path) -> None:
    model = sg.load(tiny_model_file, device="cpu")
    found = of_model(model, "hair,eye", num_directions=3, num_samples=500)
    assert list(found) == ["eye.structure", "eye.texture", "hair.structure", "hair.texture"]
    hair = found["hair.texture"]
    assert [model.rows.names[row] for row in hair.rows] == ["hair.texture"]
    expected = factorise([model.generator.local.layers[3].style_weight[3]])  # type: ignore[union-attr, index]
    torch.testing.assert_close(hair.values, expected[0][:3])
    torch.testing.assert_close(hair.directions, expected[1][:3])
    w = sample_w(model, 500)
    torch.testing.assert_close(hair.deviations, (w @ hair.directions.T).std(0, correction=0))
    assert list(of_model(model, "hair", what="structure", include_base=True, num_samples=2)) == [
        "base.0",
        "hair.structure",
    ]
    assert len(of_model(model, num_samples=2)) == 10


def test_alae_reads_one_row_per_style() -> None:
    config = ALAEConfig(size=8, style_dim=8, num_mapping_layers=1, channels={4: 4, 8: 4})
    weights = style_weights(model_of(ALAEGenerator(config)))
    assert [[tuple(weight.shape) for weight in group] for group in weights] == [[(8, 8)]] * 4


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([], "at least one"),
        (torch.ones(2, 2), "list of matrices"),
        ([torch.ones(2, 2), torch.ones(2, 3)], "one width D"),
        ([torch.ones(2)], "floating matrix"),
        ([torch.full((2, 2), float("nan"))], "not finite"),
    ],
)
def test_what_is_no_list_of_weights_is_refused(weights: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        factorise(weights)  # type: ignore[arg-type]


def test_layers_of_a_model_of_regions_are_refused(tiny_model_file: Path, tiny_layered_file: Path) -> None:
    with pytest.raises(InputError, match="Choose regions"):
        of_model(sg.load(tiny_model_file, device="cpu"), layers="0-3")
    with pytest.raises(InputError, match="Choose layers"):
        of_model(sg.load(tiny_layered_file, device="cpu"), "hair")
