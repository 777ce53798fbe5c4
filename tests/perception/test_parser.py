"""The parser: learns tiny pairs by heart, comes back from its file, and labels a folder that the trainer reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from semanticgan.checkpoint import load_model
from semanticgan.commands import arguments, evaluate, label_regions
from semanticgan.data.batches import flip
from semanticgan.data.folders import FolderDataset
from semanticgan.data.pairs import Pair, PairDataset
from semanticgan.data.portraits import PortraitDataset
from semanticgan.errors import ExistingFileError, InputError, MissingFileError, TrainingDiverged, WeightsError
from semanticgan.perception import parser_training
from semanticgan.perception.fitting import rate_at
from semanticgan.perception.labelling import ParsedPictures
from semanticgan.perception.parser import PARSER_SIZES, FaceParser, ParserConfig, ParserNetwork, load_parser
from semanticgan.perception.parser_training import ParserTraining, score_parser, train_parser
from semanticgan.regions import CELEBAMASK_13, PHOTOGRAPHS_11, RegionScheme
from semanticgan.registry import bundled

REGIONS = RegionScheme(("background", "left", "right"), mirrored=(("left", "right"),))
SIZE = 16


class Squares(PairDataset):
    """A grey left and a white right square on black, each somewhere in its half: the colour says the side."""

    def __init__(self, length: int, first: int = 0) -> None:
        self.regions, self.size, self._length, self._first = REGIONS, SIZE, length, first

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Pair:
        if not 0 <= index < self._length:
            raise IndexError
        rng = np.random.default_rng(self._first + index)
        labels = np.zeros((SIZE, SIZE), np.uint8)
        for side in (1, 2):
            y, x = rng.integers(1, 9), rng.integers(0, 3) + 8 * (side - 1)
            labels[y : y + 6, x : x + 5] = side
        image = np.array([40, 150, 150], np.uint8)[labels]
        return Pair(torch.from_numpy(image).expand(3, -1, -1).clone(), torch.from_numpy(labels))

    def key(self) -> str:
        return f"squares {self._length} {self._first}"


def random_parser(size: int = SIZE, regions: RegionScheme = REGIONS, seed: int = 0) -> FaceParser:
    torch.manual_seed(seed)
    return FaceParser(
        ParserNetwork(ParserConfig(size, len(regions))), regions, {"held_out": {"mean_iou": 0.5}}, "A", "B"
    )


@pytest.fixture(scope="module")
def parser() -> FaceParser:
    return train_parser(
        Squares(12), ParserTraining(num_steps=150, batch=8, num_held_out=4), licence="Apache-2.0", data_licence="none"
    )


def test_parsers_that_help_and_examples_name_come_with_the_package() -> None:
    texts = [arguments.PARSER_HELP, *label_regions.EXAMPLES, *evaluate.EXAMPLES]
    named = {name for text in texts for name in re.findall(r"[a-z]+-[0-9]+(?=[, ])", text)}
    tutors = {f"tutor-{name}" for name in named}
    assert named and named | tutors == set(bundled("parsers"))
    for name in bundled("parsers"):
        assert load_parser(name).training["held_out"]["mean_iou"] > 0.7


@pytest.mark.parametrize("name", ["portraits-64", "photographs-64"])
def test_who_measures_is_not_who_taught(name: str) -> None:
    own, tutor = load_parser(name), load_parser(f"tutor-{name}")
    assert own.regions == tutor.regions
    assert own.training["seed"] != tutor.training["seed"]
    assert not torch.equal(own.network.head.weight, tutor.network.head.weight)


def test_learns_eight_pairs(parser: FaceParser) -> None:
    score = score_parser(parser, Squares(8)).total()
    assert score.accuracy > 0.95
    assert score.mean_iou > 0.85
    facts = parser.training
    assert facts["num_pairs"] == 8 and facts["held_out"]["num_pairs"] == 4
    held_out = score_parser(parser, Squares(4, first=8)).to_dict(REGIONS.names)
    assert {**held_out, "num_pairs": 4} == facts["held_out"]


def test_learns_them_mirrored_with_their_sides_swapped(parser: FaceParser) -> None:
    """Left and right look alike: only swapped names in mirrored pairs teach that the left square of these is right."""
    for index in range(8):
        pair = flip(Squares(8)[index], REGIONS)
        assert (parser.labels(pair.image[None])[0] == pair.labels).float().mean() > 0.95


def test_same_seed_same_parser() -> None:
    settings = [ParserTraining(num_steps=3, batch=4, num_held_out=2, seed=seed) for seed in (5, 5, 6)]
    first, again, other = (train_parser(Squares(8), setting).network.head.weight for setting in settings)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("size", PARSER_SIZES)
def test_sides_and_bytes(size: int) -> None:
    config = ParserConfig(size, 19)
    network = ParserNetwork(config)
    num_bytes = 4 * sum(parameter.numel() for parameter in network.parameters())
    assert num_bytes < 3_000_000
    assert ParserConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    if size <= 64:
        with torch.no_grad():
            assert network.eval()(torch.zeros(1, 3, size, size)).shape == (1, 19, size, size)


def test_labels_do_not_depend_on_company(parser: FaceParser) -> None:
    pictures = torch.randint(0, 256, (11, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    together = parser.labels(pictures)
    assert together.unique().numel() > 1
    assert torch.equal(together, torch.cat([parser.labels(picture[None]) for picture in pictures]))
    assert torch.equal(together[5:], parser.labels(pictures[5:]))


def test_pictures_of_another_side(parser: FaceParser) -> None:
    pair = Squares(1)[0]
    large = pair.image.repeat_interleave(4, 1).repeat_interleave(4, 2)
    read = parser.labels(large[None])
    assert read.shape == (1, 64, 64)
    wanted = pair.labels.repeat_interleave(4, 0).repeat_interleave(4, 1)
    assert (read[0] == wanted).float().mean() > 0.93
    assert torch.equal(parser.labels(large[None], SIZE), parser.labels(pair.image[None]))
    assert parser.labels(large[:0].reshape(0, 3, 64, 64)).shape == (0, 64, 64)


def test_pictures_that_cannot_be_read() -> None:
    with pytest.raises(InputError, match="uint8"):
        random_parser().labels(torch.zeros(1, 3, 16, 16))
    with pytest.raises(InputError, match="square"):
        random_parser().labels(torch.zeros(1, 3, 16, 24, dtype=torch.uint8))


def test_file_round_trip(parser: FaceParser, tmp_path: Path) -> None:
    path = tmp_path / "parser.safetensors"
    parser.save(path)
    loaded = load_parser(path)
    pictures = torch.stack([Squares(4)[index].image for index in range(4)])
    assert torch.equal(loaded.labels(pictures), parser.labels(pictures))
    assert loaded.regions == parser.regions and loaded.size == SIZE
    assert loaded.training == json.loads(json.dumps(dict(parser.training)))
    assert (loaded.licence, loaded.data_licence) == ("Apache-2.0", "none")
    with pytest.raises(ExistingFileError):
        parser.save(path)
    with pytest.raises(WeightsError, match="something else"):
        load_model(path)


def test_files_that_are_no_parser(tmp_path: Path, tiny_model_file: Path) -> None:
    with pytest.raises(WeightsError, match="something else"):
        load_parser(tiny_model_file)
    with pytest.raises(MissingFileError):
        load_parser(tmp_path / "none.safetensors")
    path = tmp_path / "parser.safetensors"
    random_parser().save(path)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(WeightsError, match="is not what was saved"):
        load_parser(path)


def test_refused_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="leaves none to train on"):
        train_parser(Squares(4), ParserTraining(num_held_out=4))
    with pytest.raises(InputError, match="numbers above 0"):
        ParserTraining(num_steps=0)
    with pytest.raises(InputError, match="parser of 24 pixels"):
        ParserConfig(24, 3)
    with pytest.raises(InputError, match="scheme that it was made for"):
        FaceParser(ParserNetwork(ParserConfig(16, 3)), CELEBAMASK_13)
    monkeypatch.setattr(parser_training, "parser_loss", lambda logits, labels: logits.sum() * torch.nan)
    with pytest.raises(TrainingDiverged, match="step 0"):
        train_parser(Squares(8), ParserTraining(num_steps=2, batch=2, num_held_out=2))


def test_loss_of_a_perfect_and_of_a_blind_parser() -> None:
    labels = torch.tensor([[[0, 1], [1, 1]]])
    certain = 100.0 * torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).float()
    assert parser_training.parser_loss(certain, labels).item() == pytest.approx(0, abs=1e-6)
    blind = parser_training.parser_loss(torch.zeros(1, 3, 2, 2), labels).item()
    dice = (2 * (1 / 3) / (4 / 3 + 1) + 2 * 1 / (4 / 3 + 3)) / 2
    assert blind == pytest.approx(np.log(3) + 1 - dice, abs=1e-6)


def test_variation_moves_picture_and_labels_alike() -> None:
    """With colours that are the labels' own, the labels of a varied picture can be read from its colours."""
    pairs = [Squares(8)[index] for index in range(8)]
    labels = torch.stack([pair.labels for pair in pairs]).repeat_interleave(4, 1).repeat_interleave(4, 2)
    image = (labels.float() - 1)[:, None].expand(-1, 3, -1, -1)
    numbers = parser_training._random_numbers(0, 0, 8)
    for name in ("brightness", "contrast", "tint"):
        numbers[name] = torch.zeros_like(numbers[name])
    numbers["blur"] = torch.ones(8)
    moved, moved_labels = parser_training.vary(image, labels, numbers)
    agreement = (moved.mean(1).round() + 1 == moved_labels).float().mean()
    assert agreement > 0.97
    assert (moved_labels != labels).float().mean() > 0.02


def test_no_variation_changes_nothing() -> None:
    numbers = {name: value * 0 for name, value in parser_training._random_numbers(0, 0, 2).items()}
    image = torch.rand(2, 3, 8, 8) * 2 - 1
    labels = torch.randint(0, 5, (2, 8, 8), dtype=torch.uint8)
    same, same_labels = parser_training.vary(image, labels, numbers)
    assert torch.allclose(same, image, atol=1e-5)
    assert torch.equal(same_labels, labels.long())


def test_rate_rises_and_falls() -> None:
    rates = [rate_at(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.2) and rates[4] == 1 and rates[5] == 1
    assert rates[5:] == sorted(rates[5:], reverse=True) and rates[-1] < 0.001


def test_verbs(command: Callable[..., Any], tmp_path: Path) -> None:
    """Train on drawn portraits for two steps, label pictures, and open the result as a dataset."""
    result = command(
        *("train-parser", "portraits", "--size", "16", "--count", "12", "--held-out", "4", "--steps", "2"),
        *("--batch", "4", "--out", "parser.safetensors", "--licence", "Apache-2.0"),
    ).result
    assert result["num_pairs"] == 8 and result["num_regions"] == 13
    assert 0 <= result["held_out"]["mean_iou"] <= result["held_out"]["pixel_accuracy"] + 1e-9
    assert set(result["held_out"]["iou"]) == set(CELEBAMASK_13.names)

    portraits = PortraitDataset(32, length=3)
    for name, pair in zip(("b.png", "a.jpg", "deep/c.png"), portraits, strict=False):
        path = tmp_path / "faces" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pair.image.permute(1, 2, 0).numpy()).save(path)
    arguments = ("label-regions", "faces", "--parser", "parser.safetensors", "--out")
    result = command(*arguments, "labelled").result
    assert result["num_images"] == 3 and result["size"] == 16
    assert result["parser_held_out"]["num_pairs"] == 4
    dataset = FolderDataset("labelled", 16)
    parser = load_parser("parser.safetensors")
    assert dataset.regions == CELEBAMASK_13 and len(dataset) == 3
    for pair in (dataset[index] for index in range(3)):
        assert torch.equal(pair.labels, parser.labels(pair.image[None])[0])
    assert Image.open("labelled/label/00000.png").mode == "P"
    sources = [json.loads(line)["source"] for line in Path("labelled/attributes.jsonl").read_text().splitlines()]
    assert sources == ["a.jpg", "b.png", "deep/c.png"]
    assert command(*arguments, "large", "--size", "32").result["size"] == 32
    assert FolderDataset("large", 32)[1].image.equal(portraits[0].image)
    assert "Choose a new folder" in command(*arguments, "labelled").complaint
    assert "outside of it" in command(*arguments, "faces/labelled").complaint


def test_refused_commands(command: Callable[..., Any], tiny_model_file: Path) -> None:
    Path("faces").mkdir()
    out = ("--out", "parser.pt")
    assert ".safetensors" in command("train-parser", "portraits", *out).complaint
    assert (
        "leaves none"
        in command(
            "train-parser", "portraits", "--size", "16", "--count", "4", "--held-out", "4", "--out", "a.safetensors"
        ).complaint
    )
    assert "something else" in command("label-regions", "faces", "--parser", tiny_model_file, "--out", "x").complaint
    random_parser().save("parser.safetensors")
    assert "no pictures" in command("label-regions", "faces", "--parser", "parser.safetensors", "--out", "x").complaint
    assert not Path("x").exists()


def test_key_of_parsed_pictures(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / "a.png")
    keys = [
        ParsedPictures(tmp_path, random_parser(seed=seed), size).key() for seed, size in ((0, 16), (1, 16), (0, 32))
    ]
    assert len(set(keys)) == 3
    assert keys[0] == ParsedPictures(tmp_path, random_parser(), None).key()
    with pytest.raises(InputError, match="not a resolution"):
        ParsedPictures(tmp_path, random_parser(), 5000)
    with pytest.raises(InputError, match="Give pairs of the parser's regions"):
        score_parser(random_parser(regions=PHOTOGRAPHS_11), Squares(2))
