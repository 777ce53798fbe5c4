"""What a run writes down: ``stats.jsonl`` for machines, and sinks for people (TensorBoard, Weights & Biases).

``stats.jsonl`` holds only what the configuration decides (no clock), so a resumed run ends in the same bytes. Sinks are
chosen by name, imported only when chosen, and never decide anything: a run without any is the same run.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import os
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Protocol

from semanticgan import extras
from semanticgan.errors import DataWarning, UnwritableError, unknown_name
from semanticgan.files import is_failed_write, written_aside
from semanticgan.places import open_plain
from semanticgan.runs.contents import (
    STATS_FILE,
    TENSORBOARD_FOLDER,
    WANDB_ID_FILE,
    is_plain_file,
    read_lines,
    read_text,
)

_DEFAULT_SINK = "tensorboard"


class Sink(Protocol):
    """Where scalars go beside ``stats.jsonl``."""

    def write(self, images: int, values: Mapping[str, float]) -> None:
        """Take the values by name measured when ``images`` pictures had been seen."""

    def close(self) -> None:
        """Send off what is held back."""


class RunLog:
    """Appends one line of statistics at a time, and hands it to the sinks.

    Args:
        start_step: steps done; what was written beyond it before a kill is dropped.
        start_images: pictures seen until then, by which sinks count.
        sinks: names out of :data:`SINKS`; None is TensorBoard where it is installed.

    Raises:
        InputError: as :func:`chosen_sinks`; ``stats.jsonl`` is untouched then.
    """

    def __init__(self, run_dir: Path, start_step: int, start_images: int, sinks: Sequence[str] | None = None) -> None:
        sinks = chosen_sinks(sinks)
        self.path = run_dir / STATS_FILE
        _drop_lines_after(self.path, start_step)
        handle = open_plain(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._file = open(handle, "ab", buffering=0)  # noqa: SIM115  (closed by close())
        with _failed_writes_of("the files of log_to"):
            self._sinks = [SINKS[name](run_dir, start_images) for name in dict.fromkeys(sinks)]

    def write(self, step: int, images: int, values: Mapping[str, float], clock: Mapping[str, float]) -> None:
        """``values`` follow from the configuration; ``clock`` (speed) does not and goes to the sinks alone.

        Raises:
            UnwritableError: the line could not be written, and nothing of it was.
        """
        line = (json.dumps({"step": step, "images": images, **values}) + "\n").encode()
        with _failed_writes_of(f"the line of step {step} in {STATS_FILE}"):
            size = os.fstat(self._file.fileno()).st_size
            try:
                if self._file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                os.ftruncate(self._file.fileno(), size)
                raise
        with _failed_writes_of("the files of log_to"):
            for sink in self._sinks:
                sink.write(images, {**values, **clock})

    def close(self) -> None:
        self._file.close()
        with _failed_writes_of("the files of log_to"):
            for sink in self._sinks:
                sink.close()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        with contextlib.suppress(UnwritableError):  # what ended the training is to be said, not this
            self.close()


def chosen_sinks(names: Sequence[str] | None) -> Sequence[str]:
    """The sinks that ``log_to`` asks for, checked before anything is written.

    The default is TensorBoard, with a warning where it is not installed: a default must not stop a training.

    Raises:
        InputError: an unknown name, or one whose package is not installed.
    """
    if names is None:
        complaint = extras.problem(_DEFAULT_SINK)
        if complaint is None:
            return (_DEFAULT_SINK,)
        warnings.warn(f"no curves in TensorBoard: {complaint}", DataWarning, stacklevel=1)
        return ()
    for name in names:
        if name not in SINKS:
            raise unknown_name("sink in log_to", name, SINKS)
    extras.require(*names)
    return names


def _drop_lines_after(path: Path, step: int) -> None:
    """Keep the lines up to a step. A last line that a kill cut off is dropped, other damaged lines with a warning."""
    if not path.exists():
        return
    num_damaged = 0
    with written_aside(path, overwrite=True) as aside, open(aside, "w", encoding="utf-8", newline="\n") as kept:
        for line in read_lines(path):
            try:
                if json.loads(line)["step"] <= step and line.endswith("\n"):
                    kept.write(line)
            except (ValueError, KeyError, TypeError, RecursionError):
                num_damaged += line.endswith("\n")
    if num_damaged:
        lines = "damaged line" if num_damaged == 1 else "damaged lines"
        complaint = f"{num_damaged} {lines} of {str(path)!r} left out: the curves have a gap there."
        warnings.warn(complaint, DataWarning, stacklevel=2)


@contextlib.contextmanager
def _failed_writes_of(what: str) -> Iterator[None]:
    """Raises: UnwritableError: a write within the block failed."""
    try:
        yield
    except OSError as error:
        if not is_failed_write(error):
            raise
        raise UnwritableError(
            f"{what} could not be written ({error.strerror}). Make room, then repeat the command: it goes on from the "
            "newest state."
        ) from error


class _TensorBoard:
    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._excepthook, threading.excepthook = threading.excepthook, self._report

    def _report(self, thread: threading.ExceptHookArgs) -> None:
        """A failed write of the writer's own thread is raised again by its next call, so it is not reported here."""
        if thread.exc_value is None or not is_failed_write(thread.exc_value):
            self._excepthook(thread)

    @classmethod
    def open(cls, run_dir: Path, start_images: int) -> _TensorBoard:
        from torch.utils.tensorboard import SummaryWriter

        return cls(SummaryWriter(str(run_dir / TENSORBOARD_FOLDER), purge_step=start_images + 1))

    def write(self, images: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, images)

    def close(self) -> None:
        try:
            self._writer.close()
        finally:
            threading.excepthook = self._excepthook


class _WeightsAndBiases:
    """One W&B run a run folder, taken up again on resume; WANDB_PROJECT, WANDB_MODE etc. hold as everywhere."""

    def __init__(self, run: Any) -> None:
        self._run = run
        # A resumed run repeats the lines since its last state, to the bit: they are there already.
        self._images_there = int(run.summary.get("images", 0) or 0)

    @classmethod
    def open(cls, run_dir: Path, start_images: int) -> _WeightsAndBiases:
        wandb: Any = importlib.import_module("wandb")
        id_file = run_dir / WANDB_ID_FILE
        if not is_plain_file(id_file):
            with written_aside(id_file) as aside:
                aside.write_text(uuid.uuid4().hex[:12], encoding="utf-8")
        run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "semanticgan"),
            id=read_text(id_file).strip(),
            name=run_dir.name,
            dir=str(run_dir),
            resume="allow",
        )
        run.define_metric("images")
        run.define_metric("*", step_metric="images")
        return cls(run)

    def write(self, images: int, values: Mapping[str, float]) -> None:
        if images > self._images_there:
            self._run.log({"images": images, **values})

    def close(self) -> None:
        self._run.finish()


SINKS: Mapping[str, Callable[[Path, int], Sink]] = MappingProxyType(
    {"tensorboard": _TensorBoard.open, "wandb": _WeightsAndBiases.open}
)
"""Name in ``log_to``, and of what it needs in :mod:`semanticgan.extras` -> opens the sink of a run's folder."""
