"""`/api/visitors`: organizers read visitors, admins erase people."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, JSONBody

from api.http.access import Permission
from api.http.dispatch import origin_of
from api.http.examples import EVENT_ID, VISITOR_ID, example
from api.http.reads import MinEventPosition, read, unless_known
from api.http.requests import Request
from api.http.responses import Answer, json_response
from domain.core.errors import NotFound
from domain.core.values import Email
from projections import visitors


@example(
    id=VISITOR_ID,
    event_id=EVENT_ID,
    full_name="Ada Lovelace",
    email="ada@example.com",
    status="registered",
    registered_at="2030-05-17T09:00:00Z",
)
class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """One person at one event; the name and email of an erased person are null."""

    id: UUID
    event_id: UUID
    full_name: str | None
    email: str | None
    status: Literal["registered", "erased"]
    registered_at: datetime


@example(email="ada@example.com")
class ErasureRequest(msgspec.Struct, frozen=True, kw_only=True):
    email: Email


@example(registrations=2, personal_keys=2, notifications=1)
class Erased(msgspec.Struct, frozen=True, kw_only=True):
    registrations: int
    personal_keys: int
    notifications: int


@get(
    "/api/visitors/{visitor_id:uuid}",
    summary="Read one visitor",
    tags=["visitors"],
    opt={"access": Permission.READ_NAMES},
)
async def get_visitor(
    request: Request, visitor_id: FromPath[UUID], min_event_position: MinEventPosition = 0
) -> Response[Answer[Visitor]]:
    """With the name and email given at registration."""
    row = await read(
        request,
        min_event_position,
        lambda connection: visitors.get_visitor(connection, request.connections.keys, visitor_id),
        ["visitors"],
    )
    if row is None:
        raise NotFound("visitor", visitor_id)
    visitor = Visitor(
        id=row.id,
        event_id=row.event_id,
        full_name=row.full_name,
        email=row.email,
        status="erased" if row.email is None else "registered",
        registered_at=row.registered_at,
    )
    return unless_known(request, json_response(Answer(data=visitor), version=row.position))


@post(
    "/api/visitors/erase",
    status_code=200,
    summary="Erase a person",
    tags=["visitors"],
    opt={"access": Permission.ERASE_PEOPLE},
)
async def erase(request: Request, data: JSONBody[ErasureRequest]) -> Response[Answer[Erased]]:
    """Makes the person's name and email unreadable everywhere, history included. `data` counts the
    registrations that are anonymous now, the deleted keys, and the notifications that will no
    longer be sent.

    This cannot be undone. All counts are 0 when no registration has this email, which is not an
    error. The person may register again.
    """
    erasure = await request.connections.erasures.erase(data.email, origin_of(request))
    return json_response(
        Answer(
            data=Erased(
                registrations=erasure.registrations,
                personal_keys=erasure.personal_keys,
                notifications=erasure.notifications,
            )
        ),
        position=erasure.position,
    )
