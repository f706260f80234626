"""`/r/{token}`: the page behind the link in messages, where visitors see, confirm and cancel their
own registration, and find their ticket."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from litestar import Controller, Response, get, post
from litestar import Request as AnyRequest
from litestar.params import FromPath
from litestar.response import Redirect

from api.html.times import moment_in, when
from api.http.access import Who
from api.http.dispatch import execute
from api.http.problems import problem_of
from api.http.requests import Request
from api.http.responses import Ready
from api.manage import PRIVATE, Standing, confirming, current, leaving, standing_of
from api.pages.formats import HTML
from api.pages.qr import svg
from api.pages.rendering import rendered
from domain.departures import may_leave_until
from domain.visitors import CancellationClosed, LinkExpired


def answer_problem_page(request: AnyRequest[Any, Any, Any], error: Exception) -> Response[Any]:
    problem, headers = problem_of(request, error)
    content = rendered(
        "own_registration/problem.html",
        problem=problem,
        expired=isinstance(error, LinkExpired),
        too_late=isinstance(error, CancellationClosed),
    )
    return Ready(content, status_code=problem.status, media_type=HTML, headers=headers | PRIVATE)


class OwnRegistrationPages(Controller):
    path = "/r/{token:str}"
    opt = {"access": Who.ANYONE}  # noqa: RUF012  Litestar's own type for it
    include_in_schema = False
    exception_handlers = {Exception: answer_problem_page}  # noqa: RUF012

    @get("/")
    async def show(self, request: Request, token: FromPath[str]) -> Response[Any]:
        return _page(request, "registration.html", token, await current(request, token))

    @get("/cancel")
    async def confirm_cancellation(self, request: Request, token: FromPath[str]) -> Response[Any]:
        """Only asks."""
        return _page(request, "cancel.html", token, await current(request, token))

    @post("/cancel", status_code=200)
    async def cancel(self, request: Request, token: FromPath[str]) -> Response[Any]:
        done = await execute(request, leaving(request, token))
        return _page(request, "cancelled.html", token, await standing_of(request, done.value))

    @post("/confirm")
    async def confirm(self, request: Request, token: FromPath[str]) -> Response[Any]:
        await execute(request, confirming(request, token))
        return Redirect(f"/r/{token}", status_code=303, headers=PRIVATE)


def _page(request: Request, template: str, token: str, standing: Standing) -> Ready:
    event = standing.event.event

    def local(moment: datetime) -> str:
        return moment_in(event.details.timezone, moment)

    until = may_leave_until(event)
    content = rendered(
        f"own_registration/{template}",
        token=token,
        ticket=standing.ticket,
        code=svg(standing.ticket) if standing.ticket else None,
        visitor=standing.visitor,
        event=event,
        when=when(event.details),
        area=standing.event.area,
        cancel_until=until,
        may_cancel=datetime.now(UTC) <= until,
        public=request.settings.public_pages and event.exists,
        local=local,
    )
    return Ready(content, media_type=HTML, headers=PRIVATE)
