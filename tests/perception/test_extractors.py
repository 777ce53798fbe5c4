"""Extractors: what their features are, that stand-ins say so, and what is said where weights are missing or others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

from semanticgan.errors import InputError, MissingFileError, WeightsError
from semanticgan.files import sha256_of
from semanticgan.networks.discriminator import Discriminator
from semanticgan.perception import extractors
from semanticgan.perception.extractors import DiscriminatorExtractor, RandomExtractor, open_extractor
from semanticgan.perception.fidelity import import_fidelity
from semanticgan.perception.weights import ALEX, INCEPTION, VGG, PublishedWeights
from semanticgan.regions import CELEBAMASK_13
from semanticgan.runs.state import load_state, newest_state
from semanticgan.training.config import load_config


def pictures(num: int, size: int, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (num, 3, size, size), dtype=torch.uint8, generator=random)


@pytest.fixture(scope="module")
def inception(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PublishedWeights]:
    """A file of Inception with random weights, and its hash in place of the published one's."""
    module = import_fidelity("feature_extractor_inceptionv3")

    class Unfilled(module.FeatureExtractorInceptionV3):  # type: ignore[name-defined,misc]
        def load_state_dict(self, _state: object) -> None:
            pass

    folder = tmp_path_factory.mktemp("inception")
    torch.save({}, folder / "empty.pth")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Unfilled("unfilled", ["2048"], feature_extractor_weights_path=str(folder / "empty.pth"))
    path = folder / "random.pth"
    torch.save(network.state_dict(), path)
    return path, PublishedWeights("Inception", INCEPTION.address, sha256_of(path))


def test_random_features_are_the_same_everywhere_and_independent_of_the_batch() -> None:
    extractor = RandomExtractor()
    shown = pictures(5, 32)
    found = extractor(shown).values
    assert found.shape == (5, RandomExtractor.width) and found.dtype == torch.float32
    one_by_one = torch.cat([RandomExtractor()(picture[None]).values for picture in shown])
    torch.testing.assert_close(found, one_by_one, rtol=1e-5, atol=1e-6)
    assert extractor.label == "random (stand-in)" and extractor.key == RandomExtractor().key
    pinned = torch.tensor([0.2508, 0.2560, 0.4846, -0.0349])  # other weights would make every number another
    torch.testing.assert_close(found.mean(0)[[0, 40, 100, 479]], pinned, rtol=0, atol=1e-3)
    assert bool((found.std(0) > 1e-4).all())  # no feature is dead


def test_a_model_that_was_exported_without_its_discriminator_has_no_features(tiny_run: Path, tmp_path: Path) -> None:
    state = newest_state(tiny_run)
    assert state is not None
    alone = shutil.copy(state / "model.safetensors", tmp_path / "alone.safetensors")
    with pytest.raises(InputError, match=r"alone\.safetensors' says of no discriminator"):
        open_extractor(f"discriminator:{alone}")


def test_features_of_the_discriminator_are_the_means_of_its_maps(tiny_run: Path) -> None:
    state = newest_state(tiny_run)
    assert state is not None
    for path in (tiny_run, state):
        extractor = open_extractor(f"discriminator:{path}")
        assert isinstance(extractor, DiscriminatorExtractor)
        assert extractor.stand_in and extractor.label == "discriminator (stand-in)"
    config = load_config(tiny_run / "config.yaml")
    discriminator = Discriminator(config.discriminator_config(CELEBAMASK_13))
    discriminator.load_state_dict(load_state(state)["networks"]["discriminator"])
    shown = pictures(3, 16)
    with torch.no_grad():
        last = discriminator.image_branch(shown.float() / 127.5 - 1)
    found = extractor(shown).values
    assert found.shape == (3, extractor.width) == (3, 8 + 16 + 16)
    torch.testing.assert_close(found[:, -16:], last.mean((2, 3)), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(extractor(shown[1:2]).values, found[1:2], rtol=1e-5, atol=1e-6)
    with pytest.raises(InputError, match="takes pictures of 16 pixels, got 32"):
        extractor(pictures(1, 32))


def test_inception_is_that_of_torch_fidelity(
    inception: tuple[Path, PublishedWeights], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, weights = inception
    monkeypatch.setattr(extractors, "INCEPTION", weights)
    extractor = open_extractor("inception", path)
    module = import_fidelity("feature_extractor_inceptionv3")
    direct = module.FeatureExtractorInceptionV3(
        "direct", ["logits_unbiased", "2048"], feature_extractor_weights_path=str(path)
    )
    shown = pictures(2, 32)
    found = extractor(shown)
    logits, values = direct(shown)
    assert found.logits is not None and torch.equal(found.values, values) and torch.equal(found.logits, logits)
    assert found.values.shape == (2, extractor.width)
    assert not extractor.stand_in and extractor.label == "inception"
    assert extractor.key == f"inception-{weights.sha256[:16]}"


def test_weights_are_found_in_the_cache_of_pytorch(
    inception: tuple[Path, PublishedWeights], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, weights = inception
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    with pytest.raises(MissingFileError) as missing:
        weights.find(instead="Or else.")
    for told in (place.name, str(place), "https://github.com/toshas/torch-fidelity/releases", "Or else."):
        assert told in str(missing.value)
    place.parent.mkdir(parents=True)
    shutil.copy(path, place)
    assert weights.find() == place


@pytest.mark.parametrize("weights", [INCEPTION, VGG, ALEX], ids=lambda weights: weights.file_name)
def test_other_weights_are_refused_before_they_are_opened(weights: PublishedWeights, tmp_path: Path) -> None:
    path = tmp_path / weights.file_name
    path.write_bytes(b"another file")
    with pytest.raises(WeightsError, match=f"its SHA-256 is [0-9a-f]+, that of {weights.file_name} is [0-9a-f]+"):
        weights.find(path)
    assert weights.file_name.partition(".")[0].endswith(weights.sha256[:8])  # PyTorch's way of naming files


def test_wrong_extractors_and_pictures_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"not there.*the extractors attributes, random"):
        open_extractor("inception")
    with pytest.raises(InputError, match="Did you mean 'inception'"):
        open_extractor("inceptoin")
    with pytest.raises(InputError, match="Only inception reads one"):
        open_extractor("random", tmp_path / "weights.pth")
    with pytest.raises(InputError, match="does not exist"):
        open_extractor(f"discriminator:{tmp_path / 'nothing'}")
    with pytest.raises(InputError, match="no whole training state"):
        open_extractor(f"discriminator:{tmp_path}")
    with pytest.raises(InputError, match="uint8 pictures"):
        RandomExtractor()(torch.zeros(1, 3, 16, 16))
    with pytest.raises(InputError, match="at least 16 pixels, got 8"):
        RandomExtractor()(pictures(1, 8))
