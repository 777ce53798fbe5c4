"""Metrics while a model trains: the numbers of ``evaluate``, and no other training for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from semanticgan.data import open_dataset
from semanticgan.errors import InputError
from semanticgan.metrics.evaluate import evaluate
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.model import load
from semanticgan.perception.extractors import RandomExtractor
from semanticgan.runs.state import load_state
from semanticgan.training.config import TrainingConfig
from semanticgan.training.loop import train
from semanticgan.training.scoring import Scoring
from tests.conftest import Run
from tests.programs import run_well
from tests.training.conftest import tiny_overrides
from tests.training.exactness import assert_same, stop_after

Make = Callable[..., TrainingConfig]
SHORT = ("schedule.total_images=24", "schedule.log_every=2", "schedule.save_every=3")
METRICS = ("metrics.names=[fid,pr,diversity]", "metrics.every=4", "metrics.num_generated=6", "metrics.extractor=random")
RANDOM = "metrics.extractor=random"
FEW = ("metrics.num_edits=1",)


def lines(run_dir: Path) -> dict[int, dict[str, float]]:
    read = [json.loads(line) for line in (run_dir / "stats.jsonl").read_text().splitlines()]
    return {line["step"]: {name: line[name] for name in line if name.startswith("metric/")} for line in read}


def test_numbers_are_those_of_evaluate(tiny_config: Make, tiny_pictures: Path, tmp_path: Path) -> None:
    result = train(tiny_config(tmp_path / "run", *SHORT, *METRICS, *FEW, "metrics.every=6"))
    measured = lines(tmp_path / "run")
    assert [step for step, values in measured.items() if values] == [6]
    data = open_dataset("folder", tiny_pictures, 16, "photographs-11")
    asked = Evaluation(load(result.model), 6, dataset=data, extractor=RandomExtractor(), num_edits=1)
    found = evaluate(asked, ["fid", "pr", "diversity"])
    values = measured[6]
    assert values["metric/fid"] == pytest.approx(found["fid"].values["fid"], rel=1e-5)
    assert values["metric/pr/recall"] == pytest.approx(found["pr"].values["recall"])
    assert values["metric/diversity/hair"] == pytest.approx(found["diversity"].values["hair"])
    assert len(list((tmp_path / "run" / "features").iterdir())) == 1


def test_measuring_does_not_change_the_training(
    tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it matter where a run is stopped."""
    plain = train(tiny_config(tmp_path / "plain", *SHORT))
    scored = train(tiny_config(tmp_path / "scored", *SHORT, *METRICS, *FEW))
    assert_same(*(load_state(result.model.parent) for result in (plain, scored)))
    with monkeypatch.context() as patch:
        stop_after(5, patch)
        train(tiny_config(tmp_path / "stopped", *SHORT, *METRICS, *FEW))
    train(tiny_config(tmp_path / "stopped", *SHORT, *METRICS, *FEW))
    assert lines(tmp_path / "stopped") == lines(tmp_path / "scored") and lines(tmp_path / "plain")[4] == {}


def test_two_processes_measure_together(tiny_pictures: Path, tmp_path: Path) -> None:
    for count in (1, 2):
        words = [*tiny_overrides(tiny_pictures, tmp_path / str(count)), *SHORT, *METRICS, *FEW, "precision=float32"]
        run_well(["tools/train.py", "tiny", *words], count)
    alone, shared = (lines(tmp_path / str(count))[4] for count in (1, 2))
    assert shared == pytest.approx(alone, rel=1e-3) and len(alone) > 10


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["metrics.names=[fdi]"], "unknown metric 'fdi'. Did you mean 'fid'"),
        (["metrics.names=[miou]"], "'miou' needs metrics.parser=portraits-64"),
        (["metrics.names=[reconstruction]"], "needs reconstructions, which a training has not"),
        (
            ["metrics.names=[pr]", "metrics.extractor=random", "metrics.num_generated=3"],
            "3 pictures of the model are too few",
        ),
        (
            ["metrics.names=[fid]", "metrics.extractor=random", "metrics.num_real=1"],
            "1 pictures of the data are too few",
        ),
        (
            ["metrics.names=[fid]", "metrics.extractor=discriminator:portraits-64"],
            "takes pictures of 64 pixels, got 16",
        ),
        (["metrics.names=[fid]", "metrics.extractor=discriminator:no-such-run"], "no-such-run"),
        (["metrics.names=[fid]", "metrics.every=3"], "metrics.every is 3 steps, which lines of the log every 2"),
        (["metrics.names=[fid]", "metrics.extractor=inceptoin"], "unknown extractor 'inceptoin'"),
        (["metrics.names=[ppl]"], "vgg16-397923af.pth, are not there"),
        (["metrics.every=0"], "metrics.every must be 1 or more"),
    ],
)
def test_what_cannot_be_measured_is_said_before_anything_is_written(
    tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with pytest.raises(InputError) as refused:
        train(tiny_config(tmp_path / "run", *SHORT, "metrics.every=4", *words))
    assert message in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_too_little_memory_to_measure_says_what_to_lower(
    tiny_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(self: object) -> dict[str, float]:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(Scoring, "measure", ended)
    with pytest.raises(InputError, match=r"measured 8 pictures at a time.*metrics\.batch=1 or metrics\.names=\[\]"):
        train(tiny_config(tmp_path / "run", *SHORT, *METRICS, *FEW))


def test_the_option_of_the_command(command: Callable[..., Run], tiny_pictures: Path, tmp_path: Path) -> None:
    words = [*tiny_overrides(tiny_pictures, tmp_path / "run"), *SHORT, *METRICS[1:]]
    command("train", "tiny", *words[:3], "--metrics", "fid,pr", *words[3:])
    assert set(lines(tmp_path / "run")[4]) == {"metric/fid", "metric/pr/precision", "metric/pr/recall"}
