"""`/admin/events/{id}/waiting-list`: who waits for a seat, the first in line first."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Response, get
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.admin import names
from api.admin.kit.cookies import seen
from api.admin.kit.pages import page
from api.admin.kit.paging import Pages, page_number
from api.http.access import Permission
from api.http.reads import read
from api.http.requests import Request
from domain.core.errors import NotFound
from projections.event_visitors import list_waiting
from projections.events import get_event

PAGE_SIZE = 50


@get("/events/{event_id:uuid}/waiting-list", opt={"access": Permission.READ_VISITORS})
async def waiting_list(request: Request, event_id: FromPath[UUID]) -> Response[str]:
    number = page_number(request)
    keys = request.connections.keys

    async def query(connection: AsyncConnection[Any]) -> dict[str, Any]:
        event = await get_event(connection, event_id)
        if event is None:
            raise NotFound("event", event_id)
        offset = (number - 1) * PAGE_SIZE
        line = await list_waiting(connection, keys, event_id, limit=PAGE_SIZE, offset=offset)
        return {"event": event, "line": line, "pages": Pages(number, PAGE_SIZE, line.total)}

    content = await read(request, seen(request), query, ["events", "visitors"])
    shown = await names.for_reader(request, content["line"].rows, event_id=event_id)
    return page(request, "visitors/waiting.html", shown=shown, **content)
