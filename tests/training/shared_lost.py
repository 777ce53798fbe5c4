"""A training in which one of several processes dies or freezes; run by ``test_lost_processes.py``.

``python -m tests.training.shared_lost HOW RANK SECONDS ARGUMENTS...``: ``semanticgan train ARGUMENTS``, in which the
process RANK sends itself the signal HOW after two steps, and processes wait SECONDS for each other.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta

from semanticgan.commands import main
from semanticgan.training import loop


def lose_after(steps: int, how: signal.Signals, rank: int) -> None:
    step = loop.Trainer.step

    def counted(self, *batch):  # type: ignore[no-untyped-def]
        values = step(self, *batch)
        if self.steps_done == steps and self.processes.rank == rank:
            os.kill(os.getpid(), how)
        return values

    loop.Trainer.step = counted  # type: ignore[method-assign]


if __name__ == "__main__":
    lose_after(2, signal.Signals[sys.argv[1]], int(sys.argv[2]))
    loop.PATIENCE_IN_STEPS = timedelta(seconds=int(sys.argv[3]))
    sys.exit(main(["train", *sys.argv[4:]]))
