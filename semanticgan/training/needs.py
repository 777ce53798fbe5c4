"""What a training needs beside the packages that are always installed."""

from __future__ import annotations

from semanticgan import extras
from semanticgan.runs.logs import chosen_sinks
from semanticgan.training.sections import CommonConfig


def require_installed(config: CommonConfig) -> None:
    """Check it before anything is read or written.

    Raises:
        InputError: a package is missing, or ``log_to`` has an unknown name.
    """
    if config.log_to is not None:  # the default warns, and does so when the log is opened
        chosen_sinks(config.log_to)
    if config.data.kind == "lmdb":
        extras.require("lmdb")
    if config.metrics.names:
        from semanticgan.metrics.evaluate import extras_of

        extras.require(*extras_of(config.metrics.names))
