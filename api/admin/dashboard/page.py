"""`/admin/`: how things are going, at first sight and as long as one looks."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import ServerSentEvent
from psycopg.errors import UndefinedColumn, UndefinedTable

from api.admin.dashboard.figures import TABLES, Figures, figures
from api.admin.dashboard.live_figures import PERIOD, Kind, Onlookers, Shown
from api.admin.kit.cookies import seen
from api.admin.kit.forms import whole_number
from api.admin.kit.pages import fragment, page
from api.admin.system_status import upkeep
from api.http.access import Permission, may
from api.http.reads import Lagging, read
from api.http.requests import Request

TELLING = (Permission.READ_HISTORY, Permission.REBUILD_TABLES)
"""What makes a difference to what the cards show."""

KINDS: list[Kind] = [frozenset(some) for n in range(3) for some in combinations(TELLING, n)]


@get("/", opt={"access": Permission.USE_PANEL})
async def dashboard(request: Request) -> Response[str]:
    return page(
        request,
        "dashboard/page.html",
        figures=await _figures(request, seen(request)),
        upkeep=await upkeep(request),
    )


def live_dashboard() -> HTTPRouteHandler:
    """The route of the figures that follow."""
    onlookers = Onlookers()

    @get("/live", opt={"access": Permission.USE_PANEL})
    async def live(request: Request) -> Response[Any]:
        if onlookers.full:
            return Response(None, status_code=503, headers={"Retry-After": "60"})

        async def look() -> Shown:
            content = {"figures": await _figures(request, 0), "upkeep": await upkeep(request)}
            return {
                kind: fragment("dashboard/cards.html", allowed=kind.__contains__, **content)
                for kind in KINDS
            }

        return ServerSentEvent(
            onlookers.stream(
                _kind(request),
                look,
                request.connections.ending,
                after=_page_made_at(request),
            ),
            headers={"Cache-Control": "no-store"},
            retry_duration=int(PERIOD * 1000),
        )

    return live


async def _figures(request: Request, at_least: int) -> Figures | None:
    """None while a read table is missing or stopped: the page has to say so then."""
    try:
        return await read(request, at_least, figures, TABLES)
    except (Lagging, UndefinedTable, UndefinedColumn):
        return None


def _kind(request: Request) -> Kind:
    return frozenset(what for what in TELLING if may(request.account.roles, what))


def _page_made_at(request: Request) -> float:
    """Seconds since 1970; for a reader without a page that is long ago."""
    return float(whole_number(request.query_params.get("after", "")) or 0) / 1000
