"""`/admin/`: what happens today and next, and what needs somebody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from psycopg.errors import UndefinedColumn, UndefinedTable

from api.admin.dashboard.figures import TABLES, Figures, figures
from api.admin.kit.cookies import seen
from api.admin.kit.live_cards import live_cards
from api.admin.kit.pages import page
from api.admin.system_status import system_status
from api.database.query import run_query
from api.http.access import Permission
from api.http.reads import Lagging, read
from api.http.requests import Request
from domain.endpoints import Endpoint, list_endpoints


@get("/", opt={"access": Permission.USE_PANEL})
async def dashboard(request: Request) -> Response[str]:
    return page(request, "dashboard/page.html", **await _content(request, seen(request)))


def live_dashboard() -> HTTPRouteHandler:
    async def look(request: Request) -> Mapping[str, Any]:
        return await _content(request, 0)

    return live_cards("/live", "dashboard/cards.html", look, (Permission.MANAGE_WEBHOOKS,))


async def _content(request: Request, at_least: int) -> dict[str, Any]:
    return {
        "figures": await _figures(request, at_least),
        "status": await system_status(request),
        "disabled_webhooks": await _disabled_webhooks(request),
    }


async def _figures(request: Request, at_least: int) -> Figures | None:
    """None while a read table is missing or stopped, which the page then says."""
    try:
        return await read(request, at_least, figures, TABLES)
    except (Lagging, UndefinedTable, UndefinedColumn):
        return None


async def _disabled_webhooks(request: Request) -> list[Endpoint]:
    """Those that Events-Face disabled."""
    rows = await run_query(request.connections.primary, list_endpoints)
    return [row for row in rows if row.disabled_because]
