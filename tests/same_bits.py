"""Compare the trainings of a base commit with those of the working tree, bit for bit: ``python tests/same_bits.py``.

Run by hand before each commit of a refactoring. Both trees train on this machine, in float32 with one thread:
``tiny``, ``portraits-64`` with all its losses, and ``adapt-few``; each alone, alone but stopped at step 17 and resumed,
and in two processes. Compared are every loss of every step, the tensors of the last training state whatever they are
called, and the exported model's weights. Results of the base commit are kept in ``runs/same-bits/COMMIT``.

Exits with 1 where something differs, after naming the first step and the largest difference.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

ROOT = Path(__file__).parents[1]
STEPS, STOP = 50, 17
MEASURED_IN_SECONDS = ("speed/", "memory/")
PORTRAITS = ("data.kind=portraits", "data.length=64", "data.workers=0", "precision=float32", "log_to=[]")
HELPED = ("loss.ownership_after=0", "augmentation.adaptive=true", "augmentation.every=1", "batch=8")
CASES: dict[str, tuple[str, ...]] = {
    "tiny": ("tiny", "batch=8", "log_to=[]"),
    "portraits-64": ("portraits-64", *PORTRAITS, *HELPED),
    "adapt-few": ("adapt-few", "start=portraits-64", "data.path={pictures}", "precision=float32", "log_to=[]"),
}
WAYS = ("alone", "resumed", "two")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="5f57c9a", help="commit to compare with (default: %(default)s)")
    parser.add_argument("--cases", default=",".join(CASES), help="comma-separated (default: %(default)s)")
    parser.add_argument("--ways", default=",".join(WAYS), help="comma-separated (default: %(default)s)")
    given = parser.parse_args()
    commit = subprocess.check_output(["git", "rev-parse", given.base], cwd=ROOT, text=True).strip()
    kept = ROOT / "runs" / "same-bits" / commit
    same = True
    with tempfile.TemporaryDirectory() as scratch:
        pictures = draw_pictures(Path(scratch) / "pictures")
        for case in given.cases.split(","):
            for way in given.ways.split(","):
                expected = kept / f"{case}-{way}.pt"
                if not expected.exists():
                    tree = checked_out(commit, Path(scratch) / "base")
                    expected.parent.mkdir(parents=True, exist_ok=True)
                    torch.save(trained(tree, case, way, pictures, Path(scratch)), expected)
                found = trained(ROOT, case, way, pictures, Path(scratch))
                difference = compared(torch.load(expected, weights_only=True), found)
                print(f"{case:14} {way:8} {difference or 'same bits'}", flush=True)
                same = same and not difference
    raise SystemExit(0 if same else 1)


def checked_out(commit: str, folder: Path) -> Path:
    """The tree of a commit, without touching the checkout."""
    if not folder.exists():
        packed = subprocess.check_output(["git", "archive", commit, "semanticgan", "configs"], cwd=ROOT)
        with tarfile.open(fileobj=BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
    return folder


def draw_pictures(folder: Path) -> Path:
    """Woodcuts of 64 pixels, the new look of ``adapt-few``; drawn once, so that both trees read the same files."""
    command = ("prepare-data", "portraits", "--size", "64", "--count", "12", "--style", "woodcut", "--out", str(folder))
    run(ROOT, [sys.executable, "-m", "semanticgan", *command])
    return folder / "image"


def trained(tree: Path, case: str, way: str, pictures: Path, scratch: Path) -> dict[str, Any]:
    """Losses, digests and weights of a training of :data:`STEPS` steps."""
    overrides = [value.format(pictures=pictures) for value in CASES[case]]
    batch = 8
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        run_dir = Path(folder) / "run"
        for steps in (STOP, STEPS) if way == "resumed" else (STEPS,):
            images = f"schedule.total_images={steps * batch}"
            settings = [images, "schedule.log_every=1", "schedule.sheet_every=1000", f"run_dir={run_dir}", "device=cpu"]
            launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"] if way == "two" else []
            run(tree, [sys.executable, *launcher, "-m", "semanticgan", "train", *overrides, *settings])
        lines = [json.loads(line) for line in (run_dir / "stats.jsonl").read_text().splitlines()]
        last = run_dir / f"step-{STEPS:07d}"
        state = torch.load(last / "training.pt", weights_only=True)
        return {
            "losses": [
                {name: value for name, value in line.items() if not name.startswith(MEASURED_IN_SECONDS)}
                for line in lines
                if "step" in line
            ],
            "digests": dict(Counter(digest_of(tensor) for tensor in tensors_in(state))),
            "model": load_file(last / "model.safetensors"),
        }


def run(tree: Path, command: list[str]) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(tree)}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)


def digest_of(tensor: torch.Tensor) -> str:
    data = tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes()
    return hashlib.sha256(f"{tensor.dtype} {list(tensor.shape)}".encode() + data).hexdigest()[:16]


def compared(expected: dict[str, Any], found: dict[str, Any]) -> str:
    """What differs, in words; empty where nothing does."""
    differences = []
    for before, now in zip(expected["losses"], found["losses"], strict=False):
        if before != now:
            names = [name for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name)]
            first = ", ".join(f"{name} {before.get(name)} {now.get(name)}" for name in names[:3])
            differences.append(f"step {now['step']} differs in {len(names)} values ({first})")
            break
    if len(expected["losses"]) != len(found["losses"]):
        differences.append(f"{len(expected['losses'])} lines of losses, now {len(found['losses'])}")
    weights = {
        name: float((tensor.double() - found["model"][name].double()).abs().max()) if name in found["model"] else -1.0
        for name, tensor in expected["model"].items()
        if name not in found["model"] or not torch.equal(tensor, found["model"][name])
    }
    if weights:
        worst = max(weights, key=lambda name: weights[name])
        differences.append(f"{len(weights)} tensors of the model differ, {worst} by {weights[worst]:.3g}")
    missing = sum((Counter(expected["digests"]) - Counter(found["digests"])).values())
    if missing:
        differences.append(f"{missing} of {sum(expected['digests'].values())} tensors of the state are not there")
    return "; ".join(differences)


if __name__ == "__main__":
    main()
