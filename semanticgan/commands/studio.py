"""Open a page on this computer: design a face in four steps, then edit it region by region.

The address is printed; the page needs no network. Only this computer reaches it, unless --host says otherwise; then a
token is part of the address. Ctrl-C ends it.

--static DIR writes the four steps as a folder instead, which any web host serves: the model runs in the visitor's
browser, by onnxruntime-web, whose npm folder is given by --runtime.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from semanticgan.commands import arguments
from semanticgan.errors import InputError
from semanticgan.studio.runtime_files import PACKAGE, VERSION

EXAMPLES = (
    "--port 8000",
    "--model portraits-64 --model runs/mine --host 0.0.0.0 --token a-long-secret-of-yours",
    "--static site --runtime node_modules/onnxruntime-web",
)

_LARGEST_PORT = 65_535
_SHORTEST_TOKEN = 8
_DEFAULT_MODELS = ("portraits-64", "faces-64")
_DEFAULT_HOST, _DEFAULT_PORT = "127.0.0.1", 8000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        action="append",
        metavar=arguments.MODEL,
        help=f"{arguments.MODEL_HELP}; may be repeated, the first is shown first (default: the bundled models)",
    )
    arguments.add_device_argument(parser)
    parser.add_argument("--host", default=_DEFAULT_HOST, help="where to listen; 0.0.0.0 lets other computers in")
    arguments.add_count(
        parser, "--port", "port to listen on; 0 takes a free one", 0, _LARGEST_PORT, default=_DEFAULT_PORT
    )
    parser.add_argument(
        "--token",
        metavar="TEXT",
        help="what a visitor must know (default: nothing on this computer alone, a random text elsewhere)",
    )
    arguments.add_path(parser, "--static", "write a folder for a web host, and open no page", "DIR")
    arguments.add_path(
        parser, "--runtime", f"with --static: folder of the npm package {PACKAGE}, version {VERSION}", "FOLDER"
    )
    arguments.add_flag(parser, "--overwrite", "with --static: replace what it wrote before")


def run(args: argparse.Namespace) -> dict[str, Any]:
    if args.static is not None:
        return _write_site(args)
    of_site = {"--runtime": args.runtime, "--overwrite": args.overwrite}
    arguments.refuse_given(of_site, "{0} belongs to --static DIR. Add that, or leave {0} out.")
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


def _write_site(args: argparse.Namespace) -> dict[str, Any]:
    """The folder for a web host."""
    from semanticgan.model import load
    from semanticgan.registry import resolve
    from semanticgan.studio import runtime_files
    from semanticgan.studio.models import Models
    from semanticgan.studio.static_site import require_site, write_site

    of_server = {
        "--host": args.host != _DEFAULT_HOST,
        "--port": args.port != _DEFAULT_PORT,
        "--token": args.token is not None,
    }
    arguments.refuse_given(
        of_server, "{} belongs to the server, and --static writes a folder without one. Leave it out."
    )
    if args.runtime is None:
        raise InputError(f"--static needs --runtime FOLDER. {runtime_files.HOW_TO_GET}")
    models = args.model or [_DEFAULT_MODELS[0]]
    if len(models) > 1:
        raise InputError(f"--static takes one model, and {len(models)} were given. Write one folder for each.")
    resolve(models[0])
    require_site(args.static, args.overwrite)
    runtime_files.read_runtime(args.runtime)
    name = Models(models).names[0]
    sizes = write_site(load(models[0], device="cpu"), name, args.static, args.runtime, args.overwrite)
    sys.stderr.write(f"Look at it: python -m http.server --bind 127.0.0.1 --directory {args.static}\n")
    return {"out": str(args.static), "model": name, "files": sizes, "bytes": sum(sizes.values())}
