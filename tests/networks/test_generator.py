"""What a generator and a discriminator promise beside their numbers: forms of input, noise, configs, precision."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import torch

from semanticgan.errors import InputError
from semanticgan.networks.config import DiscriminatorConfig, GeneratorConfig, paper_channels
from semanticgan.networks.discriminator import Discriminator, minibatch_deviation
from semanticgan.networks.fusion import Fusion
from semanticgan.networks.generator import Generator
from semanticgan.rendering import Rendering
from tests.networks.models import CONFIGS, perturbed_generator


@pytest.fixture(scope="module", params=list(CONFIGS))
def generator(request: pytest.FixtureRequest) -> Generator:
    return perturbed_generator(CONFIGS[request.param])


def draw(generator: Generator, *shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator.config.style_dim, generator=torch.Generator().manual_seed(seed))


def test_the_released_model_has_the_released_size() -> None:
    """As many parameters as the layout of the released checkpoints counts."""
    with torch.device("meta"):
        assert sum(p.numel() for p in Generator(GeneratorConfig()).parameters()) == 20_320_358
        assert sum(p.numel() for p in Discriminator(DiscriminatorConfig()).parameters()) == 51_406_593
    assert paper_channels(256) == {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128}


def test_every_form_of_latents_gives_one_picture(generator: Generator) -> None:
    w = draw(generator, 2)
    with torch.no_grad():
        code = w[:, None].expand(-1, generator.config.num_rows, -1)
        expected = generator(w)
        for form in (code, generator.expand(code)):
            assert torch.equal(generator(form).image, expected.image)


def test_latents_of_a_wrong_shape_are_refused(generator: Generator) -> None:
    for shape in ((2, 3), (2, 7, generator.config.style_dim), (generator.config.style_dim,)):
        with pytest.raises(InputError, match="latents have shape"):
            generator(torch.zeros(shape))


def test_each_region_reads_its_own_rows(generator: Generator) -> None:
    """Changing a structure or texture row changes the hidden state of its region alone, and its depth as it should."""
    config = generator.config
    code = draw(generator, 1, config.num_rows)

    def local(rows: torch.Tensor) -> Any:
        return generator.local(generator.expand(rows).unflatten(1, (config.num_regions, config.num_local_layers)))

    with torch.no_grad():
        before = local(code)
        for region in range(config.num_regions):
            for row, moves_depth in ((0, region > 0), (1, False)):
                changed = code.clone()
                changed[:, config.num_base_layers + 2 * region + row] += 1.0
                after = local(changed)
                moved = (after.hidden != before.hidden).flatten(2).any(-1)[0].nonzero().flatten().tolist()
                deeper = (after.depth != before.depth).any(-1)[0].nonzero().flatten().tolist()
                expected = [region]
                if row == 0 and region > 0 and config.num_base_layers == config.num_structure_layers:
                    expected, moves_depth = [], False  # every structure layer of the foreground reads the base
                assert moved == expected
                assert deeper == ([region] if moves_depth else [])
        if config.num_base_layers:
            changed = code.clone()
            changed[:, : config.num_base_layers] += 1.0
            after = local(changed)
            assert torch.equal(after.hidden[:, 0], before.hidden[:, 0])
            assert bool((after.hidden[:, 1:] != before.hidden[:, 1:]).flatten(2).any(-1).all())


def test_local_generators_of_some_regions(generator: Generator) -> None:
    config = generator.config
    codes = draw(generator, 2, config.num_regions, config.num_local_layers)
    with torch.no_grad():
        whole = generator.local(codes)
        for regions in ([0], [3], [2, 4], [4, 0, 1], list(range(config.num_regions))):
            part = generator.local(codes[:, regions], regions=regions)
            torch.testing.assert_close(part.hidden, whole.hidden[:, regions], rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(part.depth, whole.depth[:, regions], rtol=1e-5, atol=1e-5)


def test_noise(generator: Generator) -> None:
    w = draw(generator, 2)
    with torch.no_grad():
        fixed = generator(w).image
        assert torch.equal(generator(w, "fixed").image, fixed)
        assert not torch.equal(generator(w, "random").image, fixed)
        seeded = [generator(w, torch.Generator().manual_seed(seed)).image for seed in (1, 1, 2)]
        assert torch.equal(seeded[0], seeded[1]) and not torch.equal(seeded[0], seeded[2])
        silent = [torch.zeros(1, 1, side, side) for side in generator.renderer.noise_sides]
        assert not torch.equal(generator(w, silent).image, fixed)
    for wrong in ("loud", silent[:-1]):
        with pytest.raises(ValueError, match="noise must be"):
            generator(w, wrong)


def test_visible_regions_share_the_whole(generator: Generator) -> None:
    num_regions = generator.config.num_regions
    visible = torch.zeros(2, num_regions)
    visible[0, :2] = 1.0
    visible[1] = 1.0
    with torch.no_grad():
        w = draw(generator, 2)
        rendering, whole = generator(w, visible=visible), generator(w)
    mask = (rendering.coarse_segmentation + 1.0) / 2.0
    torch.testing.assert_close(mask.sum(1), torch.ones_like(mask[:, 0]), rtol=0.0, atol=1e-5)
    assert not mask[0, 2:].any()
    torch.testing.assert_close(rendering.image[1], whole.image[1], rtol=1e-4, atol=1e-4)
    assert torch.equal(rendering.depth, whole.depth)


def test_the_regular_grid_is_the_default(generator: Generator) -> None:
    config = generator.config
    line = torch.linspace(-1.0, 1.0, config.coarse_size)
    y, x = torch.meshgrid(line, line, indexing="ij")
    grid = torch.stack([x, y], -1).expand(2, config.num_regions, -1, -1, -1)
    with torch.no_grad():
        w = draw(generator, 2)
        torch.testing.assert_close(generator(w, coordinates=grid).image, generator(w).image, rtol=1e-4, atol=1e-4)


def test_bfloat16_is_close(generator: Generator) -> None:
    """Autocast moves pictures by a few hundredths of their scale, and the outputs stay float32."""
    w = draw(generator, 2)
    with torch.no_grad():
        exact = generator(w)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            short = generator(w)
    for field in dataclasses.fields(Rendering):
        value, expected = getattr(short, field.name), getattr(exact, field.name)
        assert value.dtype == torch.float32
        assert (value - expected).abs().max() < 0.06 * expected.abs().max(), field.name
        assert (value - expected).square().mean().sqrt() < 0.02 * expected.square().mean().sqrt(), field.name


@pytest.mark.slow
def test_compiled_equals_eager() -> None:
    generator = perturbed_generator(CONFIGS["5-regions-opaque"])
    w = draw(generator, 2)
    with torch.no_grad():
        eager = generator(w)
        try:
            compiled = torch.compile(generator, dynamic=False)(w)
        except Exception as error:  # the compiler's own failures have no common class
            if "compiler" in str(error).lower() or "c++" in str(error).lower():
                pytest.skip("torch.compile has no C++ compiler here")
            raise
    torch.testing.assert_close(compiled.image, eager.image, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(compiled.segmentation, eager.segmentation, rtol=1e-4, atol=1e-4)


def test_mean_latent() -> None:
    generator = perturbed_generator(CONFIGS["5-regions-opaque"])
    state = torch.get_rng_state()
    mean = generator.estimate_mean_latent(512, seed=0).clone()
    assert torch.equal(torch.get_rng_state(), state)
    z = torch.randn(512, generator.config.style_dim, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(mean, generator.map(z).mean(0))
    assert torch.equal(generator.mean_latent, mean)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
def test_config_survives_json(config: GeneratorConfig) -> None:
    assert GeneratorConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    discriminator = DiscriminatorConfig(16, 5, {4: 8, 8: 8, 16: 6}, {4: 8, 8: 6, 16: 4})
    assert DiscriminatorConfig.from_dict(json.loads(json.dumps(discriminator.to_dict()))) == discriminator


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 48}, "power of two"),
        ({"coarse_size": 2048}, "sides must satisfy"),
        ({"min_feature_size": 128}, "sides must satisfy"),
        ({"num_structure_layers": 10}, "layers must satisfy"),
        ({"num_base_layers": 7}, "layers must satisfy"),
        ({"transparent": (13,)}, "transparent labels"),
        ({"transparent": (0,)}, "transparent labels"),
        ({"mask_floor": 0.08}, "mask_floor"),
        ({"mask_floor": -0.01}, "mask_floor"),
        ({"label_channels": -1}, "label_channels"),
        ({"channels": {32: 8, 64: 8}}, "lacks the width at side"),
    ],
)
def test_impossible_configs_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        GeneratorConfig(**change)


def test_a_new_label_network_changes_nothing() -> None:
    plain = perturbed_generator(CONFIGS["5-regions-opaque"])
    labelled = Generator(CONFIGS["5-regions-labelled"]).eval()
    missing, unexpected = labelled.load_state_dict(plain.state_dict(), strict=False)
    assert missing and not unexpected and all(name.startswith("renderer.label_network.") for name in missing)
    z = torch.randn(2, plain.config.style_dim, generator=torch.Generator().manual_seed(0))
    latents = plain.expand(plain.map(z))
    with torch.no_grad():
        one, other = plain(latents), labelled(latents)
    assert torch.equal(one.image, other.image) and torch.equal(one.segmentation, other.segmentation)


def test_a_region_below_the_floor_has_no_part_in_the_picture_but_can_grow() -> None:
    fusion = Fusion(num_regions=3, channels=4, feature_channels=5, transparent=(2,), mask_floor=0.02)
    # Three points: the second region and the transparent third below the floor; all alike; the transparent one alone.
    depth = torch.tensor([[[9.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 20.0]]], requires_grad=True)
    hidden = torch.randn(1, 3, 4, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    mask = fusion.masks(depth)
    weights = fusion.fusion_weights(mask)
    assert weights[0, :, 0].tolist() == [1.0, 0.0, 0.0]
    assert weights[0, :2, 1].tolist() == pytest.approx([0.5, 0.5]) and 0.3 < weights[0, 2, 1] < 1 / 3
    (features,) = torch.autograd.grad((weights.unsqueeze(2) * hidden).sum(), hidden, retain_graph=True)
    assert not features[0, 1:, :, 0].any()
    (depths,) = torch.autograd.grad((weights * hidden.detach().sum(2)).sum(), depth)
    assert depths.isfinite().all() and depths[0, 1, 0] != 0


def test_sets_are_scored_as_if_alone() -> None:
    source = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        discriminator = Discriminator(DiscriminatorConfig(16, 5, {4: 8, 8: 6, 16: 4}))
    image, segmentation = (torch.randn(8, channels, 16, 16, generator=source) for channels in (3, 5))
    with torch.no_grad():
        alone = [discriminator(*half) for half in zip(image.split(4), segmentation.split(4), strict=True)]
        together = discriminator(image, segmentation, num_sets=2)
        assert not torch.allclose(discriminator(image, segmentation), together, rtol=1e-3)
    torch.testing.assert_close(together, torch.cat(alone))


def test_minibatch_deviation_groups() -> None:
    """Group of an image: all images equal to it modulo N / group size."""
    x = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    out = minibatch_deviation(x)
    assert out.shape == (8, 4, 4, 4) and torch.equal(out[:, :3], x)
    for image in range(8):
        group = x[image % 2 :: 2]
        expected = torch.sqrt(group.var(0, unbiased=False) + 1e-8).mean()
        torch.testing.assert_close(out[image, 3], expected.expand(4, 4))
    assert torch.allclose(minibatch_deviation(x[:1])[:, 3], torch.tensor(1e-4))
