"""Perceptual distances, against the authors' package."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from semanticgan.errors import InputError, MissingFileError
from semanticgan.files import sha256_of
from semanticgan.perception import perceptual
from semanticgan.perception.extractors import RandomExtractor
from semanticgan.perception.perceptual import Distance, Lpips, MapDistance, open_distance
from semanticgan.perception.weights import ALEX, PublishedWeights
from semanticgan.torchvision_import import import_torchvision

pytestmark = pytest.mark.filterwarnings("ignore:(The parameter 'pretrained'|Arguments other than a weight enum)")


def authors() -> ModuleType:
    """The authors' package."""
    import_torchvision()
    return importlib.import_module("lpips")


def pictures(num: int, seed: int, size: int = 32) -> Tensor:
    return torch.rand(num, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(scope="module")
def trunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as torchvision publishes AlexNet, with random weights."""
    import_torchvision()
    from torchvision.models import alexnet

    path = tmp_path_factory.mktemp("trunk") / "alexnet.pth"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        features = alexnet(weights=None).features
    torch.save({f"features.{name}": tensor for name, tensor in features.state_dict().items()}, path)
    return path


@pytest.fixture
def alex(trunk: Path, monkeypatch: pytest.MonkeyPatch) -> Distance:
    weights = PublishedWeights("AlexNet", ALEX.address, sha256_of(trunk))
    monkeypatch.setattr(perceptual, "_TRUNKS", {"alex": weights})
    return open_distance("lpips-alex", trunk)


def direct(trunk: Path, spatial: bool) -> torch.nn.Module:
    """The authors' network, its trunk filled without this package."""
    network = authors().LPIPS(net="alex", pnet_rand=True, verbose=False, spatial=spatial)
    state = torch.load(trunk, weights_only=True)
    places = {0: (1, "0"), 3: (2, "3"), 6: (3, "6"), 8: (4, "8"), 10: (5, "10")}
    for layer, (number, name) in places.items():
        conv = getattr(network.net, f"slice{number}").get_submodule(name)
        conv.load_state_dict({key: state[f"features.{layer}.{key}"] for key in ("weight", "bias")})
    return network


@torch.no_grad()
def test_lpips_is_that_of_the_authors(alex: Distance, trunk: Path) -> None:
    a, b = pictures(3, 0), pictures(3, 1)
    expected = direct(trunk, spatial=False)(a, b)
    torch.testing.assert_close(alex(a, b), expected.flatten(), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(alex.map(a, b), direct(trunk, spatial=True)(a, b)[:, 0], rtol=1e-4, atol=1e-6)
    assert float(expected.min()) > 0.01 and not alex.stand_in and alex.label == "lpips-alex"


@torch.no_grad()
def test_the_stand_in_is_lpips_of_equal_weights_on_its_maps() -> None:
    distance, extractor = open_distance("random"), RandomExtractor()
    a, b = pictures(4, 0), pictures(4, 1)
    expected = torch.zeros(4)
    for one, other in zip(extractor.maps(a), extractor.maps(b), strict=True):
        squares = (authors().normalize_tensor(one) - authors().normalize_tensor(other)).square()
        expected += squares.sum(1).mean((1, 2))
    torch.testing.assert_close(distance(a, b), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(distance(a[2:3], b[2:3]), expected[2:3], rtol=1e-5, atol=1e-6)
    assert distance.stand_in and distance.label == "random (stand-in)"


@torch.no_grad()
def test_the_stand_in_s_map_shows_where_the_pictures_differ() -> None:
    distance = open_distance("random")
    a = pictures(1, 0, size=64)
    b = a.clone()
    b[..., 8:16, 40:56] = -b[..., 8:16, 40:56]
    found = distance.map(a, b)[0]
    assert found.shape == (64, 64)
    assert float(found[8:16, 40:56].mean()) > 10 * float(found[40:, :24].mean())
    assert float(distance.map(a, a).abs().max()) == 0.0
    assert float(distance(a, a)) == 0.0


def test_gradients_flow_also_where_the_pictures_are_equal() -> None:
    a = pictures(1, 0).requires_grad_()
    distance = open_distance("random")
    (equal,) = torch.autograd.grad(distance(a, a.detach()).sum(), a)
    (other,) = torch.autograd.grad(distance(a, pictures(1, 1)).sum(), a)
    assert bool(torch.isfinite(equal).all()) and float(other.abs().max()) > 0


def test_the_discriminator_s_distance(tiny_run: Path) -> None:
    distance = open_distance(f"discriminator:{tiny_run}")
    assert isinstance(distance, MapDistance) and distance.label == "discriminator (stand-in)"
    assert float(distance(pictures(1, 0, 16), pictures(1, 1, 16)).detach()) > 0


def test_building_leaves_the_global_stream_of_random_numbers_alone(alex: Distance) -> None:
    before = torch.random.get_rng_state()
    perceptual._build_lpips("alex")
    assert torch.equal(before, torch.random.get_rng_state())


def test_what_does_not_fit_is_refused(alex: Lpips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(MissingFileError, match=r"alexnet-owt-7be5be79\.pth, are not there.*the distances attributes"):
        open_distance("lpips-alex")
    with pytest.raises(InputError, match="Did you mean 'lpips-alex'"):
        open_distance("lpips-alx")
    with pytest.raises(InputError, match="Only LPIPS reads one"):
        open_distance("random", tmp_path / "x.pth")
    with pytest.raises(InputError, match="at least 32 pixels"):
        alex(pictures(1, 0, 16), pictures(1, 1, 16))
    with pytest.raises(InputError, match=r"\[1, 3, 32, 32\] and \[2, 3, 32, 32\]"):
        alex(pictures(1, 0), pictures(2, 1))
