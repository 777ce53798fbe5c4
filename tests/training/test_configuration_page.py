"""docs/configuration.md names every key, as the code has them."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
import typing
from pathlib import Path
from types import ModuleType

import pytest

from semanticgan.training.config import TrainingConfig

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_configuration", DOCS / "make_configuration.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_from_the_code(generator: ModuleType) -> None:
    written = (DOCS / "configuration.md").read_text()
    assert written == generator.page(), "run python docs/make_configuration.py"


def sections() -> list[type]:
    hints = typing.get_type_hints(TrainingConfig)
    return [TrainingConfig, *(kind for kind in hints.values() if dataclasses.is_dataclass(kind))]


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.__name__)
def test_every_key_has_a_meaning_and_every_meaning_a_key(generator: ModuleType, section: type) -> None:
    hints = typing.get_type_hints(section)
    keys = {item.name for item in dataclasses.fields(section) if not dataclasses.is_dataclass(hints[item.name])}
    decided_elsewhere = {"size", "num_regions", "transparent"} if section is not TrainingConfig else set()
    assert set(generator.meanings(section)) - decided_elsewhere == keys - decided_elsewhere
