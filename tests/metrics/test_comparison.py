"""Models compared: figures equal those of the single metrics, notes and heads say what they rest on, charts show it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from semanticgan.checkpoint import ModelMetadata, load_model, save_model
from semanticgan.data.portraits import PortraitDataset
from semanticgan.errors import InputError
from semanticgan.metrics.compare import compare
from semanticgan.metrics.comparison import Comparison, Contender, Found, SetScores
from semanticgan.metrics.comparison_charts import path_chart, projection_chart, sample_sheet
from semanticgan.metrics.comparison_table import columns, to_dict, to_markdown
from semanticgan.metrics.evaluate import evaluate
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.path_length import ModelTraveller, path_lengths
from semanticgan.metrics.training_facts import TrainingFacts, training_facts
from semanticgan.model import Model, load
from semanticgan.networks.comparison.stylegan2 import StyleGAN2Discriminator, StyleGAN2DiscriminatorConfig
from semanticgan.perception.extractors import AttributesExtractor, Lite0Extractor, RandomExtractor
from semanticgan.perception.parser import FaceParser, ParserConfig, ParserNetwork
from semanticgan.perception.perceptual import open_distance
from semanticgan.runs.record import Clock, read_record

NUM = 8


@pytest.fixture(scope="module")
def regional(tiny_model_file: Path) -> Model:
    return load(tiny_model_file, device="cpu")


@pytest.fixture(scope="module")
def layered(tiny_layered_file: Path) -> Model:
    return load(tiny_layered_file, device="cpu")


@pytest.fixture(scope="module")
def parser(regional: Model) -> FaceParser:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ParserNetwork(ParserConfig(32, len(regional.regions), (4, 8)))
    return FaceParser(network, regional.regions, {})


def comparison(*models: Model, **options: Any) -> Comparison:
    given: dict[str, Any] = {
        "extractors": {"random": RandomExtractor(), "attributes": AttributesExtractor()},
        "distance": ("random", open_distance("random")),
        "parsers": {},
        "num_paths": NUM,
        "num_edits": 2,
        "seeds_from": 3,
        "batch_size": 3,
        **options,
    }
    contenders = [Contender(f"m{number}", model) for number, model in enumerate(models)]
    return Comparison(contenders, PortraitDataset(32, length=NUM), num_generated=NUM, **given)


def test_figures_are_those_of_the_single_metrics(regional: Model, layered: Model, parser: FaceParser) -> None:
    asked = comparison(regional, layered, parsers={"tiny": parser})
    reports: list[tuple[int, int | None]] = []
    found = compare(asked, _progress(reports))
    for each in found:
        model, names = each.contender.model, ["fid", "kid", "pr", "ppl"]
        names += ["miou", "locality"] if model is regional else []
        for name, extractor in asked.extractors.items():
            evaluation = Evaluation(
                model,
                NUM,
                seeds_from=3,
                dataset=asked.dataset,
                extractor=extractor,
                distance=asked.distance[1],
                parser=parser,
                num_edits=2,
            )
            alone: dict[str, Any] = {}
            for measured in evaluate(evaluation, names).values():
                alone |= measured.values
            scores = each.scores[name]
            assert scores.frechet == pytest.approx(alone["fid"], rel=1e-3)
            assert scores.kernel == pytest.approx(alone["kid"], rel=1e-3, abs=1e-5)
            assert (scores.precision, scores.recall) == (alone["precision"], alone["recall"])
            assert each.paths is not None and each.paths.mean == pytest.approx(alone["w-end"], rel=1e-2)
        if model is regional:
            assert (each.miou, each.parser) == (pytest.approx(alone["miou"], abs=1e-3), "tiny")
            assert each.locality == {what: pytest.approx(alone[what], rel=1e-3) for what in ("structure", "texture")}
        else:
            assert each.miou is None and each.locality == {}
        assert each.num_generator == sum(weight.numel() for weight in model.generator.parameters())
        assert 0 < each.images_per_second < 1e6
    assert reports[-1] == (reports[0][1], reports[0][1]), "the one bar ends full"


def _progress(reports: list[tuple[int, int | None]]) -> Any:
    from semanticgan.progress import Progress

    return Progress(report=lambda done, total, _: reports.append((done, total)))


def test_the_ends_of_the_histogram_are_the_extreme_paths(layered: Model) -> None:
    asked = comparison(layered, extractors={})
    (found,) = compare(asked)
    expected = path_lengths(ModelTraveller(layered), asked.distance[1], range(3, 3 + NUM))
    assert found.paths is not None
    np.testing.assert_allclose(found.paths.lengths, expected, rtol=1e-2)
    order = np.argsort(expected)
    for pictures, places in ((found.paths.shortest, order[:3]), (found.paths.longest, order[-3:])):
        shown = layered.render(layered.sample(seeds=[3 + int(place) for place in places])).to_uint8()
        assert (pictures.int() - shown.int()).abs().max() <= 1
    chart = path_chart(asked, [found])
    assert chart.width == 1300 and chart.mode == "RGB" and np.asarray(chart).std() > 20


def test_a_model_is_not_judged_by_what_it_learnt_from(layered: Model, tiny_layered_file: Path, tmp_path: Path) -> None:
    about = {"training": {}, "licence": "Apache-2.0", "data_licence": "none"}
    taught = tmp_path / "taught.safetensors"
    save_model(taught, load_model(tiny_layered_file).generator, None, perception=["random"], **about)
    asked = comparison(load(taught, device="cpu"), layered, num_projections=2, projection_steps=2)
    first, second = compare(asked)
    assert first.scores.keys() == {"attributes"} and second.scores.keys() == {"random", "attributes"}
    assert first.paths is None and first.projections is None and second.projections is not None
    assert first.why_not == {"random": "learnt from random, which does not judge it"} and second.why_not == {}
    lines = to_markdown(asked, [first, second], "portraits", 1).splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    place = rows[0].index("Frechet distance by random (stand-in)")
    assert rows[2][place] == rows[2][rows[0].index("PPL w-end by random (stand-in)")] == "- (1)"
    assert float(rows[3][place]) == pytest.approx(second.scores["random"].frechet, rel=1e-3)
    assert [line for line in lines if line.startswith("(")] == ["(1) m0 learnt from random, which does not judge it."]
    stated = to_dict(asked, [first, second])["models"]
    assert stated[0]["left_out"].keys() == {"random"} and "left_out" not in stated[1]
    assert stated[0]["values"]["Frechet distance by random (stand-in)"] is None


class _Inception(RandomExtractor):
    name, stand_in = "inception", False


class _Lite0(RandomExtractor):
    name, scores = "lite0", Lite0Extractor.scores


def test_only_inception_s_scores_are_called_fid_and_kid(layered: Model) -> None:
    asked = comparison(layered, extractors={"inception": _Inception(), "lite0": _Lite0(), "random": RandomExtractor()})
    heads = [column.head for column in columns(asked)]
    assert heads[7:19] == [
        *("FID by inception", "KID by inception", "precision by inception", "recall by inception"),
        *("Lite0 Frechet distance (stand-in)", "Lite0 kernel distance (stand-in)"),
        *("precision by lite0 (stand-in)", "recall by lite0 (stand-in)"),
        *("Frechet distance by random (stand-in)", "kernel distance by random (stand-in)"),
        *("precision by random (stand-in)", "recall by random (stand-in)"),
    ]


def test_columns_without_a_figure_are_left_out(layered: Model) -> None:
    asked = comparison(layered, extractors={"random": RandomExtractor()})
    trained = dataclasses.replace(asked.contenders[0], training=TrainingFacts(images=24_000, hours=1.25))
    found = Found(trained, 1_234_567, 20.0, {"random": SetScores(1.0, 0.25, 0.5, 0.125)})
    text = to_markdown(asked, [found], "portraits", 2)
    (head, _, row) = [line for line in text.splitlines() if line.startswith("| ")]
    assert head.startswith("| model | images trained | hours of training | images/s in sampling | generator param")
    assert row == "| m0 | 24,000 | 1.25 | 20 | 1,234,567 | 1 | 0.25 | 0.5 | 0.125 |"
    assert "on 2 threads of the CPU" in text and "core-hours" not in head and "mIoU" not in head


def test_sheet_and_projections(regional: Model, layered: Model) -> None:
    """The pictures of the model are found again, real ones are not."""
    asked = comparison(layered, regional, extractors={}, num_projections=4, projection_steps=60)
    found = compare(asked)
    held = found[0].projections
    assert held is not None and held.generated.shape == held.real.shape == (4,)
    assert held.auc == 1.0 and held.generated.mean() < 0.5 * held.real.mean()
    assert projection_chart(asked, found).size == (700, 480)
    sheet = sample_sheet(asked, "drawn")
    assert sheet.width > NUM * 160 and sheet.height > 3 * 160
    picture = layered.render(layered.sample(seed=3)).to_pil()[0].resize((160, 160), 3)
    left = sheet.width - 16 - NUM * 160 - (NUM - 1) * 6
    shown = sheet.crop((left, 16 + 166, left + 160, 16 + 166 + 160))
    assert np.abs(np.asarray(shown, dtype=int) - np.asarray(picture, dtype=int)).max() <= 1


def test_what_does_not_fit_is_said_before_anything_is_computed(regional: Model, layered: Model) -> None:
    other = load("portraits-64", device="cpu")
    for asked, message in (
        (comparison(), "models of one size are compared, got no model"),
        (comparison(layered, other), "got m0 of 32 pixels, m1 of 64 pixels"),
        (comparison(other), "the data have 32 pixels, the models 64"),
        (comparison(layered, num_projections=9), "8 pictures of each model are too few for this comparison. Take 9"),
        (comparison(layered, num_real=3), "3 pictures of the data are too few"),
        (comparison(layered, num_real=9), "9 pictures were asked for, but the data have 8"),
        (comparison(layered, seeds_from=2**63 - 4), "go beyond 2^63-1"),
    ):
        with pytest.raises(InputError) as refused:
            compare(asked, _progress(reports := []))
        assert message in str(refused.value) and reports == []


def test_what_a_run_says_of_its_training(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = load(tiny_run, device="cpu").metadata
    record = read_record(tiny_run)
    facts = training_facts(str(tiny_run), metadata, cores=3)
    assert facts == TrainingFacts(images=4, num_discriminator=record.num_parameters["discriminator"])
    timed = dataclasses.replace(record, images=16, clock=Clock({}, 7200.0))  # the log is ahead of the newest state
    monkeypatch.setattr("semanticgan.metrics.training_facts.read_record", lambda path: timed)
    facts = training_facts(str(next(tiny_run.glob("step-*"))), metadata, cores=3)
    assert (facts.hours, facts.core_hours, facts.images_per_second) == (0.5, 1.5, 16 / 7200)
    assert training_facts(str(tiny_run), metadata).core_hours is None


def test_what_a_file_says_of_its_training(tiny_layered_file: Path) -> None:
    metadata = load_model(tiny_layered_file).metadata
    assert training_facts(str(tiny_layered_file), metadata) == TrainingFacts(images=24)
    judge = StyleGAN2DiscriminatorConfig(size=32, channels=dict.fromkeys((4, 8, 16, 32), 8))

    def facts(cores: int | None = None, **training: Any) -> TrainingFacts:
        said: ModelMetadata = dataclasses.replace(metadata, training=training, discriminator=judge)
        return training_facts("a.safetensors", said, cores)

    expected = sum(weight.numel() for weight in StyleGAN2Discriminator(judge).parameters())
    known = facts(2, images=100, images_before=20, hours=1.5)
    assert known == TrainingFacts(images=120, hours=1.5, core_hours=3.0, num_discriminator=expected)
    assert facts(2, hours=1.5, core_hours=4).core_hours == 4.0
    assert facts(2, images="many", hours=float("nan"), core_hours=-1) == TrainingFacts(num_discriminator=expected)
