"""Recognizes the accounts of sessions.

A session is looked up for each request, so its end takes effect at once everywhere, as do new roles
of the account. Concurrent requests share look-ups, as those with API keys do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from api.database.query import run_query
from api.database.single_flight import BatchedReads
from api.identity.credentials import Pool
from api.identity.sessions import SignedIn
from api.identity.tokens import Claims, Kind, TokenInvalid, Tokens


class SignedInAccounts:
    """The accounts that are signed in to an installation, on connections to the primary."""

    def __init__(self, pool: Pool, tokens: Tokens) -> None:
        self._pool = pool
        self._tokens = tokens
        self._look_up = BatchedReads(self._look_up_all)

    async def of(self, token: str, kind: Kind = "access") -> SignedIn:
        """The account of the token. Raises TokenInvalid."""
        account = await self._look_up(self._tokens.read(token, kind))
        if account is None:
            raise TokenInvalid
        return account

    async def _look_up_all(self, sessions: Sequence[Claims]) -> list[SignedIn | None]:
        async def query(connection: AsyncConnection[Any]) -> list[SignedIn | None]:
            cursor = await connection.execute(
                """
                SELECT s.id, s.account_id, c.username, c.roles
                FROM sessions s JOIN credentials c USING (account_id)
                WHERE s.id = ANY(%s) AND s.expires_at > now() AND NOT c.disabled
                """,
                [list({claims.session_id for claims in sessions})],
                binary=True,
            )
            signed_in = {
                Claims(account_id=account_id, session_id=id): SignedIn(
                    id=account_id, session_id=id, username=username, roles=tuple(roles)
                )
                for id, account_id, username, roles in await cursor.fetchall()
            }
            return [signed_in.get(claims) for claims in sessions]

        return await run_query(self._pool, query)
