"""`/admin/system/`: how Events-Face itself does: read tables, delivery, syncs and seals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from psycopg import AsyncConnection
from psycopg.errors import UndefinedColumn, UndefinedTable

from api.admin.kit.cookies import seen
from api.admin.kit.live_cards import live_cards
from api.admin.kit.pages import page
from api.admin.system_status import system_status
from api.http.access import Permission
from api.http.reads import Lagging, read
from api.http.requests import Request
from domain.history.store import last_position
from projections.delivery_counts import DeliveryCounts, delivery_counts
from projections.lists.keyset import PageStart
from projections.notification_search import Pause, count_by_state, pause
from projections.outcomes import State
from projections.sync_results import SyncResult, list_results
from runtime.release import release

TABLES = ["outbox", "deliveries", "sync_results"]


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What Events-Face does by itself."""

    messages: Mapping[State, int]
    delivered: DeliveryCounts
    pause: Pause | None
    last_sync: SyncResult | None
    events: int
    """Of history."""


@get("/system", opt={"access": Permission.USE_PANEL})
async def system(request: Request) -> Response[str]:
    return page(request, "system/page.html", **await _content(request, seen(request)))


def live_system() -> HTTPRouteHandler:
    async def look(request: Request) -> Mapping[str, Any]:
        return await _content(request, 0)

    distinguishing = (Permission.READ_HISTORY, Permission.REBUILD_TABLES)
    return live_cards("/system/live", "system/cards.html", look, distinguishing)


async def _content(request: Request, at_least: int) -> dict[str, Any]:
    return {
        "work": await _work(request, at_least),
        "status": await system_status(request),
        "release": release(),
        "retention_days": request.settings.retention_days,
    }


async def _work(request: Request, at_least: int) -> Work | None:
    """None while a read table is missing or stopped, which the page then shows."""

    async def query(connection: AsyncConnection[Any]) -> Work:
        syncs = await list_results(connection, start=PageStart(), limit=1)
        return Work(
            messages=await count_by_state(connection),
            delivered=await delivery_counts(connection, datetime.now(UTC)),
            pause=await pause(connection),
            last_sync=syncs.rows[0] if syncs.rows else None,
            events=await last_position(connection),
        )

    try:
        return await read(request, at_least, query, TABLES)
    except (Lagging, UndefinedTable, UndefinedColumn):
        return None
