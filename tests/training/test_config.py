"""Recipes, overrides, and that command line, recipes and classes agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from semanticgan.directions.styleflow import StyleFlow
from semanticgan.errors import InputError
from semanticgan.model import load
from semanticgan.networks.config import DiscriminatorConfig, GeneratorConfig
from semanticgan.perception.classifier import load_classifier
from semanticgan.regions import CELEBAMASK_13, SCHEMES
from semanticgan.rows import Rows
from semanticgan.training.config import TrainingConfig, load_config, recipes
from semanticgan.training.layered_config import LayeredTrainingConfig
from semanticgan.training.methods.encoder_config import EncoderTrainingConfig
from semanticgan.training.methods.styleflow_config import StyleFlowTrainingConfig

RECIPES = ("celebamask-hq-256", "celebamask-hq-512", "lfw-32", "lfw-64", "portraits-64", "tiny")


def test_recipes_are_there() -> None:
    assert set(RECIPES) <= set(recipes())


@pytest.mark.parametrize("name", recipes())
def test_recipe_makes_networks(name: str) -> None:
    config = load_config(name)
    assert config.name == name
    regions = SCHEMES[config.data.scheme] if config.data.scheme else CELEBAMASK_13
    if isinstance(config, EncoderTrainingConfig):
        encoder = config.encoder_config(Rows.of_regions(regions, 2), 128)
        assert (encoder.size, encoder.num_rows) == (config.size, 2 + 2 * len(regions))
    elif isinstance(config, StyleFlowTrainingConfig):
        classifier, model = load_classifier(config.codes.classifier), load(config.model, "cpu")
        attributes = config.codes.attributes
        assert attributes and all(classifier.ends(attribute) for attribute in attributes)
        flow = StyleFlow(model.config.style_dim, len(attributes), config.flow.hidden, config.flow.num_blocks)
        assert flow.num_conditions == len(attributes)
    elif isinstance(config, LayeredTrainingConfig):
        layers, judge = config.generator_config(), config.discriminator_config()
        assert layers.size == config.size
        assert getattr(judge, "size", config.size) == config.size  # StyleALAE's judges codes, not pictures
    else:
        generator = config.generator_config(regions)
        assert generator.size == config.discriminator_config(regions).size == config.size
        assert generator.num_regions == len(regions)
    assert config.licence != "not stated" and config.data_licence != "not stated"


@pytest.mark.parametrize("name", recipes())
def test_recipe_survives_a_round_trip(name: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(load_config(name).to_yaml())
    assert load_config(path) == load_config(name)


def test_paper_values() -> None:
    config = load_config("celebamask-hq-512")
    generator, discriminator = config.generator_config(CELEBAMASK_13), config.discriminator_config(CELEBAMASK_13)
    assert generator == GeneratorConfig()
    assert discriminator == DiscriminatorConfig()
    loss = config.loss
    assert (loss.r1_image, loss.r1_segmentation, loss.r1_every) == (10, 1000, 16)
    assert (loss.mask, loss.path_length, loss.path_length_every, loss.style_mixing) == (100, 0.5, 4, 0.3)
    assert (config.optimiser.learning_rate, config.optimiser.beta1, config.optimiser.beta2) == (0.002, 0, 0.99)
    # decay 0.5^(32 / 10000) a step of 32 pictures
    assert config.batch == 32 and config.ema.half_life == 10_000
    assert load_config("celebamask-hq-256").generator_config(CELEBAMASK_13) == GeneratorConfig(size=256)


def test_r1_follows_size_and_batch_where_none_is_given() -> None:
    config = load_config("celebamask-hq-256", ["loss.r1_image=null", "loss.r1_segmentation=null", "batch=16"])
    assert config.r1_weights() == pytest.approx((0.8192, 81.92))
    assert load_config("celebamask-hq-256").r1_weights() == (10, 1000)


def test_defaults_stand_once() -> None:
    """A section of the configuration has the defaults of the class that it configures."""
    assert TrainingConfig().generator_config(CELEBAMASK_13) == GeneratorConfig(size=256)
    assert TrainingConfig().discriminator_config(CELEBAMASK_13) == DiscriminatorConfig(size=256)


def test_overrides() -> None:
    config = load_config("tiny", ["optimiser.learning_rate=1e-3", "batch=8", "generator.channels={8: 4, 16: 4}"])
    assert config.optimiser.learning_rate == 0.001
    assert config.batch == 8
    assert config.generator_config(CELEBAMASK_13).channels[16] == 4


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.learning_rate=1", "unknown configuration key 'optimizer'.* 'optimiser'"),
        ("loss.r1_imag=1", "unknown configuration key 'loss.r1_imag'.* 'loss.r1_image'"),
        ("batch=many", "'batch'.*many"),
        ("batch=0", "batch must be 1 or more"),
        ("schedule.save_every=0", "save_every must be 1 or more"),
        ("precision=float8", "unknown precision 'float8'"),
        ("nonsense", "not a key=value pair"),
        ("batch=5", "multiple of loss.path_length_batch_shrink"),
        ("loss.path_length_batch_shrink=0", "path_length_batch_shrink must be 1 or more"),
        ("loss.r1_every=-1", "r1_every must be 0 or more"),
        ("optimiser.learning_rate=nan", "learning_rate must be 0 or more"),
        ("optimiser.beta2=1", "beta2 must lie between 0 and 1"),
        ("loss.style_mixing=1.5", "style_mixing must lie between 0 and 1"),
        ("ema.half_life=0", "half_life must be more than 0"),
        ("loss.rates_half_life=.inf", "loss.rates_half_life must be more than 0 images and finite"),
        ("seed=-1", "seed must be 0 or more"),
        ("data.workers=-1", "data.workers must be 0 or more"),
        ("generator.style_dim=0", "generator.style_dim must be 1 or more"),
        ("discriminator.channels={4: 0, 8: 8, 16: 8}", "discriminator.channels must be 1 or more"),
        ("data=3", "'data' has keys of its own, such as data.kind, got 3"),
        ("loss.owned=[eye]", r"'loss\.owned' takes pairs such as loss\.owned\.NAME=VALUE, got \['eye'\]"),
    ],
)
def test_wrong_overrides(override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_config("tiny", [override])


def test_a_list_over_the_pairs_of_a_recipe() -> None:
    with pytest.raises(InputError, match=r"'loss\.owned' takes pairs such as loss\.owned\.NAME=VALUE, got \['eye'\]"):
        load_config("portraits-64", ["loss.owned=[eye]"])


def test_unknown_recipe() -> None:
    with pytest.raises(InputError, match=r"unknown recipe 'lfw64'.* 'lfw-64'"):
        load_config("lfw64")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_config("missing.yaml")


def test_broken_yaml(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("size: [1, 2\n")
    with pytest.raises(InputError, match="cannot be read"):
        load_config(path)
