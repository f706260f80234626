"""`/api/manage/{token}`: visitors read, confirm and cancel their own registration, by the link in
their messages.

Reading changes nothing: mail programs and scanners follow links. Answers are from history itself,
so they never lag behind what the visitor has just done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, get, post
from litestar import Request as AnyRequest
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.database.query import run_query
from api.event_fields import Event, event_after
from api.http.access import Who
from api.http.dispatch import answered
from api.http.examples import EXAMPLES, TICKET, example
from api.http.failures import NothingHere
from api.http.problems import answer_problem
from api.http.requests import Request
from api.http.responses import Answer, json_response
from api.visitors import Visitor, ticket_for, visitor_of
from domain.areas import Area
from domain.departures import ConfirmVisitor, LeaveEvent
from domain.details import availability_of
from domain.event_editing import EventView
from domain.events import Event as EventAggregate
from domain.history.idempotency import Completion
from domain.history.streams import Streams
from domain.links import read_manage_token
from domain.privacy.keys import InstallationKeys
from domain.questions import Question
from domain.visitors import SEATS, CancellationClosed, LinkExpired
from domain.visitors import Visitor as VisitorAggregate
from projections.questions import questions_ever
from projections.visitors import VisitorRow, visitor_in_history

PRIVATE = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}
"""Headers of every answer, since its address is a secret. Every response of the API has a
`Referrer-Policy`."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A visitor with the present status, and the event."""

    visitor: VisitorRow
    event: EventView
    ticket: str | None
    asked: Sequence[Question]
    """The questions of the event, and those that have gone and were answered."""

    @property
    def is_over(self) -> bool:
        return self.visitor.status not in SEATS


@example(visitor=EXAMPLES[Visitor], event=EXAMPLES[Event], ticket=TICKET)
class OwnRegistration(msgspec.Struct, frozen=True, kw_only=True):
    """`event` is null when it was deleted; `ticket` is null unless the visitor is registered."""

    visitor: Visitor
    event: Event | None
    ticket: str | None


def answer_in_private(request: AnyRequest[Any, Any, Any], error: Exception) -> Response[Any]:
    response = answer_problem(request, error)
    response.headers.update(PRIVATE)
    return response


class ManageCalls(Controller):
    path = "/api/manage/{token:str}"
    tags = ("visitors",)
    opt = {"access": Who.ANYONE, "problems": [NothingHere, LinkExpired]}  # noqa: RUF012
    exception_handlers = {Exception: answer_in_private}  # noqa: RUF012

    @get("/", summary="Read one's own registration")
    async def read_own(
        self, request: Request, token: FromPath[str]
    ) -> Response[Answer[OwnRegistration]]:
        """For the person who has the link of a message. The link ends with the registration: 410
        after that, for good, also when the person registers again."""
        return _answer(await current(request, token))

    @post(
        "/cancel",
        status_code=200,
        summary="Cancel one's own registration",
        opt={"problems": [NothingHere, LinkExpired, CancellationClosed]},
    )
    async def cancel_own(
        self, request: Request, token: FromPath[str]
    ) -> Response[Answer[OwnRegistration]]:
        """Or leave the waiting list. The seat goes to the first in line, and the link is dead."""
        return await answered(request, leaving(request, token), _answer, _after(request))

    @post("/confirm", status_code=200, summary="Confirm one's own address")
    async def confirm_own(
        self, request: Request, token: FromPath[str]
    ) -> Response[Answer[OwnRegistration]]:
        """If the event requires confirmation, a registration that is not confirmed in time loses
        its seat. Confirming again changes nothing."""
        return await answered(request, confirming(request, token), _answer, _after(request))


async def current(request: Request, token: str) -> Standing:
    """Raises NothingHere for a token that was not made here, LinkExpired."""
    visitor_id, episode = _named_by(request, token)
    keys = request.connections.keys
    standing = await run_query(
        request.connections.primary, lambda connection: _read(connection, keys, visitor_id)
    )
    if standing.is_over or standing.visitor.episode != episode:
        raise LinkExpired
    return standing


def leaving(request: Request, token: str) -> LeaveEvent:
    """Raises NothingHere."""
    visitor_id, episode = _named_by(request, token)
    return LeaveEvent(visitor_id=visitor_id, episode=episode)


def confirming(request: Request, token: str) -> ConfirmVisitor:
    """Raises NothingHere."""
    visitor_id, episode = _named_by(request, token)
    return ConfirmVisitor(visitor_id=visitor_id, episode=episode)


async def standing_of(request: Request, visitor: VisitorAggregate) -> Standing:
    """After a command."""
    return await run_query(
        request.connections.primary, lambda connection: _after(request)(connection, visitor)
    )


def _after(request: Request) -> Completion:
    keys = request.connections.keys

    async def read_now(connection: AsyncConnection[Any], visitor: VisitorAggregate) -> Standing:
        return await _read(connection, keys, visitor.id)

    return read_now


def _named_by(request: Request, token: str) -> tuple[UUID, int]:
    named = read_manage_token(request.connections.keys, token)
    if named is None:
        raise NothingHere
    return named


async def _read(
    connection: AsyncConnection[Any], keys: InstallationKeys, visitor_id: UUID
) -> Standing:
    visitor = await visitor_in_history(connection, keys, visitor_id)
    if visitor is None:
        raise NothingHere
    event = await _event(connection, visitor.event_id)
    asked = event.event.questions
    if (visitor.answers or {}).keys() - {question.id for question in asked}:
        asked = tuple((await questions_ever(connection, visitor.event_id)).values())
    return Standing(visitor=visitor, event=event, ticket=ticket_for(keys, visitor), asked=asked)


async def _event(connection: AsyncConnection[Any], id: UUID) -> EventView:
    streams = Streams()
    event = (await streams.load(connection, [id]))[id]
    if not isinstance(event, EventAggregate):
        raise NothingHere
    area_id = event.details.area_id
    area = (await streams.load(connection, [area_id]))[area_id] if area_id else None
    cursor = await connection.execute(
        "SELECT taken, waiting FROM event_seats WHERE event_id = %s", [id]
    )
    taken, waiting = await cursor.fetchone() or (0, 0)
    return EventView(
        event=event,
        area=area.name if isinstance(area, Area) else None,
        availability=availability_of(event.details, taken, waiting),
    )


def _answer(standing: Standing) -> Response[Answer[OwnRegistration]]:
    event = event_after(standing.event) if standing.event.event.exists else None
    own = OwnRegistration(visitor=visitor_of(standing.visitor), event=event, ticket=standing.ticket)
    response = json_response(Answer(data=own))
    response.headers.update(PRIVATE)
    return response
