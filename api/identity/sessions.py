"""Sessions: begun by a login, carried on by refreshing, ended at once and everywhere.

They are rows in PostgreSQL, and each use of a token looks its session up. Only a hash of the
one refresh token that is not spent is kept; whoever shows a spent one, thief or owner, ends the
session.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import msgspec
from psycopg import AsyncConnection

from api.identity.credentials import Credential, Pool
from api.identity.passwords import Secret
from api.identity.tokens import COOKIE_LIFE, REFRESH_LIFE, Claims, Kind, TokenInvalid, Tokens
from domain.accounts import Role


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """The account that a request comes from, as it is at this moment."""

    id: UUID
    session_id: UUID
    username: str
    roles: tuple[Role, ...]


class TokenPair(msgspec.Struct, frozen=True, kw_only=True):
    access_token: str
    refresh_token: str


class Sessions:
    """Those of one installation. Everything that takes a token raises TokenInvalid."""

    def __init__(self, pool: Pool, tokens: Tokens) -> None:
        self._pool = pool
        self._tokens = tokens

    async def begin(self, credential: Credential) -> TokenPair | None:
        """For who has shown the password; None when it was changed meanwhile, or the account
        disabled."""
        claims = _new_claims(credential)
        pair = self._pair(claims, credential.roles)
        begun = await self._begin(claims, credential, pair.refresh_token, REFRESH_LIFE)
        return pair if begun else None

    async def begin_in_browser(self, credential: Credential) -> str | None:
        """The same, for a cookie instead of tokens; it is not carried on."""
        claims = _new_claims(credential)
        nobodys = secrets.token_hex()
        begun = await self._begin(claims, credential, nobodys, COOKIE_LIFE)
        return self._tokens.cookie(claims) if begun else None

    async def _begin(
        self, claims: Claims, credential: Credential, refresh_token: str, life: timedelta
    ) -> bool:
        async with self._pool.connection() as connection:
            await connection.execute(
                "DELETE FROM sessions WHERE account_id = %s AND expires_at < now()",
                [claims.account_id],
            )
            cursor = await connection.execute(
                """
                INSERT INTO sessions (id, account_id, refresh_hash, expires_at)
                SELECT %s, account_id, %s, now() + %s
                FROM credentials
                WHERE account_id = %s AND password_version = %s AND NOT disabled
                FOR SHARE
                """,
                [
                    claims.session_id,
                    _hash(refresh_token),
                    life,
                    claims.account_id,
                    credential.password_version,
                ],
            )
            return cursor.rowcount > 0

    async def signed_in(self, token: str, kind: Kind = "access") -> SignedIn:
        """Who shows the token."""
        claims = self._tokens.read(token, kind)
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT c.username, c.roles
                FROM sessions s JOIN credentials c USING (account_id)
                WHERE s.id = %s AND s.account_id = %s AND s.expires_at > now() AND NOT c.disabled
                """,
                [claims.session_id, claims.account_id],
            )
            row = await cursor.fetchone()
        if row is None:
            raise TokenInvalid
        username, roles = row
        return SignedIn(
            id=claims.account_id,
            session_id=claims.session_id,
            username=username,
            roles=tuple(roles),
        )

    async def refresh(self, refresh_token: Secret) -> TokenPair:
        """The next tokens; of two who ask with the same one, one gets them at most."""
        claims = self._tokens.read(refresh_token, "refresh")
        next_token = self._tokens.refresh(claims)
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                """
                UPDATE sessions s SET refresh_hash = %s, expires_at = now() + %s
                FROM credentials c
                WHERE c.account_id = s.account_id AND NOT c.disabled
                  AND s.id = %s AND s.account_id = %s AND s.refresh_hash = %s
                  AND s.expires_at > now()
                RETURNING c.roles
                """,
                [
                    _hash(next_token),
                    REFRESH_LIFE,
                    claims.session_id,
                    claims.account_id,
                    _hash(refresh_token),
                ],
            )
            row = await cursor.fetchone()
            if row is None:
                await _delete(connection, claims)  # the token is spent: somebody else has the next
                raise TokenInvalid
        return TokenPair(access_token=self._tokens.access(claims, row[0]), refresh_token=next_token)

    async def end_in_browser(self, account: SignedIn) -> None:
        """The session that the account is signed in with."""
        async with self._pool.connection() as connection:
            await connection.execute("DELETE FROM sessions WHERE id = %s", [account.session_id])

    async def end(self, account: SignedIn, refresh_token: Secret) -> None:
        """The session that the account is signed in with, and the one of its refresh token."""
        claims = self._tokens.read(refresh_token, "refresh")
        if claims.account_id != account.id:
            raise TokenInvalid
        async with self._pool.connection() as connection:
            await connection.execute(
                "DELETE FROM sessions WHERE id = ANY(%s)", [[account.session_id, claims.session_id]]
            )

    def _pair(self, claims: Claims, roles: tuple[Role, ...]) -> TokenPair:
        return TokenPair(
            access_token=self._tokens.access(claims, roles),
            refresh_token=self._tokens.refresh(claims),
        )


async def end_all_sessions(connection: AsyncConnection[Any]) -> int:
    """Those of everybody; how many there were."""
    return (await connection.execute("DELETE FROM sessions")).rowcount


def _new_claims(credential: Credential) -> Claims:
    return Claims(account_id=credential.account_id, session_id=uuid4())


async def _delete(connection: AsyncConnection[Any], claims: Claims) -> None:
    await connection.execute(
        "DELETE FROM sessions WHERE id = %s AND account_id = %s",
        [claims.session_id, claims.account_id],
    )


def _hash(token: str) -> bytes:
    """Fast, as tokens cannot be guessed."""
    return sha256(token.encode()).digest()
