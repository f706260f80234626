"""`/api/events/{id}/check-ins` and `/door`: letting visitors in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from psycopg import AsyncConnection

from api.database.names import Names
from api.database.query import run_query
from api.http.access import Permission
from api.http.dispatch import SharedCompletion, answered
from api.http.examples import NONCE, TICKET, VISITOR_ID, example
from api.http.reads import MinEventPosition, read
from api.http.requests import Request
from api.http.responses import Answer, json_response, no_content, not_stored
from domain.audit.point_in_time import LAST_POSITION
from domain.check_ins import (
    MAX_ENTRIES_AT_ONCE,
    AlreadyCheckedIn,
    BatchOutcome,
    CheckedInVisitor,
    CheckIn,
    CheckInWasUndone,
    Gate,
    Nonce,
    NoSuchCheckIn,
    RecordScans,
    Scanned,
    ScannedText,
    TicketInvalid,
    TicketOfAnotherEvent,
    TicketRevoked,
    UndoCheckIn,
)
from domain.core.errors import InvalidFields, NotFound
from domain.core.values import Invalid
from domain.feed.lookups import is_event
from domain.feed.positions import NotInHistory
from domain.privacy.keys import InstallationKeys
from domain.tickets import read_ticket, ticket_hash, ticket_of
from domain.visitors import EventCancelled, NotRegistered, VisitorStatus
from projections.door import DoorPage, read_door
from projections.visitors import VisitorRow

_NEW: dict[str, Any] = {"ticket": TICKET, "nonce": NONCE, "gate": "North"}


@example(**_NEW)
class NewCheckIn(msgspec.Struct, frozen=True, kw_only=True):
    """Either `ticket` or `visitor_id`."""

    ticket: ScannedText | None = None
    """What was scanned, whatever it is."""
    visitor_id: UUID | None = None
    """Of a visitor who was found by name."""
    nonce: Nonce
    """Identifies the scan: random, and kept when it is sent again."""
    at: datetime | None = None
    """By the scanner's clock; a time in the future counts as now. Null: now."""
    gate: Gate | None = None
    """Where."""


@example(entries=[{**_NEW, "at": "2030-05-17T08:55:03Z"}])
class OfflineScans(msgspec.Struct, frozen=True, kw_only=True):
    entries: Annotated[tuple[NewCheckIn, ...], msgspec.Meta(max_length=MAX_ENTRIES_AT_ONCE)]
    """What was scanned without a network, up to 500."""


_EXAMPLE: dict[str, Any] = {
    "visitor_id": VISITOR_ID,
    "full_name": "Ada Lovelace",
    "checked_in_at": "2030-05-17T08:55:03Z",
}


@example(**_EXAMPLE, gate="North")
class CheckInResult(msgspec.Struct, frozen=True, kw_only=True):
    visitor_id: UUID
    full_name: str | None
    """Null for an API key without the scope `personal`."""
    checked_in_at: datetime
    gate: str | None
    """Where the visitor entered."""


@example(nonce=NONCE, outcome="entered")
class ScanResult(msgspec.Struct, frozen=True, kw_only=True):
    nonce: str
    """Of the scan."""
    outcome: BatchOutcome
    """`entered_again`: an entry of this visitor was known already. `entered_without_seat`: the
    ticket was not valid any more, or the visitor has no seat. `unknown_ticket`: it was no ticket
    of this event; nothing is recorded."""


_ENTRY = {**_EXAMPLE, "ticket_hash": ticket_hash(TICKET), "status": "registered"}
_META = {"position": 4711, "more": False}


@example(**_ENTRY)
class DoorEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A visitor as a scanner needs to know it."""

    ticket_hash: str
    """The first 32 hexadecimal digits of the SHA-256 of the ticket, in upper case and without
    space around it. It changes when a new ticket is issued."""
    visitor_id: UUID
    full_name: str | None
    """Null for an API key without the scope `personal`, and when the person was erased."""
    status: VisitorStatus
    """Only `registered` visitors have a seat and a confirmed ticket."""
    checked_in_at: datetime | None


@example(**_META)
class DoorMeta(msgspec.Struct, frozen=True, kw_only=True):
    position: int
    """The next `after`."""
    more: bool
    """Whether there may be another page now."""


@example(data=[_ENTRY], meta=_META, errors=[])
class DoorList(msgspec.Struct, frozen=True, kw_only=True):
    data: list[DoorEntry]
    meta: DoorMeta
    errors: tuple[()] = ()


class DoorCalls(Controller):
    path = "/api/events/{event_id:uuid}"
    tags = ("door",)
    opt = {"access": Permission.CHECK_IN}  # noqa: RUF012  Litestar's own type for it

    @post(
        "/check-ins",
        summary="Check a visitor in",
        opt={
            "problems": [
                TicketInvalid,
                TicketOfAnotherEvent,
                TicketRevoked,
                NotRegistered,
                AlreadyCheckedIn,
                CheckInWasUndone,
                EventCancelled,
            ]
        },
    )
    async def check_in(
        self, request: Request, event_id: FromPath[UUID], data: JSONBody[NewCheckIn]
    ) -> Response[Answer[CheckInResult]]:
        """By ticket or by id. Of two scanners with one ticket, one gets 201 and the other 409
        `already-checked-in`. The same `nonce` again gets the same answer, with 200."""
        if message := _what_is_wrong(data):
            raise InvalidFields(ticket=message)
        scanned = _scanned(request.connections.keys, data)
        if scanned.visitor_id is None:
            raise TicketInvalid
        command = CheckIn(event_id=event_id, scanned=scanned)
        complete = _WithName(request.connections.names) if request.may_read_personal else None
        return await answered(request, command, _checked_in, complete)

    @post(
        "/check-ins/batch",
        status_code=200,
        summary="Record what was scanned without a network",
    )
    async def record_scans(
        self, request: Request, event_id: FromPath[UUID], data: JSONBody[OfflineScans]
    ) -> Response[Answer[list[ScanResult]]]:
        """It has happened, so it is recorded, also when the event is cancelled. The first entry of
        a visitor is the one with the earliest `at`, in whatever order scans arrive. A batch can be
        sent again: no `nonce` is recorded twice, and the outcomes are the same."""
        wrong = {
            f"entries.{place}.ticket": message
            for place, entry in enumerate(data.entries)
            if (message := _what_is_wrong(entry))
        }
        if wrong:
            raise InvalidFields(**wrong)
        keys = request.connections.keys
        command = RecordScans(
            event_id=event_id, scanned=[_scanned(keys, entry) for entry in data.entries]
        )

        def respond(outcomes: Sequence[BatchOutcome]) -> Response[Answer[list[ScanResult]]]:
            named = zip(data.entries, outcomes, strict=True)
            return json_response(
                Answer(data=[ScanResult(nonce=e.nonce, outcome=outcome) for e, outcome in named])
            )

        return await answered(request, command, respond)

    @delete("/check-ins/{nonce:str}", summary="Undo a check-in", opt={"problems": [NoSuchCheckIn]})
    async def undo_check_in(
        self, request: Request, event_id: FromPath[UUID], nonce: FromPath[str]
    ) -> Response[None]:
        """The visitor can be checked in again, with another `nonce`. If there are other entries of
        the visitor, the earliest of them counts from now on."""
        try:
            command = UndoCheckIn(event_id=event_id, nonce=Nonce.parse(nonce))
        except Invalid:
            raise NoSuchCheckIn from None
        return await answered(request, command, no_content)

    @get(
        "/door",
        summary="Read the door's list",
        opt={"tagged": False, "problems": [NotInHistory]},
    )
    async def read_door(
        self,
        request: Request,
        event_id: FromPath[UUID],
        after: Annotated[
            int,
            QueryParameter(
                ge=0,
                le=LAST_POSITION,
                description="Only visitors who changed after this position: `meta.position` of the "
                "page before. 0: all.",
            ),
        ] = 0,
        limit: Annotated[
            int, QueryParameter(ge=1, le=1000, description="Visitors in a page, at most.")
        ] = 1000,
        min_event_position: MinEventPosition = 0,
    ) -> Response[DoorList]:
        """What a scanner needs to decide without a network: all visitors of the event in the order
        of their last changes, each as it is now. Read on after `meta.position`: who changed since,
        in any way, comes again, and nothing is missed while others write."""
        keys, personal = request.connections.keys, request.may_read_personal

        async def query(connection: AsyncConnection[Any]) -> DoorPage:
            page = await read_door(
                connection, keys, event_id, after=after, limit=limit, personal=personal
            )
            if not page.rows and not await is_event(connection, event_id):
                raise NotFound("event", event_id)
            return page

        try:
            page = await read(request, min_event_position, query, ["visitors"])
        except NotInHistory:
            if not request.connections.reads_replica:
                raise
            page = await run_query(request.connections.primary, query)  # the replica lags behind it
        return not_stored(
            json_response(
                DoorList(
                    data=[_door_entry(keys, row) for row in page.rows],
                    meta=DoorMeta(position=page.position, more=page.more),
                )
            )
        )


def _what_is_wrong(data: NewCheckIn) -> str | None:
    is_one = (data.ticket is None) != (data.visitor_id is None)
    return None if is_one else "give either ticket or visitor_id"


def _scanned(keys: InstallationKeys, data: NewCheckIn) -> Scanned:
    ticket = read_ticket(keys, data.ticket) if data.ticket is not None else None
    return Scanned(
        nonce=data.nonce,
        visitor_id=ticket.visitor_id if ticket else data.visitor_id,
        ticket=ticket,
        at=data.at,
        gate=data.gate,
    )


class _WithName(SharedCompletion, frozen=True):
    """For a caller who may see the name."""

    names: Names

    async def __call__(self, connection: AsyncConnection[Any], value: CheckedInVisitor) -> Any:
        return value, await self.names.on(connection, value.visitor_id)

    async def after_commit(self, value: CheckedInVisitor) -> Any:
        return value, await self.names.of(value.visitor_id)


def _checked_in(value: Any) -> Response[Answer[CheckInResult]]:
    done, name = (value, None) if isinstance(value, CheckedInVisitor) else value
    result = CheckInResult(
        visitor_id=done.visitor_id,
        full_name=name,
        checked_in_at=done.checked_in_at,
        gate=done.gate,
    )
    response = json_response(Answer(data=result), status_code=201 if done.is_new else 200)
    return not_stored(response)


def _door_entry(keys: InstallationKeys, row: VisitorRow) -> DoorEntry:
    ticket = ticket_of(keys, row.event_id, row.id, row.episode, row.ticket_issue)
    return DoorEntry(
        ticket_hash=ticket_hash(ticket),
        visitor_id=row.id,
        full_name=row.full_name,
        status=row.status,
        checked_in_at=row.checked_in_at,
    )
