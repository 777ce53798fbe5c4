"""Routes of what takes long: photographs and paintings, with their progress as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.datastructures import UploadFile

from semanticgan.errors import InputError
from semanticgan.studio.long_jobs import LongJob, NamedJobs
from semanticgan.studio.paintings import Painting, Wish
from semanticgan.studio.photographs import Photograph, pasted
from semanticgan.studio.scripts import read_locked
from semanticgan.studio.studio import Studio
from semanticgan.studio.uploads import read_json

_EVENTS_EVERY_S = 0.2


def add_photographs(app: FastAPI, studio: Studio) -> None:
    """Upload, choice of a face, progress, result, cancel."""
    photographs = studio.photographs

    @app.post("/api/photographs")
    async def upload(request: Request) -> JSONResponse:
        if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            raise InputError('a photograph is sent as multipart/form-data with a part named "file".')
        async with request.form(max_files=1, max_fields=4) as form:  # arrives within the limits of size and time
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise InputError('the form has no part named "file". Choose a photograph.')
            content = await file.read()
            name = studio.models.name_of(form.get("model"))
            aligned = form.get("aligned") == "true"
        picture = await asyncio.to_thread(studio.decoder.decode, content)
        return JSONResponse({"id": photographs.add(Photograph(studio.models, name, picture, aligned))}, 202)

    @app.post("/api/photographs/{photograph}/face")
    async def choose_face(request: Request, photograph: str) -> JSONResponse:
        asked = await read_json(request)
        found = photographs.store.get(photograph)
        found.choose(asked.get("face"))
        studio.jobs.start(found)
        return JSONResponse({"id": photograph}, 202)

    @app.post("/api/photographs/{photograph}/result")
    async def result(request: Request, photograph: str) -> Response:
        found = photographs.store.get(photograph)
        edit = studio.edit_of(await read_json(request)).composited(None)  # its own pixels stay outside the regions
        content = await studio.turns.run(request, lambda: pasted(found, studio.models.get(found.model), edit))
        headers = {"content-disposition": 'attachment; filename="photograph.png"'}
        return Response(content, media_type="image/png", headers=headers)

    _add_followed(app, "photographs", photographs)


def add_paintings(app: FastAPI, studio: Studio) -> None:
    """A painting or a drag, progress, cancel."""
    paintings = studio.paintings

    @app.post("/api/paintings")
    async def paint(request: Request) -> JSONResponse:
        asked = await read_json(request)
        name, edit = studio.models.name_of(asked.get("model")), studio.edit_of(asked)
        painting = Painting(studio.models, name, edit, Wish.of(asked, read_locked(asked)))
        return JSONResponse({"id": paintings.add(painting)}, 202)

    _add_followed(app, "paintings", paintings)


def _add_followed(app: FastAPI, kind: str, jobs: NamedJobs[Any]) -> None:
    """Progress and cancel."""

    @app.get(f"/api/{kind}/{{name}}/events")
    async def events(request: Request, name: str) -> StreamingResponse:
        return StreamingResponse(_told(request, jobs.store.get(name)), media_type="text/event-stream")

    @app.delete(f"/api/{kind}/{{name}}")
    async def cancel(name: str) -> JSONResponse:
        jobs.cancel(name)
        return JSONResponse({"cancelled": True})


async def _told(request: Request, job: LongJob) -> AsyncIterator[str]:
    """What a job tells, each time that it changes."""
    last = ""
    with job.listened_to():
        while not await request.is_disconnected():
            ended = job.ended
            if (text := json.dumps(job.told())) != last:
                yield f"data: {text}\n\n"
                last = text
            if ended:
                return
            await asyncio.sleep(_EVENTS_EVERY_S)
