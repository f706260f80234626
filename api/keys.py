"""`/api/keys`: admins manage the API keys of other systems."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath, JSONBody
from psycopg import AsyncConnection

from api.database.key_list import KeyRow, find_key, list_keys
from api.database.query import run_query
from api.http.access import Permission
from api.http.dispatch import answered
from api.http.examples import ACCOUNT_ID, EVENT_ID, KEY_ID, example
from api.http.reads import Limit, Offset, unless_known
from api.http.requests import Request
from api.http.responses import (
    Answer,
    Listing,
    Pagination,
    created,
    json_response,
    no_content,
    not_stored,
)
from domain.api_keys import ApiKey, CreateKey, GraceSeconds, KeyExpired, RevokeKey, RollKey, Scope
from domain.core.errors import NotFound
from domain.core.values import Text
from domain.key_secrets import KeySecret

_EXAMPLE: Mapping[str, Any] = {
    "name": "Ticket shop",
    "scopes": ["events:read", "visitors:read"],
    "event_ids": [EVENT_ID],
    "expires_at": "2031-01-01T00:00:00Z",
}


@example(**_EXAMPLE)
class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """Null in `event_ids` means all events, and in `expires_at` that the key never expires."""

    name: Text
    scopes: tuple[Scope, ...]
    event_ids: tuple[UUID, ...] | None = None
    expires_at: datetime | None = None


@example(
    id=KEY_ID,
    **_EXAMPLE,
    created_at="2030-05-17T09:00:00Z",
    created_by=ACCOUNT_ID,
    rolled_at=None,
    last_used_at="2030-05-18T09:00:00Z",
)
class Key(msgspec.Struct, frozen=True, kw_only=True):
    """`created_by` is the actor in history: the id of an account, or `system:cli`. `last_used_at`
    is about a minute late."""

    id: UUID
    name: str
    scopes: list[Scope]
    event_ids: list[UUID] | None
    expires_at: datetime | None
    created_at: datetime
    created_by: str
    rolled_at: datetime | None
    last_used_at: datetime | None


@example(id=KEY_ID, **_EXAMPLE, key="evf_" + 49 * "x")
class KeyWithSecret(msgspec.Struct, frozen=True, kw_only=True):
    """The only response that shows `key`."""

    id: UUID
    name: str
    scopes: tuple[Scope, ...]
    event_ids: tuple[UUID, ...] | None
    expires_at: datetime | None
    key: str


@example(grace_seconds=3600)
class Roll(msgspec.Struct, frozen=True, kw_only=True):
    grace_seconds: GraceSeconds = GraceSeconds(0)
    """How long all earlier secrets of the key still work, at most."""


AT_ONCE = Roll()

"""Headers of an answer with a secret."""


class KeyCalls(Controller):
    path = "/api/keys"
    tags = ("keys",)
    opt = {"access": Permission.MANAGE_KEYS}  # noqa: RUF012  Litestar's own type for it

    @post("/", summary="Create an API key")
    async def create_key(
        self, request: Request, data: JSONBody[NewKey]
    ) -> Response[Answer[KeyWithSecret]]:
        """The response shows `key`, and no other does: store it. Other systems send it as
        `Authorization: Bearer evf_...`."""
        secret = KeySecret.new()
        command = CreateKey(**msgspec.structs.asdict(data), secret_hash=secret.hash)

        def respond(key: ApiKey) -> Response[Any]:
            return not_stored(
                created(Answer(data=with_secret(key, secret)), f"{self.path}/{key.id}")
            )

        return await answered(request, command, respond)

    @get("/", summary="List the API keys", opt={"tagged": True})
    async def list_keys(
        self, request: Request, limit: Limit = 10, offset: Offset = 0
    ) -> Response[Listing[Key]]:
        """The newest first, expired ones included, revoked ones not. Always up to date."""

        async def query(connection: AsyncConnection[Any]) -> tuple[list[KeyRow], int]:
            return await list_keys(connection, limit=limit, offset=offset)

        rows, total = await run_query(request.connections.primary, query)
        pagination = Pagination(offset=offset, limit=limit, total=total)
        listing = Listing(data=[key_of(row) for row in rows], pagination=pagination)
        return unless_known(request, json_response(listing, version=0))

    @get("/{key_id:uuid}", summary="Read one API key", opt={"tagged": True})
    async def get_key(self, request: Request, key_id: FromPath[UUID]) -> Response[Answer[Key]]:
        """Always up to date, but for `last_used_at`."""
        row = await run_query(
            request.connections.primary, lambda connection: find_key(connection, key_id)
        )
        if row is None or row.revoked_at:
            raise NotFound("API key", key_id)
        return unless_known(request, json_response(Answer(data=key_of(row)), version=row.version))

    @delete("/{key_id:uuid}", summary="Revoke an API key")
    async def revoke_key(self, request: Request, key_id: FromPath[UUID]) -> Response[None]:
        """Effective at once, for all its secrets."""
        return await answered(request, RevokeKey(key_id=key_id), no_content)

    @post(
        "/{key_id:uuid}/roll",
        status_code=200,
        summary="Give an API key another secret",
        opt={"problems": [KeyExpired]},
    )
    async def roll_key(
        self, request: Request, key_id: FromPath[UUID], data: JSONBody[Roll] = AT_ONCE
    ) -> Response[Answer[KeyWithSecret]]:
        """Its scopes, events and expiry stay. Earlier secrets work for `grace_seconds` at most, so
        that 0 ends all of them."""
        secret = KeySecret.new()
        grace = timedelta(seconds=data.grace_seconds)
        command = RollKey(key_id=key_id, grace=grace, secret_hash=secret.hash)

        def respond(key: ApiKey) -> Response[Any]:
            return not_stored(json_response(Answer(data=with_secret(key, secret))))

        return await answered(request, command, respond)


def with_secret(key: ApiKey, secret: KeySecret) -> KeyWithSecret:
    return KeyWithSecret(
        id=key.id,
        name=key.name,
        scopes=key.scopes,
        event_ids=key.event_ids,
        expires_at=key.expires_at,
        key=secret.reveal(),
    )


def key_of(row: KeyRow) -> Key:
    return msgspec.convert(row, Key, from_attributes=True)
