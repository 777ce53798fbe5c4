"""The command line's frame: verbs, help, examples, shared arguments, and mistakes told in one line with exit code 2."""

from __future__ import annotations

import argparse
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from semanticgan import __version__
from semanticgan.commands import VERBS, arguments, build_parser
from semanticgan.commands.memory import keep_freed_memory

ROOT = Path(__file__).resolve().parents[2]


def test_every_verb_has_its_script_and_every_script_its_verb() -> None:
    scripts = {path.stem for path in (ROOT / "tools").glob("*.py")}
    named = {"inspect": "inspect_file"}  # inspect.py would hide Python's own module from every script beside it
    assert scripts == {named.get(verb, verb.replace("-", "_")) for verb in VERBS}
    for verb in VERBS:
        script = (ROOT / "tools" / f"{named.get(verb, verb.replace('-', '_'))}.py").read_text()
        assert f'main(["{verb}", *sys.argv[1:]]' in script


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_two_examples_that_parse(verb: str, command: Callable[..., Any], capsys: Any) -> None:
    with pytest.raises(SystemExit) as stop:
        command(verb, "--help")
    assert stop.value.code == 0
    help_text = capsys.readouterr().out
    examples = [line.strip() for line in help_text.splitlines() if line.startswith(f"  semanticgan {verb} ")]
    assert len(examples) >= 2
    parser = build_parser(verb, f"semanticgan {verb}")
    for example in examples:
        parser.parse_args(shlex.split(example)[2:])


def test_a_script_names_itself_in_its_help() -> None:
    ended = subprocess.run(
        [sys.executable, ROOT / "tools" / "generate.py", "--help"], capture_output=True, text=True, check=True
    )
    assert "usage: python tools/generate.py" in ended.stdout
    assert "  python tools/generate.py --seeds 0-15 --out samples\n" in ended.stdout


def test_a_script_passes_the_exit_code_on(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, ROOT / "tools" / "generate.py", "--seeds", "x"], capture_output=True, text=True, cwd=tmp_path
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: argument --seeds: 'x' is not a list of") and ended.stderr.count("\n") == 1


def test_overview_and_version(command: Callable[..., Any]) -> None:
    overview = command("--help")
    assert overview.code == 0
    assert all(f"  {verb} " in overview.out for verb in VERBS)
    assert command().code == 2
    assert command("--version").out == f"semanticgan {__version__}\n"


def test_unknown_verbs_and_options_name_what_is_allowed(command: Callable[..., Any]) -> None:
    assert "unknown verb 'generat'. Did you mean 'generate'?" in command("generat").complaint
    assert "unrecognized arguments: --sead" in command("generate", "--sead", "3").complaint
    assert "semanticgan generate --help" in command("generate", "--seed").complaint
    assert "structure" in command("edit-region", "--region", "hair", "--what", "colour").complaint
    assert "--region" in command("edit-region").complaint
    assert "mps" in command("generate", "--device", "tpu").complaint
    assert (
        "not allowed with" in command("edit_region", "--region", "hair", "--seed", "1", "--latent", "a.npy").complaint
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3", (3,)), ("0-3", (0, 1, 2, 3)), ("0-2,20", (0, 1, 2, 20)), ("5, 1-2 ,1", (5, 1, 2)), ("7-7", (7,))],
)
def test_seeds(text: str, expected: tuple[int, ...]) -> None:
    assert arguments.seeds(text) == expected


@pytest.mark.parametrize("text", ["", "x", "-1", "1-", "3-1", "1.5", "0-99999999999", "1,,2", str(2**63)])
def test_seeds_that_are_none(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        arguments.seeds(text)


def test_seeds_to_pass_through_may_come_again() -> None:
    assert arguments.seed_path("3,8,3") == (3, 8, 3)


def test_numbers_within_bounds() -> None:
    assert arguments.at_least(2, 9)("9") == 9
    assert arguments.picture_side("256") == 256
    assert arguments.finite("-0.5") == -0.5
    for reader, text in [
        (arguments.at_least(2, 9), "1"),
        (arguments.at_least(2, 9), "10"),
        (arguments.at_least(0), "1.0"),
        (arguments.picture_side, "100"),
        (arguments.picture_side, "2048"),
        (arguments.finite, "nan"),
        (arguments.finite, "much"),
    ]:
        with pytest.raises(argparse.ArgumentTypeError, match=f"^'{text}' is no"):
            reader(text)


def test_an_output_folder_is_not_named_like_a_picture(tmp_path: Path) -> None:
    (tmp_path / "old.png").mkdir()
    for name in ("samples", "v1.0", "old.png"):
        assert arguments.output_folder(str(tmp_path / name)) == tmp_path / name
    for name in ("smooth.png", "a.JPG", "walk.mp4"):
        with pytest.raises(argparse.ArgumentTypeError, match="give a folder"):
            arguments.output_folder(str(tmp_path / name))


def test_shared_choices_are_those_of_the_package() -> None:
    from semanticgan import latents
    from semanticgan.formats import weights

    assert arguments.WHAT == latents.WHAT
    converter = build_parser("convert-checkpoint", "x")._option_string_actions
    assert list(converter["--precision"].choices or ()) == list(weights.PRECISIONS)
    actions = build_parser("interpolate", "x")._option_string_actions
    assert tuple(actions["--method"].choices or ()) == latents.METHODS


def test_programs_keep_freed_memory(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")
    kept = []
    monkeypatch.setattr("semanticgan.commands.keep_freed_memory", lambda: kept.append(True))
    command("generate", "--model", "none.safetensors")
    assert kept == [True]


def test_programs_import_torch_without_collections() -> None:
    """At least the generations above the first, whose collections look at all that the import made."""
    program = (
        "import gc, sys; from semanticgan.commands.memory import import_torch\n"
        "seen = []; gc.callbacks.append(lambda phase, about: seen.append(about['generation']))\n"
        "import_torch(); frozen = gc.get_freeze_count(); import_torch()\n"
        "print(seen, 'torch' in sys.modules, gc.isenabled(), frozen > 50_000, gc.get_freeze_count() == frozen)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ended.stdout.split("]")[-1].split() == ["True"] * 4
    assert not {"1", "2"} & set(ended.stdout.split("]")[0])


def test_importing_the_library_leaves_the_allocator_alone() -> None:
    importing = "import torch, ctypes; ctypes.CDLL = None; import semanticgan.commands, semanticgan.model"
    subprocess.run([sys.executable, "-c", importing], check=True, cwd=ROOT)
