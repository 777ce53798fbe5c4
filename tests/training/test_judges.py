"""The discriminator of a frozen network's features, and the parser that segmentations are to agree with."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from semanticgan.errors import InputError
from semanticgan.perception.extractors import RandomExtractor
from semanticgan.perception.parser import load_parser
from semanticgan.regions import CELEBAMASK_13, PHOTOGRAPHS_11
from semanticgan.runs.state import load_state, newest_state
from semanticgan.training.config import TrainingConfig
from semanticgan.training.judges import FeatureJudge
from semanticgan.training.loop import train
from semanticgan.training.readers import ParserReader
from tests.training.exactness import assert_same, assert_same_run, stop_after
from tests.training.test_trainer import pairs
from tests.training.trainers import trainer_of

Make = Callable[..., TrainingConfig]
CPU = torch.device("cpu")
FEATURES = "features.extractor=random"


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def test_heads_learn_and_the_frozen_network_does_not(tiny_config: Make, tmp_path: Path) -> None:
    trainer = trainer_of(tiny_config(tmp_path, FEATURES), PHOTOGRAPHS_11, CPU)
    judge = trainer.method.judges.features
    assert judge is not None
    before = copy.deepcopy(judge.state_dict())
    values = [trainer.step(*pairs(trainer.method.config)) for _ in range(2)]
    assert [name for name, weight in judge.state_dict().items() if torch.equal(before[name], weight)] == []
    assert judge._extractor.digest == RandomExtractor().digest
    assert "r1/features" in values[0] and "r1/features" not in values[1]
    assert {"loss/generator_features", "loss/discriminator_features", "score/real_features"} <= values[1].keys()


def test_features_of_no_weight_change_nothing_else(tiny_config: Make, tmp_path: Path) -> None:
    ends = []
    for overrides in ([], [FEATURES, "features.weight=0", "features.r1=0"], [FEATURES]):
        trainer = trainer_of(tiny_config(tmp_path, *overrides), PHOTOGRAPHS_11, CPU)
        for _ in range(2):
            trainer.step(*pairs(trainer.method.config))
        ends.append((weights(trainer.method.generator), weights(trainer.method.discriminator)))
    assert torch.equal(ends[0][0], ends[1][0]) and torch.equal(ends[0][1], ends[1][1])
    assert not torch.equal(ends[0][0], ends[2][0])


def test_gradients_reach_the_picture_through_every_map() -> None:
    torch.manual_seed(0)
    judge = FeatureJudge(RandomExtractor(), 32, 8)
    image = torch.rand(4, 3, 32, 32, requires_grad=True)
    scores = judge(image)
    assert scores.shape == (4, 4)
    for depth in range(4):
        (gradient,) = torch.autograd.grad(scores[:, depth].sum(), image, retain_graph=True)
        assert (gradient.abs().sum((1, 2, 3)) > 0).all()


def test_labels_follow_the_parser(tiny_config: Make, tmp_path: Path, parser_file: Path) -> None:
    """Beside a training that only measures it."""
    shares, losses = [], []
    for weight in (0, 20):
        wanted = (f"loss.parser={parser_file}", f"loss.agreement={weight}", "optimiser.learning_rate=0.01")
        trainer = trainer_of(tiny_config(tmp_path, *wanted), PHOTOGRAPHS_11, CPU)
        losses.append([float(trainer.step(*pairs(trainer.method.config))["loss/agreement"]) for _ in range(30)])
        with torch.no_grad():
            labels = trainer.method.generator(trainer.method.generator.mean_latent[None]).labels()
        shares.append(float((labels == 3).float().mean()))
        assert isinstance(trainer.method.reader, ParserReader)
        assert weights(trainer.method.reader.parser.network).equal(weights(load_parser(parser_file).network))
    assert losses[0][0] == losses[1][0]
    assert shares[0] < 0.5 and shares[1] > 0.95, shares
    assert losses[1][-1] < losses[0][-1] - 0.1


def test_a_run_with_all_of_them_resumes_in_the_same_bits(
    tiny_config: Make, tmp_path: Path, parser_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helped = (FEATURES, f"loss.parser={parser_file}", "loss.classifier=attributes-64", "schedule.total_images=40")
    train(tiny_config(tmp_path / "whole", *helped))
    with monkeypatch.context() as patch:
        stop_after(5, patch)
        train(tiny_config(tmp_path / "run", *helped))
    assert train(tiny_config(tmp_path / "run", *helped)).finished
    assert_same_run(tmp_path / "run", tmp_path / "whole")
    newest = newest_state(tmp_path / "run")
    assert newest is not None and load_state(newest)["networks"]["feature_discriminator"]
    assert load_state(newest)["method"]["objectives"]["rates"].shape[0] == 2


@pytest.mark.parametrize(("width", "taken"), [(64, True), (32, False)])
def test_a_start_gives_heads_of_equal_configuration(tiny_config: Make, tmp_path: Path, width: int, taken: bool) -> None:
    first = train(tiny_config(tmp_path / "first", FEATURES, "schedule.total_images=8"))
    still = ("optimiser.learning_rate=0", "schedule.total_images=4", f"start={first.run_dir}")
    second = train(tiny_config(tmp_path / "second", FEATURES, f"features.channels={width}", *still))
    states = [load_state(result.model.parent)["networks"]["feature_discriminator"] for result in (first, second)]
    if taken:
        assert_same(states[1], states[0])
    else:
        assert states[1]["heads.heads.0.mix.weight"].shape[0] == width


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("features.extractor=nothing", "unknown extractor 'nothing'"),
        ("features.extractor=discriminator:portraits-64", "takes pictures of 64 pixels, got 16"),
        ("loss.parser=portraits-64", "Give a parser trained on the data's regions"),
        ("loss.parser=nowhere.safetensors", "nowhere.safetensors"),
        ("loss.parser=start", r"no start is given\. Give start=RUN_OR_MODEL, or a parser"),
    ],
)
def test_what_cannot_judge_is_refused(tiny_config: Make, tmp_path: Path, override: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        trainer_of(tiny_config(tmp_path, override), PHOTOGRAPHS_11, CPU)


def test_an_extractor_without_gradients_is_refused(
    tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semanticgan.perception.extractors.open_extractor", lambda *_, **__: object())
    with pytest.raises(InputError, match=r"whose maps a discriminator does not read\. Give random"):
        trainer_of(tiny_config(tmp_path, "features.extractor=inception"), CELEBAMASK_13, CPU)


def test_labels_alone_are_fitted_and_the_pictures_stay(tiny_config: Make, tmp_path: Path, parser_file: Path) -> None:
    fitted = (
        "generator.label_channels=6",
        "freeze.generator=[mapping,local,fusion,renderer.blocks]",
        "loss.adversarial=0",
        "loss.mask=0",
        "loss.path_length_every=0",
        f"loss.parser={parser_file}",
        "optimiser.learning_rate=0.01",
    )
    trainer = trainer_of(tiny_config(tmp_path, *fitted), PHOTOGRAPHS_11, CPU)
    generator, latents = trainer.method.generator, trainer.method.generator.mean_latent[None]
    discriminator = weights(trainer.method.discriminator)
    with torch.no_grad():
        before = generator(latents)
    logged = [trainer.step(*pairs(trainer.method.config)) for _ in range(60)]
    with torch.no_grad():
        after = generator(latents)
    assert logged[0].keys() == {"loss/mask", "loss/agreement", "loss/coarse_agreement"}
    assert torch.equal(before.image, after.image) and torch.equal(before.depth, after.depth)
    assert weights(trainer.method.discriminator).equal(discriminator)
    assert float((before.labels() == 3).float().mean()) < 0.5
    assert float((after.labels() == 3).float().mean()) > 0.95


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ((), "no other loss trains the generator. Give loss.parser or loss.classifier"),
        (("loss.parser=any", "features.extractor=random"), "features.extractor 'random' has no part. Leave it out"),
    ],
)
def test_a_training_without_a_teacher_is_refused(
    tiny_config: Make, tmp_path: Path, overrides: tuple[str, ...], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        trainer_of(tiny_config(tmp_path, "loss.adversarial=0", *overrides), PHOTOGRAPHS_11, CPU)
