"""Reads credentials for authentication. Commands write them (`domain.credentials`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from api.identity.tokens import CHALLENGE
from domain.accounts import Role
from domain.core.errors import ProblemError
from domain.core.ids import Identity
from domain.core.values import Line
from domain.credentials import NO_PASSWORD
from domain.privacy.keys import InstallationKeys

Pool = AsyncConnectionPool[AsyncConnection[Any]]


class InvalidCredentials(ProblemError):
    """Wrong username or password"""

    status = 401
    headers: Mapping[str, str] = {"WWW-Authenticate": CHALLENGE}


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """The credential of an account."""

    account_id: UUID
    username: str
    password_hash: str | None
    """None while the account is only invited."""
    password_version: int
    """The account's version when the password was set, or when it was last enabled after that."""
    roles: tuple[Role, ...]
    disabled: bool


class Credentials:
    """The credentials of an installation, on connections to the primary."""

    def __init__(self, pool: Pool, keys: InstallationKeys) -> None:
        self._pool = pool
        self._identity = Identity(keys.identity)

    async def of(self, username: Line) -> Credential | None:
        """The credential for a username: an exact match before a name that looks alike."""
        for account_id in self._identity.accounts(username):
            if credential := await self.by_id(account_id):
                return credential
        return None

    async def by_id(self, account_id: UUID) -> Credential | None:
        async with self._pool.connection() as connection:
            return await read_credential(connection, account_id)

    async def renew_hash(self, credential: Credential, password_hash: str) -> None:
        """Store a new hash of the same password, unless the password has changed since."""
        async with self._pool.connection() as connection:
            await connection.execute(
                """
                UPDATE credentials SET password_hash = %s
                WHERE account_id = %s AND password_version = %s
                """,
                [password_hash, credential.account_id, credential.password_version],
            )


async def read_credential(connection: AsyncConnection[Any], account_id: UUID) -> Credential | None:
    cursor = await connection.execute(
        """
        SELECT username, password_hash, password_version, roles, disabled
        FROM credentials WHERE account_id = %s
        """,
        [account_id],
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    username, password_hash, password_version, roles, disabled = row
    return Credential(
        account_id=account_id,
        username=username,
        password_hash=None if password_hash == NO_PASSWORD else password_hash,
        password_version=password_version,
        roles=tuple(roles),
        disabled=disabled,
    )
