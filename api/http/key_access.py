"""What API keys may do: what their scopes allow, at the events that they are restricted to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from psycopg import AsyncConnection

from api.database.api_keys import ApiKeys, KnownKey
from api.database.query import run_query
from api.http.access import COOKIE, Permission, Who, scope_of
from api.http.limits import EVERY_CALL
from api.http.refusals import OnlyForAccounts, OutsideOfEvents, ScopeMissing
from api.http.requests import Request
from api.identity.credentials import Pool
from api.identity.tokens import TokenInvalid
from domain.core.errors import NotFound
from domain.history.streams import Streams
from domain.key_secrets import PREFIX, KeySecret
from domain.visitors import Visitor


class KeyAccess:
    """Recognizes the API key of each request and checks what it may do."""

    def __init__(self, api_keys: ApiKeys, primary: Pool) -> None:
        self._keys = api_keys
        self._primary = primary

    async def recognize(self, request: Request) -> None:
        """Sets the request's key if it has a valid one. Runs before the limits, which are counted
        by key."""
        if (text := key_of(request)) is not None and (secret := KeySecret.parse(text)):
            request.scope["user"] = await self._keys.of(secret)

    async def check(self, request: Request, access: Who | Permission) -> None:
        """For a request with a key. Raises TokenInvalid, Forbidden, NotFound."""
        key = request.caller
        if not isinstance(key, KnownKey):
            raise TokenInvalid
        if access is not Who.ANYONE:
            scope = scope_of(access)
            if scope is None:
                raise OnlyForAccounts
            if scope not in key.scopes:
                raise ScopeMissing(scope)
        if key.event_ids is not None:
            await self._check_events(request, key.event_ids, access)

    async def _check_events(
        self, request: Request, event_ids: frozenset[UUID], access: Who | Permission
    ) -> None:
        """What is of another event is not found, as if it did not exist."""
        ids = cast("Mapping[str, UUID]", request.scope["path_params"])
        if "event_id" in ids:
            if ids["event_id"] not in event_ids:
                raise NotFound("event", ids["event_id"])
        elif "visitor_id" in ids:
            if await self._event_of(ids["visitor_id"]) not in event_ids:
                raise NotFound("visitor", ids["visitor_id"])
        elif access is not Who.ANYONE and not request.route_handler.opt.get("of_events"):
            raise OutsideOfEvents

    async def _event_of(self, visitor_id: UUID) -> UUID | None:
        """From history, which is never late. A visitor never changes the event."""

        async def query(connection: AsyncConnection[Any]) -> UUID | None:
            visitor = (await Streams().load(connection, [visitor_id]))[visitor_id]
            return visitor.event_id if isinstance(visitor, Visitor) else None

        return await run_query(self._primary, query)


async def require_key(request: Request) -> None:
    """The key of a request that has one is still valid. Raises TokenInvalid."""
    if isinstance(request.caller, KnownKey):
        secret = KeySecret.parse(key_of(request) or "")
        if secret is None or await request.connections.api_keys.of(secret) is None:
            raise TokenInvalid


def key_of(request: Request) -> str | None:
    """What has the prefix of an API key in `Authorization`, valid or not. The panel and calls
    without a limit, such as probes, take no keys."""
    scheme, _, token = _authorization(request).partition(b" ")
    token = token.strip()
    if not token.startswith(_PREFIX) or scheme.lower() != b"bearer":
        return None
    opt = request.route_handler.opt
    if opt.get("signed_in_by") == COOKIE or opt.get("limit", EVERY_CALL) is None:
        return None
    return token.decode("latin-1")


_PREFIX = PREFIX.encode()


def _authorization(request: Request) -> bytes:
    for name, value in request.scope["headers"]:
        if name == b"authorization":
            return value
    return b""
