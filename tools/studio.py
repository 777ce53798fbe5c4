"""Open the page on which faces are designed and edited: `semanticgan studio`, run from a checkout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from semanticgan.commands import main

if __name__ == "__main__":
    sys.exit(main(["studio", *sys.argv[1:]], program="python tools/studio.py"))
