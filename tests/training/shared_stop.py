"""A training that is told to stop, as one of several processes; run by ``test_shared_resume.py``.

``python -m tests.training.shared_stop STEPS ARGUMENTS...``: ``semanticgan train ARGUMENTS``, in which after so many
steps the last process is sent SIGTERM twice, as it is by a scheduler that tells all and a launcher that passes it on.
Each process says on stderr which threads it has left at the end, where the system tells.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from semanticgan.commands import main
from semanticgan.training import loop


def stop_after(steps: int) -> None:
    step = loop.Trainer.step

    def counted(self, *batch):  # type: ignore[no-untyped-def]
        values = step(self, *batch)
        if self.steps_done == steps and self.processes.rank == self.processes.count - 1:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGTERM)
        return values

    loop.Trainer.step = counted  # type: ignore[method-assign]


if __name__ == "__main__":
    stop_after(int(sys.argv[1]))
    status = main(["train", *sys.argv[2:]])
    names = sorted(thread.read_text().strip() for thread in Path("/proc/self/task").glob("*/comm"))
    sys.stderr.write(f"threads: {' '.join(names)}\n")
    sys.exit(status)
