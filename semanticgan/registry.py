"""Models by name: those in the package, and the authors' released ones, downloaded and converted once.

Nothing here opens a connection unless a released model is asked for by its name.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from semanticgan.errors import DataWarning, InputError, MissingFileError, WeightsError, unknown_name
from semanticgan.files import require_free, user_path, written_aside
from semanticgan.progress import Progress

DEFAULT = "portraits-64"
"""The model that ``sg.load()`` opens."""
PHOTOGRAPHS = "faces-64"
"""The bundled model of photographs."""
RELEASED_PHOTOGRAPHS = "celebamask-hq-512"
"""The authors' model of photographs."""

_MODEL_FILE = "model.safetensors"  # of a training's state, as semanticgan.runs.state writes it
_TIMEOUT_S = 30.0
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)  # two letters or more: C:/ is a drive
_SMALLEST_BYTES = 1_000_000  # no checkpoint is smaller; an error page is
_RELEASE = "https://github.com/seasonSH/SemanticStyleGAN/releases/download/1.0.0"


@dataclass(frozen=True)
class Release:
    """A checkpoint that others publish.

    Attributes:
        address: where it is.
        description: one line.
        data_licence: terms of the data it was trained on.
        num_bytes: its size, None where unknown.
        sha256: its hash, None where unknown.
    """

    address: str
    description: str
    data_licence: str
    num_bytes: int | None = None
    sha256: str | None = None

    @property
    def file_name(self) -> str:
        return self.address.rsplit("/", 1)[-1]


_FACES = "CelebAMask-HQ: non-commercial research and education only"
RELEASES: Mapping[str, Release] = MappingProxyType(
    {
        "celebamask-hq-512": Release(
            f"{_RELEASE}/CelebAMask-HQ-512x512.pt",
            "the authors' model of photographs, CelebAMask-HQ at 512 pixels",
            _FACES,
        ),
        "bitmoji-512": Release(
            f"{_RELEASE}/BitMoji-512x512.pt", "the authors' model adapted to BitMoji drawings", f"BitMoji; {_FACES}"
        ),
        "metfaces-512": Release(
            f"{_RELEASE}/MetFaces-512x512.pt",
            "the authors' model adapted to paintings, MetFaces",
            f"MetFaces: CC BY-NC 2.0; {_FACES}",
        ),
        "toonify-512": Release(
            f"{_RELEASE}/Toonify-512x512.pt", "the authors' model adapted to cartoon faces", f"Toonify; {_FACES}"
        ),
    }
)
"""The four models of release 1.0.0 of seasonSH/SemanticStyleGAN, which publishes no hashes to check."""


def bundled(kind: str = "") -> dict[str, Path]:
    """What lies in this package: name -> file.

    Args:
        kind: "" for models, "parsers" or "classifiers".
    """
    folder = Path(__file__).parent / "weights" / kind
    return {path.stem: path for path in sorted(folder.glob("*.safetensors"))}


def reader(kind: str, name_or_path: str | Path) -> Path:
    """The file of a bundled parser ("parsers") or classifier ("classifiers") by its name, or the path itself.

    Raises:
        InputError: neither a known name nor the path of a file.
    """
    known = bundled(kind)
    if str(name_or_path) in known:
        return known[str(name_or_path)]
    path = user_path(name_or_path, kind.removesuffix("s"))
    if path.suffix != ".safetensors" and not path.exists():
        raise unknown_name(kind.removesuffix("s"), str(name_or_path), known)
    return path


def cache_folder() -> Path:
    """Where downloads are kept: $SEMANTICGAN_HOME, else the platform's folder for caches."""
    if home := os.environ.get("SEMANTICGAN_HOME"):
        return user_path(home, "SEMANTICGAN_HOME")
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "semanticgan"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "semanticgan"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "semanticgan"


def resolve(name_or_path: str | Path | None = None) -> Path:
    """The file of weights of a bundled or released model, of a run's newest state, or the path itself.

    A released model that is not in the cache is downloaded and converted, with progress on stderr. A name goes before
    a folder of that name, which is said; ``./NAME`` is the folder.

    Args:
        name_or_path: a model's name, a ``.safetensors`` file, a run's folder, or one of its ``step-*`` folders.

    Raises:
        InputError: an unknown name, a missing file, or a download that did not succeed.
    """
    models = bundled()
    name = DEFAULT if name_or_path is None else str(name_or_path)
    if name in models or name in RELEASES:
        if name_or_path is not None and _newest_model(Path(name)) is not None:
            warnings.warn(
                f"{name!r} is the model of that name, not the run in the folder {name!r}. Give ./{name} for the run.",
                DataWarning,
                stacklevel=2,
            )
        return models[name] if name in models else fetch(name)
    if name_or_path is None:
        raise MissingFileError(
            f"the bundled model {DEFAULT!r} is not in this installation. Install semanticgan again, or name a model: "
            f"{', '.join([*models, *RELEASES])}, or a .safetensors file."
        )
    path = user_path(name_or_path, "model")
    if _ADDRESS.match(name) and not path.exists():
        raise InputError(
            f"a model is a name, a .safetensors file or a run's folder; addresses such as {name!r} are not opened. "
            f"Download the file and give its path, or give one of {', '.join([*models, *RELEASES])}."
        )
    if path.is_file():
        return path
    if (newest := _newest_model(path)) is not None:
        return newest
    if path.exists() or path.suffix or os.sep in str(path):
        found = "is a folder without a training state" if path.is_dir() else "does not exist"
        raise MissingFileError(
            f"file of weights {str(path)!r} {found}. Give an existing .safetensors file, the folder of a run, or one "
            f"of {', '.join([*models, *RELEASES])}."
        )
    raise unknown_name("model", name, [*models, *RELEASES])


def _newest_model(folder: Path) -> Path | None:
    """The model of a state's folder, or of the newest state in a run's folder; None where there is none."""
    states = [
        (int(match[1]), state) for state in folder.glob("step-*") if (match := re.fullmatch(r"step-(\d+)", state.name))
    ]
    for state in (folder, *(state for _, state in sorted(states, reverse=True))):
        if (state / _MODEL_FILE).is_file():
            return state / _MODEL_FILE
    return None


def _converted(name: str) -> Path:
    """Where the converted file of a released model lies, once it is there."""
    return cache_folder() / "models" / f"{name}.safetensors"


def is_cached(name: str) -> bool:
    """Whether a released model can be opened without a download."""
    return _converted(name).is_file()


def fetch(name: str) -> Path:
    """The converted file of a released model, made on the first call.

    Asking for a released model by name is the consent that ``convert_checkpoint.py --trust`` asks for; it is read by
    the same restricted unpickling.
    """
    release = RELEASES[name]
    target = _converted(name)
    if target.is_file():
        return target
    source = cache_folder() / "downloads" / release.file_name
    if not source.is_file():
        download(release, source)
    from semanticgan.reference import LICENCE, convert_checkpoint

    try:
        convert_checkpoint(
            source,
            target,
            trust=True,
            include_discriminator=False,
            licence=LICENCE,
            data_licence=release.data_licence,
            description=release.description,
            overwrite=True,
        )
    except WeightsError as error:
        raise WeightsError(f"{error} The download lies at {str(source)!r}; remove it to download it again.") from error
    return target


def download(release: Release, target: Path) -> None:
    """Fetch a release into ``target``, which appears only when it is whole.

    Raises:
        InputError: no connection, or an answer that is not the file; nothing is left behind.
    """
    import hashlib
    import http.client
    import urllib.error
    import urllib.request

    by_hand = f"download {release.address} by hand and place it at {str(target)!r}, then run this again"
    require_free(target)
    try:
        with (
            urllib.request.urlopen(release.address, timeout=_TIMEOUT_S) as answer,
            written_aside(target, overwrite=True) as aside,
            open(aside, "wb") as file,
        ):
            announced = answer.headers.get("Content-Length")
            num_bytes = release.num_bytes or (int(announced) if announced and announced.isdigit() else None)
            digest = hashlib.sha256()
            bar = Progress().steps(release.file_name, num_bytes, "B", disable=False, unit_scale=True, leave=False)
            with bar as step:
                while block := answer.read(1 << 20):
                    file.write(block)
                    digest.update(block)
                    step(len(block))
            file.flush()
            _require_whole(release, aside, num_bytes, digest.hexdigest())
    except InputError:
        raise
    except urllib.error.HTTPError as error:
        raise InputError(f"{release.address} answered {error.code} {error.reason}. Try later, or {by_hand}.") from error
    except (OSError, http.client.HTTPException) as error:  # URLError, timeouts and broken connections
        reason = getattr(error, "reason", error)
        raise InputError(f"cannot download {release.address} ({reason}). Without a network: {by_hand}.") from error


def _require_whole(release: Release, path: Path, num_bytes: int | None, sha256: str) -> None:
    from semanticgan.formats.weights import file_kind

    size, kind = path.stat().st_size, file_kind(path)
    reason = None
    if kind != "pickle":
        reason = f"the answer is {kind}" if kind != "safetensors" else "the answer is no checkpoint of the authors"
    elif num_bytes is not None and size != num_bytes:
        reason = f"{size:,} bytes came, {num_bytes:,} were announced"
    elif size < _SMALLEST_BYTES:
        reason = f"{size:,} bytes are too few for a checkpoint"
    elif release.sha256 is not None and sha256 != release.sha256:
        reason = f"its SHA-256 is {sha256}, known is {release.sha256}"
    if reason:
        raise WeightsError(f"the download of {release.address} failed: {reason}. Try again later.")
