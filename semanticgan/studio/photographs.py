"""Photographs: inverted on a thread of their own, in slices between renders; edited; pasted back at their own size."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from semanticgan.editing.outputs import mark_of
from semanticgan.edits import Edit, Found, Source
from semanticgan.errors import Cancelled, InputError
from semanticgan.formats.provenance import save_marked
from semanticgan.inversion.inversion import Inversion, invert
from semanticgan.model import Model
from semanticgan.progress import Progress
from semanticgan.studio.models import Models
from semanticgan.studio.results import png_of, text_of, written
from semanticgan.studio.scripts import as_json, render, state_of
from semanticgan.studio.store import Store
from semanticgan.studio.turns import Busy, Turns

AT_MOST_KEPT, AT_MOST_OPEN = 8, 4
_FAST = 3  # compression of large PNGs: of a photograph, half the time of 6 and 2 % more bytes


@dataclass(eq=False)
class Job:
    """An upload and its inversion.

    Attributes:
        model: name of the model.
        sha256: of the uploaded file.
        stop: set to cancel it.
        state: "waiting", "running", "done", "failed" or "cancelled".
        done, total: steps; total is None where unknown.
        what: the step's name.
        message: why it failed.
        inversion: once it is done.
    """

    model: str
    sha256: str
    stop: threading.Event = field(default_factory=threading.Event)
    state: str = "waiting"
    done: int = 0
    total: int | None = None
    what: str = ""
    message: str = ""
    inversion: Inversion | None = None

    @property
    def ended(self) -> bool:
        return self.state in ("done", "failed", "cancelled")

    @property
    def edit(self) -> Edit:
        """The edit of the found code alone, without an operation."""
        inversion = self.require_inversion()
        code = inversion.code.tensor[0].detach().cpu().float()
        return Edit(Source(found=(Found(code, None, inversion.method),)))

    def require_inversion(self) -> Inversion:
        """Raises: InputError: it is not done."""
        if self.inversion is None:
            raise InputError("this photograph is not inverted yet. Wait until it is.")
        return self.inversion

    def told(self) -> dict[str, Any]:
        """As JSON."""
        content: dict[str, Any] = {"state": self.state, "done": self.done, "total": self.total, "what": self.what}
        if self.state == "failed":
            content["error"] = self.message
        if self.inversion is not None:
            content |= {"script": as_json(self.edit), "figures": dict(self.inversion.figures)}
            content["picture"] = text_of(png_of(self.inversion.rendering.to_pil()[0]))
        return content


class Photographs:
    """Uploads by random names, and the thread that inverts them one after another.

    Args:
        models: of the studio.
        turns: whose renders go first.
    """

    def __init__(self, models: Models, turns: Turns) -> None:
        self.models, self.turns = models, turns
        self.store: Store[Job] = Store("photograph", AT_MOST_KEPT)
        self._worker = ThreadPoolExecutor(1, "studio-inversion")
        self._open: set[Job] = set()

    def add(self, model: str, picture: Image.Image, content: bytes, aligned: bool) -> str:
        """Begin an inversion; returns its random name.

        Args:
            model: name of the model.
            picture: RGB.
            content: the uploaded file.
            aligned: whether the picture's middle square is the face.

        Raises:
            Busy: others wait already.
        """
        if len(self._open) >= AT_MOST_OPEN:
            raise Busy
        job = Job(model, hashlib.sha256(content).hexdigest())
        self._open.add(job)
        self._worker.submit(self._run, job, picture, aligned)
        return self.store.add(job)

    def cancel(self, name: str) -> None:
        """End an inversion at its next step, and forget the photograph."""
        self.store.pop(name).stop.set()

    def close(self) -> None:
        for job in list(self._open):
            job.stop.set()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _run(self, job: Job, picture: Image.Image, aligned: bool) -> None:
        try:
            with self.turns.slices() as give_way:

                def report(done: int, total: int | None, what: str) -> None:
                    job.done, job.total, job.what = done, total, what
                    give_way()

                if job.stop.is_set():
                    raise Cancelled
                job.state = "running"
                model = self.models.get(job.model)
                progress = Progress(report=report, cancel=job.stop)
                job.inversion = invert(model, picture, aligned=aligned, progress=progress)
                job.state = "done"
        except Cancelled:
            job.state = "cancelled"
        except InputError as error:
            job.message, job.state = str(error), "failed"
        except Exception:
            logging.getLogger(__name__).exception("an inversion failed")
            job.message, job.state = "the inversion failed inside the studio; the terminal says more.", "failed"
        finally:
            self._open.discard(job)


def pasted(job: Job, model: Model, edit: Edit) -> bytes:
    """The photograph with an edit of its code, at its own size, as PNG with its mark.

    Raises:
        InputError: an inversion that is not done, or an edit that does not fit the model.
    """
    inversion = job.require_inversion()
    rendering = render(inversion.model, [state_of(model, edit)])
    photograph = inversion.paste(rendering, regions=_regions(edit)) if edit.operations else inversion.photograph
    assert photograph is not None, "an upload is a photograph"
    picture = Image.fromarray(photograph.to_uint8())
    mark = mark_of(model, "composite", edit.shareable)
    return written(lambda path: save_marked(picture, path, mark, compress_level=_FAST), ".png")


def _regions(edit: Edit) -> Sequence[str] | None:
    """Where the edit may show; None for everywhere."""
    everywhere = any(operation.everywhere for operation in edit.operations) or not edit.regions
    return None if everywhere else list(edit.regions)
