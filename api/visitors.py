"""`/api/visitors/{id}`: organizers read, correct, cancel and promote one visitor."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, UnsetType
from psycopg import AsyncConnection

from api.database.query import run_query
from api.http.access import Permission
from api.http.dispatch import answered, answered_once, execute, expected_version
from api.http.examples import EVENT_ID, TICKET, VISITOR_ID, example
from api.http.reads import MinEventPosition, read, unless_known
from api.http.requests import Request
from api.http.responses import Answer, json_response
from domain.answers import NO_ANSWERS, Answers, GivenAnswers, changed_answers
from domain.core.errors import ChangedMeanwhile, NotFound
from domain.core.values import Email, FullName, Reason
from domain.departures import CancelVisitor, ResendMessage
from domain.history.batch import CommandFailure, Done
from domain.history.idempotency import Completion, Once
from domain.history.replays import done_before
from domain.history.store import last_position
from domain.privacy.keys import InstallationKeys
from domain.registrations import CorrectVisitor
from domain.tickets import ReissueTicket, ticket_of
from domain.visitors import (
    AlreadyWaiting,
    DuplicateRegistration,
    EventCancelled,
    EventFull,
    NotRegistered,
    NotWaiting,
    VisitorStatus,
)
from domain.waiting_list import PromoteVisitor
from projections import visitors
from projections.visitors import VisitorRow

TRIES = 3
"""Attempts of a correction whose visitor changes in between."""

_EXAMPLE: Mapping[str, Any] = {
    "id": VISITOR_ID,
    "event_id": EVENT_ID,
    "full_name": "Ada Lovelace",
    "email": "ada@example.com",
    "status": "registered",
    "queue_position": None,
    "registered_at": "2030-05-17T09:00:00Z",
    "checked_in_at": None,
    "answers": {"meal": "Vegan"},
}


@example(**_EXAMPLE)
class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """One person at one event. The name, email and answers of an erased person are null, and so are
    all for an API key without the scope `personal`. `queue_position` is the place in line of a
    waiting visitor, from 1."""

    id: UUID
    event_id: UUID
    full_name: str | None
    email: str | None
    status: VisitorStatus
    queue_position: int | None
    registered_at: datetime
    checked_in_at: datetime | None
    answers: Answers | None


@example(**_EXAMPLE, ticket=TICKET)
class VisitorWithTicket(Visitor, frozen=True, kw_only=True):
    """A visitor with the ticket, which is null unless the visitor is registered."""

    ticket: str | None


@example(full_name="Ada King")
class VisitorChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Fields that are left out stay unchanged."""

    full_name: FullName | UnsetType = UNSET
    email: Email | UnsetType = UNSET
    answers: GivenAnswers = NO_ANSWERS
    """Answers that are left out stay unchanged, too; null takes an answer away."""


@example(reason="The hall is smaller than planned.")
class VisitorCancellation(msgspec.Struct, frozen=True, kw_only=True):
    reason: Reason = Reason()
    notify: bool = True
    """Whether the visitor gets a message."""


@example(over_capacity=True)
class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    over_capacity: bool = False
    """Whether to give a seat although none is free."""


UNEXPLAINED, WITHIN_CAPACITY = VisitorCancellation(), Promotion()


class VisitorCalls(Controller):
    path = "/api/visitors/{visitor_id:uuid}"
    tags = ("visitors",)
    opt = {"access": Permission.CHANGE_VISITORS}  # noqa: RUF012  Litestar's own type for it

    @get("/", summary="Read one visitor", opt={"access": Permission.READ_NAMES})
    async def get_visitor(
        self, request: Request, visitor_id: FromPath[UUID], min_event_position: MinEventPosition = 0
    ) -> Response[Answer[VisitorWithTicket]]:
        """With the present name, email and place in line."""
        keys = request.connections.keys
        row = await read(
            request,
            min_event_position,
            lambda connection: visitors.get_visitor(connection, keys, visitor_id),
            ["visitors"],
        )
        if row is None:
            raise NotFound("visitor", visitor_id)
        answer = json_response(Answer(data=with_ticket(request, row)), version=row.version)
        return unless_known(request, answer)

    @patch(
        "/",
        summary="Correct a visitor's name, email or answers",
        opt={
            "versioned": True,
            "answers_of": "organizers",
            "problems": [NotRegistered, DuplicateRegistration, AlreadyWaiting],
        },
    )
    async def correct_visitor(
        self, request: Request, visitor_id: FromPath[UUID], data: JSONBody[VisitorChanges]
    ) -> Response[Answer[VisitorWithTicket]]:
        """With another email it is another visitor, with another `id`, who takes over the seat or
        the place in line; links of the former one are dead. Nothing changes when the values are as
        they were."""

        async def write(once: Once | None) -> Done:
            return await correct(request, visitor_id, data, once)

        return await answered_once(request, write, partial(_shown, request), as_now(request))

    @post("/cancel", status_code=200, summary="Cancel a registration", opt={"versioned": True})
    async def cancel_visitor(
        self,
        request: Request,
        visitor_id: FromPath[UUID],
        data: JSONBody[VisitorCancellation] = UNEXPLAINED,
    ) -> Response[Answer[VisitorWithTicket]]:
        """Or takes the visitor off the waiting list. A seat goes to the first in line. A
        registration that is over already stays as it is."""
        command = CancelVisitor(
            visitor_id=visitor_id,
            expected_version=expected_version(request),
            **msgspec.structs.asdict(data),
        )
        return await answered(request, command, partial(_shown, request), as_now(request))

    @post(
        "/promote",
        status_code=200,
        summary="Give a waiting visitor a seat",
        opt={"versioned": True, "problems": [NotWaiting, EventFull, EventCancelled]},
    )
    async def promote_visitor(
        self,
        request: Request,
        visitor_id: FromPath[UUID],
        data: JSONBody[Promotion] = WITHIN_CAPACITY,
    ) -> Response[Answer[VisitorWithTicket]]:
        """At any place in line, and on any kind of waiting list."""
        command = PromoteVisitor(
            visitor_id=visitor_id,
            over_capacity=data.over_capacity,
            expected_version=expected_version(request),
        )
        return await answered(request, command, partial(_shown, request), as_now(request))

    @post(
        "/resend",
        status_code=202,
        summary="Send the last message again",
        opt={"versioned": True, "problems": [NotRegistered]},
    )
    async def resend_message(
        self, request: Request, visitor_id: FromPath[UUID]
    ) -> Response[Answer[VisitorWithTicket]]:
        """Sends the message for the visitor's status again: registered, waiting, or to be
        confirmed."""
        command = ResendMessage(visitor_id=visitor_id, expected_version=expected_version(request))
        return await answered(request, command, partial(_sent_again, request), as_now(request))

    @post(
        "/reissue",
        status_code=200,
        summary="Issue a new ticket",
        opt={"versioned": True, "problems": [NotRegistered]},
    )
    async def reissue_ticket(
        self, request: Request, visitor_id: FromPath[UUID]
    ) -> Response[Answer[VisitorWithTicket]]:
        """For who has lost the ticket or given it away. The former one is refused at the door, as
        `ticket-revoked`. No message is sent."""
        command = ReissueTicket(visitor_id=visitor_id, expected_version=expected_version(request))
        return await answered(request, command, partial(_shown, request), as_now(request))


async def correct(
    request: Request, visitor_id: UUID, changes: VisitorChanges, once: Once | None = None
) -> Done:
    """A value that is left out stays as it is, even if it changes at the same time. Raises
    NotFound, ChangedMeanwhile."""
    expected = expected_version(request)
    for tries_left in reversed(range(TRIES)):
        row, position = await present(request, visitor_id)
        # After the visitor was read: if that is the result of this call, its key is there.
        if once and (before := await _done_before(request, once)):
            return before.or_raise()
        if expected is not None and row.version not in expected:
            raise ChangedMeanwhile(row.version)
        if row.person is None:
            raise NotRegistered
        full_name = FullName(
            row.person.full_name if changes.full_name is UNSET else changes.full_name
        )
        email = Email(row.person.email if changes.email is UNSET else changes.email)
        if (full_name, email) == (row.full_name, row.email) and not any(
            changed_answers(changes.answers, row.person.answers)
        ):
            return Done(row, position)
        command = CorrectVisitor(
            visitor_id=visitor_id,
            full_name=full_name,
            email=email,
            kept_answers=row.person.answers,
            answers=changes.answers,
            language=row.person.language,
            expected_version=row.version,
        )
        try:
            return await execute(request, command, once)
        except ChangedMeanwhile:
            if expected is not None or not tries_left:
                raise
    raise AssertionError("unreachable")


async def _done_before(request: Request, once: Once) -> Done | CommandFailure | None:
    found = await run_query(
        request.connections.primary, lambda connection: done_before(connection, [once])
    )
    return found.get(0)


async def present(request: Request, visitor_id: UUID) -> tuple[VisitorRow, int]:
    """The visitor as history has it at this moment, and history's last position. Raises
    NotFound."""
    keys = request.connections.keys

    async def query(connection: AsyncConnection[Any]) -> tuple[VisitorRow, int]:
        position = await last_position(connection)
        return await _in_history(connection, keys, visitor_id), position

    return await run_query(request.connections.primary, query)


def as_now(request: Request) -> Completion:
    """Reads the visitor that a command led to."""
    keys = request.connections.keys

    async def read_now(connection: AsyncConnection[Any], visitor: Any) -> VisitorRow:
        return await _in_history(connection, keys, visitor.id)

    return read_now


async def _in_history(
    connection: AsyncConnection[Any], keys: InstallationKeys, visitor_id: UUID
) -> VisitorRow:
    row = await visitors.visitor_in_history(connection, keys, visitor_id)
    if row is None:
        raise NotFound("visitor", visitor_id)
    return row


def _shown(request: Request, row: VisitorRow) -> Response[Answer[VisitorWithTicket]]:
    return json_response(Answer(data=with_ticket(request, row)), version=row.version)


def _sent_again(request: Request, row: VisitorRow) -> Response[Answer[VisitorWithTicket]]:
    return json_response(
        Answer(data=with_ticket(request, row)), status_code=202, version=row.version
    )


def visitor_for(request: Request, row: VisitorRow) -> Visitor:
    """As the request's caller may see the visitor."""
    return Visitor(**_fields(row, personal=request.may_read_personal))


def visitor_of(row: VisitorRow) -> Visitor:
    """With name and email."""
    return Visitor(**_fields(row, personal=True))


def with_ticket(request: Request, row: VisitorRow) -> VisitorWithTicket:
    """As the request's caller may see the visitor."""
    return VisitorWithTicket(
        **_fields(row, personal=request.may_read_personal),
        ticket=ticket_for(request.connections.keys, row),
    )


def ticket_for(keys: InstallationKeys, row: VisitorRow) -> str | None:
    if row.status != "registered" or row.person is None:
        return None
    return ticket_of(keys, row.event_id, row.id, row.episode, row.ticket_issue)


def _fields(row: VisitorRow, *, personal: bool) -> dict[str, Any]:
    return {
        "id": row.id,
        "event_id": row.event_id,
        "full_name": row.full_name if personal else None,
        "email": row.email if personal else None,
        "answers": row.answers if personal else None,
        "status": "erased" if row.person is None else row.status,
        "queue_position": row.queue_position,
        "registered_at": row.registered_at,
        "checked_in_at": row.checked_in_at,
    }
