"""`/admin/events/{id}` of a removed event: what it was, who removed it, and undoing that."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Response
from psycopg import AsyncConnection

from api.admin.kit.cookies import seen
from api.admin.kit.history_entries import timeline_for
from api.admin.kit.history_names import names_for_all
from api.admin.kit.history_phrases import actor_in_words
from api.admin.kit.history_values import ids_of
from api.admin.kit.pages import page
from api.http.reads import read
from api.http.requests import Request
from domain.core.errors import NotFound
from projections.removed_events import last_removal, removed_before
from projections.seats import read_seats


async def removed_event(request: Request, id: UUID) -> Response[str]:
    """Raises NotFound for an event that never existed."""

    async def query(connection: AsyncConnection[Any]) -> dict[str, Any]:
        removal = await last_removal(connection, id)
        if removal is None:
            raise NotFound("event", id)
        event = (await removed_before(connection, {id: removal.originator_version}))[id]
        actor, area_id = removal.metadata.actor, event.details.area_id
        names = (await names_for_all(connection, {*ids_of([actor]), *filter(None, [area_id])})).all
        return {
            "id": id,
            "event": event.details,
            "area": area_id and names.get(area_id),
            "removed_at": removal.metadata.timestamp,
            "removed_by": actor_in_words(actor, names),
            "seats": await read_seats(connection, id),
            "timeline": await timeline_for(request, connection, id),
        }

    return page(request, "events/removed.html", **await read(request, seen(request), query))
