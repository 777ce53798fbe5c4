"""Several metrics at once, from Python and from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from semanticgan.data.folders import FolderDataset
from semanticgan.data.portraits import PortraitDataset
from semanticgan.data.unlabelled import PictureDataset
from semanticgan.distributed import Processes
from semanticgan.errors import InputError
from semanticgan.metrics.attributes import measure_attributes
from semanticgan.metrics.diversity import measure_diversity
from semanticgan.metrics.evaluate import evaluate, to_dict
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.fid import frechet_distance
from semanticgan.metrics.inception_score import inception_score
from semanticgan.metrics.locality import locality_of, measure_locality
from semanticgan.metrics.metric import METRICS, Measured
from semanticgan.metrics.miou import measure_segmentation
from semanticgan.metrics.reconstruction import measure_reconstruction
from semanticgan.metrics.samples import generated_pictures
from semanticgan.metrics.statistics import dataset_features, extract_features
from semanticgan.metrics.table import to_markdown, why_not_comparable
from semanticgan.model import Model, load
from semanticgan.perception.classifier import load_classifier
from semanticgan.perception.extractors import Features, Lite0Extractor, RandomExtractor
from semanticgan.perception.identity import IdentityJudge
from semanticgan.perception.parser import FaceParser, ParserConfig, ParserNetwork
from semanticgan.perception.perceptual import Distance, open_distance
from semanticgan.regions import PHOTOGRAPHS_11
from tests.conftest import Run

Command = Callable[..., Run]
STAND_INS = ("--extractor", "random", "--distance", "random")


@pytest.fixture(scope="module")
def model(tiny_model_file: Path) -> Model:
    return load(tiny_model_file, device="cpu")


@pytest.fixture(scope="module")
def portraits() -> PortraitDataset:
    return PortraitDataset(32, length=8)


@pytest.fixture(autouse=True)
def _no_cache_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMANTICGAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def evaluation(model: Model, portraits: PortraitDataset | None, **options: object) -> Evaluation:
    options = {"extractor": RandomExtractor(), "distance": open_distance("random"), "seeds_from": 3, **options}
    return Evaluation(model, 6, dataset=portraits, **options)  # type: ignore[arg-type]


def test_metrics_are_those_of_their_own_functions(model: Model, portraits: PortraitDataset) -> None:
    found = evaluate(evaluation(model, portraits), ["fid", "pr", "ppl"])
    extractor = RandomExtractor()
    own = extract_features(generated_pictures(model, range(3, 9)), extractor, 6)
    real = dataset_features(portraits, range(6), extractor)
    expected = frechet_distance(real.statistics(), own.statistics()).values
    assert found["fid"].values == {"fid": pytest.approx(expected["fid"], rel=1e-6)}
    for name, (num_real, num_generated) in {"fid": (6, 6), "pr": (6, 6), "ppl": (0, 12)}.items():
        measured = found[name]
        assert (measured.num_real, measured.num_generated) == (num_real, num_generated)
        assert measured.stand_in and measured.by == "random (stand-in)"
    assert found["pr"].values.keys() == {"precision", "recall"} and found["ppl"].values.keys() == {"w-end"}


def test_the_batch_size_changes_nothing(model: Model, portraits: PortraitDataset) -> None:
    names = ["fid", "kid", "pr"]
    one, other = (evaluate(evaluation(model, portraits, batch_size=size), names) for size in (1, 4))
    for name in names:
        for value, number in one[name].values.items():
            assert other[name].values[value] == pytest.approx(number, rel=2e-3, abs=1e-5), (name, value)


def test_the_inception_score_is_of_the_logits(model: Model) -> None:
    class Knowing(RandomExtractor):
        """Takes its features for the logits of classes."""

        stand_in = False

        def extract(self, pictures: Tensor) -> Features:
            values = super().extract(pictures).values
            return Features(values, values)

    asked = Evaluation(model, 12, extractor=Knowing())
    found = evaluate(asked, ["is"])["is"]
    expected = inception_score(extract_features(generated_pictures(model, range(12)), Knowing(), 12)).values
    assert found.values == pytest.approx(expected, rel=1e-6)
    assert (found.num_real, found.num_generated, found.by, found.stand_in) == (0, 12, "random", False)


@pytest.fixture(scope="module")
def parser(model: Model) -> FaceParser:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ParserNetwork(ParserConfig(32, len(model.regions), (4, 8)))
    return FaceParser(network, model.regions, {"held_out": {"mean_iou": 0.75, "iou": {"hair": 0.5}}})


def test_segmentation_beside_what_its_parser_is_worth(model: Model, parser: FaceParser) -> None:
    found = evaluate(evaluation(model, None, parser=parser), ["miou"])["miou"]
    alone = measure_segmentation(Evaluation(model, 6, 3, parser=parser)).to_dict()
    assert found.values["miou"] == alone["mean_iou"] and found.details == alone
    assert found.by == "parser, 0.750 on held-out pairs" and found.num_generated == 6
    assert found.table is not None
    rows = {row[0]: row[1:] for row in found.table.rows}
    assert rows["hair"] == (alone["iou"]["hair"], 0.5) and rows["face"][1] is None


def test_attributes_of_the_model_and_the_data(model: Model, portraits: PortraitDataset) -> None:
    classifier = load_classifier()
    found = evaluate(evaluation(model, portraits, classifier=classifier), ["attributes"])["attributes"]
    expected = measure_attributes(Evaluation(model, 6, 3, dataset=portraits, classifier=classifier))
    assert found.details == expected.to_dict() and (found.num_real, found.num_generated) == (6, 6)
    factors = [each.factor for each in expected.binary.values() if each.factor is not None]
    assert found.values == {"least_factor": min(factors), "greatest_factor": max(factors)}
    assert found.table is not None
    names = [row[0] for row in found.table.rows]
    assert {"hat", "hat_style cap"} <= set(names) and not any(str(name).startswith("pattern ") for name in names)
    alone = evaluate(evaluation(model, None, classifier=classifier), ["attributes"])["attributes"]
    assert alone.values == {"least_factor": None, "greatest_factor": None}


def test_locality_and_diversity_of_some_regions(model: Model) -> None:
    options = {"regions": ["hair", "face"], "num_edits": 2, "num_variations": 3}
    for distance, by in ((None, "levels of 0..255"), (open_distance("random"), "random (stand-in)")):
        asked = evaluation(model, None, distance=distance, **options)
        found = evaluate(asked, ["locality", "diversity"])
        alone = Evaluation(model, 2, 3, regions=["hair", "face"], distance=distance, num_variations=3)
        locality = measure_locality(alone)
        assert found["locality"].details == locality.to_dict() and locality_of(asked) == locality
        assert locality_of(asked) is locality_of(asked)
        assert found["locality"].values == locality.to_dict()["mean_score"]
        table = found["locality"].table
        assert table is not None and [row[:2] for row in table.rows] == [
            (region, what) for what in ("structure", "texture") for region in ("hair", "face")
        ]
        expected = measure_diversity(alone, "face")
        assert found["diversity"].values["face"] == expected.mean and found["diversity"].num_generated == 6
        assert found["diversity"].by == by and by in found["locality"].by


def test_reconstructions_are_compared_picture_by_picture(
    model: Model, portraits: PortraitDataset, parser: FaceParser
) -> None:
    pictures = torch.stack([portraits[index].image for index in range(8)])
    asked = evaluation(model, portraits, reconstructions=portraits, parser=parser)
    found = evaluate(asked, ["reconstruction"])["reconstruction"]
    assert found.values == {"mse": 0.0, "psnr": None, "ssim": pytest.approx(1.0), "perceptual": 0.0, "miou": 1.0}
    others = PortraitDataset(32, length=5, seed=1)
    asked = evaluation(model, portraits, reconstructions=others, distance=None, batch_size=2)
    worse = evaluate(asked, ["reconstruction"])["reconstruction"]
    expected = measure_reconstruction(pictures[:5], torch.stack([others[index].image for index in range(5)]))
    assert worse.values == {name: expected.to_dict()[name] for name in ("mse", "psnr", "ssim")}
    assert (worse.num_real, worse.stand_in, found.stand_in) == (5, False, True)


def test_reconstructions_are_found_by_name(model: Model, tmp_path: Path) -> None:
    """Folders of pairs and of pictures sort a-1.png and a.png in different orders."""
    for name in ("image", "label", "again"):
        (tmp_path / name).mkdir()
    for name, level in (("a", 10), ("a-1", 200), ("b", 90)):
        picture = Image.new("RGB", (32, 32), (level, level, level))
        picture.save(tmp_path / f"image/{name}.png")
        Image.new("L", (32, 32)).save(tmp_path / f"label/{name}.png")
        if name != "b":  # not every picture needs to be reconstructed
            picture.save(tmp_path / f"again/{name}.png")
    for name in ("sheet", "a-aligned"):  # as invert writes them
        picture.save(tmp_path / f"again/{name}.png")
    dataset = FolderDataset(tmp_path, 32, PHOTOGRAPHS_11)
    again = PictureDataset(tmp_path / "again", 32, PHOTOGRAPHS_11)
    asked = Evaluation(model, 6, dataset=dataset, reconstructions=again)
    assert evaluate(asked, ["reconstruction"])["reconstruction"].values["mse"] == 0
    picture.save(tmp_path / "again/c.png")
    again = PictureDataset(tmp_path / "again", 32, PHOTOGRAPHS_11)
    with pytest.raises(InputError, match="the reconstruction 'c' is of no picture of the data"):
        evaluate(Evaluation(model, 6, dataset=dataset, reconstructions=again), ["reconstruction"])


def test_path_lengths_of_regions_are_of_both_their_codes(model: Model) -> None:
    found = evaluate(evaluation(model, None, regions=["hair"], num_paths=2), ["ppl-regions"])["ppl-regions"]
    assert list(found.values) == ["hair structure", "hair texture"] and found.num_generated == 4
    every = evaluate(evaluation(model, None, num_paths=1), ["ppl-regions"])["ppl-regions"]
    assert len(every.values) == 2 * len(model.regions)


class _Choosy(Distance):
    name, stand_in = "choosy", True

    def layers(self, a: Tensor, b: Tensor) -> list[Tensor]:
        raise InputError("too small")


def test_what_is_missing_is_said_before_anything_is_computed(model: Model, portraits: PortraitDataset) -> None:
    for options, names, message in (
        ({}, ["fdi"], "unknown metric 'fdi'. Did you mean 'fid'"),
        ({}, [], "no metric given. Known: attributes, diversity, fid"),
        ({}, ["pr", "is"], "'is' needs the classes of Inception"),
        ({"dataset": None}, ["fid"], "'fid' needs --data"),
        ({"distance": None}, ["ppl"], "'ppl' needs --distance"),
        ({"num_real": 9}, ["fid"], "9 pictures were asked for, but the data have 8"),
        ({"paths": ["w"]}, ["ppl"], "unknown path 'w'"),
        ({}, ["miou"], "'miou' needs --parser"),
        ({}, ["reconstruction"], "'reconstruction' needs --reconstructions"),
        ({"reconstructions": PortraitDataset(32, length=9)}, ["fid"], "the reconstruction '8' is of no picture"),
        ({"paths": []}, ["ppl"], "0 paths were given"),
        ({"paths": ["w-end", "z-end"]}, ["ppl-regions"], "2 paths were given"),
        ({"num_real": 3}, ["pr"], "3 pictures of the data are too few for metric 'pr'"),
        ({"processes": Processes(0, 7)}, ["ppl"], "6 pictures of the model are too few for metric 'ppl' on 7 proc"),
        ({"regions": ["beard"]}, ["locality"], "unknown region 'beard'"),
        ({"distance": _Choosy()}, ["fid"], "too small"),
        ({"dataset": PortraitDataset(16, length=8)}, ["fid"], "pictures have 32 pixels, the data's 16"),
    ):
        asked = Evaluation(
            model,
            6,
            **{  # type: ignore[arg-type]
                "dataset": portraits,
                "extractor": RandomExtractor(),
                "distance": open_distance("random"),
                **options,
            },
        )
        with pytest.raises(InputError) as refused:
            evaluate(asked, names)
        assert message in str(refused.value)
        assert not asked.seconds


@pytest.mark.parametrize(
    ("name", "by", "num", "truncation", "reason"),
    [
        ("fid", "inception", 50_000, 1.0, None),
        ("fid", "inception", 5000, 1.0, "fewer than 50,000 pictures"),
        ("fid", "inception", 50_000, 0.7, "truncation 0.7"),
        ("fid", "random (stand-in)", 50_000, 1.0, "stand-in"),
        ("pr", "inception", 50_000, 1.0, "published ones rest on VGG-16"),
        ("ppl", "lpips-vgg", 100_000, 1.0, None),
        ("ppl", "lpips-vgg", 100_000, 0.7, "truncation 0.7"),
        ("ppl", "lpips-alex", 100_000, 1.0, "published ones rest on lpips-vgg"),
        ("ppl-regions", "lpips-vgg", 100_000, 1.0, "no published figures"),
    ],
)
def test_only_what_compares_with_the_literature_is_called_so(
    name: str, by: str, num: int, truncation: float, reason: str | None
) -> None:
    measured = Measured({name: 1.0}, by, "stand-in" in by, num, num)
    assert why_not_comparable(METRICS[name], measured, truncation) == reason


def test_the_table_has_a_row_a_number(model: Model, portraits: PortraitDataset) -> None:
    asked = evaluation(model, portraits)
    found = {
        "fid": Measured({"fid": 12.3456}, "random (stand-in)", True, 6, 6, 1.25),
        "pr": Measured({"precision": 0.5, "recall": None}, "inception", False, 6, 60_000, 2.0),
        "is": Measured({"inception_score": 2.5}, "inception", False, 0, 60_000),
    }
    rows = [line for line in to_markdown(asked, found, "tiny", "portraits").splitlines() if line.startswith("|")]
    assert rows[2:] == [
        "| fid | 12.35 | 6 / 6 | random (stand-in) | 1.2 | no: stand-in |",
        "| pr: precision | 0.5 | 6 / 60,000 | inception | 2.0 | no: published ones rest on VGG-16 |",
        "| pr: recall | - | 6 / 60,000 | inception |  | no: published ones rest on VGG-16 |",
        "| is: inception_score | 2.5 | 0 / 60,000 | inception | 0.0 | yes |",
    ]


class _Lite0Names(RandomExtractor):
    """Random features whose scores bear the names of Lite0's."""

    name, scores = "lite0", Lite0Extractor.scores


def test_lite0_scores_are_never_called_fid_or_kid(model: Model, portraits: PortraitDataset) -> None:
    found = evaluate(evaluation(model, portraits, extractor=_Lite0Names()), ["fid", "kid", "pr"])
    plain = evaluate(evaluation(model, portraits), ["fid", "kid"])
    assert found["fid"].values == {"Lite0 Frechet distance": plain["fid"].values["fid"]}
    assert list(found["kid"].values) == ["Lite0 kernel distance", "deviation", "subset_size"]
    asked = evaluation(model, portraits)
    results, table = to_dict(asked, found), to_markdown(asked, found, "tiny", "portraits")
    assert list(results["results"]) == ["Lite0 Frechet distance", "Lite0 kernel distance", "pr"]
    assert "| Lite0 Frechet distance | " in table and "| Lite0 kernel distance: subset_size | 6 |" in table
    for text in (json.dumps(results), table):
        assert "fid" not in text.lower() and "kid" not in text.lower() and "lite0 (stand-in)" in text


def test_identity_of_reconstructions(model: Model, portraits: PortraitDataset) -> None:
    brightness = IdentityJudge("brightness", lambda a, b: (a.double() - b).mean((1, 2, 3)).abs(), same_below=5.0)
    others = PortraitDataset(32, length=5, seed=1)
    asked = evaluation(model, portraits, reconstructions=others, identity=brightness, batch_size=2)
    found = evaluate(asked, ["identity"])["identity"]
    means = [portraits[index].image.double().mean() - others[index].image.double().mean() for index in range(5)]
    assert found.values["identity"] == pytest.approx(float(torch.stack(means).abs().mean()))
    assert found.values["same person"] == sum(abs(mean) < 5 for mean in means) / 5
    assert (found.by, found.num_real, found.stand_in) == ("brightness", 5, True)
    with pytest.raises(InputError, match="'identity' needs --identity"):
        evaluate(evaluation(model, portraits, reconstructions=others), ["identity"])


def test_the_command_prints_json_and_writes_a_table_and_a_sheet(command: Command, tiny_model_file: Path) -> None:
    arguments = ("evaluate", "--model", tiny_model_file, "--data-kind", "portraits", "--num-generated", "6", *STAND_INS)
    result = command(
        *arguments, "--metrics", "fid,kid,pr,ppl", "--num-paths", "2", "--out", "a.md", "--sheet", "a.png"
    ).result
    assert list(result["results"]) == ["fid", "kid", "pr", "ppl"]
    assert all(each["stand_in"] for each in result["results"].values())
    assert (result["num_generated"], result["seeds_from"], result["data"]) == (6, 0, "portraits")
    assert result["shared_seconds"].keys() == {"features of the data", "features of the model"}
    table = Path("a.md").read_text()
    assert f"| fid | {result['results']['fid']['values']['fid']:.4g} | 6 / 6 | random (stand-in) |" in table
    with Image.open("a.png") as sheet:
        assert sheet.width > 6 * 160 and sheet.height > 2 * 160

    again = command(*arguments, "--metrics", "fid", "--out", "b.json").result  # the data's features from the cache
    assert again["results"]["fid"]["values"] == result["results"]["fid"]["values"]
    assert json.loads(Path("b.json").read_text())["results"] == again["results"]
    (cached,) = Path("home/features").iterdir()
    assert cached.name.startswith("features-random-")
    assert "exists already" in command(*arguments, "--out", "a.md").complaint


def test_the_command_measures_regions(command: Command, tiny_model_file: Path, parser: FaceParser) -> None:
    parser.save("parser.safetensors")
    options = ("--num-generated", "4", "--num-edits", "2", "--num-variations", "2", "--region", "hair,face")
    names = ("--metrics", "miou,locality,diversity", "--parser", "parser.safetensors")
    outputs = ("--out", "a.md", "--plot", "plot.png")
    result = command("evaluate", "--model", tiny_model_file, *names, *options, *outputs).result
    assert result["plot"] == "plot.png" and result["results"]["miou"]["num_generated"] == 4
    assert result["results"]["locality"]["details"]["structure"].keys() == {"hair", "face"}
    table = Path("a.md").read_text(encoding="utf-8")
    for line in (
        "## miou",
        "| region | IoU | the parser's IoU on held-out pairs |",
        "## locality",
        "| face | texture |",
    ):
        assert line in table
    with Image.open("plot.png") as plot:
        assert plot.width >= 640 and plot.height > 300
    complaints = {
        ("--sheet", "sheet.xyz"): "has the suffix '.xyz'",
        ("--sheet", "a.png", "--plot", "a.png", "--metrics", "locality"): "name one file twice",
        ("--metrics", "locality", "--extractor-weights", "a.pth"): "--extractor-weights gives a file that none",
        ("--metrics", "miou", "--parser", "portraits-46"): "Did you mean 'portraits-64'",
    }
    for words, message in complaints.items():
        assert message in command("evaluate", "--model", tiny_model_file, *words).complaint
    assert "--plot draws the metric locality" in command("evaluate", "--metrics", "fid", "--plot", "b.png").complaint


def test_wrong_input_is_one_line(command: Command, tiny_model_file: Path, tmp_path: Path) -> None:
    def complaint(*words: str) -> str:
        return command("evaluate", "--model", tiny_model_file, "--num-generated", "4", *words).complaint

    portraits = ("--data-kind", "portraits")
    assert "unknown metric 'fidd'. Did you mean 'fid'" in complaint("--metrics", "fidd")
    assert "weights-inception-2015-12-05-6726825d.pth, are not there" in complaint(*portraits)
    assert "vgg16-397923af.pth, are not there" in complaint("--metrics", "ppl")
    (tmp_path / "weights.pth").write_bytes(b"others")
    assert "its SHA-256 is" in complaint(*portraits, "--extractor-weights", "weights.pth")
    assert "'fid' needs --data" in complaint("--extractor", "random")
    assert "ends in '.txt'" in complaint("--out", "a.txt")
    assert "unknown kind of dataset" in complaint("--data-kind", "x", *STAND_INS)
    assert "unknown region" in complaint("--metrics", "ppl-regions", "--region", "beard", *STAND_INS)
    assert "unknown path 'w'" in complaint("--metrics", "ppl", "--paths", "w", *STAND_INS)


def test_help_names_every_metric_extractor_and_distance(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    from semanticgan.data import KINDS
    from semanticgan.metrics.path_length import PATHS
    from semanticgan.perception.extractors import EXTRACTORS
    from semanticgan.perception.perceptual import DISTANCES

    with pytest.raises(SystemExit):
        command("evaluate", "--help")
    text = " ".join(capsys.readouterr().out.split())
    assert "; ".join(f"{name} ({each.summary})" for name, each in sorted(METRICS.items())) in text
    for known in (PATHS, KINDS):
        assert ", ".join(known) in text
    for name in (*EXTRACTORS, *DISTANCES):
        assert name.partition(":")[0] in text
