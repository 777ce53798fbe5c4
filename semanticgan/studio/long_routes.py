"""Routes of what takes long: photographs and paintings, with their progress as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.datastructures import UploadFile

from semanticgan.errors import InputError
from semanticgan.studio.long_jobs import LongJob
from semanticgan.studio.paintings import Wish
from semanticgan.studio.photographs import pasted
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
        return JSONResponse({"id": photographs.add(name, picture, aligned)}, 202)

    @app.post("/api/photographs/{photograph}/face")
    async def choose_face(request: Request, photograph: str) -> JSONResponse:
        asked = await read_json(request)
        photographs.choose(photograph, asked.get("face"))
        return JSONResponse({"id": photograph}, 202)

    @app.get("/api/photographs/{photograph}/events")
    async def photograph_events(request: Request, photograph: str) -> StreamingResponse:
        return _events(request, photographs.store.get(photograph))

    @app.post("/api/photographs/{photograph}/result")
    async def result(request: Request, photograph: str) -> Response:
        found = photographs.store.get(photograph)
        edit = studio.edit_of(await read_json(request)).composited(None)  # its own pixels stay outside the regions
        content = await studio.turns.run(request, lambda: pasted(found, studio.models.get(found.model), edit))
        headers = {"content-disposition": 'attachment; filename="photograph.png"'}
        return Response(content, media_type="image/png", headers=headers)

    @app.delete("/api/photographs/{photograph}")
    async def cancel(photograph: str) -> JSONResponse:
        photographs.cancel(photograph)
        return JSONResponse({"cancelled": True})


def add_paintings(app: FastAPI, studio: Studio) -> None:
    """A painting or a drag, progress, cancel."""
    paintings = studio.paintings

    @app.post("/api/paintings")
    async def paint(request: Request) -> JSONResponse:
        asked = await read_json(request)
        name, edit = studio.models.name_of(asked.get("model")), studio.edit_of(asked)
        return JSONResponse({"id": paintings.add(name, edit, Wish.of(asked, read_locked(asked)))}, 202)

    @app.get("/api/paintings/{painting}/events")
    async def painting_events(request: Request, painting: str) -> StreamingResponse:
        return _events(request, paintings.store.get(painting))

    @app.delete("/api/paintings/{painting}")
    async def cancel(painting: str) -> JSONResponse:
        paintings.cancel(painting)
        return JSONResponse({"cancelled": True})


def _events(request: Request, job: LongJob) -> StreamingResponse:
    async def told() -> AsyncIterator[str]:
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

    return StreamingResponse(told(), media_type="text/event-stream")
