"""Credentials: the password hash and the current roles of each account.

Their rows, and the end of sessions, are inline projections, so authentication always agrees with
history.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import psycopg
from psycopg import AsyncConnection

from domain.accounts import (
    Account,
    ChangePassword,
    DisableAccount,
    EnableAccount,
    GrantRole,
    InviteAccount,
    RegisterAccount,
    RevokeRole,
)
from domain.core.unit_of_work import Work

C = TypeVar("C", RevokeRole, DisableAccount)

MAX_OTHER_ADMINS = 10
"""Other accounts whose history is checked before an admin loses the role."""


NO_PASSWORD = ""
"""In the place of the hash while an account is only invited."""


class PasswordReplaced(Exception):
    """The password that was verified is no longer the current one."""


class CredentialsNotWritten(Exception):
    """PostgreSQL refused the row of an account's credentials."""


async def insert_credentials(
    connection: AsyncConnection[Any], command: RegisterAccount | InviteAccount, work: Work
) -> None:
    account = work.get(Account, work.recorded[0].originator_id)
    password = (
        command.password_hash.reveal() if isinstance(command, RegisterAccount) else NO_PASSWORD
    )
    with _no_row_in_the_message():
        await connection.execute(
            """
            INSERT INTO credentials
                (account_id, username, password_hash, password_version, roles, disabled)
            VALUES (%b, %b, %b, %b, %b::text[], false)
            """,
            [
                account.id,
                account.username,
                password,
                account.version,
                list(account.roles),
            ],
        )


async def update_roles(
    connection: AsyncConnection[Any], command: GrantRole | RevokeRole, work: Work
) -> None:
    account = work.get(Account, command.account_id)
    with _no_row_in_the_message():
        await connection.execute(
            "UPDATE credentials SET roles = %b::text[] WHERE account_id = %b",
            [list(account.roles), account.id],
        )


async def update_password(
    connection: AsyncConnection[Any], command: ChangePassword, work: Work
) -> None:
    """Ends the account's sessions too. Raises `PasswordReplaced`."""
    account = work.get(Account, command.account_id)
    with _no_row_in_the_message():
        cursor = await connection.execute(
            """
            UPDATE credentials SET password_hash = %b, password_version = %b
            WHERE account_id = %b AND password_version = coalesce(%b, password_version)
            """,
            [command.password_hash.reveal(), account.version, account.id, command.replaces],
        )
    if command.replaces is not None and not cursor.rowcount:
        raise PasswordReplaced
    await _end_sessions(connection, account.id)


async def disable_credentials(
    connection: AsyncConnection[Any], command: DisableAccount, _: Work
) -> None:
    """Ends the account's sessions too."""
    with _no_row_in_the_message():
        await connection.execute(
            "UPDATE credentials SET disabled = true WHERE account_id = %b", [command.account_id]
        )
    await _end_sessions(connection, command.account_id)


async def enable_credentials(
    connection: AsyncConnection[Any], command: EnableAccount, work: Work
) -> None:
    """The new version ends the links that were made before the account was disabled."""
    account = work.get(Account, command.account_id)
    with _no_row_in_the_message():
        await connection.execute(
            "UPDATE credentials SET disabled = false, password_version = %b WHERE account_id = %b",
            [account.version, account.id],
        )


async def with_other_admins(connection: AsyncConnection[Any], command: C) -> C:
    """The command with accounts that may be admins; the handler checks their history."""
    cursor = await connection.execute(
        """
        SELECT account_id FROM credentials
        WHERE 'admin' = ANY (roles) AND NOT disabled AND password_hash <> %b AND account_id <> %b
        LIMIT %b
        """,
        [NO_PASSWORD, command.account_id, MAX_OTHER_ADMINS],
    )
    others = tuple(id for (id,) in await cursor.fetchall())
    return msgspec.structs.replace(command, other_admins=others)


async def _end_sessions(connection: AsyncConnection[Any], account_id: UUID) -> None:
    # After the change of the credentials' row: a login that read the old row has begun its session
    # by now, or it waits for this transaction and then finds the row changed.
    await connection.execute("DELETE FROM sessions WHERE account_id = %b", [account_id])


@contextmanager
def _no_row_in_the_message() -> Iterator[None]:
    """PostgreSQL's message shows the row that a constraint refuses, the password hash in it."""
    try:
        yield
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        raise CredentialsNotWritten(error.diag.message_primary) from None
