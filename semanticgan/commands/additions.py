"""A user's Python file that registers a loss, metric, data format or method before a verb runs (``--with``)."""

from __future__ import annotations

import importlib
import importlib.util
import sys

from semanticgan.errors import InputError
from semanticgan.files import require_file


def run_file(name: str) -> None:
    """Import a file as a module of its own name, so that processes which read data can import it, too.

    Args:
        name: path of a ``.py`` file. It runs with the rights of the user: give only files that you trust.

    Raises:
        InputError: no such file, no Python file, or a name that another module has.
    """
    path = require_file(name, "file of --with")
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise InputError(f"--with takes a Python file whose name is an identifier, such as my_loss.py, got {name!r}.")
    found = importlib.util.find_spec(path.stem)
    if found is not None and (found.origin in (None, "frozen", "built-in") or not path.samefile(str(found.origin))):
        raise InputError(f"there is a module {path.stem!r} already. Rename the file {name!r}.")
    sys.path.insert(0, str(path.resolve().parent))
    importlib.import_module(path.stem)
