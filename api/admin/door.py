"""`/admin/events/{id}/door`: opens the door page, and makes links for the people at the entrance.

A link has an API key that can only check in at this event, and ends a day after it. Organizers make
and revoke such keys; all others are the admins'.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.admin.event_cancellation import event_and_seats
from api.admin.kit.pages import page, see
from api.database.key_list import KeyRow, find_key, list_door_keys
from api.database.query import run_query
from api.html.forms import Form, parsed, refused, sent_form, with_boxes
from api.http.access import Permission
from api.http.dispatch import execute
from api.http.reads import read
from api.http.requests import Request
from api.http.responses import json_response, not_stored
from domain.api_keys import CreateKey, RevokeKey, Scope
from domain.core.errors import InvalidFields, NotFound
from domain.core.values import Text
from domain.key_secrets import KeySecret
from projections.door import count_entered
from projections.events import EventRow

WORKS_AFTER_THE_END = timedelta(days=1)


class NewDoorLink(msgspec.Struct, frozen=True, kw_only=True):
    name: Text
    personal: bool = False
    """Whether the phone shows names, and finds visitors by them."""


class AccessToken(msgspec.Struct, frozen=True, kw_only=True):
    access_token: str


class DoorPages(Controller):
    path = "/events/{event_id:uuid}/door"
    opt = {"access": Permission.MANAGE_DOOR_LINKS}  # noqa: RUF012  Litestar's own type for it

    @get("/")
    async def door(self, request: Request, event_id: FromPath[UUID]) -> Response[str]:
        return await _shown(request, event_id)

    @get("/token", opt={"access": Permission.CHECK_IN})
    async def token(self, request: Request, event_id: FromPath[UUID]) -> Response[bytes]:
        """For the door page, which browsers send no session cookie for. The token ends with the
        session."""
        access_token = request.connections.sessions.access_in_browser(request.account)
        return not_stored(json_response(AccessToken(access_token=access_token)))

    @post("/")
    async def create_link(self, request: Request, event_id: FromPath[UUID]) -> Response[str]:
        sent = await sent_form(request)
        event, _ = await event_and_seats(request, event_id)
        secret = KeySecret.new()
        try:
            link = parsed(NewDoorLink, with_boxes(sent, NewDoorLink))
            scopes: tuple[Scope, ...] = ("check_in", "personal") if link.personal else ("check_in",)
            command = CreateKey(
                name=link.name,
                scopes=scopes,
                event_ids=(event_id,),
                expires_at=_expiry(event),
                secret_hash=secret.hash,
            )
            key = (await execute(request, command)).value
        except InvalidFields as error:
            return await _shown(request, event_id, refused(sent, error), status_code=422)
        address = f"{request.public_url}/door/{event_id}#{secret.reveal()}"
        return page(
            request, "door/link.html", event=event, key=key, address=address, qr=_qr_code(address)
        )

    @get("/{key_id:uuid}/revoke")
    async def confirm_revocation(
        self, request: Request, event_id: FromPath[UUID], key_id: FromPath[UUID]
    ) -> Response[str]:
        key = await _door_key(request, event_id, key_id)
        event, _ = await event_and_seats(request, event_id)
        return page(request, "door/revoke.html", event=event, key=key)

    @post("/{key_id:uuid}/revoke")
    async def revoke_link(
        self, request: Request, event_id: FromPath[UUID], key_id: FromPath[UUID]
    ) -> Response[Any]:
        key = await _door_key(request, event_id, key_id)
        done = await execute(request, RevokeKey(key_id=key_id))
        notice = f"The link “{key.name}” was revoked."
        return see(request, f"/admin/events/{event_id}/door", position=done.position, notice=notice)


async def _shown(
    request: Request, event_id: UUID, form: Form | None = None, status_code: int = 200
) -> Response[str]:
    event, seats = await event_and_seats(request, event_id)

    async def query(connection: AsyncConnection[Any]) -> list[KeyRow]:
        return await list_door_keys(connection, event_id)

    links = await run_query(request.connections.primary, query)
    entered = await read(
        request, 0, lambda connection: count_entered(connection, event_id), ["visitors"]
    )
    return page(
        request,
        "door/page.html",
        status_code=status_code,
        event=event,
        seats=seats,
        entered=entered,
        links=links,
        form=form or Form({"personal": "on"}),
        is_secure=request.public_url.startswith(("https:", "http://localhost", "http://127.0.0.1")),
    )


def _expiry(event: EventRow) -> datetime:
    """A day after the end, so that phones can send what they scanned without a network; a day from
    now for an event of the past."""
    end = event.ends_at or event.event_datetime
    return max(end, datetime.now(UTC)) + WORKS_AFTER_THE_END


async def _door_key(request: Request, event_id: UUID, key_id: UUID) -> KeyRow:
    """Raises NotFound for any other key."""
    key = await run_query(
        request.connections.primary, lambda connection: find_key(connection, key_id)
    )
    if key is None or key.revoked_at or not key.is_of_door(event_id):
        raise NotFound("link", key_id)
    return key


def _qr_code(text: str) -> str:
    import segno

    return segno.make(text, error="m").svg_inline(border=3, light="#fff", omitsize=True)
