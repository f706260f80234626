"""The `service_replies` table: what the notification service or the mail server last said of a
message that it did not take.

Such a text may repeat the address or the message. So it is in no event and no log, and encrypted
with the key of the recipient's data: an erasure makes it unreadable. It does not follow from
history, and a rebuild leaves it alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.history.store import read_personal_keys
from domain.privacy.encryption import seal, unseal
from domain.privacy.keys import InstallationKeys


class Reply(msgspec.Struct, frozen=True):
    notification_id: UUID
    person_position: int
    """Position of the domain event that says who the recipient is."""
    text: str


async def keep(
    connection: AsyncConnection[Any], keys: InstallationKeys, replies: Sequence[Reply]
) -> None:
    """The last one to each message; none to people who were erased."""
    found = await read_personal_keys(connection, {r.person_position for r in replies}, keys)
    known = sorted(
        (r for r in replies if r.person_position in found), key=lambda r: r.notification_id
    )
    if not known:
        return
    sealed = [
        seal(found[r.person_position], r.text.encode(), r.notification_id.bytes) for r in known
    ]
    await connection.execute(
        """
        INSERT INTO service_replies (notification_id, person_position, sealed)
        SELECT * FROM unnest(%b::uuid[], %b::bigint[], %b::bytea[])
        ON CONFLICT (notification_id) DO UPDATE SET
            person_position = EXCLUDED.person_position, sealed = EXCLUDED.sealed
        """,
        [[r.notification_id for r in known], [r.person_position for r in known], sealed],
    )


async def forget(connection: AsyncConnection[Any], ids: Sequence[UUID]) -> None:
    """Of messages that were sent in the end."""
    await connection.execute(
        "DELETE FROM service_replies WHERE notification_id = ANY(%b::uuid[])", [list(ids)]
    )


async def replies_to(
    connection: AsyncConnection[Any], keys: InstallationKeys, ids: Collection[UUID]
) -> dict[UUID, str]:
    """By message; without those to people who were erased."""
    if not ids:
        return {}
    cursor = await connection.execute(
        """
        SELECT notification_id, person_position, sealed FROM service_replies
        WHERE notification_id = ANY(%b::uuid[])
        """,
        [list(ids)],
        binary=True,
    )
    rows = await cursor.fetchall()
    found = await read_personal_keys(connection, {position for _, position, _ in rows}, keys)
    return {
        id: unseal(found[position], sealed, id.bytes).decode()
        for id, position, sealed in rows
        if position in found
    }
