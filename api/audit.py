"""`/api/audit`: auditors read history: who did what, and the state at any moment."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import msgspec
from litestar import Controller, Response, get
from litestar.params import FromPath, QueryParameter
from psycopg import AsyncConnection

from api.http.access import Permission
from api.http.dispatch import execute
from api.http.examples import ACCOUNT_ID, AREA_ID, REQUEST_ID, example
from api.http.parameters import ACTOR, EVENT_TYPE, UUID_OR_NOTHING, parsed
from api.http.reads import read
from api.http.requests import Request
from api.http.responses import Answer, json_response
from domain.audit.entry import LoggedEvent, open_personal_data
from domain.audit.log import Criteria, Page, count, read_page, sealed_among
from domain.audit.point_in_time import (
    LAST_POSITION,
    AggregateState,
    Difference,
    difference,
    parse_position_or_time,
    parse_time,
    state_as_of,
)
from domain.core.errors import InvalidFields, NotFound
from domain.core.values import Invalid

T = TypeVar("T")

# None of these is a union with None: Litestar would accept the text `null` for None.
_AggregateId = Annotated[
    str,
    QueryParameter(pattern=UUID_OR_NOTHING, description="Only events of this aggregate."),
]
_Type = Annotated[
    str,
    QueryParameter(
        pattern=EVENT_TYPE,
        description="Only events of this type, such as `Event.Closed`, or of this type of "
        "aggregate, such as `Event`.",
    ),
]
_Actor = Annotated[
    str,
    QueryParameter(
        pattern=ACTOR,
        description="Only events caused by this actor: an account's id, `anonymous`, or `system:` "
        "and a role.",
    ),
]
_Since = Annotated[
    str,
    QueryParameter(name="from", max_length=64, description="Only events at or after this time."),
]
_Until = Annotated[str, QueryParameter(max_length=64, description="Only events before this time.")]
_Order = Annotated[Literal["asc", "desc"], QueryParameter(description="`desc`: newest first.")]
_After = Annotated[
    int,
    QueryParameter(
        ge=0,
        le=LAST_POSITION,
        description="Continue after this position, in the requested order: the `next_cursor` of a "
        "page. 0: from the beginning.",
    ),
]
_Offset = Annotated[
    int, QueryParameter(ge=0, le=0, description="0: a page goes on after a position, see `after`.")
]
_Limit = Annotated[int, QueryParameter(ge=1, le=1000, description="Events in a page, at most.")]
_Personal = Annotated[
    bool,
    QueryParameter(description="With names and emails. Reading them is recorded as an event."),
]

_MOMENT = "A position in history, or a time: RFC 3339, or a date, which means its midnight."

_At = Annotated[str, QueryParameter(max_length=64, description=_MOMENT)]
_From = Annotated[str, QueryParameter(name="from", max_length=64, description=_MOMENT)]
_To = Annotated[str, QueryParameter(name="to", max_length=64, description=_MOMENT)]


_RENAMED = {
    "position": 42,
    "time": "2030-05-17T09:00:00Z",
    "type": "Area.Renamed",
    "aggregate_type": "Area",
    "aggregate_id": AREA_ID,
    "aggregate_version": 2,
    "actor": ACCOUNT_ID,
    "correlation_id": REQUEST_ID,
    "schema_version": 1,
    "data": {"name": "Great Hall"},
}

example(
    id=AREA_ID,
    type="Area",
    version=2,
    state={"name": "Great Hall", "event_count": 0, "exists": True},
    last_event=_RENAMED,
)(AggregateState)

example(
    id=AREA_ID,
    type="Area",
    from_version=1,
    to_version=2,
    changes=[{"field": "name", "old": "Cellar", "new": "Great Hall"}],
    events=[_RENAMED],
)(Difference)


class LogPagination(msgspec.Struct, frozen=True, kw_only=True):
    limit: int
    total: int | None
    """None when history is too long to be counted for a response."""
    next_cursor: str | None
    offset: Literal[0] = 0


@example(data=[_RENAMED], pagination={"limit": 100, "total": 1, "next_cursor": None})
class Log(msgspec.Struct, frozen=True, kw_only=True):
    data: list[LoggedEvent]
    pagination: LogPagination
    meta: dict[str, str] = {}
    errors: tuple[()] = ()


class AuditCalls(Controller):
    path = "/api/audit"
    tags = ("audit",)
    opt = {"access": Permission.READ_HISTORY}  # noqa: RUF012  Litestar's own type for it

    @get("/events", summary="Read the audit log")
    async def read_log(
        self,
        request: Request,
        aggregate_id: _AggregateId = "",
        type: _Type = "",
        actor: _Actor = "",
        since: _Since = "",
        until: _Until = "",
        order: _Order = "asc",
        after: _After = 0,
        limit: _Limit = 100,
        offset: _Offset = 0,
        personal: _Personal = False,
    ) -> Response[Log]:
        """Events in the order of their positions, as stored. Personal data is left out (`personal`
        is `sealed`) unless you request it: then it is `open`, or `erased` if its person was erased.
        Events that this release cannot read are included, with the reason in `unreadable`.

        Continue until `next_cursor` is null: a page can be short or empty before the end, because
        the number of events examined for one page is limited. `total` is null in a long history."""
        times = parsed(since=("from", since, parse_time), until=("until", until, parse_time))
        criteria = Criteria(
            aggregate_id=UUID(aggregate_id) if aggregate_id else None,
            type=type or None,
            actor=actor or None,
            since=times.get("since"),
            until=times.get("until"),
        )

        async def look(connection: AsyncConnection[Any]) -> tuple[Page, int | None]:
            page = await read_page(
                connection,
                criteria,
                limit=limit,
                after=after or None,
                newest_first=order == "desc",
            )
            return page, await count(connection, criteria)

        page, total = await read(request, 0, look)
        events = page.events
        if personal:
            events = await _disclosed(request, criteria, events)
        next_cursor = None if page.next_after is None else str(page.next_after)
        pagination = LogPagination(limit=limit, total=total, next_cursor=next_cursor)
        response = json_response(Log(data=events, pagination=pagination))
        if personal:
            response.headers["Cache-Control"] = "no-store"
        return response

    @get("/aggregates/{aggregate_id:uuid}", summary="Read the state of an aggregate at a moment")
    async def read_state(
        self,
        request: Request,
        aggregate_id: FromPath[UUID],
        at: _At = "",
    ) -> Response[Answer[AggregateState]]:
        """The state after its events up to that moment; without `at`, after all of them."""
        moments = parsed(at=("at", at, parse_position_or_time))
        moment = moments.get("at", LAST_POSITION)
        state = await read(
            request, 0, lambda connection: state_as_of(connection, aggregate_id, moment)
        )
        if state is None:
            raise NotFound("aggregate at that moment" if at else "aggregate", aggregate_id)
        return json_response(Answer(data=state))

    @get("/aggregates/{aggregate_id:uuid}/changes", summary="Read what changed between two moments")
    async def read_changes(
        self,
        request: Request,
        aggregate_id: FromPath[UUID],
        start: _From = "",
        end: _To = "",
    ) -> Response[Answer[Difference]]:
        """The fields that differ, and the events after the first moment up to the second. Without
        `from`: since the aggregate began; without `to`: until now."""
        moments = parsed(
            start=("from", start, parse_position_or_time), end=("to", end, parse_position_or_time)
        )
        first, last = moments.get("start", 0), moments.get("end", LAST_POSITION)
        try:
            changed = await read(
                request, 0, lambda connection: difference(connection, aggregate_id, first, last)
            )
        except Invalid as error:
            raise InvalidFields(**{"from": str(error)}) from None
        if changed is None:
            raise NotFound("aggregate at that moment" if end else "aggregate", aggregate_id)
        return json_response(Answer(data=changed))


async def _disclosed(
    request: Request, criteria: Criteria, events: list[LoggedEvent]
) -> list[LoggedEvent]:
    """The events with their personal data, after recording who reads it."""
    disclosure = sealed_among(events).disclosure(criteria)
    if disclosure is None:
        return events
    await execute(request, disclosure)
    keys = request.connections.keys
    return await read(request, 0, lambda connection: open_personal_data(connection, events, keys))
