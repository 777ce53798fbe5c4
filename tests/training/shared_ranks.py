"""Run by torchrun: `train tiny` of the command line, in which each process has overrides of its own.

Arguments: a JSON list of overrides for all, a JSON object of those of a rank, and a folder for what each ended with.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

from semanticgan.commands import main

if __name__ == "__main__":
    shared, own, out = json.loads(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3])
    rank = os.environ["RANK"]
    said = StringIO()
    code = 0
    with redirect_stderr(said):
        try:
            code = main(["train", "tiny", *shared, *own.get(rank, [])]) or 0
        except SystemExit as ended:
            code = int(ended.code or 0)
    (out / f"rank-{rank}.json").write_text(json.dumps({"code": code, "err": said.getvalue()}))
