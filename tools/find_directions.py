"""Find directions of a model's codes and store them: `semanticgan find-directions`, run from a checkout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from semanticgan.commands import main

if __name__ == "__main__":
    sys.exit(main(["find-directions", *sys.argv[1:]], program="python tools/find_directions.py"))
