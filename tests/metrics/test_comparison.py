"""Models compared: figures equal those of the single metrics, notes and heads say what they rest on, charts show it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from semanticgan.checkpoint import ModelMetadata, load_model, save_model
from semanticgan.data.pairs import Pair
from semanticgan.data.portraits import PortraitDataset
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode
from semanticgan.metrics import comparison as comparing
from semanticgan.metrics import comparison_table, metric
from semanticgan.metrics import evaluate as evaluating
from semanticgan.metrics.compare import compare
from semanticgan.metrics.comparison import Comparison, Contender, Found
from semanticgan.metrics.comparison_charts import path_chart, pictures_at_ends, projection_chart, sample_sheet
from semanticgan.metrics.comparison_table import columns, to_dict, to_markdown
from semanticgan.metrics.evaluate import evaluate
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import METRICS, Measured
from semanticgan.metrics.path_length import ModelTraveller, path_length
from semanticgan.metrics.training_facts import TrainingFacts, training_facts
from semanticgan.model import Model, load
from semanticgan.networks.comparison.stylegan2 import StyleGAN2Discriminator, StyleGAN2DiscriminatorConfig
from semanticgan.perception.extractors import AttributesExtractor, Lite0Extractor, RandomExtractor
from semanticgan.perception.parser import FaceParser, ParserConfig, ParserNetwork
from semanticgan.perception.perceptual import open_distance
from semanticgan.rendering import Rendering
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


def comparison(*models: Model, names: Sequence[str] = (), **options: Any) -> Comparison:
    networks = {
        "extractor": options.pop("extractors", {"random": RandomExtractor(), "attributes": AttributesExtractor()}),
        "distance": {"random": open_distance("random")},
        "parser": options.pop("parsers", {}),
    }
    given: dict[str, Any] = {"num_paths": NUM, "num_edits": 2, "seeds_from": 3, "batch_size": 3, **options}
    names = names or [name for name, metric in METRICS.items() if metric.compared]
    names = [*names, "projection"] if "num_projections" in options else names
    contenders = [Contender(f"m{number}", model) for number, model in enumerate(models)]
    first: Any = models[0] if models else None
    asked = Evaluation(first, NUM, dataset=PortraitDataset(32, length=NUM), **given)
    return Comparison(contenders, names, asked, networks)


def test_figures_are_those_of_the_single_metrics(regional: Model, layered: Model, parser: FaceParser) -> None:
    asked = comparison(regional, layered, parsers={"tiny": parser})
    reports: list[tuple[int, int | None]] = []
    found = compare(asked, _progress(reports))
    for each in found:
        model, names = each.contender.model, ["fid", "kid", "pr", "ppl"]
        of_regions = ["miou", "locality"] if model is regional else []
        for extractor_name, extractor in asked.networks["extractor"].items():
            evaluation = Evaluation(
                model,
                NUM,
                seeds_from=3,
                dataset=asked.asked.dataset,
                extractor=extractor,
                distance=asked.networks["distance"]["random"],
                parser=parser,
                num_edits=2,
            )
            alone = evaluate(evaluation, [*names, *of_regions])
            for name in ("fid", "kid", "pr"):
                for value, number in each.measured[name, extractor_name].values.items():
                    assert number == pytest.approx(alone[name].values[value], rel=1e-3, abs=1e-5), (name, value)
            lengths = each.measured["ppl", ""].values
            assert lengths == {"w-end": pytest.approx(alone["ppl"].values["w-end"], rel=1e-2)}
        assert {name for name, extractor in each.measured if not extractor} == {"ppl", *of_regions}
        if of_regions:
            assert each.measured["miou", ""].values["miou"] == pytest.approx(alone["miou"].values["miou"], abs=1e-3)
            assert each.measured["locality", ""].values == pytest.approx(alone["locality"].values, rel=1e-3)
        assert each.num_generator == sum(weight.numel() for weight in model.generator.parameters())
        assert 0 < each.images_per_second < 1e6
    assert reports[-1] == (reports[0][1], reports[0][1]), "the one bar ends full"


def test_pictures_are_rendered_and_read_once(layered: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's for all extractors, the data's for all models."""
    rendered, read = [], []
    render = Model.render

    def counting(model: Model, code: LatentCode, *given: Any, **options: Any) -> Rendering:
        rendered.append(len(code))
        return render(model, code, *given, **options)

    class Counting(PortraitDataset):
        def __getitem__(self, index: int) -> Pair:
            read.append(index)
            return super().__getitem__(index)

    monkeypatch.setattr(Model, "render", counting)
    asked = comparison(layered, layered, names=["fid", "kid"])
    counted = dataclasses.replace(asked.asked, dataset=Counting(32, length=NUM))
    compare(dataclasses.replace(asked, asked=counted))
    assert sum(rendered) == 2 * NUM, "of two models"
    assert sorted(read) == sorted([*range(NUM)] * 2), "by two extractors"


def _progress(reports: list[tuple[int, int | None]]) -> Any:
    from semanticgan.progress import Progress

    return Progress(report=lambda done, total, _: reports.append((done, total)))


def test_the_ends_of_the_histogram_are_the_extreme_paths(layered: Model) -> None:
    asked = comparison(layered, names=["ppl"])
    (found,) = compare(asked)
    expected = path_length(ModelTraveller(layered), open_distance("random"), range(3, 3 + NUM)).lengths
    np.testing.assert_allclose(found.measured["ppl", ""].rows["path_lengths"], expected, rtol=1e-2)
    order = np.argsort(expected)
    for pictures, places in zip(pictures_at_ends(asked, found), (order[:3], order[-3:]), strict=True):
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
    scores = {("fid", "attributes"), ("kid", "attributes"), ("pr", "attributes")}
    assert first.measured.keys() == scores and second.measured.keys() > scores
    assert {("fid", "random"), ("ppl", ""), ("projection", "")} < second.measured.keys()
    reason = ("random", "learnt from random, which does not judge it")
    assert first.why_not == dict.fromkeys(second.measured.keys() - scores, reason) and second.why_not == {}
    lines = to_markdown(asked, [first, second], "portraits", 1).splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    place = rows[0].index("Frechet distance by random (stand-in)")
    assert rows[2][place] == rows[2][rows[0].index("PPL w-end by random (stand-in)")] == "- (1)"
    assert float(rows[3][place]) == pytest.approx(second.measured["fid", "random"].values["fid"], rel=1e-3)
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
    heads = [column.head for column in columns(asked, [])]
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
    scores = {"fid": {"fid": 1.0}, "kid": {"kid": 0.25}, "pr": {"precision": 0.5, "recall": 0.125}}
    measured = {(name, "random"): Measured(values, "random (stand-in)") for name, values in scores.items()}
    found = Found(trained, 1_234_567, 20.0, measured)
    text = to_markdown(asked, [found], "portraits", 2)
    (head, _, row) = [line for line in text.splitlines() if line.startswith("| ")]
    assert head.startswith("| model | images trained | hours of training | images/s in sampling | generator param")
    assert row == "| m0 | 24,000 | 1.25 | 20 | 1,234,567 | 1 | 0.25 | 0.5 | 0.125 |"
    assert "on 2 threads of the CPU" in text and "core-hours" not in head and "mIoU" not in head


def test_sheet_and_projections(regional: Model, layered: Model) -> None:
    """The pictures of the model are found again, real ones are not."""
    asked = comparison(layered, regional, names=["fid"], extractors={}, num_projections=4, projection_steps=60)
    found = compare(asked)
    projected = found[0].measured["projection", ""]
    held = projected.rows["projection_distances"]
    assert held["generated"].shape == held["real"].shape == (4,)
    assert projected.values == {"auc": 1.0} and held["generated"].mean() < 0.5 * held["real"].mean()
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
        (comparison(other), "pictures have 64 pixels, the data's 32"),
        (comparison(layered, num_projections=9), "8 pictures of the model are too few for 9 projections"),
        (comparison(layered, num_real=3), "3 pictures of the data are too few"),
        (comparison(layered, num_real=9), "9 pictures were asked for, but the data have 8"),
        (comparison(layered, seeds_from=2**63 - 4), "go beyond 2^63-1"),
        (comparison(layered, names=["fdi"]), "unknown metric 'fdi'. Did you mean 'fid'"),
        (comparison(layered, names=["reconstruction"]), "needs reconstructions, which a comparison lacks"),
    ):
        with pytest.raises(InputError) as refused:
            compare(asked, _progress(reports := []))
        assert message in str(refused.value) and reports == []


def test_a_metric_from_elsewhere_is_a_column(layered: Model, regional: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the heads that it declares, else one for each value; on the extractors that it needs."""
    monkeypatch.setattr(metric, "_METRICS", dict(METRICS))
    for module in (metric, evaluating, comparing, comparison_table):
        monkeypatch.setattr(module, "METRICS", metric._METRICS)

    @metric.metric("width", "of the features", needs=("extractor",), columns={"mean": "mean feature"})
    def _width(evaluation: Evaluation) -> Measured:
        assert evaluation.extractor is not None
        return Measured({"mean": float(evaluation.generated.values.mean()), "other": 1.0}, evaluation.extractor.label)

    @metric.metric("size", "of the pictures")
    def _size(evaluation: Evaluation) -> Measured:
        return Measured({"size": evaluation.model.size, "half": evaluation.model.size / 2})

    @metric.metric("regions", "number of them", of_regions=True)
    def _regions(evaluation: Evaluation) -> Measured:
        return Measured({"regions": len(evaluation.model.regions)})

    asked = comparison(layered, regional, names=["width", "size", "regions"])
    found = compare(asked)
    heads = [column.head for column in columns(asked, found)][7:]
    assert heads == [
        *("mean feature by random (stand-in)", "mean feature by attributes (stand-in)"),
        *("size", "size: half", "regions"),
    ]
    values = [each["values"] for each in to_dict(asked, found)["models"]]
    assert [[each[head] for head in heads[2:]] for each in values] == [[32, 16, None], [32, 16, len(regional.regions)]]
    assert values[0][heads[0]] != values[0][heads[1]] != values[1][heads[1]]


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
