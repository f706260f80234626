"""`/admin/keys/`: admins create, roll and revoke API keys. A secret is shown once, by the response
to the form that made it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromPath
from psycopg import AsyncConnection

from api.admin.kit.history_entries import timeline_for
from api.admin.kit.history_phrases import actor_in_words
from api.admin.kit.history_values import ids_of
from api.admin.kit.pages import page, see
from api.admin.kit.paging import Pages, page_number
from api.database.key_list import KeyRow, find_key, list_keys
from api.database.query import run_query
from api.html.forms import Form, parsed, refused, sent_form
from api.http.access import Permission
from api.http.dispatch import execute
from api.http.requests import Request
from api.keys import NewKey, Roll
from domain.api_keys import SCOPES, CreateKey, KeyExpired, RevokeKey, RollKey, Scope
from domain.core.errors import InvalidFields, NotFound
from domain.key_secrets import KeySecret
from projections.lists.names import names_of

KEYS = "/admin/keys/"
PAGE_SIZE = 50

MEANINGS: Mapping[Scope, str] = {
    "events:read": "read events and areas",
    "events:write": "create, change and cancel events and areas",
    "visitors:read": "read visitors, seats and waiting lists, without names",
    "visitors:write": "add, correct and cancel visitors",
    "personal": "see names, emails and answers, too",
    "check_in": "check visitors in",
    "feed": "read the feed of all that happens",
    "webhooks": "manage webhooks",
}

GRACES: Mapping[str, str] = {
    "0": "no longer: they end now",
    "3600": "an hour",
    "86400": "a day",
    "604800": "seven days",
}
"""Seconds, in words."""


class KeyPages(Controller):
    path = "/keys"
    opt = {"access": Permission.MANAGE_KEYS}  # noqa: RUF012  Litestar's own type for it

    @get("/")
    async def list_keys(self, request: Request) -> Response[str]:
        number = page_number(request)

        async def query(connection: AsyncConnection[Any]) -> tuple[list[KeyRow], int]:
            return await list_keys(connection, limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE)

        rows, total = await run_query(request.connections.primary, query)
        return page(request, "keys/list.html", keys=rows, pages=Pages(number, PAGE_SIZE, total))

    @get("/new")
    async def new_key(self, request: Request) -> Response[str]:
        return _form(request, Form())

    @post("/new")
    async def create_key(self, request: Request) -> Response[str]:
        sent = await sent_form(request)
        secret = KeySecret.new()
        try:
            new = parsed(NewKey, _fields(sent))
            command = CreateKey(**msgspec.structs.asdict(new), secret_hash=secret.hash)
            done = await execute(request, command)
        except InvalidFields as error:
            return _form(request, refused(sent, error), status_code=422)
        return page(request, "keys/secret.html", key=done.value, secret=secret.reveal())

    @get("/{key_id:uuid}")
    async def key(self, request: Request, key_id: FromPath[UUID]) -> Response[str]:
        return await _shown(request, key_id)

    @post("/{key_id:uuid}/roll")
    async def roll_key(self, request: Request, key_id: FromPath[UUID]) -> Response[str]:
        sent = await sent_form(request)
        grace = sent.get("grace_seconds", "")
        secret = KeySecret.new()
        try:
            roll = parsed(Roll, {"grace_seconds": int(grace) if grace in GRACES else grace})
            command = RollKey(
                key_id=key_id,
                grace=timedelta(seconds=roll.grace_seconds),
                secret_hash=secret.hash,
            )
            done = await execute(request, command)
        except (InvalidFields, KeyExpired) as error:
            return await _shown(request, key_id, refused(sent, error))
        return page(request, "keys/secret.html", key=done.value, secret=secret.reveal())

    @get("/{key_id:uuid}/revoke")
    async def confirm_revocation(self, request: Request, key_id: FromPath[UUID]) -> Response[str]:
        row, _ = await _row(request, key_id)
        return page(request, "keys/revoke.html", key=row)

    @post("/{key_id:uuid}/revoke")
    async def revoke_key(self, request: Request, key_id: FromPath[UUID]) -> Response[Any]:
        done = await execute(request, RevokeKey(key_id=key_id))
        notice = f"The API key “{done.value.name}” was revoked."
        return see(request, KEYS, position=done.position, notice=notice)


def _fields(sent: Mapping[str, str]) -> dict[str, object]:
    """The fields as the API takes them: one for all boxes, and a list for all lines."""
    return {
        "name": sent.get("name", ""),
        "scopes": [scope for scope in SCOPES if f"scope {scope}" in sent],
        "event_ids": sent.get("event_ids", "").split() or None,
        "expires_at": sent.get("expires_at") or None,
    }


def _form(request: Request, form: Form, status_code: int = 200) -> Response[str]:
    return page(request, "keys/form.html", status_code=status_code, form=form, meanings=MEANINGS)


async def _shown(request: Request, id: UUID, form: Form | None = None) -> Response[str]:
    row, names = await _row(request, id)
    timeline = await run_query(
        request.connections.primary, lambda connection: timeline_for(request, connection, id)
    )
    return page(
        request,
        "keys/key.html",
        status_code=409 if form else 200,
        key=row,
        names=names,
        made_by=actor_in_words(row.created_by, names),
        graces=GRACES.items(),
        form=form or Form(),
        timeline=timeline,
    )


async def _row(request: Request, id: UUID) -> tuple[KeyRow, Mapping[UUID, str]]:
    """The key, and the names of its events and of who made it. Raises NotFound."""

    async def query(
        connection: AsyncConnection[Any],
    ) -> tuple[KeyRow | None, Mapping[UUID, str]]:
        row = await find_key(connection, id)
        return row, await names_of(connection, _ids_in(row)) if row else {}

    row, names = await run_query(request.connections.primary, query)
    if row is None:
        raise NotFound("API key", id)
    return row, names


def _ids_in(row: KeyRow) -> set[UUID]:
    return {*(row.event_ids or ()), *ids_of([row.created_by])}
