"""Overrides and recipes take the type of their key; nothing in them is evaluated."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from semanticgan.errors import InputError
from semanticgan.training.config import TrainingConfig, flat, load_config
from tests.conftest import Run

TEXTS = (
    *(
        "2024_01_05",
        "1.10",
        "0123",
        "12:30",
        "007",
        "1_000",
        "on",
        "no",
        "true",
        "1e3",
        ".5",
        "0x10",
        "2024-01-05",
    ),
    *(
        "a b",
        " a ",
        "a: b",
        "a # b",
        "'a'",
        '"',
        "[a",
        "{a}",
        "*a",
        "&a",
        "!a",
        "- a",
        "a=b",
        "%",
        "@",
        "`",
        "Zoë",
        "日本",
    ),
    *("${oc.env:HOME}", "${data.path}", "${", "$HOME", "\\n", "nan", "Null", "NULL", "none", "runs/a,b"),
)


def recipe(folder: Path, text: str | bytes) -> Path:
    path = folder / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("typed", TEXTS)
def test_a_text_stays_as_it_was_typed(typed: str, tmp_path: Path) -> None:
    keys = ("run_dir", "data.path", "name", "licence", "loss.parser", "metrics.extractor")
    config = load_config(recipe(tmp_path, ""), [f"{key}={typed}" for key in keys])
    assert all(flat(config)[key] == typed for key in keys)
    assert load_config(recipe(tmp_path, config.to_yaml())) == config  # the run's own file says the same


@pytest.mark.parametrize(
    "typed", ["2024_01_05", "1.10", "0123", "12:30", "on", "1e3", "2024-01-05", "${oc.env:HOME}", "${x"]
)
def test_a_text_of_a_recipe_stays_as_it_was_typed(typed: str, tmp_path: Path) -> None:
    config = load_config(
        recipe(tmp_path, f"name: {typed}\ndata: {{path: '{typed}'}}\nlog_to: ['{typed}', {typed!r}]\n")
    )
    assert (config.name, config.data.path, config.log_to) == (typed, typed, [typed, typed])


def test_lists_of_texts_and_pairs() -> None:
    config = load_config("tiny", ["metrics.names=[1.10, on, 012, 'a,b']", "loss.owned={on: 2, eye: 1e0}"])
    assert config.metrics.names == ["1.10", "on", "012", "a,b"]
    assert config.loss.owned == {"on": 2.0, "eye": 1.0}


def test_null_and_nothing_are_none_where_the_key_may_have_none(tmp_path: Path) -> None:
    config = load_config("tiny", ["run_dir=null", "data.path=", "data.length=null", "loss.r1_image=", "name="])
    assert (config.run_dir, config.data.path, config.data.length, config.loss.r1_image) == (None, None, None, None)
    assert config.name == ""
    path = recipe(tmp_path, "run_dir: null\ndata: {path: ~}\nmetrics: {parser: 'null'}\n")
    config = load_config(path)
    assert (config.run_dir, config.data.path, config.metrics.parser) == (None, None, "null")


def test_numbers_as_keys(tmp_path: Path) -> None:
    config = load_config("portraits-64", ["size=128", "generator.channels.128=24", "discriminator.channels={128: 8}"])
    assert vars(config.generator)["channels"] == {32: 64, 64: 32, 128: 24}
    assert vars(config.discriminator)["channels"][128] == 8
    path = recipe(tmp_path, "generator:\n  channels:\n    032: 8\n    '64': 0016\n")
    assert vars(load_config(path, ["generator.channels.64=24"]).generator)["channels"] == {32: 8, 64: 24}


def test_switches_and_numbers() -> None:
    for word, value in (("true", True), ("no", False), ("On", True), ("0", False)):
        assert load_config("tiny", [f"compile={word}"]).compile is value
    config = load_config("tiny", ["batch=0_008", "loss.mask=5", "loss.depth=1e-3", "batch=+4"])
    assert (config.batch, config.loss.mask, config.loss.depth) == (4, 5.0, 0.001)  # of two the last counts
    assert isinstance(config.loss.mask, float)


def test_free_values_are_read_by_their_looks(tmp_path: Path) -> None:
    config = load_config("tiny", ["expected.fid=3.5", "expected.steps=12", "expected.deep.date=2024-01-05"])
    assert config.expected == {"fid": 3.5, "steps": 12, "deep": {"date": "2024-01-05"}}
    assert load_config(recipe(tmp_path, config.to_yaml())) == config


WRONG = (
    *("batch=1.0", "batch=1e1", "batch=0x8", "batch=true", "batch=[8]", "batch={a: 1}", "batch=", "batch=null"),
    *("compile=2", "compile=maybe", "compile=", "loss.mask=much", "loss.mask=[1]", "loss.mask=1:30", "loss.mask="),
    *("log_to=tensorboard", "log_to={a: b}", "log_to=[[a]]", "data=", "data=[a]", "loss.owned=3"),
    *("generator.channels.x=3", "generator.channels.=3", "generator.channels={1.5: 3}", "generator.channels={[1]: 2}"),
    *(
        "generator.channels={8: 1, 08: 2}",
        "generator.channels.8=wide",
        "generator.channels.-8=8",
        "generator.channels.24=8",
    ),
    *("=3", "batch", ".batch=3", "batch.=3", "data..path=x", "batch.size=3", "run_dir.x=1", "data[path]=x", "ßize=3"),
    *("batch=&a 3", "batch=*a", "batch=!!python/object:os.system 1", "expected.x=!!python/name:os.system"),
    *("batch=[", 'batch="', "log_to=[" + "[" * 5000, "expected.x=" + "{a: " * 5000, 'batch="\\UFFFFFFFF"'),
    *("run_dir=a\x00b", "run_dir=a\x1b[2Jb", "name=a\rb", "name=\udce9", "batch=\udce9", 'log_to=["\\x1b"]'),
    *("loss.owned.eye.left=1", "batch=4, 4", "batch=8: 3"),
)


@pytest.mark.parametrize("override", WRONG, ids=lambda text: ascii(text[:30]))
def test_wrong_values_are_refused_in_a_line(override: str) -> None:
    with pytest.raises(InputError) as caught:
        load_config("tiny", [override])
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 4000


def numbers(kind: type) -> list[str]:
    keys = [key for key, value in flat(TrainingConfig()).items() if type(value) is kind]
    return [*keys, *(["data.length", "metrics.num_real", "generator.channels.64"] if kind is int else [])]


@pytest.mark.parametrize("key", numbers(int))
def test_whole_numbers_too_large_for_their_use(key: str, tmp_path: Path) -> None:
    for typed in ("1e30", "nan", ".inf", "inf", str(10**30), "9" * 5000, str(2**64)):
        with pytest.raises(InputError, match=key.replace(".", r"\.")) as caught:
            load_config(recipe(tmp_path, ""), [f"{key}={typed}"])
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize("key", numbers(float))
def test_numbers_too_large_for_their_use(key: str, tmp_path: Path) -> None:
    for typed in ("1e30", "1e400", "nan", ".nan", "inf", "-.inf", "9" * 5000):
        with pytest.raises(InputError, match=key.replace(".", r"\.")) as caught:
            load_config(recipe(tmp_path, ""), [f"{key}={typed}"])
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text",
    [
        "batch: 8\nbatch: 4\n",
        "data: {path: a}\ndata: {path: b}\n",
        "a: &a [1, 2]\nexpected: {b: *a}\n",
        "expected: {b: &a [lol, lol], <<: {c: d}}\nsize: *a\n",
        "expected: &x {a: *x}\n",
        "name: !!python/object/apply:os.system [ls]\n",
        "name: !mine a\n",
        "name: !!binary aGFsbG8=\n",
        "expected: " + "[" * 3000 + "]" * 3000,
        "expected: " + "{a: " * 3000 + "1" + "}" * 3000,
        "---\nsize: 16\n---\nsize: 32\n",
        "# " + "x" * 300_000,
        'name: "\\UFFFFFFFF"\n',
        'name: "a\\e[2Jb"\n',
        b"size: 16\xff",
        "size: 16\n".encode("utf-16"),
        b"\x00\x01\x02",
        "- 1\n",
        "3",
        "size: {a: 1}\n",
        "? [a, b]\n: 3\n",
        "\tsize: 3\n",
        "siez: 16\n",
    ],
    ids=lambda text: ascii(text[:24]),
)
def test_unusable_recipes_name_their_file(text: str | bytes, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mine\.yaml") as caught:
        load_config(recipe(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_recipe_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    assert load_config(recipe(tmp_path, "﻿size: 16\n".encode())).size == 16


def test_an_empty_recipe_has_the_defaults(tmp_path: Path) -> None:
    assert load_config(recipe(tmp_path, "# nothing\n")) == TrainingConfig()


def test_no_number_of_a_configuration_made_in_python_is_beyond_its_use() -> None:
    for wrong in (dict(seed=2**64), dict(seed=True), dict(size=2**40), dict(batch=10**30), dict(seed=1.0)):
        with pytest.raises(InputError):
            TrainingConfig(**wrong)  # type: ignore[arg-type]


def test_the_command_line_refuses_in_one_line(command: Callable[..., Run]) -> None:
    for override, word in (("batch=1e30", "batch"), ("run_dir=a\x1bb", "run_dir"), ("seed=nan", "seed")):
        assert word in command("train", "tiny", "run_dir=run", override).complaint


def test_nothing_is_evaluated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET", "found-it")
    given: dict[str, Any] = {"description": "${oc.env:SECRET}", "licence": "${oc.decode:1}", "data_licence": "${name}"}
    config = load_config("tiny", [f"{key}={value}" for key, value in given.items()])
    assert {key: getattr(config, key) for key in given} == given
    assert "found-it" not in config.to_yaml()
    assert math.isfinite(config.batch)
