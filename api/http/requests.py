"""The request class of handlers."""

from __future__ import annotations

from typing import cast
from uuid import UUID

import litestar
from litestar.datastructures import State
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.types import Empty, Scope

from api.database.api_keys import KnownKey
from api.http.access import Permission, may
from api.http.clients import Clients
from api.http.connections import Connections
from api.http.failures import BadRequest
from api.http.limits import Limits
from api.identity.sessions import SignedIn
from domain.core.errors import ProblemError
from runtime.settings import Settings

BODY_LIMIT = 1024 * 1024
"""Bytes, unless a route declares another limit with `opt={"body_limit": ...}`."""


class SenderGone(BadRequest):
    """The sender went away before the end of its request"""


class UriTooLong(ProblemError):
    """The address is too long"""

    status = 414
    title = "URI too long"


class HeadersTooLarge(ProblemError):
    """The header fields are too large"""

    status = 431
    title = "Header fields too large"


class Request(litestar.Request[SignedIn | KnownKey, None, State]):
    """Litestar's request, with the id, the caller and the connections."""

    @property
    def body_limit(self) -> int:
        """Bytes."""
        limit: int = self.route_handler.opt.get("body_limit", BODY_LIMIT)
        return limit

    async def body(self) -> bytes:
        """Twice as fast as Litestar's. Raises SenderGone, RequestEntityTooLarge."""
        if self._body is Empty:
            self._body = b"".join(await self._chunks())
        return self._body

    async def _chunks(self) -> list[bytes]:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise SenderGone
            chunks.append(message["body"])
            size += len(message["body"])
            if size > self.body_limit:
                raise RequestEntityTooLarge
            if not message["more_body"]:
                return chunks

    def header(self, name: bytes) -> str | None:
        """The first line of one header field; `headers` parses all fields."""
        for field, value in self.scope["headers"]:
            if field == name:
                return value.decode("latin-1")
        return None

    @property
    def id(self) -> str:
        """Sent by the client, or generated; history has it as the correlation id."""
        return id_of(self.scope)

    @property
    def caller(self) -> SignedIn | KnownKey | None:
        """None for anonymous calls."""
        return cast("SignedIn | KnownKey | None", self.scope.get("user"))

    @property
    def account(self) -> SignedIn:
        """The account of the request; only for routes that no API key has access to."""
        return cast("SignedIn", self.user)

    @property
    def actor(self) -> str:
        """The actor in history: the account's id, `key:<id>` for an API key, or `anonymous`."""
        return self.caller.actor if self.caller else "anonymous"

    @property
    def may_read_personal(self) -> bool:
        """Whether the response may have names, emails and answers; without it they are null."""
        if isinstance(self.caller, KnownKey):
            return "personal" in self.caller.scopes
        return self.caller is not None and may(self.caller.roles, Permission.READ_NAMES)

    @property
    def event_ids(self) -> frozenset[UUID] | None:
        """The events that the caller is restricted to; None for all events."""
        return self.caller.event_ids if isinstance(self.caller, KnownKey) else None

    @property
    def came_by_https(self) -> bool:
        return cast("Clients", self.app.state["clients"]).came_by_https(self.scope)

    @property
    def public_url(self) -> str:
        """Where people reach this installation, without a slash at its end."""
        scheme = "https" if self.came_by_https else "http"
        return self.settings.public_url or f"{scheme}://{self.headers.get('Host', '')}"

    @property
    def connections(self) -> Connections:
        return cast("Connections", self.app.state["connections"])

    @property
    def settings(self) -> Settings:
        return cast("Settings", self.app.state["settings"])

    @property
    def limits(self) -> Limits:
        return cast("Limits", self.app.state["limits"])


def id_of(scope: Scope) -> str:
    """The id that `api.http.edge` gave to the request of this ASGI scope."""
    return cast("str", scope["state"]["request_id"])
