"""Models record the perception networks that they learnt from, and evaluate refuses these as judges."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from semanticgan.checkpoint import LoadedModel, ModelMetadata, load_model, read_metadata, save_model
from semanticgan.errors import InputError
from semanticgan.files import sha256_of
from semanticgan.metrics.opening import open_evaluation
from semanticgan.model import Model
from semanticgan.networks.generator import Generator
from semanticgan.perception.judges import network_name, require_strangers
from semanticgan.regions import PHOTOGRAPHS_11
from semanticgan.registry import bundled
from semanticgan.surgery.blending import blend
from semanticgan.training.config import TrainingConfig, load_config
from semanticgan.training.learnt import learnt_from
from semanticgan.training.start import Start
from tests.conftest import TINY_REGIONS, Run
from tests.training.trainers import trainer_of

Make = Callable[..., TrainingConfig]


def taught(generator: Generator, *names: str) -> Model:
    """A model that learnt from these."""
    facts = (generator.config, TINY_REGIONS, None, {}, "MIT", "own", "float32")
    return Model(LoadedModel(generator, TINY_REGIONS, ModelMetadata("tiny", *facts, perception=names)))


def test_networks_are_known_by_name_or_by_hash(tmp_path: Path) -> None:
    copy = shutil.copy(bundled("parsers")["tutor-portraits-64"], tmp_path / "mine.safetensors")
    assert network_name("parser", copy) == network_name("parser", "tutor-portraits-64") == "tutor-portraits-64"
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"a parser")
    assert network_name("parser", other) == f"other@{sha256_of(other)[:16]}"
    for kind, given, name in (
        ("extractor", "attributes", "attributes-64"),
        ("distance", "attributes:tutor-attributes-64", "tutor-attributes-64"),
        ("extractor", "lite0", "lite0"),
        ("distance", "lite0:128", "lite0"),
        ("distance", "lpips-vgg", "lpips-vgg"),
        ("extractor", "discriminator:runs/a", "discriminator:a"),
        ("identity", f"face-api:{other}", "face-api"),
        ("classifier", "attributes-64", "attributes-64"),
    ):
        assert network_name(kind, given) == name, (kind, given)
    renamed = shutil.copy(other, tmp_path / "renamed.safetensors")
    with pytest.raises(InputError, match=r"the parser .*renamed.safetensors' cannot judge .* learnt from it \('other@"):
        require_strangers([network_name("parser", other)], parser=renamed)
    require_strangers([network_name("parser", other)], parser="portraits-64", distance=None)
    require_strangers([], parser=tmp_path / "nothing")


@pytest.mark.parametrize(
    ("recipe", "names"),
    [
        ("portraits-64", ("tutor-attributes-64", "tutor-portraits-64")),
        ("lfw-64", ("tutor-photographs-64",)),
        ("tiny", ()),
        ("adapt-few", ()),
    ],
)
def test_a_recipe_says_what_it_learns_from(recipe: str, names: tuple[str, ...]) -> None:
    assert learnt_from(load_config(recipe, ["run_dir=x"], kind=TrainingConfig), None) == names


def test_models_of_a_training_record_it(tiny_config: Make, tmp_path: Path, tiny_generator: Generator) -> None:
    trainer = trainer_of(tiny_config(tmp_path, "features.extractor=random"), PHOTOGRAPHS_11, torch.device("cpu"))
    trainer.method.export(tmp_path / "a.safetensors", images=0)
    assert load_model(tmp_path / "a.safetensors").metadata.perception == ("random",)
    start = Start("a", taught(tiny_generator, "lite0"))
    assert learnt_from(trainer.method.config, start) == ("lite0", "random")


def test_a_blend_learnt_from_what_both_did(tiny_generator: Generator) -> None:
    blended = blend(taught(tiny_generator, "b", "a"), taught(tiny_generator, "c", "a"), renderer_from=32)
    assert blended.model.metadata.perception == ("a", "b", "c")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("fid", "--extractor", "random"), "the extractor 'random' cannot judge this model, which learnt from it"),
        (("ppl", "--distance", "random"), "the distance 'random' cannot judge"),
        (("miou", "--parser", "tutor-photographs-64"), "the parser 'tutor-photographs-64' cannot judge"),
        (("attributes",), "the classifier 'attributes-64' cannot judge"),
        (("fid", "--extractor", "attributes"), "learnt from it ('attributes-64'). Give another extractor"),
    ],
)
def test_evaluate_refuses_teachers(
    words: tuple[str, ...], told: str, command: Callable[..., Run], tiny_generator: Generator, tmp_path: Path
) -> None:
    teachers = ("random", "attributes-64", "tutor-photographs-64")
    path, facts = tmp_path / "a.safetensors", {"training": {}, "licence": "", "data_licence": ""}
    save_model(path, tiny_generator, TINY_REGIONS, perception=teachers, **facts)  # type: ignore[arg-type]
    arguments = ("evaluate", "--model", path, "--data-kind", "portraits", "--num-generated", 4, "--device", "cpu")
    assert told in command(*arguments, "--metrics", *words).complaint
    assert read_metadata(path).perception == tuple(sorted(teachers))


def test_what_no_metric_needs_is_not_refused(tiny_generator: Generator) -> None:
    learnt = ["random", "attributes-64", "face-api"]
    found = open_evaluation(taught(tiny_generator), ["locality"], 1, {"extractor": "random"}, learnt_from=learnt)
    assert (found.extractor, found.classifier, found.identity) == (None, None, None)
