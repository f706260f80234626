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
from api.http.problems import Problem
from api.http.requests import Request
from api.http.responses import Ready
from api.manage import PRIVATE, Standing, confirming, current, leaving, standing_of
from api.pages.formats import HTML
from api.pages.languages import reader_of
from api.pages.problems import Explanation, explanation_of, problem_page
from api.pages.qr import svg
from api.pages.rendering import rendered
from domain.departures import may_leave_until
from domain.visitors import CancellationClosed
from runtime.languages.locale import Locale


def answer_problem_page(request: AnyRequest[Any, Any, Any], error: Exception) -> Response[Any]:
    page = problem_page(request, error, _explanation_of)
    page.headers.update(PRIVATE)
    return page


def _explanation_of(problem: Problem, locale: Locale) -> Explanation:
    _ = locale.gettext
    match problem.status:
        case 410:
            return Explanation(
                _("This registration is over"),
                _(
                    "It was cancelled, or the address was not confirmed in time. If you registered"
                    " again since, the last message has the link that works."
                ),
            )
        case 409 if problem.type.endswith(CancellationClosed.slug):
            return Explanation(
                _("It is too late to cancel"),
                _("Please tell the organizers that you cannot come."),
            )
        case 404:
            return Explanation(
                _("This link does not work"),
                _("Perhaps a part of it is missing. Open it from your message, or copy all of it."),
            )
        case _status:
            return explanation_of(problem, locale)


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
        own_page = reader_of(request).link(f"/r/{token}")
        return Redirect(own_page, status_code=303, headers=PRIVATE)


def _page(request: Request, template: str, token: str, standing: Standing) -> Ready:
    event = standing.event.event
    reader = reader_of(request, event.details.language)

    def local(moment: datetime) -> str:
        return moment_in(event.details.timezone, moment, reader.locale)

    until = may_leave_until(event)
    content = rendered(
        reader,
        f"own_registration/{template}",
        query={} if request.method == "GET" else None,
        token=token,
        ticket=standing.ticket,
        code=svg(standing.ticket) if standing.ticket else None,
        visitor=standing.visitor,
        asked=standing.asked,
        event=event,
        when=when(event.details, reader.locale),
        area=standing.event.area,
        cancel_until=until,
        may_cancel=datetime.now(UTC) <= until,
        public=request.settings.public_pages and event.exists,
        local=local,
    )
    return Ready(content, media_type=HTML, headers=reader.headers | PRIVATE)
