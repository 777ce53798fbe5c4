"""The command line: one file per verb, each of which parses, calls the package and saves.

A verb's module has a docstring whose first line says what it does, ``EXAMPLES`` (two runnable argument lines),
``add_arguments(parser)`` and ``run(args)``, which returns a JSON-able dict. ``semanticgan <verb>`` and
``tools/<verb>.py`` both end in :func:`main`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import re
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn

from semanticgan.commands.additions import run_file
from semanticgan.commands.memory import import_torch, keep_freed_memory, out_of_memory_as_a_line
from semanticgan.commands.stopping import signals_as_interrupts
from semanticgan.commands.words import require_usable
from semanticgan.errors import DataWarning, InputError, TrainingDiverged, unknown_name
from semanticgan.terminal import guarded_streams, json_line, say

VERBS: Mapping[str, str] = MappingProxyType(
    {
        "generate": "pictures from seeds",
        "edit-region": "swap, vary or interpolate regions of a photograph or a generated picture",
        "invert": "find the latent codes of photographs",
        "reconstruct": "what a model with an encoder makes of any square pictures, in one pass",
        "mix": "a sheet of the layers of two sets of pictures mixed by schemas of letters",
        "interpolate": "a video that moves a region, or everything, through several codes",
        "components": "a sheet that adds the regions one at a time, with their pseudo-depths",
        "find-directions": "find directions of codes, such as smile or age, by labels or by weights",
        "locality": "measure how much an edit changes outside its region",
        "evaluate": "measure how good pictures are: FID, KID, precision, recall, path length",
        "compare": "compare models on the same data: table, samples side by side, charts",
        "prepare-data": "make a training set from pictures with masks",
        "train-parser": "train a small network that reads the regions of face pictures",
        "label": "write the regions of a photograph: label map, masks, layers",
        "label-regions": "label a folder of aligned face pictures with it",
        "train-classifier": "train a small network that recognises attributes of portraits: glasses, hair, smile, age",
        "train": "train a model from a recipe",
        "report": "a page or picture that shows how a training goes",
        "export": "write a run's model as one file to share, or a model as ONNX",
        "blend": "join two related models: renderer blocks from a resolution up, or regions, of the second",
        "convert-checkpoint": "turn a checkpoint of the paper's authors into a safe file of weights",
        "studio": "a page on this computer: design a face in four steps, edit it region by region",
        "inspect": "say what a picture or a file of weights says of itself",
        "benchmark": "measure speed and memory on this machine",
    }
)
"""Verb -> what it does. The module of ``edit-region`` is ``semanticgan.commands.edit_region``."""


_NEGATIVE_NUMBER = re.compile(r"-((\d+\.?\d*|\.\d+)(e[-+]?\d+)?|inf|nan)(,[-+.,\da-z]*)?", re.IGNORECASE)  # or several


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are InputErrors, so that every mistake ends as one line and exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}. Run `{self.prog} --help` for what is allowed.")


class _Help(argparse.RawDescriptionHelpFormatter):
    """Ends the help of an option with its default, unless the help tells it."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text, default = action.help or "", action.default
        untold = "default" not in text and default not in (None, "", argparse.SUPPRESS)
        return f"{text} (default: %(default)s)" if untold and not isinstance(default, (bool, list)) else text


def build_parser(verb: str, program: str) -> Parser:
    """The parser of a verb (``edit-region``), whose help names ``program`` in its usage and its examples."""
    module = importlib.import_module(f"semanticgan.commands.{verb.replace('-', '_')}")
    parser = Parser(
        prog=program,
        description=module.__doc__,
        formatter_class=_Help,
        allow_abbrev=False,
    )
    parser._negative_number_matcher = _NEGATIVE_NUMBER  # older argparse takes -1e3 for an option
    module.add_arguments(parser)
    if parser.epilog is None:
        parser.epilog = "examples:\n" + "\n".join(f"  %(prog)s {example}" for example in module.EXAMPLES)
    parser.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None, program: str | None = None) -> int:
    """Run one verb: ``main(["generate", "--seeds", "0-3", "--out", "samples"])``.

    Args:
        argv: verb and arguments; those of the process when None.
        program: what the user typed in place of ``semanticgan <verb>``, for usage and examples.

    Returns:
        The exit code, all but 0 with one line on stderr: 0, 1 after a training that diverged, 2 after a mistake of
        the user's or where the system refuses (a full disk, a file that may not be read), 128 and the number of the
        signal after one that ends programs: 130 after Ctrl-C, 143 after SIGTERM.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    with guarded_streams():
        try:
            with signals_as_interrupts():
                return _run(words, program)
        except InputError as error:
            return _complain(str(error), 2)
        except TrainingDiverged as error:
            return _complain(str(error), 1)
        except OSError as error:
            if error.strerror is None:  # raised by a program, not by the system
                raise
            where = f" {error.filename!r}" if error.filename is not None else ""
            return _complain(
                f"the system refuses{where}: {error.strerror}. Correct that, then run the command again.", 2
            )
        except RuntimeError as error:
            lost = _lost_worker(error)
            if lost is None:
                raise
            return _complain(lost, 2)
        except KeyboardInterrupt as stop:
            sys.stderr.write("stopped.\n")
            return 128 + getattr(stop, "number", signal.SIGINT)
        except SystemExit:  # after --help
            say("")
            raise


def _run(words: list[str], program: str | None) -> int:
    """:func:`main` without what is said of errors."""
    if not words or words[0] in ("-h", "--help"):
        say(_overview())
        return 0 if words else 2
    if words[0] == "--version":
        from semanticgan import __version__

        say(f"semanticgan {__version__}\n")
        return 0
    while words[0] == "--with":
        if len(words) < 3:
            raise InputError("--with takes a Python file and a verb: semanticgan --with my_loss.py train ...")
        run_file(words[1])
        del words[:2]
    while words[1:2] == ["--with"] and words[2:3] and words[2].endswith(".py"):  # as tools/VERB.py has it
        run_file(words[2])
        del words[1:3]
    verb = words[0].replace("_", "-")
    if verb not in VERBS:
        raise unknown_name("verb", words[0], VERBS)
    with out_of_memory_as_a_line(verb), _data_warnings_as_lines():
        parser = build_parser(verb, program or f"semanticgan {verb}")
        require_usable(words[1:], parser)
        args = parser.parse_intermixed_args(words[1:])  # KEY=VALUE may stand before and after options
        keep_freed_memory()
        import_torch()
        result = args.run(args)
    if result:
        say(json_line(result) + "\n")
    return 0


def _lost_worker(error: RuntimeError) -> str | None:
    """What is said of a data worker that died, wherever torch tells of it; None for another error."""
    if "DataLoader" not in str(error):
        return None
    from semanticgan.data.workers import lost_worker

    return lost_worker(error)


@contextlib.contextmanager
def _data_warnings_as_lines() -> Iterator[None]:
    """Within the block each different :class:`DataWarning` is one line on stderr; other warnings stay as they are."""
    with warnings.catch_warnings():
        show_others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, DataWarning):
                sys.stderr.write(f"warning: {' '.join(str(message).split())}\n")
            else:
                show_others(message, category, *where, **more)

        warnings.showwarning = show
        warnings.filterwarnings("default", category=DataWarning)
        yield


def _complain(message: str, code: int) -> int:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    return code


def _overview() -> str:
    width = max(map(len, VERBS))
    lines = [f"  {verb:<{width}}  {summary}" for verb, summary in VERBS.items()]
    return "\n".join(
        [
            "usage: semanticgan [--with FILE.py ...] VERB [options]",
            "",
            "--with runs a Python file first, which registers a loss, metric, data format or method of your own.",
            "",
            *lines,
            "",
            "semanticgan VERB --help shows its options and examples.\n",
        ]
    )
