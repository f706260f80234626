"""`Idempotency-Key`: a call that is sent again with the same key gets the same response.

What is stored reveals nothing: the key and the call are hashed, and the response is encrypted with
a key that follows from the one that the client sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import msgspec
from litestar import Response

from api.http.requests import Request
from api.http.responses import Ready
from domain.core.errors import InvalidFields
from domain.history.batch import Done
from domain.history.idempotency import Completion, Once
from domain.privacy.encryption import seal, unseal

HEADER = "Idempotency-Key"
_NAME = HEADER.lower().encode()

_OF_THE_CALL = {b"content-type", b"if-match"}
"""Headers that make it another call."""

REPLAYED = "Idempotent-Replayed"
"""The header of a response that is sent again."""

PATTERN = r'[!#-~][!-~]{0,254}|"(?:[!#-\[\]-~]|\\["\\]){1,255}"'
"""Visible ASCII: bare, or as a string of RFC 9651."""


class StoredResponse(msgspec.Struct, frozen=True):
    status_code: int
    headers: dict[str, str]
    media_type: str
    body: bytes


class KeyedCall:
    """A request with an `Idempotency-Key`, and the response that is made while it is done."""

    def __init__(
        self,
        request: Request,
        key: str,
        fingerprint: bytes,
        respond: Callable[[Any], Response[Any]],
        complete: Completion | None,
    ) -> None:
        identity = request.connections.keys.identity
        named = f"{request.actor}\n{key}".encode()
        self._sealing_key = _hash(identity, named, b"idempotency-seal")
        self._respond = respond
        self._response: Response[Any] | None = None
        self.once = Once(
            key=_hash(identity, named, b"idempotency-key"),
            fingerprint=_hash(identity, fingerprint, b"idempotency-call"),
            answer=self._answer,
            complete=complete,
        )

    def _answer(self, value: Any) -> bytes:
        response = self._response = self._respond(value)
        stored = StoredResponse(
            status_code=response.status_code or 200,
            headers=response.headers,
            media_type=str(response.media_type),
            body=response.content or b"",
        )
        return seal(self._sealing_key, msgspec.msgpack.encode(stored), self.once.key)

    def response(self, done: Done) -> Response[Any] | None:
        """The response that was stored now, or before; None if none was stored."""
        if done.replayed is not None:
            return self._replayed(done.replayed)
        return self._response if done.stored else None

    def _replayed(self, answer: bytes) -> Response[Any]:
        opened = unseal(self._sealing_key, answer, self.once.key)
        stored = msgspec.msgpack.decode(opened, type=StoredResponse)
        headers = stored.headers | {REPLAYED: "true"}
        if not stored.body:
            return Response(None, status_code=stored.status_code, headers=headers)
        return Ready(
            stored.body,
            status_code=stored.status_code,
            headers=headers,
            media_type=stored.media_type,
        )


async def keyed_call(
    request: Request, respond: Callable[[Any], Response[Any]], complete: Completion | None
) -> KeyedCall | None:
    """The request with its key; None without one. Raises InvalidFields."""
    # From the scope: to build `request.headers` would cost a registration more than this look-up.
    sent = [value for name, value in request.scope["headers"] if name == _NAME]
    if not sent:
        return None
    key = parse_key(sent)
    return KeyedCall(request, key, await _fingerprint(request), respond, complete)


def parse_key(sent: list[bytes]) -> str:
    """The key in the lines of the header: `"abc"` is `abc`. Raises InvalidFields."""
    if len(sent) > 1:
        raise InvalidFields(**{HEADER: "is there more than once"})
    key = sent[0].decode("latin-1")
    if not re.fullmatch(PATTERN, key):
        raise InvalidFields(
            **{HEADER: "must have 1 to 255 visible ASCII characters, bare or in double quotes"}
        )
    return re.sub(r"\\(.)", r"\1", key[1:-1]) if key.startswith('"') else key


async def _fingerprint(request: Request) -> bytes:
    """All that makes it this call, `If-Match` included: with another one, it asks for another
    change."""
    return msgspec.msgpack.encode(
        [
            request.method,
            request.scope["path"].rstrip("/"),
            request.scope["query_string"],
            [field for field in request.scope["headers"] if field[0] in _OF_THE_CALL],
            await request.body(),
        ]
    )


def _hash(identity: bytes, data: bytes, purpose: bytes) -> bytes:
    return blake2b(data, digest_size=32, key=identity, person=purpose).digest()
