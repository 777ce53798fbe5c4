"""The files and commands of docs/extending.md do what the page says."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from semanticgan import data, load
from semanticgan.checkpoint import save_model
from semanticgan.errors import InputError
from semanticgan.metrics.metric import METRICS, Metric
from semanticgan.metrics.metric import register as register_metric
from semanticgan.networks import architectures
from semanticgan.networks.comparison.stylegan2 import (
    StyleGAN2Config,
    StyleGAN2Discriminator,
    StyleGAN2DiscriminatorConfig,
    StyleGAN2Generator,
)
from semanticgan.training.config import load_config
from semanticgan.training.loop import train
from semanticgan.training.objectives.added import register as register_loss
from tests import programs
from tests.programs import Ended

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text()
FILES = dict(re.findall(r"`([\w-]+\.(?:py|yaml))`:\n\n```(?:python|yaml)\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All files of the page."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run(command: str, folder: Path) -> Ended:
    return programs.run(shlex.split(command)[1:], folder=folder)


def test_the_page_has_a_file_and_a_command_for_each() -> None:
    scripts = {"total_variation.py", "smooth_gan.py", "brightness.py", "squares.py"}
    assert set(FILES) == {"portraits-32.yaml", "smooth-32.yaml", *scripts}
    given = [command.partition("--with ")[2].partition(".py")[0] for command in COMMANDS]
    assert given == ["", "total_variation", "smooth_gan", "", "brightness", "brightness", "brightness", "squares"]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(folder: Path, command: str) -> None:
    if " generate " in command:
        assert run(next(each for each in COMMANDS if "smooth-32.yaml" in each), folder).codes == (0,)
    done = run(command, folder)
    assert done.codes == (0,), done.stderr
    assert "no effect" not in done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    if "evaluate" in command:
        written = json.loads((folder / "brightness.json").read_text())
        assert 0 < written["results"]["brightness"]["values"]["brightness"] < 255
        return
    if " generate " in command:
        assert len(list((folder / "smooth-32").glob("seed-*.png"))) == 4
        return
    if "compare" in command:
        (written,) = json.loads((folder / "levels.json").read_text())["models"]
        assert 0 < written["values"]["mean level"] < 255 and "core-hours" in written["values"]
        return
    assert told["images"] == 8
    logged = json.loads((folder / told["run_dir"] / "stats.jsonl").read_text().splitlines()[-1])
    assert ("loss/total_variation" in logged) == ("total_variation" in command)
    assert ("loss/smooth" in logged) == ("smooth_gan" in command)
    assert ("metric/brightness" in logged) == ("--metrics brightness" in command)


def test_an_added_loss_changes_the_generator_by_its_weight(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semanticgan.training.objectives.added._LOSSES", {})
    losses = {}
    register_loss("all_bright", lambda rendering: -rendering.image.float().mean())
    for weight in (0, 1, 1000):
        overrides = [f"run_dir={folder / str(weight)}", f"loss.added.all_bright={weight}", "schedule.total_images=32"]
        train(load_config(folder / "portraits-32.yaml", [*overrides, "schedule.log_every=4", "device=cpu"]))
        lines = (folder / str(weight) / "stats.jsonl").read_text().splitlines()
        losses[weight] = json.loads(lines[-1]).get("loss/all_bright")
    assert losses[0] is None
    assert losses[1000] < losses[1]


def test_names_that_are_taken_or_unknown_are_refused(folder: Path) -> None:
    for name in ("mask", "generator", "no identifier", ""):
        with pytest.raises(InputError):
            register_loss(name, lambda rendering: rendering.image.mean())
    with pytest.raises(InputError, match="folder"):
        data.register("folder", lambda path, size: data.open_dataset("portraits", size=size))
    with pytest.raises(InputError, match="fid"):
        register_metric("fid", METRICS["fid"])
    with pytest.raises(InputError, match="a,b"):
        register_metric("a,b", Metric(METRICS["fid"].measure, "", ()))
    with pytest.raises(InputError, match=r"'unheard', which is not registered"):
        train(load_config(folder / "portraits-32.yaml", [f"run_dir={folder / 'run'}", "loss.added.unheard=1"]))
    assert not (folder / "run").exists()


def test_help_lists_a_metric_from_elsewhere(folder: Path) -> None:
    for verb in ("evaluate", "compare"):
        told = " ".join(run(f"python -m semanticgan --with brightness.py {verb} --help", folder).stdout.split())
        assert "brightness (mean level of the pictures, 0 to 255); diversity (" in told


def test_an_own_data_format_refuses_what_it_cannot_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semanticgan.data._REGISTERED", {})
    data.register("drawn", lambda path, size: data.open_dataset("portraits", size=size))
    assert data.open_dataset("drawn", size=32)[0].image.shape == (3, 32, 32)
    for given, said in (({"scheme": "celebamask-13"}, "brings its regions"), ({"missing": "skip"}, "missing='skip'")):
        with pytest.raises(InputError, match=said):
            data.open_dataset("drawn", size=32, **given)  # type: ignore[arg-type]


def test_architectures_from_outside_open_their_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architectures, "_REGISTERED", {})
    with pytest.raises(InputError, match="stylegan2"):
        architectures.register("stylegan2", architectures.architecture("stylegan2"))

    class OwnConfig(StyleGAN2Config):
        pass

    class OwnGenerator(StyleGAN2Generator):
        pass

    own = architectures.Architecture(OwnConfig, OwnGenerator, StyleGAN2DiscriminatorConfig, StyleGAN2Discriminator)
    architectures.register("own", own)
    sizes = OwnConfig(size=8, style_dim=8, num_mapping_layers=1, channels={4: 8, 8: 8})
    save_model(
        tmp_path / "own.safetensors", OwnGenerator(sizes), None, training={}, licence="none", data_licence="none"
    )
    model = load(tmp_path / "own.safetensors")
    assert model.metadata.architecture == "own" and isinstance(model.generator, OwnGenerator)
    monkeypatch.setattr(architectures, "_REGISTERED", {})
    with pytest.raises(InputError, match="own"):
        load(tmp_path / "own.safetensors")


def test_a_file_may_stand_behind_the_subcommand(folder: Path) -> None:
    told = run("python -m semanticgan evaluate --with brightness.py --help", folder).stdout
    assert "brightness (mean level of the pictures, 0 to 255)" in " ".join(told.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evaluate", "--with", "nowhere.py"], "nowhere.py"),
        (["--with", "nowhere.py", "train"], "nowhere.py"),
        (["--with", "portraits-32.yaml", "train"], "takes a Python file whose name is an identifier"),
        (["--with", "os.py", "train"], "there is a module 'os' already"),
        (["--with", "brightness.py"], "takes a Python file and a verb"),
    ],
)
def test_files_that_cannot_be_run_are_refused(folder: Path, words: list[str], said: str) -> None:
    (folder / "os.py").write_text("")
    done = run(f"python -m semanticgan {shlex.join(words)}", folder)
    assert done.codes == (2,) and said in done.stderr and "Traceback" not in done.stderr
