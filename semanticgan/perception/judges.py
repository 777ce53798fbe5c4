"""Names of perception networks: a model's file records which it learnt from, and these must not judge it.

What a generator was taught to please says that its pictures are good, whether they are or not.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from semanticgan.errors import InputError
from semanticgan.files import sha256_of, user_path
from semanticgan.perception.classifier import DEFAULT
from semanticgan.registry import bundled

_FOLDERS = {"parser": "parsers", "classifier": "classifiers"}


def network_name(kind: str, given: str | Path) -> str:
    """The name under which a network is recorded.

    Args:
        kind: "parser", "classifier", "extractor", "distance" or "identity".
        given: the name or file that a user gives for it, such as "tutor-portraits-64" or "attributes:FILE".

    Returns:
        "tutor-portraits-64" of a network that comes with the package, also of a copy of its file; of another file its
        name and 16 digits of its hash, "parser@0123456789abcdef"; of an extractor, distance or identity its kind, such
        as "lite0", and of "attributes" that of the classifier.
    """
    if kind not in _FOLDERS:
        head, _, rest = str(given).partition(":")
        if head == "attributes":
            return network_name("classifier", rest or DEFAULT)
        return f"{head}:{Path(rest).name}" if head == "discriminator" else head
    known = bundled(_FOLDERS[kind])
    if str(given) in known:
        return str(given)
    path = user_path(given, kind)
    if not path.is_file():
        return path.stem
    digest = sha256_of(path)
    same = [name for name, file in known.items() if file.stat().st_size == path.stat().st_size]
    return next((name for name in same if sha256_of(known[name]) == digest), f"{path.stem}@{digest[:16]}")


def require_strangers(learnt_from: Collection[str], **judges: str | Path | None) -> None:
    """Check that a model did not learn from what is to judge it.

    Args:
        learnt_from: names of networks, as the model's file records them.
        judges: kind of network -> name or file, None where there is none.

    Raises:
        InputError: it learnt from one of them.
    """
    taught = {_key(name): name for name in learnt_from}
    for kind, given in judges.items():
        if given is not None and taught and (name := taught.get(_key(network_name(kind, given)))):
            raise InputError(
                f"the {kind} {str(given)!r} cannot judge this model, which learnt from it ({name!a}). Give another "
                f"{kind}."
            )


def _key(name: str) -> str:
    """What is compared: the hash where there is one, since a file can be renamed."""
    return name.rpartition("@")[2]
