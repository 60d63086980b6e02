"""The routes: a page, `/explain` and `/explain/rows`, `/about`, and the OpenAPI page `/docs`."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib.resources
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

import pydantic_core
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

import n2r_jax
from n2r_jax.data.rows import RowProblem
from n2r_jax.errors import UserError
from n2r_jax.serve.batching import Batcher, Busy
from n2r_jax.serve.guards import Guard
from n2r_jax.serve.limits import LIMITS, Limits
from n2r_jax.serve.model import Asked, Found, ServedRun
from n2r_jax.serve.rows import units_of, uploaded_rows
from n2r_jax.serve.schemas import (
    NDJSON,
    About,
    Answer,
    AnsweredRows,
    Asking,
    Problem,
    ServedLimits,
    question_model,
    to_answer,
)

WINDOW = 0.001
"""Seconds in which requests that come at one time find each other."""
SHOWN, LONGEST = 5, 50
"""Problems named in an answer, and characters of a field's name."""
TEXTS = {"text", "tokens", "second", "choices"}
"""Fields of a request that say what is to be explained."""
PAGE = importlib.resources.files("n2r_jax.serve") / "page"
REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "description": said}
    for code, said in {
        400: "not JSON, or not UTF-8",
        408: "too slow to arrive",
        413: "too large",
        422: "not what is asked for",
        503: "too much to do",
    }.items()
}
UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {NDJSON: {"schema": {"type": "string", "example": '{"text": "Fine."}'}}},
    }
}


def make_app(
    served: ServedRun, *, hosts: Sequence[str] = ("*",), limits: Limits = LIMITS
) -> FastAPI:
    """An ASGI app around a run that is warm.

    hosts: names it may be called by; a page elsewhere that points its own name here is refused.
    """
    batcher: Batcher[Asked, Found] = Batcher(
        served, size=served.shapes.most, window=WINDOW, waiting=limits.waiting
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with batcher.running():
            yield

    app = FastAPIOffline(
        redoc_url=None,
        title="n2r_jax",
        version=n2r_jax.__version__,
        description="Labels of texts, with the words that are their reasons.",
        lifespan=lifespan,
        middleware=[
            Middleware(Guard, limits=limits),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts)),
        ],
    )
    _add_page(app)
    _add_endpoints(app, served, batcher, limits)
    _add_refusals(app)
    return app


def _add_page(app: FastAPI) -> None:
    with importlib.resources.as_file(PAGE) as folder:
        app.mount("/static", StaticFiles(directory=folder), name="static")
    html = (PAGE / "index.html").read_bytes()

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return Response(html, media_type="text/html; charset=utf-8")


def _add_endpoints(
    app: FastAPI, served: ServedRun, batcher: Batcher[Asked, Found], limits: Limits
) -> None:
    about_run, choices = _about(served, limits), served.trained.choices

    @app.get("/about")
    async def about() -> About:
        """The run behind this server, and what it takes."""
        return about_run

    async def explain(question: Asking) -> Response:
        """The label of a text with its reasons."""
        units = units_of(question.model_dump(include=TEXTS), limits, choices)
        asked = Asked(units, question.sparsity, question.faithfulness)
        return _json(to_answer(await batcher.submit(asked)))

    # What a question is depends on the run, so its description does too.
    explain.__annotations__["question"] = question_model(choices)
    app.post("/explain", response_model=Answer, responses=REFUSALS)(explain)

    @app.post(
        "/explain/rows", response_model=AnsweredRows, responses=REFUSALS, openapi_extra=UPLOAD
    )
    async def explain_rows(
        request: Request, sparsity: Annotated[float | None, Query(gt=0, le=1)] = None
    ) -> Response:
        """The rows of a JSONL file (`text` or `tokens`, and an `id`), explained."""
        rows = uploaded_rows(await request.body(), limits, choices)
        answers, size = [], served.shapes.most
        for first in range(0, len(rows), size):  # in parts: others get their turn in between
            part = rows[first : first + size]
            asked = (batcher.submit(Asked(row.units, sparsity)) for row in part)
            found = zip(part, await asyncio.gather(*asked), strict=True)
            answers += [{"id": row.id, **to_answer(one)} for row, one in found]
        return _json({"rows": answers})


def _json(content: Any) -> Response:
    return Response(pydantic_core.to_json(content), media_type="application/json")


def _about(served: ServedRun, limits: Limits) -> About:
    trained = served.trained
    return About(
        method=trained.config.method,
        checkpoint=f"{trained.which} (step {trained.step})",
        labels=list(trained.labels),
        choices=trained.choices,
        predicts_from="whole" if trained.method.predicts_from_all else "rationale",
        target_sparsity=trained.config.objective.sparsity,
        max_length=trained.config.data.max_length,
        version=n2r_jax.__version__,
        limits=ServedLimits(**dataclasses.asdict(limits)),
    )


def _add_refusals(app: FastAPI) -> None:
    """Every mistake of a request is one line; nothing of the server's inside is told."""

    @app.exception_handler(RequestValidationError)
    async def not_as_asked(_: Request, error: RequestValidationError) -> Response:
        found = (_problem(e["loc"], e["msg"]) for e in error.errors()[:SHOWN])
        return _refused(422, "; ".join(found))

    @app.exception_handler(RowProblem)
    @app.exception_handler(UserError)
    async def mended_by_the_user(_: Request, error: Exception) -> Response:
        return _refused(422, str(error))

    @app.exception_handler(Busy)
    async def busy(_: Request, error: Busy) -> Response:
        return _refused(503, "too many texts are waiting; ask again in a second")


def _problem(place: Sequence[str | int], message: str) -> str:
    where = ".".join(str(part)[:LONGEST] for part in place[1:])
    message = message.removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def _refused(status: int, detail: str) -> Response:
    # A field's name may hold half a surrogate pair, which cannot be sent.
    plain = detail.encode(errors="replace").decode()
    return JSONResponse({"detail": plain}, status)
