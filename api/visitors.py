"""`/api/visitors`: admins have people forgotten."""

from __future__ import annotations

import msgspec
from litestar import Response, post
from litestar.params import JSONBody

from api.access import Permission
from api.answers import Answer, json_response
from api.commands import origin_of
from api.requests import Request
from domain.values import Email


class ErasureRequest(msgspec.Struct, frozen=True, kw_only=True):
    email: Email


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
    """Makes their name and email unreadable everywhere, history included: `data` counts the
    registrations that are anonymous now, the keys that were deleted, and the notifications that
    will not be sent any more.

    For good. All are 0 when nobody is registered with this email, which is no error. The person may
    register again.
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
