"""Open a page on this computer: design a face in four steps, then edit it region by region.

The address is printed; the page needs no network. Only this computer reaches it, unless --host says otherwise; then a
token is part of the address. Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from semanticgan.commands import arguments
from semanticgan.errors import InputError

EXAMPLES = (
    "--port 8000",
    "--model portraits-64 --model runs/mine --host 0.0.0.0 --token a-long-secret-of-yours",
)

_LARGEST_PORT = 65_535
_SHORTEST_TOKEN = 8
_DEFAULT_MODELS = ("portraits-64", "faces-64")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        action="append",
        metavar=arguments.MODEL,
        help=f"{arguments.MODEL_HELP}; may be repeated, the first is shown first (default: the bundled models)",
    )
    arguments.add_device_argument(parser)
    parser.add_argument("--host", default="127.0.0.1", help="where to listen; 0.0.0.0 lets other computers in")
    parser.add_argument(
        "--port", type=arguments.at_least(0, _LARGEST_PORT), default=8000, help="port to listen on; 0 takes a free one"
    )
    parser.add_argument(
        "--token",
        metavar="TEXT",
        help="what a visitor must know (default: nothing on this computer alone, a random text elsewhere)",
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan import extras
    from semanticgan.registry import resolve

    extras.require("studio")
    if args.token is not None and (len(args.token) < _SHORTEST_TOKEN or not args.token.isascii()):
        raise InputError(f"--token has at least {_SHORTEST_TOKEN} letters of ASCII. Give a longer one, or none.")
    models = args.model or list(_DEFAULT_MODELS)
    for model in models:
        resolve(model)  # a missing file is told before the page is opened

    from semanticgan.studio.server import serve

    def say(address: str) -> None:
        sys.stderr.write(f"The studio is at {address} (Ctrl-C ends it)\n")
        sys.stderr.flush()

    serve(models, host=args.host, port=args.port, token=args.token, device=args.device, say=say)
    return {}
