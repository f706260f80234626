"""`/admin/`: how things are going, at first sight and as long as one looks."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import ServerSentEvent

from api.access import Who
from api.admin.cookies import seen
from api.admin.figures import TABLES, figures
from api.admin.onlookers import PERIOD, Onlookers
from api.admin.pages import fragment, page
from api.reading import read
from api.requests import Request


@get("/", opt={"access": Who.STAFF})
async def dashboard(request: Request) -> Response[str]:
    found = await read(request, seen(request), figures, TABLES)
    return page(request, "dashboard/page.html", figures=found)


def live_dashboard() -> HTTPRouteHandler:
    """The route of the figures that follow."""
    onlookers = Onlookers()

    @get("/live", opt={"access": Who.STAFF})
    async def live(request: Request) -> Response[Any]:
        if onlookers.full:
            return Response(None, status_code=503, headers={"Retry-After": "60"})

        async def look() -> str:
            found = await read(request, 0, figures)
            return fragment("dashboard/cards.html", figures=found)

        return ServerSentEvent(
            onlookers.stream(look, request.connections.ending),
            headers={"Cache-Control": "no-store"},
            retry_duration=int(PERIOD * 1000),
        )

    return live
