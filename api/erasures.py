"""`/api/visitors/erase`: admins erase people."""

from __future__ import annotations

import msgspec
from litestar import Response, post
from litestar.params import JSONBody

from api.http.access import Permission
from api.http.dispatch import answered_once, origin_of
from api.http.examples import example
from api.http.requests import Request
from api.http.responses import Answer, json_response
from domain.core.values import Email
from domain.erasure import Erasure
from domain.history.batch import Done
from domain.history.idempotency import Once


@example(email="ada@example.com")
class ErasureRequest(msgspec.Struct, frozen=True, kw_only=True):
    email: Email


@example(registrations=2, personal_keys=2, notifications=1)
class Erased(msgspec.Struct, frozen=True, kw_only=True):
    registrations: int
    personal_keys: int
    notifications: int


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
    longer be sent. Seats of events to come are passed on.

    This cannot be undone. All counts are 0 when no registration has this email, which is not an
    error. The person may register again.
    """

    async def write(once: Once | None) -> Done:
        return await request.connections.erasures.erase(data.email, origin_of(request), once)

    return await answered_once(request, write, _erased)


def _erased(erasure: Erasure) -> Response[Answer[Erased]]:
    return json_response(
        Answer(
            data=Erased(
                registrations=erasure.registrations,
                personal_keys=erasure.personal_keys,
                notifications=erasure.notifications,
            )
        )
    )
