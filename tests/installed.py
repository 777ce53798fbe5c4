"""An environment with the installed package, and what the examples of ``--help`` read: made where they name it."""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import signal
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import semanticgan
from semanticgan.checkpoint import save_model
from semanticgan.data.portraits import PortraitDataset
from semanticgan.networks.comparison.alae import ALAEConfig, ALAEGenerator
from semanticgan.networks.comparison.stylegan import StyleGANConfig, StyleGANGenerator
from semanticgan.networks.generator import Generator
from semanticgan.regions import PHOTOGRAPHS_11
from tests.conftest import TINY_CONFIG
from tests.test_untrusted_checkpoints import ARGUMENTS, reference_names

OUTPUTS = ("--out", "--sheet", "--plot", "--strip", "--ppl-plot", "--projection-plot", "--static")
QUICK = "device=cpu log_to=[] batch=2 schedule.total_images=2 schedule.log_every=1 schedule.sheet_images=2"
"""Overrides of a training of one step."""

# Has imported what every command imports, which takes longer than most examples; each command is a child of it.
SERVER = """
import json, os, sys
import semanticgan.model, semanticgan.training.config
from semanticgan.commands import main
for line in sys.stdin:
    words, folder, *outputs = json.loads(line)
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        for stream, path in zip((0, 1, 2), (os.devnull, *outputs)):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), stream)
        sys.argv = ["semanticgan", *words]
        sys.exit(main())
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and a shelf of what examples read.

    Attributes:
        python: of the environment.
        shelf: inputs by the names that examples give them.
        variables: of the environment: no PYTHONPATH, an empty home, no way to download.
        sdist: names of its files, below its folder.
        server: runs :data:`SERVER`.
    """

    python: Path
    shelf: Path
    variables: Mapping[str, str]
    sdist: frozenset[str]
    server: subprocess.Popen[str]

    def start(self, words: Sequence[str], folder: Path) -> subprocess.Popen[str]:
        """The program ``semanticgan WORDS...`` in a process of its own."""
        command = [self.python.with_name("semanticgan"), *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        heeding = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}  # Ctrl-C, as in a terminal
        return subprocess.Popen(command, cwd=folder, env=self.variables, text=True, **pipes, **heeding)

    def run(self, words: Sequence[str], folder: Path) -> Ended:
        """The same as a child of the server, to its end."""
        assert self.server.stdin is not None and self.server.stdout is not None
        with tempfile.TemporaryDirectory() as kept:
            outputs = [Path(kept) / name for name in ("out", "err")]
            request = [words, str(folder), *map(str, outputs)]
            self.server.stdin.write(json.dumps(request) + "\n")
            self.server.stdin.flush()
            code = int(self.server.stdout.readline())
            return Ended(code, *(path.read_text(encoding="utf-8") for path in outputs))

    def make(self, text: str) -> None:
        """Run ``semanticgan TEXT`` on the shelf, where what it reads is made before."""
        verb, *words = text.split()
        for name in names_of(read_by(verb, words)):
            self.provide(name)
        ended = self.run([verb, *words], self.shelf)
        assert ended.code == 0, (text, ended.err[-3000:])

    def provide(self, name: str) -> Path:
        """The input of that name."""
        path = self.shelf / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            MAKERS[name](self, path)
            assert path.exists(), name
        return path

    def lay_out(self, words: Sequence[str], folder: Path) -> None:
        """Copies of the inputs that words name."""
        for name in names_of(words):
            kept, to = self.provide(name), folder / name
            to.parent.mkdir(parents=True, exist_ok=True)
            if kept.is_dir():
                shutil.copytree(kept, to, dirs_exist_ok=True)
            else:
                shutil.copy(kept, to)


def written_by(verb: str, words: Sequence[str]) -> list[str]:
    """Files and folders that an example says it writes."""
    following = itertools.pairwise(words)
    found = [value for option, value in following if option in OUTPUTS and not value.startswith("-")]
    found += [word.removeprefix("run_dir=") for word in words if word.startswith("run_dir=")]
    return [*found, words[1]] if verb == "convert-checkpoint" else found


def read_by(verb: str, words: Sequence[str]) -> list[str]:
    """Words of an example that are made before it runs."""
    written = written_by(verb, words)
    return [word for word in words if word not in written and not word.startswith("run_dir=")]


def names_of(words: Sequence[str]) -> list[str]:
    """Those of :data:`MAKERS` among words; ``data.path=data/faces`` and ``photographs/`` name one, too."""
    values = [word.rpartition("=")[2].rstrip("/") for word in words]
    return [name for name in MAKERS if any(value == name or value.startswith(f"{name}/") for value in values)]


def drawn(seed: int) -> Image.Image:
    """A drawn portrait of 160 pixels, in which the detector finds a face."""
    picture = PortraitDataset(160, length=1, seed=seed)[0].image
    return Image.fromarray(np.ascontiguousarray(np.asarray(picture).transpose(1, 2, 0)))


def photograph(seed: int, *more: int) -> Callable[[Installed, Path], None]:
    """Portraits side by side on grey; the picture is not square."""

    def make(installed: Installed, path: Path) -> None:
        faces = [drawn(number) for number in (seed, *more)]
        picture = Image.new("RGB", (160 * len(faces), 180), "gray")
        for index, face in enumerate(faces):
            picture.paste(face, (160 * index, 20))
        picture.save(path, quality=95)

    return make


def photographs(installed: Installed, path: Path) -> None:
    """Two square ones, as a folder or a zip."""
    folder = path.with_suffix("")
    folder.mkdir(exist_ok=True)
    for seed in (5, 6):
        drawn(seed).save(folder / f"{seed}.jpg", quality=95)
    if path != folder:
        zipped(folder, path)


def zipped(folder: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder).as_posix())


def celebamask(installed: Installed, path: Path) -> None:
    """Three pictures of 64 pixels with masks of skin and hair."""
    pictures, masks = path / "CelebA-HQ-img", path / "CelebAMask-HQ-mask-anno" / "0"
    pictures.mkdir(parents=True)
    masks.mkdir(parents=True)
    for number in range(3):
        drawn(number).resize((64, 64)).save(pictures / f"{number}.jpg", quality=95)
        for part, rows in (("skin", slice(24, 64)), ("hair", slice(4, 24))):
            mask = np.zeros((64, 64), np.uint8)
            mask[rows, 16:48] = 255
            Image.fromarray(mask).save(masks / f"{number:05d}_{part}.png")


def labelled(installed: Installed, path: Path) -> None:
    """A zip of twelve pictures with label maps of ``photographs-11``, without dataset.json."""
    folder, random = path.with_suffix(""), np.random.default_rng(0)
    for kind in ("image", "label"):
        (folder / kind).mkdir(parents=True)
    for number in range(12):
        drawn(number).resize((64, 64)).save(folder / "image" / f"{number}.png")
        regions = random.integers(0, len(PHOTOGRAPHS_11), (4, 4), np.uint8)
        labels = Image.fromarray(np.kron(regions, np.ones((16, 16), np.uint8)))
        labels.putpalette(PHOTOGRAPHS_11.palette())
        labels.save(folder / "label" / f"{number}.png")
    zipped(folder, path)


def layers(installed: Installed, path: Path) -> None:
    """A model with random weights and as many layers as the schemas of the examples have letters."""
    torch.manual_seed(0)
    sides = {"stylegan": (4, 8, 16, 32, 64, 128), "alae": (4, 8, 16, 32)}[path.stem]
    sizes = {"size": sides[-1], "style_dim": 16, "num_mapping_layers": 2, "channels": dict.fromkeys(sides, 8)}
    generator = (
        StyleGANGenerator(StyleGANConfig(**sizes)) if path.stem == "stylegan" else ALAEGenerator(ALAEConfig(**sizes))
    )
    generator.eval().estimate_mean_latent(256)
    save_model(path, generator, None, training={}, licence="Apache-2.0", data_licence="none: random weights")


def checkpoint(installed: Installed, path: Path) -> None:
    """A tiny generator in a file as the authors' training writes it."""
    torch.manual_seed(0)
    weights = reference_names(Generator(TINY_CONFIG))
    torch.save({"g_ema": weights, "args": argparse.Namespace(**ARGUMENTS)}, path)


def bundled(kind: str, name: str) -> Callable[[Installed, Path], None]:
    """A copy of weights of the package."""
    return lambda installed, path: shutil.copy(Path(semanticgan.__file__).parent / "weights" / kind / name, path)


def by(text: str) -> Callable[[Installed, Path], None]:
    """What a command writes."""
    return lambda installed, path: installed.make(text)


def copied(name: str) -> Callable[[Installed, Path], None]:
    """Another input under this name."""
    return lambda installed, path: shutil.copytree(installed.provide(name), path)


MAKERS: Mapping[str, Callable[[Installed, Path], object]] = {
    "me.jpg": photograph(5),
    "her.jpg": photograph(6),
    "friends.jpg": photograph(5, 6),
    "photographs": photographs,
    "photographs.zip": photographs,
    "faces.zip": labelled,
    "CelebAMask-HQ": celebamask,
    "CelebAMask-HQ-512x512.pt": checkpoint,
    "checkpoint/200000.pt": checkpoint,
    "stylegan.safetensors": layers,
    "alae.safetensors": layers,
    "parser.safetensors": bundled("parsers", "photographs-64.safetensors"),
    "faces.safetensors": bundled("", "portraits-64.safetensors"),
    "drawings.safetensors": by("export runs/woodcut --out drawings.safetensors"),
    "edited.png": by("edit-region --seed 1 --region hair --from-seed 17 --out edited.png"),
    "data/portraits-64": by("prepare-data portraits --size 64 --count 12 --out data/portraits-64"),
    "data/celebamask-512.lmdb": by(
        "prepare-data celebamask-hq CelebAMask-HQ --size 64 --format lmdb --out data/celebamask-512.lmdb"
    ),
    "data/faces": copied("data/portraits-64"),
    "runs/portraits": by(f"train portraits-64 run_dir=runs/portraits data.path=data/portraits-64 {QUICK}"),
    "runs/stylegan2": by(f"train stylegan2-64 run_dir=runs/stylegan2 data.path=data/portraits-64 {QUICK}"),
    "runs/woodcut": by(
        f"train adapt-few run_dir=runs/woodcut start=portraits-64 data.path=data/portraits-64/image {QUICK}"
    ),
    "runs/faces": copied("runs/portraits"),
    "runs/mine": copied("runs/portraits"),
    "runs/a": copied("runs/portraits"),
    "runs/b": copied("runs/stylegan2"),
}
"""What examples read -> how it is made, as small as the example allows."""
