"""What a report says of a run in words and numbers: how far it is, what it is trained on, how fast it goes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semanticgan.runs.record import RunRecord

_RECENT = 20  # newest lines whose median tells the speed now


@dataclass(frozen=True)
class Fact:
    """One thing worth knowing about a run: its name, its value, and a remark or ""."""

    name: str
    value: str
    remark: str = ""


def progress(record: RunRecord) -> float | None:
    """Share of the training that is done, 0 to 1, or None where its end is not known."""
    return min(record.images / record.total_images, 1.0) if record.total_images else None


def progress_line(record: RunRecord) -> str:
    """Images seen, of how many, and when that was."""
    share, total = progress(record), record.total_images
    seen = f"{record.images:,} of {total:,} images ({share:.0%})" if total else f"{record.images:,} images"
    return f"{seen}, {record.step:,} steps, as of {record.written:%Y-%m-%d %H:%M}"


def facts(record: RunRecord) -> list[Fact]:
    """What was trained, on what, how and how fast; what is not known is left out."""
    return [fact for fact in (*_facts_of_model(record), *_facts_of_clock(record)) if fact.value]


def _facts_of_model(record: RunRecord) -> list[Fact]:
    config, data = record.config, record.section("data")
    path = Path(str(data["path"])).name if data.get("path") else ""
    length = f"first {data['length']:,}" if isinstance(data.get("length"), int) else ""
    remarks = (data.get("split"), length, "mirrored" if data.get("flip") else "")
    regions = record.model.regions if record.model is not None else None
    side = config.get("size", "")
    return [
        Fact("Trained on", path or str(data.get("kind") or ""), ", ".join(str(part) for part in remarks if part)),
        Fact("Started from", str(config.get("start") or "")),
        Fact("Pictures", f"{side} x {side}" if side else "", f"{len(regions)} regions" if regions else ""),
        Fact("Batch", str(config.get("batch", "")), str(config.get("precision", ""))),
        Fact("Generator", *_parameters(record, "generator")),
        Fact("Discriminator", *_parameters(record, "discriminator")),
    ]


def _facts_of_clock(record: RunRecord) -> list[Fact]:
    seconds, speed = record.clock.seconds, speed_now(record)
    found = [Fact("Time so far", duration(seconds) if seconds is not None else "", "of all calls")]
    if speed is None:
        return found
    found.append(Fact("Speed", f"{speed:.3g} images/s", "recently"))
    left = (record.total_images or 0) - record.images
    return [*found, Fact("Still to go", duration(left / speed), "at this speed")] if left > 0 else found


def _parameters(record: RunRecord, network: str) -> tuple[str, str]:
    count = record.num_parameters.get(network)
    return (f"{count / 1e6:.2f} M", "parameters") if count is not None else ("", "")


def licences(record: RunRecord) -> str:
    """Terms of weights and data in one line, "" where neither is stated."""
    stated = ((what, record.config.get(key)) for what, key in (("Weights", "licence"), ("Data", "data_licence")))
    return " ".join(f"{what}: {terms}." for what, terms in stated if terms not in (None, "", "not stated"))


def speed_now(record: RunRecord) -> float | None:
    """Images a second, median of the newest lines, or None where TensorBoard's files do not tell."""
    curve = record.clock.curves.get("speed/images_per_second")
    if curve is None:
        return None
    speed = float(np.median(curve.values[-_RECENT:]))
    return speed if math.isfinite(speed) and speed > 0 else None


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``2 h 5 min``, ``3 d 4 h``."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"
