"""Measures what a click in the studio costs: the table of docs/studio.md.

python docs/measure_studio.py --model portraits-64 --out studio.md

A studio of its own is started; requests are sent as the page sends them, one after another. Medians, and largest, of
--repeats requests of each kind, from the request to the last byte of the answer.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

from semanticgan.benchmark.tables import table
from semanticgan.commands.memory import keep_freed_memory
from semanticgan.files import written_aside
from semanticgan.studio.app import create_app

CLIENT = "measures-the-studio"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="portraits-64")
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    keep_freed_memory()
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app([args.model], device="cpu"), log_level="critical"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = listening.getsockname()[1]
    rows = []
    for name, body_of in KINDS.items():
        path, _ = body_of(0)
        seconds = [timed(port, *body_of(number)) for number in range(args.repeats + 1)][1:]
        rows.append([name, path, f"{1e3 * statistics.median(seconds):.0f}", f"{1e3 * max(seconds):.0f}"])
    server.should_exit = True
    thread.join(20)
    text = table(["what", "request", "ms, median", "ms, largest"], rows) + "\n"
    with written_aside(args.out, overwrite=True) as aside:
        aside.write_text(text, encoding="utf-8")
    print(json.dumps({"out": str(args.out), "rows": rows}))


def timed(port: int, path: str, body: dict[str, Any]) -> float:
    """Seconds of one request."""
    start = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", path, json.dumps(body))
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    seconds = time.perf_counter() - start
    if answer.status != 200:
        raise SystemExit(f"{path} answered {answer.status}: {content[:200]!r}")
    return seconds


def script(*operations: dict[str, Any]) -> dict[str, Any]:
    """An edit of seed 3."""
    source = {"seed": 3, "truncation": 0.8}
    about = {"format": "semanticgan-edit", "format_version": 1, "model": "", "paste": "auto"}
    return {**about, "source": source, "operations": list(operations)}


def taken(seed: int, region: str) -> dict[str, Any]:
    """A region of another seed."""
    source = {"seed": seed, "truncation": 0.8}
    return {"source": source, "regions": [region], "what": "both", "include_base": False, "weight": 1.0}


def moved(direction: str, strength: float) -> dict[str, Any]:
    """Along an attribute."""
    return {"move": direction, "strength": strength, "regions": [], "layers": ""}


KINDS: dict[str, Callable[[int], tuple[str, dict[str, Any]]]] = {
    "sixteen faces": lambda number: ("/api/steps/1", {"shuffle": number}),
    "sixteen styles": lambda number: ("/api/steps/2", {"script": script(), "shuffle": number}),
    "sixteen colourings": lambda number: ("/api/steps/3", {"script": script(), "shuffle": number}),
    "sixteen details": lambda number: ("/api/steps/4", {"script": script(), "shuffle": number}),
    "sixteen variations of hair": lambda number: (
        "/api/variations",
        {"script": script(), "regions": ["hair"], "shuffle": number},
    ),
    "an edit: other hair": lambda number: (
        "/api/edit",
        {"script": script(taken(number, "hair")), "client": CLIENT},
    ),
    "an edit: another mouth": lambda number: (
        "/api/edit",
        {"script": script(taken(number, "mouth")), "client": CLIENT},
    ),
    "a frame of a slider: smile": lambda number: (
        "/api/edit",
        {"script": script(moved("smile", 0.1 * number)), "client": CLIENT},
    ),
}


if __name__ == "__main__":
    main()
