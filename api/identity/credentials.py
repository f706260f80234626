"""Credentials: each account's password hash, and its roles as they are at this moment.

A row is written in the transaction that appends the account's event, so that authentication never
reads what history does not say, nor misses what it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.accounts import (
    Account,
    ChangePassword,
    DisableAccount,
    GrantRole,
    RegisterAccount,
    RevokeRole,
    Role,
)
from domain.application import APPLICATION
from domain.core.errors import ProblemError
from domain.core.ids import Identity
from domain.core.values import Line
from domain.history.batch import CommandFailure, CommandRequest, Done, Observer, Origin
from domain.history.decider import Decider
from domain.privacy.keys import InstallationKeys

Pool = AsyncConnectionPool[AsyncConnection[Any]]

C = TypeVar("C", RevokeRole, DisableAccount)

ADMINS_ASKED = 10
"""Other admins that are looked at before one is given up."""


class InvalidCredentials(ProblemError):
    """Wrong username or password"""

    status = 401
    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """What an account signs in with."""

    account_id: UUID
    username: str
    password_hash: str
    password_version: int
    """The account's version when the password was set."""
    roles: tuple[Role, ...]
    disabled: bool


class Credentials:
    """Those of one installation, on connections to the database that history is in.

    The methods that give a command raise its `DomainError`.
    """

    def __init__(
        self, pool: Pool, keys: InstallationKeys, observer: Observer | None = None
    ) -> None:
        self._pool = pool
        self._keys = keys
        self._observer = observer
        self._identity = Identity(keys.identity)

    async def of(self, username: Line) -> Credential | None:
        """Whoever has the name exactly comes before who has one that looks alike."""
        for account_id in self._identity.accounts(username):
            if credential := await self.by_id(account_id):
                return credential
        return None

    async def by_id(self, account_id: UUID) -> Credential | None:
        async with self._pool.connection() as connection:
            return await _read(connection, account_id)

    async def register(self, command: RegisterAccount, password_hash: str, origin: Origin) -> Done:
        async with self._pool.connection() as connection, connection.transaction():
            done = await self._execute(connection, command, origin)
            account: Account = done.value
            await connection.execute(
                """
                INSERT INTO credentials
                    (account_id, username, password_hash, password_version, roles, disabled)
                VALUES (%s, %s, %s, %s, %s, false)
                """,
                [
                    account.id,
                    account.username,
                    password_hash,
                    account.version,
                    list(account.roles),
                ],
            )
            return done

    async def change_roles(self, command: GrantRole | RevokeRole, origin: Origin) -> Done:
        async with self._pool.connection() as connection, connection.transaction():
            if isinstance(command, RevokeRole):
                command = await _beside_other_admins(connection, command)
            done = await self._execute(connection, command, origin)
            account: Account = done.value
            await connection.execute(
                "UPDATE credentials SET roles = %s WHERE account_id = %s",
                [list(account.roles), account.id],
            )
            return done

    async def disable(self, command: DisableAccount, origin: Origin) -> Done:
        """Ends the account's sessions too."""
        async with self._pool.connection() as connection, connection.transaction():
            command = await _beside_other_admins(connection, command)
            done = await self._execute(connection, command, origin)
            await connection.execute(
                "UPDATE credentials SET disabled = true WHERE account_id = %s",
                [command.account_id],
            )
            await _end_sessions(connection, command.account_id)
            return done

    async def change_password(
        self, command: ChangePassword, password_hash: str, origin: Origin
    ) -> Done:
        """Ends the account's sessions too."""
        async with self._pool.connection() as connection, connection.transaction():
            done = await self._execute(connection, command, origin)
            account: Account = done.value
            await connection.execute(
                """
                UPDATE credentials SET password_hash = %s, password_version = %s
                WHERE account_id = %s
                """,
                [password_hash, account.version, account.id],
            )
            await _end_sessions(connection, account.id)
            return done

    async def renew_hash(self, credential: Credential, password_hash: str) -> None:
        """The same password, hashed anew; nothing when it has changed meanwhile."""
        async with self._pool.connection() as connection:
            await connection.execute(
                """
                UPDATE credentials SET password_hash = %s
                WHERE account_id = %s AND password_version = %s
                """,
                [password_hash, credential.account_id, credential.password_version],
            )

    async def _execute(
        self, connection: AsyncConnection[Any], command: Any, origin: Origin
    ) -> Done:
        # A decider keeps what it has appended: one that outlived a transaction which is then
        # rolled back would know of events that never were.
        decider = Decider(self._keys, APPLICATION, observer=self._observer)
        (outcome,) = await decider.execute(connection, [CommandRequest(command, origin)])
        if isinstance(outcome, CommandFailure):
            raise outcome.error
        return outcome


async def _read(connection: AsyncConnection[Any], account_id: UUID) -> Credential | None:
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
        password_hash=password_hash,
        password_version=password_version,
        roles=tuple(roles),
        disabled=disabled,
    )


async def _beside_other_admins(connection: AsyncConnection[Any], command: C) -> C:
    """The command with the other admins that there may be; the decision asks their history."""
    cursor = await connection.execute(
        """
        SELECT account_id FROM credentials
        WHERE 'admin' = ANY (roles) AND NOT disabled AND account_id <> %s
        LIMIT %s
        """,
        [command.account_id, ADMINS_ASKED],
    )
    others = tuple(id for (id,) in await cursor.fetchall())
    return msgspec.structs.replace(command, other_admins=others)


async def _end_sessions(connection: AsyncConnection[Any], account_id: UUID) -> None:
    # After the row of the credentials was changed: a login that read it as it was has either
    # begun its session by now, or waits for this transaction and will find it changed.
    await connection.execute("DELETE FROM sessions WHERE account_id = %s", [account_id])
