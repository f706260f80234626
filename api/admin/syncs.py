"""`/admin/syncs/`: results of synchronisations with the events provider, and starting one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.admin.kit.conflicts import newest_position
from api.admin.kit.cookies import seen
from api.admin.kit.pages import is_partial, page, see
from api.admin.kit.paging import beyond
from api.html.forms import sent_form
from api.http.access import Permission
from api.http.dispatch import origin_of
from api.http.reads import read
from api.http.requests import Request
from domain import sync_requests
from domain.core.errors import NotFound
from domain.sync_requests import SyncState
from projections.sync_results import get_result, list_results, totals_since

SYNCS = "/admin/syncs/"
TABLES = ["sync_results"]
PAGE_SIZE = 50
TOTALS_OVER = timedelta(days=30)


class SyncPages(Controller):
    path = "/syncs"
    opt = {"access": Permission.USE_PANEL}  # noqa: RUF012  Litestar's own type for it

    @get("/")
    async def list_results(self, request: Request) -> Response[str]:
        """While a run is requested or running, the page polls for its result."""
        state = await _state(request)

        async def query(connection: AsyncConnection[Any]) -> dict[str, Any]:
            return {
                "found": await list_results(connection, start=beyond(request), limit=PAGE_SIZE),
                "totals": await totals_since(connection, datetime.now(UTC) - TOTALS_OVER),
            }

        # After the wait for its end, a finished run has a result to show.
        at_least = await newest_position(request) if is_partial(request) else seen(request)
        content = await read(request, at_least, query, TABLES)
        return page(
            request,
            "syncs/list.html",
            state=state,
            has_provider=request.settings.events_provider_url is not None,
            days=TOTALS_OVER.days,
            **content,
        )

    @post("/", opt={"access": Permission.SYNCHRONIZE})
    async def ask(self, request: Request) -> Response[Any]:
        """Requests a synchronisation; the next free worker runs it."""
        full = (await sent_form(request)).get("full") == "yes"
        if request.settings.events_provider_url is None:
            notice = "No events provider is configured."
        else:
            async with request.connections.primary.connection() as connection:
                asked = await sync_requests.request_sync(connection, origin_of(request), full=full)
            notice = (
                "Sync requested."
                if asked
                else "A sync is already running or requested: none was added."
            )
        return see(request, SYNCS, position=None, notice=notice)

    @get("/{sync_id:uuid}")
    async def result(self, request: Request, sync_id: FromPath[UUID]) -> Response[str]:
        row = await read(
            request, seen(request), lambda connection: get_result(connection, sync_id), TABLES
        )
        if row is None:
            raise NotFound("synchronisation", sync_id)
        return page(request, "syncs/result.html", result=row)


async def _state(request: Request) -> SyncState:
    async with request.connections.primary.connection() as connection:
        return await sync_requests.state(connection)
