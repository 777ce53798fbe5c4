"""Swap, vary or interpolate regions of a picture: `semanticgan edit-region`, run from a checkout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from semanticgan.commands import main

if __name__ == "__main__":
    sys.exit(main(["edit-region", *sys.argv[1:]], program="python tools/edit_region.py"))
