"""The four design steps as a folder that any web host serves: the model runs in the visitor's browser.

The page computes by onnxruntime-web (one thread of WebAssembly). It shows the seeds of :mod:`semanticgan.studio.steps`
and draws them from PyTorch's random stream, so that a seed is the same face there and in Python.

| file | holds |
|---|---|
| ``index.html``, ``*.js``, ``*.css``, ``icon.svg`` | the page |
| ``studio.json`` | the steps, the model's rows and w-bar, and the names of all files |
| ``generator.onnx``, ``mapping.onnx`` | the model, as :func:`semanticgan.export.onnx_files.export_onnx` writes it |
| ``ort.js``, ``ort.wasm`` | onnxruntime-web |
| ``licences.txt`` | terms of page, model and runtime |
"""

from __future__ import annotations

import json
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

from semanticgan import extras
from semanticgan.editing.outputs import mark_of
from semanticgan.errors import ExistingFileError, InputError
from semanticgan.export.onnx_files import export_onnx, mapping_file
from semanticgan.files import folder_written_aside, require_free, user_path
from semanticgan.formats.tensorfile import open_tensors
from semanticgan.model import Model
from semanticgan.seeds import MAX_SEED
from semanticgan.studio import runtime_files
from semanticgan.studio.steps import MOST_SHUFFLES, NUM_OFFERED, TRUNCATION, offered_seeds, operations, steps_of

FORMAT = {"format": "semanticgan-static-studio", "format_version": 1}
MANIFEST = "studio.json"
SHARED = ("elements.js", "grid.js", "studio.css", "icon.svg")
"""Files of the studio's page that this page uses as they are."""
LARGEST_SEED = 2**32 - 1
"""Larger seeds are hashed (:mod:`semanticgan.seeds`), which the page does not do."""
assert LARGEST_SEED < MAX_SEED

_GENERATOR, _MAPPING, _MODULE, _BINARY, _LICENCES = (
    "generator.onnx",
    "mapping.onnx",
    "ort.js",
    "ort.wasm",
    "licences.txt",
)
_RUNTIME = {runtime_files.MODULE: _MODULE, runtime_files.BINARY: _BINARY}  # ".mjs" has no media type on some hosts
_SCRIPT = "@edit-script@"  # where the page puts its edit into a picture's mark


def require_site(folder: str | Path, overwrite: bool = False) -> Path:
    """The path of the folder, checked before a model is opened.

    Raises:
        InputError: a missing package, an existing folder, or one that cannot be written. With ``overwrite`` an existing
            folder is refused where it holds a file that is not of an earlier site.
    """
    folder = require_free(user_path(folder, "output"), overwrite)
    if folder.exists():
        _require_own(folder)
    extras.require("onnx")
    return folder


def write_site(
    model: Model, name: str, folder: str | Path, runtime: str | Path, overwrite: bool = False
) -> dict[str, int]:
    """Write the page, the model and the runtime.

    Args:
        model: of regions.
        name: what the page calls it.
        folder: to write; appears whole, by one rename.
        runtime: the folder of the npm package onnxruntime-web, see :func:`runtime_files.read_runtime`.
        overwrite: replace an earlier site.

    Returns:
        Name -> bytes of every file.

    Raises:
        InputError: as :func:`require_site` and :func:`runtime_files.read_runtime`; a model of layers.
    """
    folder = require_site(folder, overwrite)
    of_runtime = runtime_files.read_runtime(runtime)
    if model.rows.regions is None:
        raise InputError(f"the model {name!r} has layers, and the page without a server takes regions. Choose another.")
    with folder_written_aside(folder, overwrite) as aside:
        for file, content in _page().items():
            (aside / file).write_bytes(content)
        for file, content in of_runtime.items():
            (aside / _RUNTIME[file]).write_bytes(content)
        export_onnx(model, aside / _GENERATOR)
        mapping_file(aside / _GENERATOR).rename(aside / _MAPPING)
        (aside / _LICENCES).write_text(_licences(model, name), encoding="utf-8")
        sizes = {path.name: path.stat().st_size for path in sorted(aside.iterdir())}
        told = json.dumps(_manifest(model, name) | {"files": sizes}, ensure_ascii=False, allow_nan=False)
        (aside / MANIFEST).write_text(told + "\n", encoding="utf-8")
        sizes[MANIFEST] = (aside / MANIFEST).stat().st_size
    return sizes


def _page() -> dict[str, bytes]:
    """The page's own files and those of the studio that it shares."""
    package = resources.files("semanticgan.studio")
    files = {entry.name: entry.read_bytes() for entry in package.joinpath("static").iterdir() if "." in entry.name}
    return files | {name: package.joinpath("page").joinpath(name).read_bytes() for name in SHARED}


def _manifest(model: Model, name: str) -> dict[str, Any]:
    """What the page is told; it knows nothing of the model else."""
    about, mean = model.metadata, model.generator.mean_latent
    steps = []
    for number, step in enumerate(steps_of(model), 1):
        varied: dict[str, Any] | None = None
        if number > 1:
            varied = operations(model, number, 0)[0].to_dict()
            del varied["source"]
        first = offered_seeds(number, 0)[0]
        steps.append({"title": step.title, "hint": step.hint, "first_seed": first, "operation": varied})
    return {
        **FORMAT,
        "name": name,
        "digest": about.digest,
        "description": about.description,
        "licence": about.licence,
        "data_licence": about.data_licence,
        "size": model.size,
        "latent_dim": model.generator.latent_dim,
        "style_dim": model.config.style_dim,
        "rows": list(model.rows.names),
        "mean_latent": mean.reshape(-1, mean.shape[-1]).tolist(),
        "num_offered": NUM_OFFERED,
        "truncation": TRUNCATION,
        "most_shuffles": MOST_SHUFFLES,
        "largest_seed": LARGEST_SEED,
        "steps": steps,
        "code_metadata": _code_metadata(model),
        "mark": mark_of(model, "generated", _SCRIPT).xmp().decode(),
        "mark_script": _SCRIPT,
    }


def _code_metadata(model: Model) -> dict[str, str]:
    """What a file of a latent code of this model says beside the tensor."""
    with tempfile.TemporaryDirectory(prefix="semanticgan-static-") as folder:
        path = Path(folder) / "mean.safetensors"
        model.mean.to("cpu").save(path)
        return dict(open_tensors(path, "the latent code").metadata)


def _require_own(folder: Path) -> None:
    """Raises: ExistingFileError: a link, a file, or a folder with files that are not of an earlier site."""
    if folder.is_symlink() or not folder.is_dir():
        raise ExistingFileError(f"output {str(folder)!r} is no folder, so it is not replaced. Choose another name.")
    present = {path.name for path in folder.iterdir()}
    try:
        described = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        own = set(described["files"]) | {MANIFEST} if described["format"] == FORMAT["format"] else set()
    except (OSError, ValueError, KeyError, TypeError):
        own = set()
    for foreign in sorted(present - own):
        raise ExistingFileError(
            f"output {str(folder)!r} holds {foreign!r}, which is not of a static studio, so it is not replaced. Choose "
            "another name."
        )


def _licences(model: Model, name: str) -> str:
    about = model.metadata
    return f"""The page is part of semanticgan, Apache-2.0: https://www.apache.org/licenses/LICENSE-2.0

{_GENERATOR}, {_MAPPING}: the model {name}, {about.description}
  terms of the weights: {about.licence or "not stated"}
  terms of the training data: {about.data_licence or "not stated"}

{_MODULE}, {_BINARY}: {" and ".join(runtime_files.DIGESTS)} of {runtime_files.PACKAGE} {runtime_files.VERSION}
{_MIT}"""


_MIT = """
MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
