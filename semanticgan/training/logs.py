"""What a run writes down: ``stats.jsonl`` for machines, TensorBoard for people.

``stats.jsonl`` holds only what the configuration decides (no clock), so a resumed run ends in the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

STATS_FILE = "stats.jsonl"


class RunLog:
    """Appends one line of statistics at a time.

    Args:
        run_dir: the run's folder.
        start_step: steps done; what was written beyond it before a kill is dropped.
        start_images: pictures seen until then, by which TensorBoard counts.
    """

    def __init__(self, run_dir: Path, start_step: int, start_images: int) -> None:
        self.path = run_dir / STATS_FILE
        _drop_lines_after(self.path, start_step)
        self._file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115  (closed by close())
        self._board = _tensorboard(run_dir / "tensorboard", start_images)

    def write(self, step: int, images: int, values: Mapping[str, float], clock: Mapping[str, float]) -> None:
        """``values`` follow from the configuration; ``clock`` (speed) does not and goes to TensorBoard alone."""
        self._file.write(json.dumps({"step": step, "images": images, **values}) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in (*values.items(), *clock.items()):
                self._board.add_scalar(name, value, images)

    def close(self) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _drop_lines_after(path: Path, step: int) -> None:
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except (ValueError, KeyError, TypeError):  # a line cut off by a kill
            break
    aside = path.with_name(f".{path.name}-kept")
    aside.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    os.replace(aside, path)


def _tensorboard(folder: Path, start_images: int) -> Any:
    """A writer, or None where the extra ``[train]`` is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=start_images + 1)
