"""Sessions: a login begins one, refreshing extends it, and its end takes effect at once everywhere.

Sessions are rows in PostgreSQL, and each use of a token looks up its session. The row has only a
hash of the current refresh token; using an earlier one, by a thief or the owner, ends the session.
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
from api.identity.tokens import COOKIE_LIFE, REFRESH_LIFE, Claims, TokenInvalid, Tokens
from domain.accounts import Role
from domain.history.batch import Done
from domain.history.idempotency import Once
from domain.history.replays import done_once


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """The account of a request, with its current roles."""

    id: UUID
    session_id: UUID
    username: str
    roles: tuple[Role, ...]

    @property
    def actor(self) -> str:
        """In history."""
        return str(self.id)


class TokenPair(msgspec.Struct, frozen=True, kw_only=True):
    access_token: str
    refresh_token: str


class Sessions:
    """The sessions of an installation. Methods that take a token raise TokenInvalid."""

    def __init__(self, pool: Pool, tokens: Tokens) -> None:
        self._pool = pool
        self._tokens = tokens

    async def begin(self, credential: Credential, once: Once | None = None) -> Done | None:
        """Begin a session after the password was checked, with a `TokenPair`; None if the password
        was changed or the account was disabled in the meantime."""
        async with self._pool.connection() as connection, connection.transaction():

            async def write() -> Done | None:
                pair = await self.begin_on(connection, credential)
                return Done(pair, 0) if pair else None

            return await done_once(connection, once, write)

    async def begin_on(
        self, connection: AsyncConnection[Any], credential: Credential
    ) -> TokenPair | None:
        """The same, in the connection's transaction."""
        claims = _new_claims(credential)
        pair = self._pair(claims, credential.roles)
        begun = await _begin(connection, claims, credential, pair.refresh_token, REFRESH_LIFE)
        return pair if begun else None

    async def begin_in_browser(self, credential: Credential) -> str | None:
        """The same, with a cookie instead of tokens; it cannot be refreshed."""
        claims = _new_claims(credential)
        unused_token = secrets.token_hex()
        async with self._pool.connection() as connection:
            begun = await _begin(connection, claims, credential, unused_token, COOKIE_LIFE)
        return self._tokens.cookie(claims) if begun else None

    def access_in_browser(self, account: SignedIn) -> str:
        """An access token of a session that a browser has a cookie of; it ends with the session."""
        claims = Claims(account_id=account.id, session_id=account.session_id)
        return self._tokens.access(claims, account.roles)

    async def refresh(self, refresh_token: Secret, once: Once | None = None) -> Done:
        """The next `TokenPair`; of two calls with the same token, at most one succeeds, unless it
        is the same call again."""
        claims = self._tokens.read(refresh_token, "refresh")
        async with self._pool.connection() as connection, connection.transaction():
            if once is not None and not await _is_open(connection, claims):
                raise TokenInvalid

            async def write() -> Done | None:
                return await self._refreshed(connection, claims, refresh_token)

            done = await done_once(connection, once, write)
            if done is None:  # the token is spent: someone else has the next one
                await _delete(connection, claims)
        if done is None:
            raise TokenInvalid
        return done

    async def _refreshed(
        self, connection: AsyncConnection[Any], claims: Claims, refresh_token: Secret
    ) -> Done | None:
        next_token = self._tokens.refresh(claims)
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
            return None
        access_token = self._tokens.access(claims, row[0])
        return Done(TokenPair(access_token=access_token, refresh_token=next_token), 0)

    async def end_in_browser(self, account: SignedIn) -> None:
        """End the session that the account is signed in with."""
        async with self._pool.connection() as connection:
            await connection.execute("DELETE FROM sessions WHERE id = %s", [account.session_id])

    async def end(self, account: SignedIn, refresh_token: Secret, once: Once | None = None) -> Done:
        """End the session that the account is signed in with, and the one of the refresh token."""
        claims = self._tokens.read(refresh_token, "refresh")
        if claims.account_id != account.id:
            raise TokenInvalid
        ended = [account.session_id, claims.session_id]
        async with self._pool.connection() as connection, connection.transaction():

            async def write() -> Done:
                await connection.execute("DELETE FROM sessions WHERE id = ANY(%s)", [ended])
                return Done(None, 0)

            return await done_once(connection, once, write)

    def _pair(self, claims: Claims, roles: tuple[Role, ...]) -> TokenPair:
        return TokenPair(
            access_token=self._tokens.access(claims, roles),
            refresh_token=self._tokens.refresh(claims),
        )


async def end_all_sessions(connection: AsyncConnection[Any]) -> int:
    """End all sessions of all accounts; returns their number."""
    return (await connection.execute("DELETE FROM sessions")).rowcount


def _new_claims(credential: Credential) -> Claims:
    return Claims(account_id=credential.account_id, session_id=uuid4())


async def _begin(
    connection: AsyncConnection[Any],
    claims: Claims,
    credential: Credential,
    refresh_token: str,
    life: timedelta,
) -> bool:
    await connection.execute(
        "DELETE FROM sessions WHERE account_id = %s AND expires_at < now()", [claims.account_id]
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


async def _is_open(connection: AsyncConnection[Any], claims: Claims) -> bool:
    cursor = await connection.execute(
        """
        SELECT FROM sessions s JOIN credentials c USING (account_id)
        WHERE s.id = %s AND s.account_id = %s AND s.expires_at > now() AND NOT c.disabled
        """,
        [claims.session_id, claims.account_id],
    )
    return cursor.rowcount > 0


async def _delete(connection: AsyncConnection[Any], claims: Claims) -> None:
    await connection.execute(
        "DELETE FROM sessions WHERE id = %s AND account_id = %s",
        [claims.session_id, claims.account_id],
    )


def _hash(token: str) -> bytes:
    """A fast hash suffices, because tokens cannot be guessed."""
    return sha256(token.encode()).digest()
