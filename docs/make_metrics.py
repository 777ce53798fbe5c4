"""Writes the list of metrics in docs/metrics.md: python docs/make_metrics.py

Each metric says of itself what is there: the docstring of its function, what it needs, what published figures rest on.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from semanticgan.files import written_aside
from semanticgan.metrics.metric import METRICS, Metric, known_names
from semanticgan.metrics.table import markdown_table

PAGE = Path(__file__).parent / "metrics.md"
BEGIN, END = "<!-- written by make_metrics.py -->\n", "<!-- end -->\n"


def listed() -> str:
    """The table."""
    rows = [(f"`{name}`", *_cells(METRICS[name])) for name in known_names()]
    return "\n".join(markdown_table(("metric", "what it says", "needs", "published figures"), rows)) + "\n"


def page(text: str) -> str:
    """The page with the list as the code has it."""
    return re.sub(f"(?s)(?<={BEGIN}).*(?={END})", lambda _: listed(), text)


def _cells(metric: Metric) -> tuple[str, str, str]:
    says = " ".join((inspect.getdoc(metric.measure) or metric.summary).replace("``", "`").split())
    needs = ", ".join(need for need in metric.needs if need != "classes") + ("; regions" if metric.of_regions else "")
    if metric.published_by is None:
        return says, needs.removeprefix("; "), metric.else_because
    return says, needs, f"by {metric.published_by}, {metric.num_published:,} pictures, truncation 1"


if __name__ == "__main__":
    written = page(PAGE.read_text(encoding="utf-8"))
    with written_aside(PAGE, overwrite=True) as aside:
        aside.write_text(written, encoding="utf-8")
