"""Writes the list of metrics in docs/metrics.md: python docs/make_metrics.py

The table holds of each metric the docstring of its function, the options that it needs, and how published values are
measured.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from semanticgan.files import written_aside
from semanticgan.metrics.metric import METRICS, Metric, known_names
from semanticgan.metrics.table import markdown_table

PAGE = Path(__file__).parent / "metrics.md"
HEADINGS = ("metric", "what it measures", "needs", "how published values are measured")
OPTIONS = {
    "dataset": "`--data` or `--data-kind`",
    "reconstructions": "`--reconstructions` (a folder of images with the file names of the data)",
}
"""What a metric needs -> how the command line gives it, where that is not an option of the same name."""
WHY = {
    "no published figures": "not comparable: no published values",
    "other pictures": "not comparable: published values are of other images",
    "another parser": "not comparable: published values are of another parser",
    "other noise, other distance": "not comparable: published values treat the noise inputs of the generator "
    "in another way and use another distance",
}
"""Why published values do not compare, as the programs print it -> a sentence."""
OTHERWISE = {"VGG-16": "not comparable: published values use VGG-16, which `--extractor` does not offer"}
"""The network of published values -> a sentence, where no option gives this network."""
BEGIN, END = "<!-- written by make_metrics.py -->\n", "<!-- end -->\n"


def listed() -> str:
    """The table."""
    rows = [(f"`{name}`", *_cells(METRICS[name])) for name in known_names()]
    return "\n".join(markdown_table(HEADINGS, rows)) + "\n"


def page(text: str) -> str:
    """The page with the list as the code has it."""
    return re.sub(f"(?s)(?<={BEGIN}).*(?={END})", lambda _: listed(), text)


def _cells(metric: Metric) -> tuple[str, str, str]:
    says = " ".join((inspect.getdoc(metric.measure) or metric.summary).replace("``", "`").split())
    needs = [OPTIONS.get(need, f"`--{need}`") for need in metric.needs if need != "classes"]
    needs += ["a model with regions"] * metric.of_regions
    if metric.published_by is None:
        return says, ", ".join(needs), WHY.get(metric.else_because, metric.else_because)
    published = f"with {metric.published_by}, at least {metric.num_published:,} images, truncation 1"
    return says, ", ".join(needs), OTHERWISE.get(metric.published_by, published)


if __name__ == "__main__":
    written = page(PAGE.read_text(encoding="utf-8"))
    with written_aside(PAGE, overwrite=True) as aside:
        aside.write_text(written, encoding="utf-8")
