"""A report of a run on one page: where it stands, how its samples developed, its curves, sheets and configuration.

It only reads, and may be made at any time while the training goes on.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from PIL import Image

from semanticgan.errors import InputError
from semanticgan.files import require_free, user_path, written_aside
from semanticgan.formats.provenance import Mark, save_marked
from semanticgan.runs.charts import chart_svg
from semanticgan.runs.excerpts import Sheet, chosen_sheets
from semanticgan.runs.facts import facts, licences, progress, progress_line
from semanticgan.runs.panels import panels
from semanticgan.runs.poster import draw_poster
from semanticgan.runs.record import RunRecord, read_record
from semanticgan.runs.symptoms import EXPECTED, find_symptoms
from semanticgan.terminal import printable

KINDS = (".html", ".htm", ".png")
_STRIP_LENGTH = 12
_LARGEST_PNG = 1024  # pixels wide; wider pictures are stored as JPEG
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


@dataclass(frozen=True)
class _Embedded:
    """A picture for the page: its content as a data URL, its size in pixels, and words for those who cannot see it."""

    source: str
    width: int
    height: int
    what: str


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
            drawn = io.BytesIO()
            draw_poster(record, warnings).savefig(drawn, format="png")
            save_marked(Image.open(drawn), aside, mark)
        else:
            aside.write_text(report_page(record, warnings), encoding="utf-8")
    return ReportSummary(record.name, record.step, record.images, record.total_images, record.clock.seconds, warnings)


def report_page(record: RunRecord, warnings: tuple[str, ...]) -> str:
    """The whole page as HTML."""
    from jinja2 import Environment  # torch requires it

    template = files("semanticgan.runs").joinpath("page.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    sheets = chosen_sheets(record, 3)[::-1]
    words = [["Newest"], ["Newest", "First"], ["Newest", "In the middle", "First"]][len(sheets) - 1]
    regions = record.model.regions if record.model is not None else None
    text = environment.from_string(template).render(
        record=record,
        share=progress(record),
        progress_line=progress_line(record),
        warnings=warnings,
        expected=EXPECTED,
        facts=facts(record),
        licences=licences(record),
        columns=_development(record),
        charts=[
            (panel, chart, _data("svg+xml", chart_svg(chart).encode()))
            for panel in panels(record)
            for chart in panel.charts
        ],
        sheets=[_captioned(record, sheet, word) for sheet, word in zip(sheets, words, strict=False)],
        whole=_embedded(sheets[0].whole(), "newest sheet, all rows") if sheets else None,
        regions=list(zip(regions.names, regions.colours, strict=True)) if regions is not None else [],
        made=f"{datetime.now():%Y-%m-%d %H:%M}",
    )
    return printable(text, keep="\n\t")


def _development(record: RunRecord) -> list[tuple[str, list[_Embedded]]]:
    """One sample over the sheets, its picture above its segmentation, by the number of images seen."""
    columns = []
    for sheet in chosen_sheets(record, _STRIP_LENGTH):
        at = f"{record.images_at(sheet.step):,}"
        rows = [("picture", 0), ("segmentation", 1)][: sheet.picture.height // sheet.side]
        columns.append((at, [_embedded(sheet.cell(0, row), f"{what} after {at} images") for what, row in rows]))
    return columns


def _captioned(record: RunRecord, sheet: Sheet, word: str) -> tuple[_Embedded, str]:
    caption = f"{word}: {record.images_at(sheet.step):,} images, step {sheet.step:,}"
    return _embedded(sheet.top(), caption), caption


def _embedded(picture: Image.Image, what: str) -> _Embedded:
    """A picture inside the page: PNG, or JPEG where it is wide."""
    stored, kind = io.BytesIO(), "png" if picture.width <= _LARGEST_PNG else "jpeg"
    picture.save(stored, kind, optimize=True, quality=90)
    return _Embedded(_data(kind, stored.getvalue()), picture.width, picture.height, what)


def _data(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
