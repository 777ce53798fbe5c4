"""How programs end: signals, streams that nobody reads, and names that would command a terminal."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals and streams")


def start(*words: str | Path) -> subprocess.Popen[str]:
    program = [sys.executable, str(ROOT / "tools" / f"{words[0]}.py"), *map(str, words[1:])]
    return subprocess.Popen(
        program,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        start_new_session=True,
        preexec_fn=_signals_as_usual,
    )


def _signals_as_usual() -> None:
    """Whoever runs the tests may ignore signals, as nohup does."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=ENVIRONMENT, cwd=ROOT, timeout=120
    )


def partial(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".*.partial*") if path.exists()]


def wait_until(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 100
    while not condition():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)], ids=str
)
def test_a_signal_ends_a_verb_with_one_line_and_leaves_nothing(number: int, code: int, tmp_path: Path) -> None:
    process = start("interpolate", "--seeds", "1,2", "--frames", "4000", "--device", "cpu", "--out", tmp_path / "a.mp4")
    try:
        wait_until(lambda: partial(tmp_path), process)
        time.sleep(0.5)
        os.kill(process.pid, number)
        os.kill(process.pid, number)  # launchers repeat it
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (code, ""), err
        assert err.splitlines()[-1] == "stopped." and "Traceback" not in err
        assert list(tmp_path.iterdir()) == []
    finally:
        process.kill()
    assert subprocess.run(["pgrep", "-g", str(process.pid)], capture_output=True).returncode, "children are left"


def test_what_a_kill_left_is_removed_by_the_next_start_and_nothing_else(tmp_path: Path) -> None:
    """Not what another process is still writing, and no user's file."""
    words = ["interpolate", "--seeds", "1,2", "--device", "cpu", "--out"]
    killed, going = (start(*words, tmp_path / f"{name}.gif", "--frames", "4000") for name in ("killed", "going"))
    mine = tmp_path / ".killed-notes.gif"
    mine.write_text("mine")
    try:
        wait_until(lambda: len(partial(tmp_path)) == 2, killed)
        killed.kill()
        killed.wait()
        assert len(partial(tmp_path)) == 2
        done = start(*words, tmp_path / "killed.gif", "--frames", "2")
        _, err = done.communicate(timeout=100)
        assert done.returncode == 0, err
        assert [path.name.split("-")[0] for path in partial(tmp_path)] == [".going"]
        assert mine.read_text() == "mine" and (tmp_path / "killed.gif").exists()
    finally:
        killed.kill()
        going.kill()
        killed.communicate()
        going.communicate()


@pytest.mark.parametrize(
    "words",
    [
        "--help | true",
        "generate --help | true",
        "--version >&-",
        "generate --seeds 1 --device cpu --out {out} >&-",
        "generate --seeds 1 --device cpu --out {out} | true",
        "generate --seeds 1 --device cpu --out {out} >&- 2>&-",
        "generate --seeds x 2>&- >&-",
    ],
)
def test_closed_streams_are_no_traceback(words: str, tmp_path: Path) -> None:
    program = f"{shlex.quote(sys.executable)} -c 'import sys; from semanticgan.commands import main; sys.exit(main())' "
    done = shell("set -o pipefail; " + program + words.format(out=shlex.quote(str(tmp_path / "out"))))
    assert done.stderr == "" or ("Traceback" not in done.stderr and "Exception" not in done.stderr), done.stderr
    assert done.returncode == (2 if "--seeds x" in words else 0), done.stderr
    if "{out}" in words:
        assert (tmp_path / "out" / "seed-0001.png").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_result_that_cannot_be_told_is_not_success(tmp_path: Path) -> None:
    words = f"tools/generate.py --seeds 1 --device cpu --out {shlex.quote(str(tmp_path))} > /dev/full"
    done = shell(f"{shlex.quote(sys.executable)} {words}")
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith("error: "), done.stderr
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


def test_a_training_goes_on_when_nobody_reads_stderr(tmp_path: Path) -> None:
    words = f"run_dir={shlex.quote(str(tmp_path / 'run'))} device=cpu 'log_to=[]' schedule.total_images=16"
    program = f"{shlex.quote(sys.executable)} tools/train.py tiny {words}"
    done = shell(f"set -o pipefail; ({program} 2>&1 >{shlex.quote(str(tmp_path / 'out'))}) | true")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out").read_text())["finished"]


def test_names_never_reach_the_terminal_raw(tmp_path: Path) -> None:
    name = "a\x1b]0;owned\x07\x9b2J\u202eb\x7f"
    process = start("export", tmp_path / name, "--out", tmp_path / "b.safetensors")
    _, err = process.communicate(timeout=100)
    assert process.returncode == 2 and err.startswith("error: ")
    assert err.removesuffix("\n").isprintable()
