"""Say what a file says of itself: `semanticgan inspect`, run from a checkout.

A file inspect.py here would hide the module of that name from every other tool.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from semanticgan.commands import main

if __name__ == "__main__":
    sys.exit(main(["inspect", *sys.argv[1:]], program="python tools/inspect_file.py"))
