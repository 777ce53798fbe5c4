"""Keys with their bounds and meaning, and methods that bring a configuration of their own."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields
from pathlib import Path

import pytest

from semanticgan.errors import InputError
from semanticgan.formats.fields import check, key, key_of
from semanticgan.formats.typed_yaml import read_plain
from semanticgan.networks.config import DiscriminatorConfig, GeneratorConfig
from semanticgan.training import methods
from semanticgan.training.config import CommonConfig, TrainingConfig, flat, load_config, recipe_text, recipes
from semanticgan.training.sections import METHOD_CONFIGS, register_method_config


@dataclass
class HingeKeys:
    hinge: float = key(1.0, "weight of the hinge loss.", ge=0)


@dataclass
class NormKeys:
    norm_every: int = key(4, "steps between two norm steps.", ge=1, le=100)
    kinds: list[str] = key([], "norms.", choices=("l1", "l2"))


@dataclass
class LossSection(NormKeys, HingeKeys):
    """Two objectives."""


@dataclass
class TwoKeysConfig(CommonConfig):
    method: str = "two-keys"
    loss: LossSection = field(default_factory=LossSection)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch % self.loss.norm_every:
            raise InputError("batch must be a multiple of loss.norm_every.")


register_method_config(TwoKeysConfig)


def test_a_method_brings_its_own_configuration(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text("batch: 8\nmethod: two-keys\nloss: {hinge: 2}\n")
    config = load_config(path, ["loss.norm_every=2", "loss.kinds=[l2]"])
    assert isinstance(config, TwoKeysConfig)
    assert (config.batch, config.loss) == (8, LossSection(hinge=2.0, norm_every=2, kinds=["l2"]))
    path.write_text(config.to_yaml())
    assert load_config(path) == config
    assert flat(config)["loss.hinge"] == 2.0 and "loss.mask" not in flat(config)


def test_an_override_names_the_method(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    path.write_text("batch: 8\n")
    assert type(load_config(path)) is TrainingConfig
    assert type(load_config(path, ["method=two-keys"])) is TwoKeysConfig
    assert type(load_config(path, ["method=two-keys", "method=semanticstylegan"])) is TrainingConfig


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method=two-key", "unknown method 'two-key'.* Did you mean 'two-keys'"),
        ("method=", "unknown method ''"),
        ("generator.style_dim=8", "unknown configuration key 'generator'"),
        ("loss.mask=1", "unknown configuration key 'loss.mask'"),
        ("loss.hinge=-1", r"loss\.hinge must be 0 or more, got -1\.0"),
        ("loss.norm_every=0", r"loss\.norm_every must be 1 or more, got 0"),
        ("loss.norm_every=101", r"loss\.norm_every must be a number of at most 100, got 101"),
        ("loss.kinds=[l1, l3]", r"unknown loss\.kinds 'l3'"),
        ("batch=6", r"batch must be a multiple of loss\.norm_every"),
        ("size=24", "size must be a power of two, at least 4, got 24"),
    ],
)
def test_what_a_method_refuses(override: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text("method: two-keys\n")
    with pytest.raises(InputError, match=message) as caught:
        load_config(path, [override])
    assert "\n" not in str(caught.value)


def test_a_recipe_of_another_method_is_refused_where_one_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text("method: two-keys\n")
    with pytest.raises(InputError, match=r"two\.yaml.*'two-keys'.*'semanticstylegan'"):
        load_config(path, kind=TrainingConfig)
    assert load_config(path, kind=CommonConfig).method == "two-keys"


def test_a_file_of_the_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its configuration in the same file, and named nowhere else."""
    (tmp_path / "just_dropped_in.py").write_text(
        "from dataclasses import dataclass\n"
        "from semanticgan.training.sections import CommonConfig, register_method_config\n"
        "@register_method_config\n@dataclass\nclass Config(CommonConfig):\n    method: str = 'just_dropped_in'\n"
    )
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(tmp_path)])
    (tmp_path / "recipe.yaml").write_text("method: just_dropped_in\nbatch: 4\n")
    module = "semanticgan.training.methods.just_dropped_in"
    try:
        assert type(load_config(tmp_path / "recipe.yaml")).__module__ == module
    finally:
        METHOD_CONFIGS.pop("just_dropped_in", None)
        sys.modules.pop(module, None)


def test_a_method_is_known_once() -> None:
    @dataclass
    class Other(CommonConfig):
        method: str = "two-keys"

    register_method_config(TwoKeysConfig)  # the same again
    with pytest.raises(InputError, match="there is a method 'two-keys' already"):
        register_method_config(Other)


def test_values_of_another_type_are_refused() -> None:
    wrongs = ({"hinge": "1"}, {"hinge": True}, {"norm_every": 1.0}, {"kinds": 3}, {"kinds": [3]}, {"kinds": "l1"})
    for wrong in (LossSection(**values) for values in wrongs):  # type: ignore[arg-type]
        with pytest.raises(InputError, match=r"configuration key 'loss\."):
            check(wrong, "loss.")
    with pytest.raises(InputError, match="'data' takes"):
        TrainingConfig(data=3)  # type: ignore[arg-type]


def test_defaults_are_not_shared() -> None:
    LossSection().kinds.append("l1")
    assert LossSection().kinds == []


def test_every_number_of_a_network_is_bounded() -> None:
    """A file that anybody wrote may not ask for a network of terabytes."""
    for config in (GeneratorConfig, DiscriminatorConfig):
        for item in fields(config):
            if item.type in ("int", "dict[int, int]"):
                bounds = key_of(item)
                assert bounds.side or (bounds.ge is not None and bounds.le is not None), item.name


@pytest.mark.parametrize("name", recipes())
def test_every_recipe_states_its_scores(name: str) -> None:
    text = recipe_text(name)
    scores = read_plain(text).get("expected")
    assert isinstance(scores, dict)
    assert scores or "expected: {}  # not measured by this project" in text
    numbers = [value for key, value in flat(load_config(name)).items() if key.startswith("expected.")]
    assert all(isinstance(value, (int, float)) for value in numbers) and bool(numbers) == bool(scores)
