"""A report of a run on one page: where it stands, how its samples developed, its curves, sheets and configuration.

It only reads, and may be made at any time while the training goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path

from semanticgan.errors import InputError
from semanticgan.files import require_free, user_path, written_aside
from semanticgan.formats.provenance import Mark, save_marked
from semanticgan.runs import page
from semanticgan.runs.charts import chart_svg
from semanticgan.runs.excerpts import chosen_sheets
from semanticgan.runs.facts import facts, licences, progress, progress_line
from semanticgan.runs.panels import panels
from semanticgan.runs.poster import draw_poster
from semanticgan.runs.record import RunRecord, read_record
from semanticgan.runs.symptoms import EXPECTED, find_symptoms
from semanticgan.terminal import printable

KINDS = (".html", ".htm", ".png")
_STRIP_LENGTH = 12
_MARK = Mark("composite")  # samples among charts


@dataclass(frozen=True)
class ReportSummary:
    """What a report says in short.

    Attributes:
        name: of the run.
        step: steps done.
        images: pictures seen.
        total_images: where it ends, or None.
        seconds: of training so far, or None where TensorBoard's files do not tell.
        warnings: one sentence or two each.
    """

    name: str
    step: int
    images: int
    total_images: int | None
    seconds: float | None
    warnings: tuple[str, ...]


def write_report(
    run_dir: str | Path, out: str | Path, overwrite: bool = False, mark: Mark | None = _MARK
) -> ReportSummary:
    """Write the report of a run as a page (``.html``) or, its essentials alone, as a picture (``.png``).

    Args:
        run_dir: the run's folder.
        out: what to write.
        overwrite: replace an existing file.
        mark: what the picture's file says of its making; None writes none.

    Raises:
        InputError: another suffix, an ``out`` that exists, or no run to report on; nothing is written then.
    """
    out = user_path(out, "output")
    if out.suffix.lower() not in KINDS:
        raise InputError(f"a report is written as {', '.join(KINDS)}, not as {out.name!r}. Give --out report.html.")
    require_free(out, overwrite)
    record = read_record(run_dir)
    warnings = find_symptoms(record)
    with written_aside(out, overwrite) as aside:
        if out.suffix.lower() == ".png":
            save_marked(draw_poster(record, warnings), aside, mark)
        else:
            aside.write_text(report_page(record, warnings), encoding="utf-8")
    return ReportSummary(record.name, record.step, record.images, record.total_images, record.clock.seconds, warnings)


def report_page(record: RunRecord, warnings: tuple[str, ...]) -> str:
    """The whole page as HTML."""
    parts = [
        f"<h1>{escape(record.name)}</h1>",
        f'<p class="pale">{escape(str(record.config.get("description") or ""))}</p>',
        page.progress_bar(progress(record) or 0.0) if record.total_images else "",
        f'<p class="pale">{escape(progress_line(record))}</p>',
        page.warnings_box(warnings, EXPECTED),
        page.facts([(fact.name, fact.value, fact.remark) for fact in facts(record)]),
        f'<p class="pale">{escape(licences(record))}</p>',
        _development(record),
        _curves(record),
        *_sheets(record),
        page.heading("Configuration"),
        page.folded("Every value this run is made with", page.code(record.config_text)),
        page.footer(f"semanticgan report of {record.run_dir.name}, made {datetime.now():%Y-%m-%d %H:%M}"),
    ]
    return printable(page.page(f"{record.name}: report of a training", parts), keep="\n\t")


def _development(record: RunRecord) -> str:
    """One sample over the sheets, its picture above its segmentation."""
    columns = []
    for sheet in chosen_sheets(record, _STRIP_LENGTH):
        at = f"{record.images_at(sheet.step):,}"
        rows = [("picture", 0), ("segmentation", 1)][: sheet.picture.height // sheet.side]
        columns.append(([page.picture(sheet.cell(0, row), f"{what} after {at} images") for what, row in rows], at))
    if not columns:
        return ""
    note = "The first sample, from the same latent code throughout, and its segmentation. Numbers: images seen."
    return page.heading("How a sample developed", note) + page.strip(columns)


def _curves(record: RunRecord) -> str:
    drawn: list[str] = []
    for panel in panels(record):
        for chart in panel.charts:
            svg = chart_svg(chart, f"plot{len(drawn)}")
            note = panel.notes.get(chart.title, "")
            drawn.append(page.chart_card(svg, panel.title, chart.title, chart.labels, chart.caption, note))
    note = "Pale: as logged. Bold: smoothed, and read off under the pointer."
    return page.heading("Curves", note) + page.cards(drawn)


def _sheets(record: RunRecord) -> list[str]:
    chosen = chosen_sheets(record, 3)[::-1]
    if not chosen:
        return []
    note = "The same samples each time. Rows: picture, segmentation, coarse mask."
    parts = [page.heading("Sheets", note)]
    for sheet, word in zip(chosen, _words_of_age(len(chosen)), strict=True):
        caption = f"{word}: {record.images_at(sheet.step):,} images, step {sheet.step:,}"
        parts.append(page.sheet(page.picture(sheet.top(), caption), caption))
    if record.model is not None:
        parts.append(page.colour_key(record.model.regions.names, record.model.regions.colours))
    whole = page.sheet(
        page.picture(chosen[0].whole(), "newest sheet, all rows"), "Further rows: the pseudo-depth of each region."
    )
    return [*parts, page.folded("The newest sheet with all its rows", whole)]


def _words_of_age(count: int) -> list[str]:
    """For sheets from the newest to the first."""
    return [["Newest"], ["Newest", "First"], ["Newest", "In the middle", "First"]][count - 1]
