"""What the studio made: pictures and codes with their edits, as answers and as files to download."""

from __future__ import annotations

import base64
import io
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from semanticgan.editing.outputs import mark_of
from semanticgan.edits import Edit
from semanticgan.edits.operation import State
from semanticgan.edits.script import to_json
from semanticgan.formats.provenance import Mark, save_marked
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.rendering import Rendering
from semanticgan.studio.scripts import as_json, render
from semanticgan.studio.store import NotThere, Store

AT_MOST_RESULTS = 256

FILES = {
    "picture.png": "image/png",
    "code.safetensors": "application/octet-stream",
    "script.json": "application/json",
}
"""What can be downloaded of a result, and its media type."""


@dataclass(frozen=True, eq=False)
class Result:
    """A picture that was made.

    Attributes:
        model: its name.
        edit: what made it.
        code: on the CPU.
        png: the picture without metadata.
        mark: what its downloaded file says of its making.
    """

    model: str
    edit: Edit
    code: LatentCode
    png: bytes
    mark: Mark

    def file(self, name: str) -> bytes:
        """One of :data:`FILES`.

        Raises:
            NotThere: another name.
        """
        if name == "picture.png":
            picture = Image.open(io.BytesIO(self.png))
            return written(lambda path: save_marked(picture, path, self.mark), ".png")
        if name == "code.safetensors":
            return written(self.code.save, ".safetensors")
        if name == "script.json":
            return (to_json(self.edit) + "\n").encode()
        raise NotThere(f"a result has the files {', '.join(FILES)}. Choose one of them.")


def make(model: Model, name: str, edits: Sequence[Edit], states: Sequence[State]) -> list[Result]:
    """Render states in one batch.

    Args:
        model: of the codes.
        name: of the model.
        edits: what made each state.
        states: as many.
    """
    pictures = render(model, states).to_pil()
    each = zip(edits, states, pictures, strict=True)
    return [result_of(model, name, edit, state, picture) for edit, state, picture in each]


def result_of(model: Model, name: str, edit: Edit, state: State, picture: Image.Image) -> Result:
    """The result that a picture is."""
    return Result(name, edit, state.code.to("cpu"), png_of(picture), mark_of(model, "generated", edit.shareable))


def answer(store: Store[Result], result: Result) -> dict[str, Any]:
    """A result as JSON: its new id, its script, and the picture as base64 of a PNG."""
    return {"id": store.add(result), "script": as_json(result.edit), "picture": text_of(result.png)}


def with_segmentation(model: Model, rendering: Rendering) -> dict[str, Any]:
    """The segmentation as JSON: the label of every pixel, uint8 row by row as base64, and which regions are seen.

    A layered model has none: no label.
    """
    if model.rows.regions is None:
        return {"size": model.size, "labels": "", "seen": []}
    labels = rendering.labels()[0].cpu()
    seen = labels.unique().tolist()
    return {
        "size": model.size,
        "labels": text_of(labels.numpy().tobytes()),
        "seen": [model.regions.names[label] for label in seen],
    }


def png_of(picture: Image.Image, **options: Any) -> bytes:
    """A picture as PNG without metadata."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", **options)
    return buffer.getvalue()


def text_of(content: bytes) -> str:
    """Base64."""
    return base64.b64encode(content).decode("ascii")


def written(write: Callable[[Path], object], suffix: str) -> bytes:
    """The bytes that a function writes to the path it is given."""
    with tempfile.TemporaryDirectory(prefix="semanticgan-studio-") as folder:
        path = Path(folder) / f"file{suffix}"
        write(path)
        return path.read_bytes()
