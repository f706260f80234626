"""`/api/events/{id}/register`: registration for an event, open to anyone."""

from __future__ import annotations

from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.params import FromPath, JSONBody

from api.http.access import Who
from api.http.dispatch import execute
from api.http.examples import VISITOR_ID, example
from api.http.requests import Request
from api.http.responses import Answer, created
from domain.core.values import Email, FullName
from domain.visitors import DeadlinePassed, DuplicateRegistration, EventClosed, RegisterVisitor


@example(full_name="Ada Lovelace", email="ada@example.com")
class Registration(msgspec.Struct, frozen=True, kw_only=True):
    full_name: FullName
    email: Email


@example(id=VISITOR_ID)
class Registered(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID


@post(
    "/api/events/{event_id:uuid}/register",
    summary="Register for an event",
    tags=["events"],
    opt={
        "access": Who.ANYONE,
        "limit": "register",
        "problems": [EventClosed, DeadlinePassed, DuplicateRegistration],
    },
)
async def register(
    request: Request, event_id: FromPath[UUID], data: JSONBody[Registration]
) -> Response[Answer[Registered]]:
    """Once per event and email, regardless of case. The visitor receives a notification with the
    confirmation code. Organizers can read the visitor at `Location`."""
    command = RegisterVisitor(event_id=event_id, full_name=data.full_name, email=data.email)
    done = await execute(request, command)
    return created(
        Answer(data=Registered(id=done.value), meta={"message": "Successful registration"}),
        f"/api/visitors/{done.value}",
        position=done.position,
    )
