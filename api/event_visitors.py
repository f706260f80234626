"""`/api/events/{id}/visitors` and `/waiting-list`: the people of one event, for organizers."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from psycopg import AsyncConnection

from api.http.access import Permission
from api.http.dispatch import answered
from api.http.examples import example
from api.http.parameters import TEXT
from api.http.reads import Limit, MinEventPosition, Offset, read, unless_known
from api.http.refusals import ScopeMissing
from api.http.requests import Request
from api.http.responses import Answer, Listing, Pagination, created, json_response
from api.visitors import Visitor, VisitorWithTicket, as_now, visitor_for, with_ticket
from domain.answers import NO_ANSWERS, GivenAnswers
from domain.core.errors import InvalidFields, NotFound
from domain.core.values import Email, FullName
from domain.registrations import AddVisitor
from domain.visitors import (
    AlreadyWaiting,
    DuplicateRegistration,
    EventCancelled,
    EventFull,
    VisitorStatus,
)
from projections import events
from projections.event_visitors import VisitorsPage, list_visitors, list_waiting
from projections.lists.cursor import BadCursor
from projections.visitors import VisitorRow

StatusFilter = Annotated[
    Literal["registered", "waiting", "unconfirmed", "cancelled", "lapsed", "erased", "any"],
    QueryParameter(description="Only visitors with this status."),
]


def wanted(status: StatusFilter) -> VisitorStatus | None:
    return None if status == "any" else status


@example(full_name="Ada Lovelace", email="ada@example.com", over_capacity=True)
class NewVisitor(msgspec.Struct, frozen=True, kw_only=True):
    full_name: FullName
    email: Email
    answers: GivenAnswers = NO_ANSWERS
    """Required ones may be left out."""
    over_capacity: bool = False
    """Whether to give a seat although none is free."""
    join_waiting_list: bool = False
    """Whether to wait for a seat when none is free."""
    notify: bool = True
    """Whether the visitor gets a message."""


class EventVisitorCalls(Controller):
    path = "/api/events/{event_id:uuid}"
    tags = ("visitors",)
    opt = {"access": Permission.READ_NAMES}  # noqa: RUF012  Litestar's own type for it

    @post(
        "/visitors",
        summary="Add a visitor",
        opt={
            "access": Permission.CHANGE_VISITORS,
            "versioned": True,
            "answers_of": "organizers",
            "problems": [EventCancelled, DuplicateRegistration, AlreadyWaiting, EventFull],
        },
    )
    async def add_visitor(
        self, request: Request, event_id: FromPath[UUID], data: JSONBody[NewVisitor]
    ) -> Response[Answer[VisitorWithTicket]]:
        """Also when registration is closed or its deadline has passed. The address need not be
        confirmed."""
        command = AddVisitor(event_id=event_id, **msgspec.structs.asdict(data))
        return await answered(request, command, partial(_added, request), as_now(request))

    @get("/visitors", summary="List the visitors of an event")
    async def list_visitors(
        self,
        request: Request,
        event_id: FromPath[UUID],
        status: StatusFilter = "any",
        q: Annotated[
            str,
            QueryParameter(
                max_length=255,
                pattern=TEXT,
                description="Only visitors with, for each word, a word in name or email that "
                "begins with it.",
            ),
        ] = "",
        limit: Limit = 10,
        offset: Offset = 0,
        cursor: Annotated[
            str | None, QueryParameter(description="Continue after a page: its `next_cursor`.")
        ] = None,
        min_event_position: MinEventPosition = 0,
    ) -> Response[Listing[Visitor]]:
        """In pages, those who registered last first. Visitors stay in the list when they leave and
        when the event is deleted. An API key needs the scope `personal` for `q`."""
        if q and not request.may_read_personal:
            raise ScopeMissing("personal")
        keys = request.connections.keys

        async def query(connection: AsyncConnection[Any]) -> VisitorsPage:
            page = await list_visitors(
                connection,
                keys,
                event_id,
                status=wanted(status),
                text=q,
                limit=limit,
                offset=offset,
                cursor=cursor,
            )
            return await _of_event(connection, event_id, page)

        try:
            page = await read(request, min_event_position, query, ["events", "visitors"])
        except BadCursor:
            raise InvalidFields(cursor="must be the next_cursor of a page") from None
        return _listing(request, page, limit, offset)

    @get("/waiting-list", summary="List the waiting visitors of an event")
    async def list_waiting(
        self,
        request: Request,
        event_id: FromPath[UUID],
        limit: Limit = 10,
        offset: Offset = 0,
        min_event_position: MinEventPosition = 0,
    ) -> Response[Listing[Visitor]]:
        """In the order of the line."""
        keys = request.connections.keys

        async def query(connection: AsyncConnection[Any]) -> VisitorsPage:
            page = await list_waiting(connection, keys, event_id, limit=limit, offset=offset)
            return await _of_event(connection, event_id, page)

        page = await read(request, min_event_position, query, ["events", "visitors"])
        return _listing(request, page, limit, offset)


def _added(request: Request, row: VisitorRow) -> Response[Answer[VisitorWithTicket]]:
    return created(
        Answer(data=with_ticket(request, row)), f"/api/visitors/{row.id}", version=row.version
    )


async def _of_event(
    connection: AsyncConnection[Any], event_id: UUID, page: VisitorsPage
) -> VisitorsPage:
    """Raises NotFound when there is no such event, nor anybody who registered for it."""
    if not page.total and await events.get_event(connection, event_id) is None:
        raise NotFound("event", event_id)
    return page


def _listing(
    request: Request, page: VisitorsPage, limit: int, offset: int
) -> Response[Listing[Visitor]]:
    """Tagged by its content: places in line change without a change of any visitor."""
    pagination = Pagination(
        offset=offset, limit=limit, total=page.total, next_cursor=page.next_cursor
    )
    listing = Listing(data=[visitor_for(request, row) for row in page.rows], pagination=pagination)
    return unless_known(request, json_response(listing, version=0))
