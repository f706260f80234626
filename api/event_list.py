"""`GET /api/events` and `/api/events/list`: the public list of events."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Response, get
from litestar.params import QueryParameter
from psycopg import AsyncConnection

from api.event_fields import Event, event_of
from api.http.access import Who
from api.http.parameters import UUID_OR_NOTHING, parsed
from api.http.reads import Limit, MinEventPosition, NameFragment, Offset, read_listing
from api.http.requests import Request
from api.http.responses import Listing, Pagination
from domain.core.errors import InvalidFields
from domain.core.times import parse_deadline, parse_moment
from projections import event_list
from projections.event_list import EventFilter, list_version
from projections.lists.cursor import BadCursor, Page

BeginsFrom = Annotated[
    str,
    QueryParameter(
        name="from", max_length=64, description="Only events that begin at or after this time."
    ),
]
Until = Annotated[
    str,
    QueryParameter(
        max_length=64,
        description="Only events that begin before this time; with a date, up to the end of it.",
    ),
]
OfArea = Annotated[
    str, QueryParameter(pattern=UUID_OR_NOTHING, description="Only events of this area.")
]
WithStatus = Annotated[
    Literal["open", "closed", "any"], QueryParameter(description="Only events with this status.")
]
Registrable = Annotated[
    bool,
    QueryParameter(
        description="Only events that one can register for now, or join the waiting list of: they "
        "are open and not cancelled, their deadline has not passed, and they are not `full`."
    ),
]
_Order = Annotated[
    Literal["asc", "desc"],
    QueryParameter(description="By `event_datetime`; `desc`: newest first."),
]
_Cursor = Annotated[
    str | None, QueryParameter(description="Continue after a page: its `next_cursor`.")
]


@get(
    ["/api/events/", "/api/events/list"],
    summary="List events",
    tags=["events"],
    opt={"access": Who.ANYONE, "former_path": "/api/events/list"},
)
async def list_events(
    request: Request,
    name: NameFragment = "",
    begins_from: BeginsFrom = "",
    until: Until = "",
    area_id: OfArea = "",
    status: WithStatus = "open",
    registrable: Registrable = False,
    order_by: _Order = "desc",
    limit: Limit = 10,
    offset: Offset = 0,
    cursor: _Cursor = None,
    min_event_position: MinEventPosition = 0,
) -> Response[Listing[Event]]:
    """In pages, ordered by `event_datetime`. To read all events, pass each page's `next_cursor` as
    `cursor`: no event is repeated or skipped. Without `status`, only open events are listed."""
    wanted = wanted_events(request, name, begins_from, until, area_id, status, registrable)

    async def listing(connection: AsyncConnection[Any]) -> tuple[Page[Any], Listing[Event]]:
        page = await event_list.list_events(
            connection,
            request.connections.totals,
            wanted,
            now=datetime.now(UTC),
            descending=order_by == "desc",
            limit=limit,
            offset=offset,
            cursor=cursor,
        )
        pagination = Pagination(
            offset=offset, limit=limit, total=page.total, next_cursor=page.next_cursor
        )
        return page, Listing(data=[event_of(row) for row in page.rows], pagination=pagination)

    try:
        return await read_listing(request, min_event_position, list_version, listing)
    except BadCursor:
        raise InvalidFields(cursor="must be the next_cursor of a page") from None


def wanted_events(
    request: Request,
    name: str,
    begins_from: str,
    until: str,
    area_id: str,
    status: Literal["open", "closed", "any"],
    registrable: bool,
) -> EventFilter:
    """Those of these parameters that the caller may see. Raises InvalidFields."""
    times = parsed(begins_from=("from", begins_from, parse_moment), until=("until", until, _end))
    return EventFilter(
        name_fragment=name,
        begins_from=times.get("begins_from"),
        begins_before=times.get("until"),
        area_id=UUID(area_id) if area_id else None,
        status=None if status == "any" else status,
        ids=request.event_ids,
        registrable=registrable,
    )


def _end(text: str) -> datetime | None:
    """The time; of a date, the midnight after it. None when that is after all times."""
    end = parse_deadline(text)
    if isinstance(end, datetime):
        return end
    if end == date.max:
        return None
    return datetime.combine(end + timedelta(days=1), time(), UTC)
