"""The application behind HTTP: handlers in threads, served by the product's own server."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from litestar import Litestar, Request, Response, post
from litestar.exceptions import HTTPException
from litestar.params import FromPath, JSONBody

from benchmarks.peers.library.registrations import (
    AggregateNotFoundError,
    Refused,
    Registrations,
    environment,
)
from domain.core.values import Email, FullName

registrations = Registrations(environment())


class NewFair(msgspec.Struct, frozen=True):
    name: str
    event_datetime: datetime
    registration_deadline: datetime
    status: Literal["open", "closed"] = "open"


class Registration(msgspec.Struct, frozen=True):
    full_name: str
    email: str


@post("/api/events/", sync_to_thread=True)
def create(data: JSONBody[NewFair]) -> dict[str, Any]:
    id = registrations.create_fair(
        data.name, data.event_datetime, data.registration_deadline, data.status
    )
    return {"data": {"id": id}}


@post("/api/events/{fair_id:uuid}/register", sync_to_thread=True)
def register(fair_id: FromPath[UUID], data: JSONBody[Registration]) -> dict[str, Any]:
    try:
        full_name, email = FullName.parse(data.full_name), Email.parse(data.email)
    except ValueError as error:
        raise HTTPException(str(error), status_code=422) from None
    id = registrations.register(fair_id, full_name, email)
    return {"data": {"id": id}, "meta": {"message": "Successful registration"}}


def refused(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, str]]:
    status = 404 if isinstance(error, AggregateNotFoundError) else 409
    return Response({"detail": str(error)}, status_code=status)


app = Litestar(
    [create, register],
    exception_handlers={Refused: refused, AggregateNotFoundError: refused},
    openapi_config=None,
)
