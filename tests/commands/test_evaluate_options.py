"""An option of evaluate has an effect on one of the metrics asked for, or a warning names it."""

from __future__ import annotations

import argparse
import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from semanticgan.commands.evaluate import _ATTRIBUTES, _warn_of_unused, add_arguments
from semanticgan.errors import DataWarning
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.metric import METRICS
from tests.conftest import Run

SPEED_AND_FILES = {
    *("model", "device", "metrics", "workers", "batch", "out", "sheet", "plot", "overwrite", "mark"),
    *("extractor_weights", "distance_weights"),  # refused where nothing reads them
    "max_megapixels",  # a limit; it changes no result
}


def warned(*words: str) -> list[str]:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _warn_of_unused(parser.parse_args(words))
    assert all(each.category is DataWarning for each in caught)
    return [str(each.message) for each in caught]


def test_every_option_is_known() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    add_arguments(parser)
    assert {action.dest for action in parser._actions} == SPEED_AND_FILES | set(_ATTRIBUTES)
    attributes = {each for metric in METRICS.values() for each in (*metric.needs, *metric.uses)} - {"classes"}
    assert attributes == set(_ATTRIBUTES.values()) <= {field.name for field in dataclasses.fields(Evaluation)}


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("--metrics ppl --data x", "--data"),
        ("--metrics ppl --data-kind portraits", "--data-kind"),
        ("--metrics locality --extractor random", "--extractor"),
        ("--metrics fid --data x --distance random", "--distance"),
        ("--metrics fid --data x --region hair", "--region"),
        ("--metrics fid --data x --parser portraits-64", "--parser"),
        ("--metrics fid --data x --classifier c", "--classifier"),
        ("--metrics fid --data x --paths z-full", "--paths"),
        ("--metrics fid --data x --num-paths 3", "--num-paths"),
        ("--metrics fid --data x --num-edits 3", "--num-edits"),
        ("--metrics locality --num-variations 3", "--num-variations"),
        ("--metrics miou --reconstructions x", "--reconstructions"),
        ("--metrics miou --cache x", "--cache"),
        ("--metrics reconstruction --data x --reconstructions y --truncation 0.5", "--truncation"),
        ("--metrics reconstruction --data x --reconstructions y --seeds-from 3", "--seeds-from"),
        ("--metrics attributes --num-real 4", "--num-real"),
        ("--metrics attributes --split all", "--split"),
        ("--metrics fid --data x --data-seed 4", "--data-seed"),
        ("--metrics fid --data x --data-kind pictures --scheme celebamask-13", "--scheme"),
    ],
)
def test_an_option_without_effect_is_named(words: str, option: str) -> None:
    (message,) = warned(*words.split())
    assert message.startswith(f"{option} has no effect: ")


@pytest.mark.parametrize(
    "words",
    [
        "--metrics fid,ppl --data x --truncation 0.5 --distance random --extractor random --cache y",
        "--metrics attributes --data-kind portraits --data-seed 4 --num-real 8",
        "--metrics locality,fid --data x --region hair --num-edits 3 --distance random",
        "--metrics ppl --data x --sheet s.png",
        "--metrics ppl",
    ],
)
def test_options_with_effect_are_not(words: str) -> None:
    assert warned(*words.split()) == []


def test_the_command_line_prints_it(command: Callable[..., Run], tiny_model_file: Path) -> None:
    words = ("--metrics", "ppl", "--distance", "random", "--num-generated", 2, "--device", "cpu", "--num-edits", 3)
    ended = command("evaluate", "--model", tiny_model_file, *words)
    assert ended.code == 0
    assert "warning: --num-edits has no effect: none of the metrics ppl uses it" in ended.err
