"""Erases a person: deletes the keys of their personal data in history, for all their registrations.
An event in each of these streams records it. `domain.person_search` finds them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.application import APPLICATION
from domain.core.values import Email
from domain.departures import EraseVisitor, ErasureOutcome
from domain.history.batch import CommandRequest, Origin
from domain.history.decider import Decider
from domain.history.store import last_position
from domain.person_search import PersonSearch, batches
from domain.privacy.keys import InstallationKeys
from domain.visitors import Visitor

BlankRows = Callable[[Sequence[Visitor], datetime], Awaitable[None]]
"""Removes the personal data of these visitors from the read tables, in the same transaction; the
time is that of the events."""


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased."""

    registrations: int = 0
    personal_keys: int = 0
    """Deleted keys: their data is unreadable now, in history and in every copy of it."""
    notifications: int = 0
    """Notifications that were waiting and will not be sent."""
    position: int
    """Position of the last event of the erasure; of history's last event if nothing was erased."""


async def erase_person(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    email: Email,
    origin: Origin,
    blank_rows: BlankRows,
) -> Erasure:
    """Erase all registrations of this email, in the connection's transaction.

    A concurrent registration is either before the erasure, and erased, or after it, and kept. Rows
    are changed before the append locks history, as in every transaction that does both.
    """
    search = PersonSearch(connection, keys, email)
    decider = Decider(keys, APPLICATION)
    erased, personal_keys, at = list[ErasureOutcome](), 0, datetime.now(UTC)
    while visitors := await search.more():
        await blank_rows(visitors, at)
        for batch in batches(visitors):
            requests = [CommandRequest(_erasure_of(v), origin, at) for v in batch]
            keys_before = await _count_keys(connection, batch)
            for visitor, outcome in zip(
                batch, await decider.execute(connection, requests), strict=True
            ):
                done = outcome.or_raise()
                if done.value != "not registered":
                    erased.append(done.value)
                    personal_keys += keys_before[visitor.id]
    return Erasure(
        registrations=len(erased),
        personal_keys=personal_keys,
        notifications=erased.count("erased before notified"),
        position=await last_position(connection),
    )


def _erasure_of(visitor: Visitor) -> EraseVisitor:
    """Erases only the registration that was found: the visitor may have registered again since."""
    return EraseVisitor(visitor_id=visitor.id, notification_id=visitor.notification_id)


async def _count_keys(
    connection: AsyncConnection[Any], visitors: Iterable[Visitor]
) -> Counter[UUID]:
    """Personal keys by visitor: those that an erasure of the registration deletes."""
    cursor = await connection.execute(
        """
        SELECT originator_id, count(*) FROM personal_keys
        WHERE originator_id = ANY(%b::uuid[]) GROUP BY originator_id
        """,
        [[visitor.id for visitor in visitors]],
    )
    return Counter(dict(await cursor.fetchall()))
