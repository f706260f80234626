"""`/events/{id}/embed`: the form to register, in a frame on the sites that `EMBED_ORIGINS` names.

It has no cookie and no session, so there is nothing that another site could misuse by framing it,
and nothing that a browser blocks.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar import Request as AnyRequest
from litestar.params import FromPath
from litestar.response import Redirect

from api.http.access import Who
from api.http.headers import framed_by
from api.http.requests import Request
from api.http.responses import Ready, not_stored
from api.pages.event_page import (
    FORM,
    Rejected,
    existing_event,
    page_after,
    page_of,
    questions_of,
    registered,
)
from api.pages.formats import HTML
from api.pages.languages import reader_of
from api.pages.problems import answer_problem_page


def answer_framed_problem(request: AnyRequest[Any, Any, Any], error: Exception) -> Response[Any]:
    response = answer_problem_page(request, error, template="embed/problem.html")
    origins = request.app.state["settings"].embed_origins
    response.headers.update(framed_by(origins))
    return response


class EmbeddedForm(Controller):
    path = "/events/{event_id:uuid}/embed"
    opt = {"access": Who.ANYONE}  # noqa: RUF012  Litestar's own type for it
    include_in_schema = False
    exception_handlers = {Exception: answer_framed_problem}  # noqa: RUF012

    @get("/")
    async def show(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        event = await existing_event(request, event_id)
        reader = reader_of(request, event.language)
        questions = await questions_of(request, event_id)
        content = page_of(request, event, reader, questions, template="embed/form.html")
        return _framed(request, Ready(content, media_type=HTML, headers=reader.headers))

    @post("/", opt={"limit": "register", "accepts": FORM})
    async def register(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        outcome = await registered(request, event_id)
        if isinstance(outcome, Rejected):
            event = await existing_event(request, event_id)
            reader = reader_of(request, event.language)
            content = page_of(
                request,
                event,
                reader,
                outcome.questions,
                outcome.form,
                outcome.state,
                "embed/form.html",
            )
            return _framed(request, outcome.response(content, reader))
        after = reader_of(request).link(f"/events/{event_id}/embed/registered", **{"as": outcome})
        return Redirect(after, status_code=303)

    @get("/registered")
    async def after(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        return _framed(request, await page_after(request, event_id, "embed/registered.html"))


def _framed(request: Request, page: Ready) -> Ready:
    page.headers.update(framed_by(request.settings.embed_origins) | {"X-Robots-Tag": "noindex"})
    return not_stored(page)
