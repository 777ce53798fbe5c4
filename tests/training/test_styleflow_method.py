"""A StyleFlow's training by the common loop: it learns, resumes bit for bit, and its file edits codes."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest
import torch

import semanticgan as sg
from semanticgan.directions.flow_files import load_flow
from semanticgan.directions.labelled_codes import LabelledCodes
from semanticgan.distributed import ALONE
from semanticgan.errors import InputError
from semanticgan.perception.classifier import AttributeClassifier, ClassifierConfig, ClassifierNetwork, Number
from semanticgan.runs.state import load_state, newest_state
from semanticgan.training.config import load_config
from semanticgan.training.loop import train
from semanticgan.training.method import prepared
from semanticgan.training.methods.styleflow import StyleFlowMethod
from semanticgan.training.methods.styleflow_config import StyleFlowTrainingConfig
from semanticgan.training.trainer import Trainer
from tests.training.exactness import assert_same, stop_after

KEYS = ["batch=4", "device=cpu", "log_to=[]", "flow.hidden=[8,8]", "flow.adjoint=false", "codes.count=12"]
REST = ["codes.attributes=[yaw,glasses]", "codes.first_seed=7", "optimiser.learning_rate=0.003", "ema.half_life=8"]
SCHEDULE = ["schedule.log_every=1", "schedule.save_every=40", "schedule.sheet_every=100"]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("classifier") / "classifier.safetensors"
    config = ClassifierConfig(16, ("glasses",), {"hair": ("short", "long")}, (Number("yaw", 0.0, 1.0),), (4, 8))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AttributeClassifier(ClassifierNetwork(config), licence="none", data_licence="none").save(path)
    return path


def config_of(
    model: Path | str, classifier: Path | str, run_dir: Path, steps: int, *more: str
) -> StyleFlowTrainingConfig:
    recipe = run_dir.parent / "flow.yaml"
    recipe.write_text("method: styleflow\nname: test\n")
    keys = [f"model={model}", f"codes.classifier={classifier}", f"run_dir={run_dir}"]
    keys += [*KEYS, *REST, *SCHEDULE, f"schedule.total_images={4 * steps}", *more]
    config = load_config(recipe, keys)
    assert isinstance(config, StyleFlowTrainingConfig)
    return config


def ended(run_dir: Path) -> Path:
    newest = newest_state(run_dir)
    assert newest is not None
    return newest


def test_stopped_and_resumed_is_the_same(
    tiny_model_file: Path, classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """40 steps equal 17 and 23, in networks, statistics, labels, logs, sheet and file."""
    assert train(config_of(tiny_model_file, classifier, tmp_path / "whole", 40)).finished
    with monkeypatch.context() as patch:
        stop_after(17, patch)
        assert not train(config_of(tiny_model_file, classifier, tmp_path / "parts", 40)).finished
    assert ended(tmp_path / "parts").name == "step-0000017"
    assert train(config_of(tiny_model_file, classifier, tmp_path / "parts", 40)).finished
    whole, parts = ended(tmp_path / "whole"), ended(tmp_path / "parts")
    assert_same(load_state(parts), load_state(whole))
    for name in ("stats.jsonl", f"sheets/{whole.name}.png", f"{whole.name}/model.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes(), name
    loaded, model = load_flow(whole / "model.safetensors", sg.load(tiny_model_file, "cpu")), sg.load(tiny_model_file)
    assert loaded.names == ("yaw", "glasses") and loaded.training["images"] == 160
    assert loaded.model == {"name": str(tiny_model_file), "digest": model.metadata.digest}
    statistics = loaded.flow.norms[0].running_mean
    assert isinstance(statistics, torch.Tensor) and statistics.any()  # those of the codes, not of the beginning


def test_it_learns_by_the_adjoint_too(tiny_layered_file: Path, classifier: Path, tmp_path: Path) -> None:
    """A layered model, one attribute of another kind: the loss falls below that of the first steps."""
    keys = ("flow.adjoint=true", "codes.attributes=[hair.long]", "optimiser.learning_rate=0.01")
    assert train(config_of(tiny_layered_file, classifier, tmp_path / "run", 30, *keys)).finished
    losses = [json.loads(line)["loss/flow"] for line in (tmp_path / "run/stats.jsonl").read_text().splitlines()]
    assert all(math.isfinite(loss) for loss in losses)
    assert sum(losses[-5:]) < sum(losses[:5]) - 0.5
    load_flow(ended(tmp_path / "run") / "model.safetensors", sg.load(tiny_layered_file, "cpu"))


def test_parts_of_a_batch_make_the_same_step(tiny_model_file: Path, classifier: Path, tmp_path: Path) -> None:
    def after_one_step(parts: int) -> dict[str, torch.Tensor]:
        config = config_of(tiny_model_file, classifier, tmp_path / "x", 8, "batch=8", f"accumulate={parts}")
        config, opened = prepared(config)
        trainer = Trainer(opened(torch.device("cpu"), ALONE))
        trainer.step(*next(trainer.method.batches(trainer.stage, 0, trainer.positions)))
        return dict(trainer.method.networks["flow"].state_dict())

    whole, parts = after_one_step(1), after_one_step(2)
    for name in ("norms.0.running_mean", "norms.1.running_mean", "norms.0.running_var", "norms.1.running_var"):
        assert torch.allclose(parts[name], whole[name], atol=1e-5), name


def test_labels_are_functions_of_the_code(tiny_model_file: Path, classifier: Path, tmp_path: Path) -> None:
    config = config_of(tiny_model_file, classifier, tmp_path / "x", 4)
    method = prepared(config)[1](torch.device("cpu"), ALONE)
    assert isinstance(method, StyleFlowMethod)
    codes: LabelledCodes = method.codes
    one = codes[[5]]
    several = codes[[3, 5, 11, 3]]
    assert torch.equal(one[0][0], several[0][1]) and torch.equal(one[1][0], several[1][1])
    assert torch.equal(several[1][0], several[1][3])
    code = method.model.sample(seed=7 + 11)
    assert torch.equal(several[0][2], code.tensor[0, 0])
    shown = ((method.model.render(code).image.clamp(-1, 1) + 1) * 127.5).round().byte()
    assert torch.equal(several[1][2:3], codes.classifier.values(shown, ["yaw", "glasses"]))
    other = prepared(config)[1](torch.device("cpu"), ALONE)
    assert isinstance(other, StyleFlowMethod)
    assert torch.equal(other.codes[[11]][1], several[1][2:3])


def test_what_is_refused(
    tiny_model_file: Path, tiny_layered_file: Path, classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(message: str, *keys: str, model: Path = tiny_model_file) -> None:
        with pytest.raises(InputError, match=message):
            train(config_of(model, classifier, tmp_path / "run", 1, *keys))

    refused("no attributes given", "codes.attributes=[]")
    refused(r"unknown attribute 'glases'\. Did you mean 'glasses'", "codes.attributes=[glases]")
    refused("names one twice", "codes.attributes=[yaw,yaw]")
    refused("size has no part in the training of a flow", "size=64")
    refused("the section data has no part", "data.kind=portraits")
    refused("the section metrics has no part", "metrics.names=[fid]")
    refused("codes.count must be 2 or more", "codes.count=1")
    assert not (tmp_path / "run").exists()
    assert train(config_of(tiny_model_file, classifier, tmp_path / "run", 1)).finished
    with monkeypatch.context() as patch:
        patch.setattr("semanticgan.checkpoint.digest_of", lambda _: "0" * 16)
        refused("the run was begun with another model", "schedule.total_images=8")
    monkeypatch.setitem(sys.modules, "torchdiffeq", None)
    refused("StyleFlow needs torchdiffeq, which is not installed", "schedule.total_images=8")
