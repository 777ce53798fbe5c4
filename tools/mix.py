"""Mix the layers of two sets of pictures by schemas: `semanticgan mix`, run from a checkout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from semanticgan.commands import main

if __name__ == "__main__":
    sys.exit(main(["mix", *sys.argv[1:]], program="python tools/mix.py"))
