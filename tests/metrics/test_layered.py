"""Metrics and verbs of a model without regions: what needs none works, what needs them is refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semanticgan.data.portraits import PortraitDataset
from semanticgan.metrics.evaluate import evaluate
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import METRICS
from semanticgan.model import Model, load
from semanticgan.perception.classifier import load_classifier
from semanticgan.perception.extractors import Features, RandomExtractor
from semanticgan.perception.identity import IdentityJudge
from semanticgan.perception.parser import load_parser
from semanticgan.perception.perceptual import open_distance
from tests.conftest import Run

Command = Callable[..., Run]
OF_REGIONS = {"locality", "miou", "ppl-regions", "ownership", "diversity"}
PATHS = ("z-full", "z-end", "w-full", "w-end")


class Classes(RandomExtractor):
    """Features that are taken for the logits of classes, too."""

    stand_in = False

    def extract(self, pictures: torch.Tensor) -> Features:
        values = super().extract(pictures).values
        return Features(values, values)


@pytest.fixture(scope="module")
def model(tiny_layered_file: Path) -> Model:
    return load(tiny_layered_file, device="cpu")


@pytest.fixture(autouse=True)
def _no_cache_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMANTICGAN_HOME", str(tmp_path / "home"))


def test_every_metric_without_regions(model: Model) -> None:
    """Also reconstructions with a parser, whose regions need not be the model's."""
    data, again = PortraitDataset(32, length=12), PortraitDataset(32, length=5, seed=1)
    judge = IdentityJudge("brightness", lambda a, b: (a.double() - b).mean((1, 2, 3)).abs(), same_below=5.0)
    given = {
        "distance": open_distance("random"),
        "classifier": load_classifier(),
        "parser": load_parser("portraits-64"),
    }
    asked = Evaluation(
        model,
        12,
        dataset=data,
        reconstructions=again,
        extractor=Classes(),
        identity=judge,
        paths=PATHS,
        num_projections=2,
        projection_steps=2,
        **given,
    )
    names = [name for name in METRICS if name not in OF_REGIONS]
    assert set(names) == {"fid", "kid", "is", "pr", "ppl", "attributes", "reconstruction", "identity", "projection"}
    found = evaluate(asked, names)
    assert list(found["ppl"].values) == list(PATHS) and "miou" in found["reconstruction"].values
    assert all(
        np.isfinite(found[name].values[key]) for name, key in (("fid", "fid"), ("kid", "kid"), ("ppl", "z-full"))
    )

    pictures = model.render(model.sample(seeds=range(12))).to_uint8()
    own, real = (RandomExtractor()(each).values.double().numpy() for each in (pictures, _pictures(data)))
    shift = np.square(own.mean(0) - real.mean(0)).sum()
    traces = np.trace(np.cov(own.T)) + np.trace(np.cov(real.T))
    roots = np.sqrt(np.maximum(np.linalg.eigvals(np.cov(own.T) @ np.cov(real.T)).real, 0)).sum()
    assert found["fid"].values["fid"] == pytest.approx(shift + traces - 2 * roots, rel=1e-3)


def _pictures(data: PortraitDataset) -> torch.Tensor:
    return torch.stack([data[index].image for index in range(len(data))])


@pytest.mark.parametrize("name", sorted(OF_REGIONS))
def test_metrics_of_regions_are_refused(name: str, command: Command, tiny_layered_file: Path) -> None:
    words = ("--num-generated", 4, "--parser", "portraits-64", "--distance", "random", "--extractor", "random")
    complaint = command("evaluate", "--model", tiny_layered_file, "--metrics", f"ppl,{name}", *words).complaint
    assert f"the metric '{name}' measures regions; 'stylegan2 of 32 pixels' has layers" in complaint


def test_folders_of_pictures_and_reconstructions(command: Command, tiny_layered_file: Path) -> None:
    for folder, seed in (("data", 0), ("again", 1)):
        Path(folder).mkdir()
        for index, pair in enumerate(PortraitDataset(40, length=4, seed=seed)[index] for index in range(4)):
            Image.fromarray(pair.image.permute(1, 2, 0).numpy()).save(f"{folder}/{index}.png")
    words = ("--data", "data", "--data-kind", "pictures", "--reconstructions", "again", "--extractor", "random")
    names = ("--metrics", "fid,kid,pr,reconstruction", "--num-generated", 6, "--sheet", "s.png", "--out", "a.md")
    result = command("evaluate", "--model", tiny_layered_file, *words, *names).result
    assert result["results"]["fid"]["num_real"] == 4 and result["results"]["reconstruction"]["values"]["mse"] > 0
    assert Path("s.png").is_file() and "stylegan2" not in Path("a.md").read_text()
    complaint = command("evaluate", "--model", tiny_layered_file, *words, *names, "--region", "hair", "--overwrite")
    assert "there are no regions here" in complaint.complaint


def test_verbs_of_a_layered_model(command: Command, tiny_layered_file: Path) -> None:
    model = ("--model", tiny_layered_file)
    made = command("generate", *model, "--seeds", "0-2", "--latents", "--sheet", "--out", "g").result
    assert made["size"] == 32 and len(made["files"]) == 7
    assert "--labels" in command("generate", *model, "--labels", "--out", "h").complaint
    assert not Path("h").exists(), "nothing is written before it is refused"
    moved = command("interpolate", *model, "--seeds", "1,2", "--frames", 3, "--out", "i.gif").result
    assert moved["frames"] == 4 and moved["regions"] is None
    seen = command("inspect", tiny_layered_file).result
    assert (seen["kind"], seen["training"]) == ("model", {"images": 24}) and "regions" not in seen
    for verb, words in {
        "interpolate": ("--region", "hair", "--seeds", "1,2", "--out", "j.gif"),
        "components": ("--out", "c.png"),
        "locality": ("--region", "hair", "--out", "l.json"),
        "edit-region": ("--region", "hair", "--from-seed", 8, "--out", "e.png"),
    }.items():
        assert "there are no regions here" in command(verb, *model, *words).complaint
    assert not [path for path in Path.cwd().iterdir() if path.name not in ("g", "i.gif")]


def test_runs_of_a_layered_method(command: Command) -> None:
    Path("own.yaml").write_text(
        "method: stylegan2\nname: own\nsize: 16\nbatch: 4\ndata: {kind: portraits, length: 8, workers: 0}\n"
        "generator: {style_dim: 8, num_mapping_layers: 2, channels: {4: 8, 8: 8, 16: 4}}\n"
        "discriminator: {channels: {4: 8, 8: 8, 16: 4}}\n"
        "schedule: {total_images: 8, log_every: 1, sheet_images: 2}\nlog_to: []\n"
    )
    assert command("train", "own.yaml", "run_dir=run", "device=cpu").code == 0
    assert command("report", "run", "--out", "r.html").result["images"] == 8
    assert command("report", "run", "--out", "r.png").result["step"] == 2
    exported = command("export", "run", "--with-discriminator", "--out", "a.safetensors").result
    assert exported["with_discriminator"] and command("generate", "--model", "a.safetensors").result["size"] == 16
