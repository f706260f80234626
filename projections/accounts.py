"""The `accounts` table: every account with its roles, for the pages that manage accounts.

Permissions are not checked against it, because it follows history with a short delay.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.accounts import Account, Invited, Registered, Role
from domain.core.aggregate import RecordedEvent
from domain.privacy.keys import InstallationKeys
from projections.lists.cursor import Page, Versions
from projections.lists.search_text import searchable
from projections.projector.projection import Projection, events_of, fold_into

TABLE = """
CREATE TABLE IF NOT EXISTS accounts (
    id              uuid PRIMARY KEY,
    username        text NOT NULL,
    username_folded text NOT NULL,
    roles           text[] NOT NULL,
    disabled        boolean NOT NULL,
    invited         boolean NOT NULL,
    registered_at   timestamptz NOT NULL,
    version         bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS accounts_by_name ON accounts (
    username_folded COLLATE "C", username COLLATE "C"
);
"""

LAST_CHARACTER = chr(0x10FFFF)
"""Sorts after any other character."""


class AccountRow(msgspec.Struct, frozen=True):
    id: UUID
    username: str
    roles: list[Role]
    disabled: bool
    invited: bool
    registered_at: datetime
    version: int
    """Version of the aggregate."""


async def list_accounts(
    connection: AsyncConnection[Any], *, limit: int = 10, offset: int = 0
) -> Page[AccountRow]:
    """Accounts ordered by username."""
    cursor = await connection.execute(
        """
        WITH page AS (
            SELECT * FROM accounts ORDER BY username_folded, username
            LIMIT %(limit)s OFFSET %(offset)s
        )
        SELECT p.version, (SELECT count(*) FROM accounts),
               page.id, page.username, page.roles, page.disabled, page.invited,
               page.registered_at, page.version
        FROM projections p LEFT JOIN page ON true
        WHERE p.name = 'accounts'
        ORDER BY page.username_folded, page.username
        """,
        {"limit": limit, "offset": offset},
        binary=True,
    )
    found = await cursor.fetchall()
    version, total = found[0][:2]
    rows = [AccountRow(*row[2:]) for row in found if row[2] is not None]
    return Page(rows=rows, total=total, version=f"u{version}")


def list_version(now: Versions) -> str:
    """The version that a page of `list_accounts` has at these versions of the projections."""
    return f"u{now['accounts']}"


class AccountPage(msgspec.Struct, frozen=True):
    """Accounts ordered by username, and whether others come before and after them."""

    rows: list[AccountRow]
    has_before: bool
    has_after: bool


async def find(
    connection: AsyncConnection[Any],
    *,
    prefix: str = "",
    limit: int,
    after: str | None = None,
    before: str | None = None,
) -> AccountPage:
    """Accounts whose username starts with `prefix`, ignoring case and accents: the first `limit` of
    them, or those next to the username `after` or `before`."""
    boundary = (after or "") if before is None else before
    matching = """
        username_folded COLLATE "C" >= %(first)s AND username_folded COLLATE "C" <= %(last)s
    """
    key = 'username_folded COLLATE "C", username COLLATE "C"'
    descending = 'username_folded COLLATE "C" DESC, username COLLATE "C" DESC'
    comparison, order = (">", key) if before is None else ("<", descending)
    cursor = await connection.execute(
        f"""
        WITH page AS (
            SELECT * FROM accounts
            WHERE {matching} AND ({key}) {comparison} (%(folded)s, %(username)s)
            ORDER BY {order} LIMIT %(limit)s
        )
        SELECT id, username, roles, disabled, invited, registered_at, version,
               EXISTS (SELECT FROM accounts WHERE {matching} AND ({key})
                       < (SELECT {key} FROM page ORDER BY {key} LIMIT 1)),
               EXISTS (SELECT FROM accounts WHERE {matching} AND ({key})
                       > (SELECT {key} FROM page ORDER BY {descending} LIMIT 1))
        FROM page ORDER BY {key}
        """,  # noqa: S608
        {
            "first": searchable(prefix),
            "last": searchable(prefix) + LAST_CHARACTER,
            "folded": searchable(boundary),
            "username": boundary,
            "limit": limit,
        },
    )
    found = await cursor.fetchall()
    return AccountPage(
        rows=[AccountRow(*row[:-2]) for row in found],
        has_before=bool(found) and found[0][-2],
        has_after=bool(found) and found[0][-1],
    )


async def get_account(connection: AsyncConnection[Any], id: UUID) -> AccountRow | None:
    cursor = await connection.execute(
        """
        SELECT id, username, roles, disabled, invited, registered_at, version
        FROM accounts WHERE id = %s
        """,
        [id],
    )
    row = await cursor.fetchone()
    return AccountRow(*row) if row else None


async def apply(
    connection: AsyncConnection[Any],
    domain_events: Sequence[RecordedEvent],
    _keys: InstallationKeys,
) -> bool:
    known, since = await _load(connection, {e.originator_id for e in domain_events})
    fold_into(known, Account, domain_events)
    since |= {e.originator_id: e.metadata.timestamp for e in domain_events if _is_registration(e)}
    await connection.execute(
        """
        INSERT INTO accounts SELECT * FROM jsonb_populate_recordset(NULL::accounts, %s::jsonb)
        ON CONFLICT (id) DO UPDATE SET
            roles = EXCLUDED.roles, disabled = EXCLUDED.disabled, invited = EXCLUDED.invited,
            version = EXCLUDED.version
        """,
        [msgspec.json.encode([_stored(a, since[a.id]) for a in known.values()]).decode()],
    )
    return True


async def _load(
    connection: AsyncConnection[Any], ids: set[UUID]
) -> tuple[dict[UUID, Account], dict[UUID, datetime]]:
    """Accounts by id, and the time when each was registered."""
    cursor = await connection.execute(
        """
        SELECT id, version, username, roles, disabled, invited, registered_at
        FROM accounts WHERE id = ANY(%s)
        """,
        [list(ids)],
        binary=True,
    )
    known, since = dict[UUID, Account](), dict[UUID, datetime]()
    for id, version, username, roles, disabled, invited, registered_at in await cursor.fetchall():
        known[id] = Account(
            id=id,
            version=version,
            username=username,
            roles=tuple(roles),
            disabled=disabled,
            invited=invited,
            exists=True,
        )
        since[id] = registered_at
    return known, since


def _is_registration(recorded: RecordedEvent) -> bool:
    return isinstance(recorded.event, Registered | Invited)


def _stored(account: Account, registered_at: datetime) -> dict[str, object]:
    return {
        "id": account.id,
        "username": account.username,
        "username_folded": searchable(account.username),
        "roles": account.roles,
        "disabled": account.disabled,
        "invited": account.invited,
        "registered_at": registered_at,
        "version": account.version,
    }


ACCOUNTS = Projection(
    name="accounts", schema_version=3, table=TABLE, handles=events_of(Account), apply=apply
)
