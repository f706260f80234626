"""Tokens of sessions: signed with the first key in `SECRET_KEY`, verified with any of them.

A token proves whose it is, and how long it is valid; `api.database.signed_in` checks that its
session has not ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal
from uuid import UUID, uuid4

import jwt
import msgspec

from domain.accounts import Role
from domain.core.errors import ProblemError

ACCESS_LIFE = timedelta(minutes=15)
REFRESH_LIFE = timedelta(days=14)
COOKIE_LIFE = timedelta(hours=12)

MAX_CLOCK_SKEW = timedelta(seconds=120)
"""How far ahead of a host's clock a token may begin: the clocks of the issuer and the reader may
each differ by 60 s from the database's (`runtime.checks.database`). Expiry has no leeway."""

AUDIENCE = "events-face"
ALGORITHM = "HS256"

VERIFIED_TOKENS = 1_000
"""Tokens whose signature is remembered as valid: to verify one takes a fifth of a check-in. Their
age is checked each time."""

CHALLENGE = 'Bearer realm="Events-Face"'
"""`WWW-Authenticate` without a token; if there was one, an error code follows (RFC 6750)."""

Kind = Literal["access", "refresh", "cookie"]


class TokenMissing(ProblemError):
    """This call needs a token: send it as `Authorization: Bearer <token>`"""

    status = 401
    slug = "token-invalid"
    headers: Mapping[str, str] = {"WWW-Authenticate": CHALLENGE}


class TokenInvalid(ProblemError):
    """The token is not valid, has expired or was revoked, or its session has ended"""

    status = 401
    headers: Mapping[str, str] = {
        "WWW-Authenticate": f'{CHALLENGE}, error="invalid_token", error_description="{__doc__}"'
    }


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """The verified content of a token."""

    account_id: UUID
    session_id: UUID


class Tokens:
    """Issues and verifies tokens with the installation's secret keys."""

    def __init__(self, secret_keys: Sequence[str]) -> None:
        self._keys = [_signing_key(key) for key in secret_keys]
        self._payload = lru_cache(VERIFIED_TOKENS)(self._verified)

    def access(self, claims: Claims, roles: Sequence[Role]) -> str:
        return self._signed("access", claims, ACCESS_LIFE, {"roles": list(roles)})

    def refresh(self, claims: Claims) -> str:
        """Unique, even within the same second."""
        return self._signed("refresh", claims, REFRESH_LIFE, {"jti": uuid4().hex})

    def cookie(self, claims: Claims) -> str:
        """For a browser that is signed in to the admin panel."""
        return self._signed("cookie", claims, COOKIE_LIFE, {})

    def _signed(self, kind: Kind, claims: Claims, life: timedelta, more: dict[str, Any]) -> str:
        now = datetime.now(UTC)
        payload = {
            "typ": kind,
            "sub": str(claims.account_id),
            "sid": str(claims.session_id),
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + life,
        }
        return jwt.encode(payload | more, self._keys[0], ALGORITHM)

    def read(self, token: str, kind: Kind) -> Claims:
        """Raises TokenInvalid."""
        payload = self._payload(token)
        if payload["typ"] != kind or int(payload["exp"]) <= datetime.now(UTC).timestamp():
            raise TokenInvalid
        return Claims(account_id=UUID(payload["sub"]), session_id=UUID(payload["sid"]))

    def _verified(self, token: str) -> Mapping[str, Any]:
        """Raises TokenInvalid unless it was signed here, however long ago."""
        for key in self._keys:
            try:
                return jwt.decode(
                    token,
                    key,
                    [ALGORITHM],
                    {"require": ["typ", "sub", "sid", "aud", "iat", "exp"]},
                    audience=AUDIENCE,
                    leeway=MAX_CLOCK_SKEW,
                )
            except jwt.InvalidSignatureError:
                continue
            except (jwt.PyJWTError, ValueError, RecursionError):
                break
        raise TokenInvalid


def _signing_key(secret_key: str) -> bytes:
    """Another than the one that wraps the installation's keys, though both come from one secret."""
    return blake2b(secret_key.encode(), digest_size=32, person=b"tokens").digest()
