"""The networks give what the reference implementation gives, to 1e-4 of each output's scale in float32."""

from __future__ import annotations

import pytest
import torch

from semanticgan.latents import LatentCode, swap
from semanticgan.reference import discriminator_from_reference
from semanticgan.regions import RegionScheme
from semanticgan.rendering import Rendering
from semanticgan.training.objectives.r1 import r1_penalty
from tests.networks.fixtures import Case, assert_gradient_norms, assert_parity, case, needs_fixtures

pytestmark = needs_fixtures

GENERATORS = ("a_generator_k13", "b_generator_k5")
DISCRIMINATORS = ("c_discriminator_k13", "c_discriminator_k5")


def render(fixture: Case, name: str) -> Rendering:
    """The rendering of a case from its inputs."""
    generator = fixture.generator()
    with torch.no_grad():
        latents = fixture[f"in/{name}/w"] if f"in/{name}/w" in fixture else generator.map(fixture[f"in/{name}/z"])
        if name == "trunc":
            latents = torch.lerp(fixture["in/trunc/mean_latent"], latents, 0.7)
        noise = fixture.noise("in/explicit_noise/noise_") if name == "explicit_noise" else "fixed"
        visible = fixture["in/mask/composition_mask"] if name == "mask" else None
        coordinates = fixture["in/coords/coords"].permute(1, 0, 3, 4, 2) if name == "coords" else None
        return generator(latents, noise, visible, coordinates)


@pytest.mark.parametrize("name", ["z", "w", "wplus", "expanded", "trunc", "mask", "explicit_noise", "coords"])
@pytest.mark.parametrize("file", GENERATORS)
def test_renderings(file: str, name: str) -> None:
    fixture = case(file)
    rendering = render(fixture, name)
    outputs = {
        "rgb": rendering.image,
        "seg": rendering.segmentation,
        "seg_coarse": rendering.coarse_segmentation,
        "depths": rendering.depth,
    }
    compared = [output for output in outputs if f"out/{name}/{output}" in fixture]
    assert "rgb" in compared
    for output in compared:
        assert_parity(outputs[output], fixture[f"out/{name}/{output}"])


@pytest.mark.parametrize("file", GENERATORS)
def test_a_list_of_codes_is_their_stack(file: str) -> None:
    fixture = case(file)
    assert_parity(render(fixture, "wplus").image, fixture["out/wplus_list/rgb"])


@pytest.mark.parametrize("file", GENERATORS)
def test_mapping_and_expansion(file: str) -> None:
    fixture = case(file)
    generator = fixture.generator()
    with torch.no_grad():
        w = generator.map(fixture["in/z/z"])
        assert_parity(w, fixture["out/z/w"])
        assert_parity(generator.expand(w), fixture["out/z/latent"])
        assert_parity(generator.expand(fixture["in/wplus/w"]), fixture["out/wplus/latent"])
        mean = generator.map(fixture["in/trunc/z_for_mean"]).mean(0)
        assert_parity(mean, fixture["in/trunc/mean_latent"])
        truncated = torch.lerp(mean, generator.map(fixture["in/trunc/z"]), 0.7)
        assert_parity(generator.expand(truncated), fixture["out/trunc/latent"])


@pytest.mark.parametrize("file", GENERATORS)
def test_style_mixing(file: str) -> None:
    """Draws 0, 1, 2: both rows of a region from a; structure from a and texture from b; both from b."""
    fixture = case(file)
    generator = fixture.generator()
    config = generator.config
    regions = RegionScheme(tuple(f"r{k}" for k in range(config.num_regions)))
    with torch.no_grad():
        a, b = (LatentCode.from_w(generator.map(z), regions, config.num_base_layers) for z in fixture["in/mix/z"])
        mixed = []
        for image in range(len(a)):
            code = a[image]
            for region, draw in enumerate(fixture["in/mix/draws"][:, image].tolist()):
                if draw > 0:
                    code = swap(code, b[image], [regions.names[region]], "texture" if draw == 1 else "both")
            mixed.append(code)
        assert_parity(generator.expand(LatentCode.cat(mixed).tensor), fixture["out/mix/latent"])


@pytest.mark.parametrize("file", GENERATORS)
def test_between_the_boxes(file: str) -> None:
    """Coordinate embedding, fused feature map and coarse masks, where the fixtures show them."""
    fixture = case(file)
    generator = fixture.generator()
    config = generator.config
    side = config.coarse_size
    with torch.no_grad():
        embedding = generator.local.embed()[0].transpose(-1, -2).unflatten(-1, (side, side))
        assert_parity(embedding, fixture["mid/z/pos_embed"])
        codes = generator.expand(fixture["out/z/w"]).unflatten(1, (config.num_regions, config.num_local_layers))
        feature, mask = generator.fusion(generator.local(codes))
        assert_parity(feature, fixture["mid/z/composite_feat"])
        assert_parity(2.0 * mask - 1.0, fixture["out/z/seg_coarse"])


@pytest.mark.parametrize("num_images", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("file", DISCRIMINATORS)
def test_discriminator(file: str, num_images: int) -> None:
    fixture = case(file)
    discriminator = fixture.discriminator()
    image, segmentation = fixture["in/img"][:num_images], fixture["in/mask"][:num_images]
    with torch.no_grad():
        assert_parity(discriminator(image, segmentation), fixture[f"out/n{num_images}/logit"])
        assert_parity(discriminator(image), fixture[f"out/n{num_images}/logit_img_only"])


@pytest.mark.parametrize("file", DISCRIMINATORS)
def test_r1_and_its_gradients(file: str) -> None:
    fixture = case(file)
    discriminator = fixture.discriminator()
    image = fixture["in/img"][:4].clone().requires_grad_()
    segmentation = fixture["in/mask"][:4].clone().requires_grad_()
    score = discriminator(image, segmentation)
    image_gradient, segmentation_gradient = torch.autograd.grad(score.sum(), (image, segmentation), retain_graph=True)
    assert_parity(image_gradient, fixture["out/r1/grad_img"])
    assert_parity(image_gradient.flatten(1).norm(dim=1), fixture["out/r1/grad_norm_img"])
    assert_parity(segmentation_gradient.flatten(1).norm(dim=1), fixture["out/r1/grad_norm_seg"])

    penalty = r1_penalty(score, image, segmentation)
    assert_parity(penalty.image, fixture["out/r1/img"])
    assert_parity(penalty.segmentation, fixture["out/r1/seg"])

    ((10 / 2 * penalty.image + 1000 / 2 * penalty.segmentation) * 16 + 0 * score[0]).sum().backward()
    gradients = fixture.reference_gradients(
        {name: parameter.grad for name, parameter in discriminator.named_parameters()},
        "sd/",
        lambda tensors: discriminator_from_reference(tensors, discriminator.config),
    )
    assert_gradient_norms(gradients, fixture.meta["param_names"], fixture["out/r1/param_grad_norms"])
    for name, expected in fixture.starting("out/r1/param_grad/").items():
        found = gradients[name]
        assert found is not None
        assert_parity(found, expected)
