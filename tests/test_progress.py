"""Progress: a bar, a callback, and cancelling."""

from __future__ import annotations

import io
import sys
import threading
from pathlib import Path

import pytest

from semanticgan.data.portraits import PortraitDataset
from semanticgan.data.prepare import prepare
from semanticgan.data.reading import read_all
from semanticgan.data.verify import verify
from semanticgan.errors import Cancelled, InputError
from semanticgan.progress import Progress, to_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_reports_every_step() -> None:
    told: list[tuple[int, int | None, str]] = []
    progress = Progress(report=lambda done, total, what: told.append((done, total, what)))
    with progress.steps("work", 5, first=2) as step:
        step(2)
        step()
    assert told == [(2, 5, "work"), (4, 5, "work"), (5, 5, "work")]


@pytest.mark.parametrize(("bar", "stream"), [(True, io.StringIO), (False, Terminal)])
def test_no_bar_unasked_or_without_a_terminal(bar: bool, stream: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream())
    assert list(to_progress(bar).over("abc", "letters", 3)) == ["a", "b", "c"]
    assert not sys.stderr.getvalue()  # type: ignore[attr-defined]


def test_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    list(to_progress(True).over("abc", "letters", 3, "letter"))
    assert "letters: 100%" in sys.stderr.getvalue()  # type: ignore[attr-defined]


def test_an_error_wipes_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(InputError), Progress(bar=True).steps("work", 3) as step:
        step()
        raise InputError("no")
    assert not sys.stderr.getvalue().rpartition("\r")[0].rpartition("\r")[2].strip()  # type: ignore[attr-defined]


def test_cancelled_at_the_next_step() -> None:
    cancel = threading.Event()
    read = []

    def told(done: int, total: int | None, what: str) -> None:
        if done == 2:
            cancel.set()

    with pytest.raises(Cancelled, match="reading pictures was cancelled after 2 of 9 steps"):
        for pair in read_all(PortraitDataset(16, 9), progress=Progress(report=told, cancel=cancel)):
            read.append(pair)
    assert len(read) == 2


def test_cancelled_before_it_begins() -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        next(read_all(PortraitDataset(16, 9), progress=Progress(cancel=cancel)))


@pytest.mark.parametrize("output_format", ["folder", "lmdb"])
def test_a_cancelled_preparation_continues(tmp_path: Path, output_format: str) -> None:
    cancel = threading.Event()

    def told(done: int, total: int | None, what: str) -> None:
        if done == 4:
            cancel.set()

    dataset, out = PortraitDataset(16, 9), tmp_path / "set"
    with pytest.raises(Cancelled, match="preparing pictures"):
        prepare(dataset, out, output_format=output_format, workers=0, progress=Progress(report=told, cancel=cancel))
    assert not out.exists()
    whole = prepare(dataset, out, output_format=output_format, workers=0)
    assert whole.report["count"] == 9
    if output_format == "folder":
        assert whole.report["num_taken_up"] == 4


def test_a_cancelled_check_of_a_set(tmp_path: Path) -> None:
    prepare(PortraitDataset(16, 4), tmp_path / "set", workers=0)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled, match="verifying pictures"):
        verify(tmp_path / "set", workers=1, progress=Progress(cancel=cancel))
