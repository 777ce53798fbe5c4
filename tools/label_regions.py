"""Label a folder of aligned face pictures: `semanticgan label-regions`, run from a checkout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from semanticgan.commands import main

if __name__ == "__main__":
    sys.exit(main(["label-regions", *sys.argv[1:]], program="python tools/label_regions.py"))
