"""A group of processes that is left by an error, while somebody holds the error; run by ``test_processes.py``.

Ends with 0 where no thread of the group is left then.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from semanticgan.distributed import joined


def train_badly() -> None:
    network = DistributedDataParallel(nn.Linear(3, 3))
    network(torch.ones(2, 3)).sum().backward()
    raise RuntimeError("an error of a training")


def main() -> int:
    try:
        with joined(torch.device("cpu")):
            train_badly()
    except RuntimeError:
        names = [thread.read_text() for thread in Path("/proc/self/task").glob("*/comm")]
        return int(any("gloo" in name for name in names))
    return 1


if __name__ == "__main__":
    sys.exit(main())
