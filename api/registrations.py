"""`/api/events/{id}/register`: registration for an event, open to anyone."""

from __future__ import annotations

from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.params import FromPath, JSONBody

from api.http.accept_language import accepted_language
from api.http.access import Who
from api.http.dispatch import answered
from api.http.examples import VISITOR_ID, example
from api.http.requests import Request
from api.http.responses import Answer, created
from domain.answers import NO_ANSWERS, GivenAnswers
from domain.core.values import Email, FullName
from domain.registrations import RegisterVisitor
from domain.visitors import (
    AlreadyWaiting,
    DeadlinePassed,
    DuplicateRegistration,
    EventCancelled,
    EventClosed,
    EventFull,
    Visitor,
    VisitorStatus,
)


@example(full_name="Ada Lovelace", email="ada@example.com")
class Registration(msgspec.Struct, frozen=True, kw_only=True):
    full_name: FullName
    email: Email
    answers: GivenAnswers = NO_ANSWERS
    join_waiting_list: bool = False
    """Whether to wait for a seat when none is free."""


@example(id=VISITOR_ID, status="registered")
class Registered(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    status: VisitorStatus


@post(
    "/api/events/{event_id:uuid}/register",
    summary="Register for an event",
    tags=["events"],
    opt={
        "access": Who.ANYONE,
        "limit": "register",
        "direct": True,
        "answers_of": "visitors",
        "problems": [
            EventCancelled,
            EventClosed,
            DeadlinePassed,
            DuplicateRegistration,
            AlreadyWaiting,
            EventFull,
        ],
    },
)
async def register(
    request: Request, event_id: FromPath[UUID], data: JSONBody[Registration]
) -> Response[Answer[Registered]]:
    """Once per event and email, regardless of case. The visitor receives a notification with the
    confirmation code, in the language of the event, or else in the one that `Accept-Language` asks
    for. Organizers can read the visitor at `Location`."""
    command = RegisterVisitor(
        event_id=event_id,
        language=accepted_language(request.header(b"accept-language")),
        **msgspec.structs.asdict(data),
    )
    return await answered(request, command, _registered)


def _registered(visitor: Visitor) -> Response[Answer[Registered]]:
    waits = visitor.status == "waiting"
    message = "On the waiting list" if waits else "Successful registration"
    return created(
        Answer(data=Registered(id=visitor.id, status=visitor.status), meta={"message": message}),
        f"/api/visitors/{visitor.id}",
    )
