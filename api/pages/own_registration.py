"""`/r/{token}`: the page behind the link in messages, where visitors see, confirm and cancel their
own registration. It works without scripts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from litestar import Controller, Response, get, post
from litestar import Request as AnyRequest
from litestar.enums import MediaType
from litestar.params import FromPath
from litestar.response import Redirect

from api.http.access import Who
from api.http.dispatch import execute
from api.http.problems import problem_of
from api.http.requests import Request
from api.manage import PRIVATE, Standing, confirming, current, leaving, standing_of
from api.pages.rendering import rendered
from domain.core.times import in_timezone
from domain.departures import may_leave_until
from domain.visitors import CancellationClosed, LinkExpired


def answer_problem_page(request: AnyRequest[Any, Any, Any], error: Exception) -> Response[Any]:
    problem, headers = problem_of(request, error)
    content = rendered(
        "own_registration/problem.html",
        title=problem.title,
        detail=problem.detail,
        expired=isinstance(error, LinkExpired),
        too_late=isinstance(error, CancellationClosed),
    )
    return Response(
        content, status_code=problem.status, media_type=MediaType.HTML, headers=headers | PRIVATE
    )


class OwnRegistrationPages(Controller):
    path = "/r/{token:str}"
    opt = {"access": Who.ANYONE}  # noqa: RUF012  Litestar's own type for it
    include_in_schema = False
    exception_handlers = {Exception: answer_problem_page}  # noqa: RUF012

    @get("/")
    async def show(self, request: Request, token: FromPath[str]) -> Response[str]:
        return _page("registration.html", token, await current(request, token))

    @get("/cancel")
    async def confirm_cancellation(self, request: Request, token: FromPath[str]) -> Response[str]:
        """Only asks."""
        return _page("cancel.html", token, await current(request, token))

    @post("/cancel", status_code=200)
    async def cancel(self, request: Request, token: FromPath[str]) -> Response[str]:
        done = await execute(request, leaving(request, token))
        return _page("cancelled.html", token, await standing_of(request, done.value))

    @post("/confirm")
    async def confirm(self, request: Request, token: FromPath[str]) -> Response[Any]:
        await execute(request, confirming(request, token))
        return Redirect(f"/r/{token}", status_code=303, headers=PRIVATE)


def _page(template: str, token: str, standing: Standing) -> Response[str]:
    event = standing.event.event

    def local(moment: datetime) -> str:
        """In the event's time zone."""
        there, zone = in_timezone(moment, event.details.timezone)
        return f"{there:%A, %-d %B %Y, %H:%M} ({zone})"

    until = may_leave_until(event)
    content = rendered(
        f"own_registration/{template}",
        token=token,
        visitor=standing.visitor,
        event=event,
        area=standing.event.area,
        cancel_until=until,
        may_cancel=datetime.now(UTC) <= until,
        local=local,
    )
    return Response(content, media_type=MediaType.HTML, headers=PRIVATE)
