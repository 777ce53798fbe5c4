"""The server: what it answers, by address.

====================================  =================================================================================
GET /, /NAME                          the page and its files
GET /api/models                       names of the models; the first is the default
GET /api/models/NAME                  its side, regions or layers, directions, and the steps
POST /api/render                      {"seed": 3, "truncation": 1.0} -> PNG
POST /api/edit                        {"script", "composite_after": n} or the script itself -> picture, segmentation
POST /api/steps/1 to 4                {"script" or "code": id, "shuffle": 0, "then": [...]} -> sixteen pictures
POST /api/variations                  {"script", "regions": ["hair"], "what": "both", "shuffle": 0} -> sixteen pictures
POST /api/directions                  {"region": "hair"} -> directions of its own rows
                                      of a layered model both take "layers": "0-3" in place of regions
POST /api/paintings                   {"script", "labels" or "drag"} -> id
GET /api/paintings/ID/events          progress (server-sent events), at last the operation
DELETE /api/paintings/ID              cancel
GET /api/results/ID/FILE              picture.png, code.safetensors, script.json
POST /api/photographs                 multipart: "file", "model", "aligned" -> id
GET /api/photographs/ID/events        progress of the inversion (server-sent events)
POST /api/photographs/ID/face         {"face": 2}, where the progress ends with several faces
POST /api/photographs/ID/result       {"script"} -> the photograph with the edit, PNG at its own size
DELETE /api/photographs/ID            cancel, forget
====================================  =================================================================================

Every request that computes may name a "model", a "client" (a random name whose last picture is kept, so that an edit
computes only what it changes) and, where rows vary, regions (or layers, "layer.3") that are "locked". An error is
{"error": one sentence}.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from semanticgan.edits import Edit
from semanticgan.errors import InputError
from semanticgan.seeds import require_seed
from semanticgan.studio import steps
from semanticgan.studio.answers import add_error_answers
from semanticgan.studio.described import described
from semanticgan.studio.guard import Guard, is_local
from semanticgan.studio.long_routes import add_paintings, add_photographs
from semanticgan.studio.models import AT_MOST_LOADED, Models
from semanticgan.studio.page_files import page_files
from semanticgan.studio.results import FILES, make
from semanticgan.studio.scripts import after, read_layers, read_locked, read_operations, state_of
from semanticgan.studio.sessions import client_of
from semanticgan.studio.store import NotThere
from semanticgan.studio.studio import Studio
from semanticgan.studio.uploads import read_json
from semanticgan.wrong_arguments import finite_number


def create_app(
    models: Sequence[str | Path],
    *,
    host: str = "127.0.0.1",
    token: str = "",
    device: str = "auto",
    at_most: int = AT_MOST_LOADED,
) -> FastAPI:
    """The server as an ASGI application.

    Args:
        models: names and paths; the first is the default.
        host: where it will listen.
        token: that requests must bring; "" for none.
        device: where models compute.
        at_most: models in memory.

    Raises:
        InputError: no model, or a host that others reach without a token.
    """
    if not is_local(host) and not token:
        raise InputError(f"on {host!r} others reach the studio, so it needs a token. Give --token.")
    studio = Studio(Models(models, device, at_most))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        studio.close()

    app = FastAPI(title="semanticgan studio", openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.studio = studio
    add_error_answers(app)
    _add_pictures(app, studio)
    _add_offers(app, studio)
    add_photographs(app, studio)
    add_paintings(app, studio)
    _add_page(app, studio)
    app.add_middleware(Guard, host=host, token=token)
    return app


def _add_page(app: FastAPI, studio: Studio) -> None:
    files = page_files()

    @app.get("/api/models")
    async def list_models() -> JSONResponse:
        return JSONResponse({"models": list(studio.models.names)})

    @app.get("/api/models/{name}")
    async def describe_model(request: Request, name: str) -> JSONResponse:
        name = studio.models.name_of(name)
        return JSONResponse(await studio.turns.run(request, lambda: described(name, studio.models.get(name))))

    @app.get("/")
    @app.get("/{name}")
    async def page(name: str = "index.html") -> Response:
        if name not in files:
            raise NotThere("the studio has no such page. Open its first page.")
        content, media_type = files[name]
        return Response(content, media_type=media_type)


def _add_pictures(app: FastAPI, studio: Studio) -> None:
    @app.post("/api/render")
    async def render_seed(request: Request) -> Response:
        asked = await read_json(request)
        name = studio.models.name_of(asked.get("model"))
        seed = require_seed(asked.get("seed"))
        edit = Edit(seed, truncation=finite_number("truncation", asked.get("truncation", 1.0)))

        def job() -> bytes:
            model = studio.models.get(name)
            (result,) = make(model, name, [edit], [state_of(model, edit)])
            return result.file("picture.png")

        return Response(await studio.turns.run(request, job), media_type="image/png")

    @app.post("/api/edit")
    async def apply_edit(request: Request) -> JSONResponse:
        asked = await read_json(request)
        asked = {"script": asked} if "format" in asked else asked
        name, edit, client = studio.models.name_of(asked.get("model")), studio.edit_of(asked), client_of(asked)
        if "composite_after" in asked:
            edit = edit.composited(asked["composite_after"])
        return JSONResponse(await studio.turns.run(request, lambda: studio.edited(name, edit, client)))

    @app.post("/api/directions")
    async def own_directions(request: Request) -> JSONResponse:
        asked = await read_json(request)
        name, region, layers = studio.models.name_of(asked.get("model")), asked.get("region", ""), read_layers(asked)
        if not isinstance(region, str) or bool(region) == bool(layers):
            raise InputError('"region" is the name of one, such as "hair", or "layers" are such as "0-3". Choose one.')
        found = await studio.turns.run(request, lambda: studio.own_directions(name, region, layers))
        return JSONResponse({"directions": found})

    @app.get("/api/results/{result}/{file}")
    async def download(result: str, file: str) -> Response:
        found = studio.results.get(result)
        content = await asyncio.to_thread(found.file, file)
        headers = {"content-disposition": f'attachment; filename="{file}"'}
        return Response(content, media_type=FILES[file], headers=headers)


def _add_offers(app: FastAPI, studio: Studio) -> None:
    @app.post("/api/steps/{number}")
    async def offer_step(request: Request, number: str) -> JSONResponse:
        step = int(number) if number in ("1", "2", "3", "4") else 0
        if not step:
            raise NotThere("there are the steps 1 to 4. Choose one of them.")
        asked = await read_json(request)
        name, shuffle = studio.models.name_of(asked.get("model")), asked.get("shuffle", 0)
        then, locked = read_operations(asked.get("then", [])), read_locked(asked)
        before = None if step == 1 else studio.edit_of(asked).composited(None)

        def edits() -> list[tuple[Edit, Any]]:
            model = studio.models.get(name)
            if before is None:
                offered = steps.faces(shuffle)
                return [(edit, after(model, state_of(model, edit), then)) for edit in offered]
            state = state_of(model, before)
            offered_steps = steps.operations(model, step, shuffle, locked)
            return [(before.then(one), after(model, state, (one, *then))) for one in offered_steps]

        return JSONResponse({"pictures": await studio.turns.run(request, lambda: studio.offer(name, edits))})

    @app.post("/api/variations")
    async def offer_variations(request: Request) -> JSONResponse:
        asked = await read_json(request)
        name, edit = studio.models.name_of(asked.get("model")), studio.edit_of(asked).composited(None)
        regions, what, shuffle = asked.get("regions", []), asked.get("what", "both"), asked.get("shuffle", 0)
        locked, layers = read_locked(asked), read_layers(asked)
        named = isinstance(regions, list) and bool(regions) and all(isinstance(one, str) for one in regions)
        if not named and not layers:
            raise InputError('"regions" is a list of names, such as ["hair"]. Choose at least one region.')

        def edits() -> list[tuple[Edit, Any]]:
            model = studio.models.get(name)
            state = state_of(model, edit)
            if layers:
                varied = steps.variations_of_layers(model, layers, shuffle, locked)
            else:
                varied = steps.variations(model, regions, what, shuffle, locked)
            return [(edit.then(one), after(model, state, (one,))) for one in varied]

        return JSONResponse({"pictures": await studio.turns.run(request, lambda: studio.offer(name, edits))})
