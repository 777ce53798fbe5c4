"""Each metric is one file that registers itself, in the package or outside of it."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from semanticgan import metrics
from semanticgan.commands.measuring import read_summaries
from semanticgan.errors import InputError
from semanticgan.metrics import evaluate, metric
from semanticgan.metrics.metric import METRICS, Measured, Metric, used_by
from semanticgan.metrics.table import markdown_table

NEW = """
from semanticgan.metrics.metric import Measured, metric

@metric("squareness", "a metric of one file", needs=("dataset",), uses=("regions",))
def squareness(evaluation):
    return Measured({"squareness": 1.0})
"""


def test_a_file_in_the_folder_is_a_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "squareness.py").write_text(NEW)
    monkeypatch.setattr(metric, "_METRICS", known := dict(METRICS))
    monkeypatch.setattr(metric, "METRICS", known)
    monkeypatch.setattr(metrics, "__path__", [*metrics.__path__, str(tmp_path)])
    try:
        metrics._import_files()
    finally:
        sys.modules.pop("semanticgan.metrics.squareness", None)
    assert list(known) == [*METRICS, "squareness"]
    assert "squareness" in used_by("dataset") and "squareness" in used_by("regions")
    assert "squareness" not in used_by("num_generated")


def test_what_runs_them_knows_none_by_name() -> None:
    text = Path(evaluate.__file__).read_text(encoding="utf-8")
    assert not [name for name in METRICS if f'"{name}"' in text]
    importing = [line for line in text.splitlines() if line.startswith("from semanticgan.metrics")]
    assert {line.split()[1].rpartition(".")[2] for line in importing} == {"evaluation", "metric"}


def test_files_of_yesterday_register_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    from semanticgan.metrics.evaluate import Measured as MeasuredOfYesterday
    from semanticgan.metrics.evaluate import Metric as MetricOfYesterday
    from semanticgan.metrics.evaluate import register

    assert MeasuredOfYesterday is Measured and MetricOfYesterday is Metric
    monkeypatch.setattr(metric, "_METRICS", known := {})
    register("old", MetricOfYesterday(lambda evaluation: Measured({}), "as it was", needs=()))
    assert known["old"].summary == "as it was"
    with pytest.raises(InputError, match="not taken, got 'fid'"):
        register("fid", known["old"])


def test_the_list_in_the_docs_is_made_from_the_code() -> None:
    docs = Path(metrics.__file__).parents[2] / "docs"
    make = runpy.run_path(str(docs / "make_metrics.py"))
    text = (docs / "metrics.md").read_text(encoding="utf-8")
    assert text == make["page"](text), "run python docs/make_metrics.py"
    assert all(f"| `{name}` | {measures(name)}" in text for name in METRICS)


def measures(name: str) -> str:
    """The first words that a metric says of itself."""
    assert METRICS[name].measure.__doc__, name
    return METRICS[name].measure.__doc__.replace("``", "`").split("\n")[0].split(",")[0]


def test_help_reads_what_the_files_register() -> None:
    """It does not import them."""
    of_package = {name for name, each in METRICS.items() if each.measure.__module__.startswith("semanticgan.metrics.")}
    assert read_summaries() == {name: METRICS[name].summary for name in of_package}


def test_names_stay_in_their_cell() -> None:
    assert markdown_table(["model"], [["a|b\n# c"]]) == ["| model |", "| --- |", "| a\\|b # c |"]
