"""`/admin/events/{id}` of a removed event: what it was, who removed it, and undoing that."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from litestar import Response
from psycopg import AsyncConnection

from api.admin.kit.cookies import seen
from api.admin.kit.history_entries import timeline_for
from api.admin.kit.history_names import names_for_all
from api.admin.kit.history_phrases import actor_in_words
from api.admin.kit.history_values import ids_of
from api.admin.kit.pages import page
from api.http.reads import TABLES, read
from api.http.requests import Request
from domain.core.errors import NotFound
from projections.event_visitors import count_by_status
from projections.removed_events import last_removal, removed_before
from projections.seats import read_seats


class Kept(msgspec.Struct, frozen=True):
    """What a removed event still has of its visitors."""

    known: int
    forgotten: int

    @property
    def in_words(self) -> str:
        """What they are after the event is restored: `its visitors are ...`."""
        if not self.forgotten:
            return "its visitors, seats and reminders are as before"
        if not self.known:
            return "its visitors stay forgotten: it has none any more"
        were = "was" if self.forgotten == 1 else "were"
        others = "the other one is" if self.known == 1 else f"the other {self.known:,} are"
        return f"{self.forgotten:,} of its visitors {were} forgotten; {others} as before"


async def visitors_kept(connection: AsyncConnection[Any], event_id: UUID) -> Kept:
    statuses = await count_by_status(connection, event_id)
    forgotten = statuses.pop("erased", 0)
    return Kept(sum(statuses.values()), forgotten)


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
            "kept": await visitors_kept(connection, id),
            "timeline": await timeline_for(request, connection, id),
        }

    content = await read(request, seen(request), query, [*TABLES, "visitors"])
    return page(request, "events/removed.html", **content)
