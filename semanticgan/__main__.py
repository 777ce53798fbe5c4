"""``python -m semanticgan VERB ...``, the same as ``semanticgan VERB ...``."""

import sys

from semanticgan.commands import main

if __name__ == "__main__":
    sys.exit(main())
