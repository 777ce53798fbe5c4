"""The classifier: learns portraits, comes back from its file, reads each picture alone, and serves as an extractor."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from semanticgan.checkpoint import load_model
from semanticgan.data.portraits import PortraitDataset
from semanticgan.errors import ExistingFileError, InputError, MissingFileError, TrainingDiverged, WeightsError
from semanticgan.perception import classifier_training
from semanticgan.perception.classifier import (
    CLASSIFIER_SIZES,
    DEFAULT,
    AttributeClassifier,
    ClassifierConfig,
    ClassifierNetwork,
    Number,
    load_classifier,
)
from semanticgan.perception.classifier_training import ClassifierTraining, Losses, score, train_classifier, vary
from semanticgan.perception.classifier_truth import BINARY, CATEGORIES, HIDDEN, NUMBERS, mirrored, truth_of
from semanticgan.perception.extractors import open_extractor
from semanticgan.perception.perceptual import open_distance
from semanticgan.registry import bundled

SIZE = 16
TINY = ClassifierConfig(
    SIZE, ("glasses", "hat"), {"hair": ("short", "long", "none")}, (Number("yaw", 1.0, 10.0),), (4, 8)
)


def pictures(num: int, size: int = SIZE, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (num, 3, size, size), dtype=torch.uint8, generator=random)


def random_classifier(config: ClassifierConfig = TINY, seed: int = 0) -> AttributeClassifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = ClassifierNetwork(config)
        for name, value in network.named_buffers():  # as after a training, each channel has its own scale
            if name.endswith(("running_mean", "running_var")):
                value.copy_(torch.rand_like(value) * 0.1 + 0.01)
    return AttributeClassifier(network, {"held_out": {"binary": {}}}, "A", "B")


def assert_same_prediction(one: AttributeClassifier, other: AttributeClassifier, shown: Tensor) -> None:
    first, second = one.predict(shown), other.predict(shown)
    for kind in ("binary", "categories", "numbers"):
        for name, value in getattr(first, kind).items():
            assert torch.equal(value, getattr(second, kind)[name]), name


@pytest.fixture(scope="module")
def trained() -> AttributeClassifier:
    training = ClassifierTraining(num_steps=60, batch=16, num_held_out=40)
    return train_classifier(PortraitDataset(SIZE, 160), training, licence="Apache-2.0", data_licence="none")


def test_learns_what_a_picture_of_sixteen_pixels_shows(trained: AttributeClassifier) -> None:
    facts = trained.training
    assert facts["num_portraits"] == 120 and facts["held_out"]["num_portraits"] == 40
    assert facts["held_out"]["numbers"]["skin_tone"]["correlation"] > 0.6
    dataset = PortraitDataset(SIZE, 160)
    shown = torch.stack([dataset[index].image for index in range(120, 160)])
    again = score(trained.predict(shown), truth_of(dataset)[120:])
    assert {**again, "num_portraits": 40} == facts["held_out"]


def test_same_seed_same_classifier() -> None:
    settings = [ClassifierTraining(num_steps=2, batch=4, num_held_out=2, seed=seed) for seed in (5, 5, 6)]
    first, again, other = (
        train_classifier(PortraitDataset(SIZE, 8), setting).network.head.weight for setting in settings
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("size", CLASSIFIER_SIZES)
def test_sides_and_bytes(size: int) -> None:
    config = ClassifierConfig(size, tuple(BINARY), CATEGORIES, tuple(Number(name) for name in NUMBERS))
    network = ClassifierNetwork(config).eval()
    assert 4 * sum(value.numel() for value in network.state_dict().values()) < 2_000_000
    assert ClassifierConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    with torch.no_grad():
        logits = network(torch.zeros(1, 3, size, size))
    assert logits.binary.shape == (1, len(BINARY)) and logits.numbers.shape == (1, len(NUMBERS))
    assert [part.shape[1] for part in logits.categories] == [len(values) for values in CATEGORIES.values()]


def test_predictions_do_not_depend_on_company() -> None:
    classifier, shown = random_classifier(), pictures(70)
    together = classifier.features(shown)
    assert together.shape == (70, 8) and bool((together.std(0) > 0).all())
    assert torch.equal(together, torch.cat([classifier.features(picture[None]) for picture in shown]))
    read, alone = classifier.predict(shown), [classifier.predict(picture[None]) for picture in shown]
    assert torch.equal(read.numbers["yaw"], torch.cat([each.numbers["yaw"] for each in alone]))
    assert torch.equal(read.categories["hair"], torch.cat([each.categories["hair"] for each in alone]))
    assert classifier.predict(shown[:0]).binary["hat"].shape == (0,)


def test_outputs_have_their_names_and_units() -> None:
    classifier = random_classifier()
    network = classifier.network
    network.head.weight.zero_()
    network.head.bias.copy_(torch.tensor([1.0, -1.0, 0.0, 2.0, 1.0, 0.5]))
    read = classifier.predict(pictures(2))
    assert {name: value.tolist() for name, value in read.binary.items()} == {"glasses": [True] * 2, "hat": [False] * 2}
    assert read.categories["hair"].tolist() == [1, 1]
    assert read.numbers["yaw"].tolist() == [6.0, 6.0]  # half a deviation of 10 above the mean, 1


def test_values_are_smooth_and_agree_with_the_prediction() -> None:
    classifier = random_classifier()
    shown = pictures(9)
    names = ["yaw", "hair.none", "hat", "hair.short", "hair.long", "glasses"]
    values, told = classifier.values(shown, names), classifier.predict(shown)
    assert values.shape == (9, 6) and values.dtype == torch.float32
    assert torch.allclose(values[:, 0], told.numbers["yaw"])
    assert torch.equal(values[:, 2] > 0.5, told.binary["hat"]) and torch.equal(
        values[:, 5] > 0.5, told.binary["glasses"]
    )
    hair = values[:, [3, 4, 1]]  # in the config's order
    assert torch.equal(hair.argmax(1), told.categories["hair"]) and torch.allclose(hair.sum(1), torch.ones(9))
    assert torch.equal(classifier.values(shown[4:5], names), values[4:5])
    assert classifier.ends("hat") == classifier.ends("hair.long") == (0.0, 1.0)
    assert classifier.ends("yaw") == (-14.0, 16.0)  # 1.5 deviations of 10 from 1
    with pytest.raises(InputError, match=r"unknown attribute 'hair.lon'\. Did you mean 'hair.long'"):
        classifier.values(shown, ["hair.lon"])


def test_a_number_goes_before_what_is_there_or_not() -> None:
    classifier = load_classifier()
    assert classifier.ends("smile") != (0.0, 1.0) and classifier.ends("glasses") == (0.0, 1.0)
    shown = pictures(2, 64)
    assert torch.allclose(classifier.values(shown, ["smile"])[:, 0], classifier.predict(shown).numbers["smile"])


def test_pictures_of_another_side() -> None:
    classifier = random_classifier()
    plain = torch.tensor([[200, 10, 90], [0, 30, 255]], dtype=torch.uint8)[:, :, None, None]
    small, large = (plain.expand(2, 3, size, size) for size in (SIZE, 64))
    torch.testing.assert_close(classifier.features(large), classifier.features(small), rtol=1e-5, atol=1e-5)
    # Antialiased, a fine checkerboard is the grey of its mean.
    board = (torch.arange(64)[:, None] + torch.arange(64)) % 2 * 255
    fine = classifier.features(board.to(torch.uint8).expand(1, 3, 64, 64))
    grey = classifier.features(torch.full((1, 3, SIZE, SIZE), 127, dtype=torch.uint8))
    torch.testing.assert_close(fine, grey, rtol=0.05, atol=0.05)
    with pytest.raises(InputError, match="uint8"):
        classifier.predict(torch.zeros(1, 3, SIZE, SIZE))
    with pytest.raises(InputError, match="square"):
        classifier.features(torch.zeros(1, 3, SIZE, 24, dtype=torch.uint8))


def test_file_round_trip(trained: AttributeClassifier, tmp_path: Path) -> None:
    path = tmp_path / "classifier.safetensors"
    trained.save(path)
    loaded = load_classifier(path)
    assert_same_prediction(loaded, trained, pictures(5))
    assert loaded.config == trained.config
    assert loaded.training == json.loads(json.dumps(dict(trained.training)))
    assert (loaded.licence, loaded.data_licence) == ("Apache-2.0", "none")
    with pytest.raises(ExistingFileError):
        trained.save(path)
    with pytest.raises(WeightsError, match="something else"):
        load_model(path)


def test_files_that_are_no_classifier(tmp_path: Path, tiny_model_file: Path) -> None:
    with pytest.raises(WeightsError, match="something else"):
        load_classifier(tiny_model_file)
    with pytest.raises(MissingFileError):
        load_classifier(tmp_path / "none.safetensors")
    with pytest.raises(InputError, match="unknown classifier 'attribute-64'"):
        load_classifier("attribute-64")
    path = tmp_path / "classifier.safetensors"
    random_classifier().save(path)
    content = path.read_bytes()
    path.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    with pytest.raises(WeightsError, match="is not what was saved"):
        load_classifier(path)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match="truncated or damaged"):
        open_extractor(f"attributes:{path}")


def test_configs_that_tell_nothing_or_do_not_fit() -> None:
    for change, problem in (
        ({"size": 48}, "48 pixels"),
        ({"channels": (4,) * 6}, "Give fewer stages"),
        ({"binary": ("hat", "hat")}, "Name each once"),
        ({"categories": {"hair": ("short",)}}, "two or more values"),
        ({"binary": (), "categories": {}, "numbers": ()}, "something to tell"),
        ({"numbers": (Number("yaw", 0.0, 0.0),)}, "Leave it out"),
    ):
        with pytest.raises(InputError, match=problem):
            replace(TINY, **change)  # type: ignore[arg-type]


def test_refused_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="leaves too few"):
        train_classifier(PortraitDataset(SIZE, 4), ClassifierTraining(num_held_out=4))
    with pytest.raises(InputError, match="above 0"):
        ClassifierTraining(num_steps=0)
    with pytest.raises(InputError, match="unknown precision 'float16'"):
        ClassifierTraining(precision="float16")
    with pytest.raises(InputError, match="24 pixels"):
        train_classifier(PortraitDataset(24, 8), ClassifierTraining(num_held_out=2))
    monkeypatch.setattr(Losses, "__call__", lambda *_: torch.tensor(float("nan")))
    with pytest.raises(TrainingDiverged, match="step 0"):
        train_classifier(PortraitDataset(SIZE, 6), ClassifierTraining(num_steps=1, batch=2, num_held_out=2))


def test_records_say_what_pictures_show() -> None:
    """Bald heads and headscarves hide the colour of the hair; grey hair is grey whatever it was."""
    dataset = PortraitDataset(SIZE, 300)
    truth = truth_of(dataset)
    columns = dict(zip(CATEGORIES, truth.categories.unbind(1), strict=True))
    seen = 0
    for index in range(len(dataset)):
        record = dataset.attributes(index)
        colour = int(columns["hair_colour"][index])
        hidden = record.bald or record.hat_style == "headscarf"
        assert (colour == HIDDEN) == hidden
        if not hidden and record.grey > 0.5:
            assert CATEGORIES["hair_colour"][colour] == "grey"
            seen += 1
        assert CATEGORIES["hat_style"][columns["hat_style"][index]] == record.hat_style
        assert bool(truth.binary[index, list(BINARY).index("smile")]) == (record.smile >= 0.5)
    assert seen
    assert bool((truth.binary.mean(0) > 0).all())  # each occurs


def test_mirrored_pictures_turn_the_other_way() -> None:
    truth = truth_of(PortraitDataset(SIZE, 2))
    image = torch.rand(2, 3, SIZE, SIZE)
    turned, shown = mirrored(image, truth, torch.tensor([True, False]))
    assert torch.equal(turned[0], image[0].flip(-1)) and torch.equal(turned[1], image[1])
    yaw, age = NUMBERS.index("yaw"), NUMBERS.index("age")
    assert shown.numbers[0, yaw] == -truth.numbers[0, yaw] and shown.numbers[0, age] == truth.numbers[0, age]
    assert torch.equal(shown.numbers[1], truth.numbers[1]) and torch.equal(shown.binary, truth.binary)


def test_variation_moves_and_stays_in_range() -> None:
    image = torch.rand(2, 3, SIZE, SIZE) * 2 - 1
    numbers = classifier_training._random_numbers(0, 0, image.shape)
    assert bool((vary(image, numbers).abs() <= 1).all())
    still = {name: value * 0 + (1 if name in ("blur", "noisy") else 0) for name, value in numbers.items()}
    torch.testing.assert_close(vary(image, still), image)
    still["x"] += 1
    torch.testing.assert_close(vary(image, still)[..., :-1], image[..., 1:])


def test_scores_by_hand() -> None:
    truth = truth_of(PortraitDataset(SIZE, 12))
    read = random_classifier(
        ClassifierConfig(SIZE, tuple(BINARY), CATEGORIES, tuple(map(Number, NUMBERS)), (4, 8))
    ).predict(pictures(12))
    right = replace(
        read,
        binary=dict(zip(BINARY, truth.binary.bool().unbind(1), strict=True)),
        categories=dict(zip(CATEGORIES, truth.categories.unbind(1), strict=True)),
        numbers=dict(zip(NUMBERS, truth.numbers.unbind(1), strict=True)),
    )
    scores = score(right, truth)
    assert scores["binary"]["smile"]["balanced_accuracy"] == 1
    assert scores["categories"]["hair_style"] == {"accuracy": 1}
    assert scores["numbers"]["yaw"] == {"mean_absolute_error": 0, "correlation": 1}
    always = replace(right, binary={name: torch.ones(12, dtype=torch.bool) for name in BINARY})
    smile = score(always, truth)["binary"]["smile"]
    assert (smile["found"], smile["free"], smile["balanced_accuracy"], smile["rate_read"]) == (1, 0, 0.5, 1)


def test_extractor_and_distance_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "classifier.safetensors"
    classifier = random_classifier()
    classifier.save(path)
    extractor = open_extractor(f"attributes:{path}")
    assert extractor.stand_in and extractor.label == "attributes (stand-in)"
    shown = pictures(3, 32)
    assert torch.equal(extractor(shown).values, classifier.features(shown))
    assert extractor.width == 8
    random_classifier(seed=1).save(tmp_path / "other.safetensors")
    assert open_extractor(f"attributes:{tmp_path / 'other.safetensors'}").key != extractor.key
    distance = open_distance(f"attributes:{path}")
    a, b = (shown.float() / 127.5 - 1)[:2], (shown.float() / 127.5 - 1)[1:].requires_grad_()
    found = distance(a, b)
    assert found.shape == (2,) and bool((found > 0).all()) and bool((distance(a, a) == 0).all())
    found.sum().backward()
    assert b.grad is not None and bool((b.grad.flatten(1).norm(dim=1) > 0).all())
    with pytest.raises(InputError, match="Only inception reads one"):
        open_extractor("attributes", path)


def test_the_bundled_classifier() -> None:
    """It is small, says its terms, and reads portraits of another series than it has learnt from."""
    path = bundled("classifiers")[DEFAULT]
    assert path.stat().st_size < 2_000_000
    classifier = load_classifier()
    assert classifier.licence == "Apache-2.0" and "drawn by this package" in classifier.data_licence
    assert classifier.training["held_out"]["num_portraits"] == 2000
    dataset = PortraitDataset(64, 60, seed=7)
    shown = torch.stack([pair.image for pair in (dataset[index] for index in range(60))])
    scores = score(classifier.predict(shown), truth_of(dataset))
    assert scores["numbers"]["yaw"]["correlation"] > 0.9
    glasses = scores["binary"]["glasses"]
    assert min(glasses["found"], glasses["free"]) > 0.8
    extractor = open_extractor("attributes")
    assert extractor(shown[:2]).values.shape == (2, extractor.width) == (2, classifier.config.width)
