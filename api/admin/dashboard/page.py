"""`/admin/`: the dashboard."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import ServerSentEvent
from psycopg.errors import UndefinedColumn, UndefinedTable

from api.admin.dashboard.figures import TABLES, Figures, figures
from api.admin.dashboard.live_figures import QUERY_INTERVAL, Kind, LiveFigures, Shown
from api.admin.kit.cookies import seen
from api.admin.kit.pages import fragment, page
from api.admin.system_status import system_status
from api.database.query import run_query
from api.html.forms import whole_number
from api.http.access import Permission, may
from api.http.reads import Lagging, read
from api.http.requests import Request
from domain.endpoints import Endpoint, list_endpoints

DISTINGUISHING = (Permission.READ_HISTORY, Permission.REBUILD_TABLES)
"""Permissions that change what the cards show."""

KINDS: list[Kind] = [frozenset(some) for n in range(3) for some in combinations(DISTINGUISHING, n)]


@get("/", opt={"access": Permission.USE_PANEL})
async def dashboard(request: Request) -> Response[str]:
    return page(
        request,
        "dashboard/page.html",
        figures=await _figures(request, seen(request)),
        status=await system_status(request),
        disabled_webhooks=await _disabled_webhooks(request),
    )


def live_dashboard() -> HTTPRouteHandler:
    """The route of the live figures."""
    live_figures = LiveFigures()

    @get("/live", opt={"access": Permission.USE_PANEL})
    async def live(request: Request) -> Response[Any]:
        if live_figures.full:
            return Response(None, status_code=503, headers={"Retry-After": "60"})

        async def look() -> Shown:
            figures, status = await _figures(request, 0), await system_status(request)
            return {
                kind: fragment(
                    "dashboard/cards.html",
                    allowed=kind.__contains__,
                    figures=figures,
                    status=status,
                )
                for kind in KINDS
            }

        return ServerSentEvent(
            live_figures.stream(
                _kind(request),
                look,
                request.connections.ending,
                after=_page_made_at(request),
            ),
            headers={"Cache-Control": "no-store"},
            retry_duration=int(QUERY_INTERVAL * 1000),
        )

    return live


async def _figures(request: Request, at_least: int) -> Figures | None:
    """None while a read table is missing or stopped, which the page then shows."""
    try:
        return await read(request, at_least, figures, TABLES)
    except (Lagging, UndefinedTable, UndefinedColumn):
        return None


async def _disabled_webhooks(request: Request) -> list[Endpoint]:
    """Those that Events-Face disabled, for who may enable them."""
    if not may(request.account.roles, Permission.MANAGE_WEBHOOKS):
        return []
    rows = await run_query(request.connections.primary, list_endpoints)
    return [row for row in rows if row.disabled_because]


def _kind(request: Request) -> Kind:
    return frozenset(what for what in DISTINGUISHING if may(request.account.roles, what))


def _page_made_at(request: Request) -> float:
    """Seconds since 1970; 0 for a request without a page."""
    return float(whole_number(request.query_params.get("after", "")) or 0) / 1000
