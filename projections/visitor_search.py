"""Searches visitors for organizers: of one event or of all, by name or email, newest first."""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.privacy.keys import InstallationKeys
from projections.lists import keyset
from projections.lists.keyset import PageStart, Search, Slice
from projections.lists.word_keys import word_keys
from projections.people import WithPerson, with_people
from projections.visitors import INDEXED_KEYS

MAX_WORDS = 8

FIRST_PAGE = PageStart()

_COLUMNS = "position, event_id, (SELECT name FROM events WHERE events.id = event_id)"

FOUND: LiteralString = f"{INDEXED_KEYS} @> %(indexed)s::int[] AND words @> %(others)s::int[]"


class FoundVisitor(WithPerson, frozen=True):
    registered_at: datetime
    id: UUID
    event_id: UUID
    event: str | None
    """Name of the event; None when the event was removed."""


async def search(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    *,
    text: str = "",
    event_id: UUID | None = None,
    start: PageStart = FIRST_PAGE,
    limit: int = 50,
) -> Slice[FoundVisitor]:
    """Visitors with, for each word of the text, a word in name or email that starts with it."""
    wanted = word_keys(keys).for_search(text, MAX_WORDS)
    if text.strip() and not wanted.indexed:
        return Slice(rows=[], newer=None, older=None)
    conditions: list[LiteralString] = ["event_id = %(event_id)s"] if event_id else []
    found = await keyset.find(
        connection,
        Search(
            table="visitors",
            time="registered_at",
            columns=_COLUMNS,
            conditions=conditions,
            rare=FOUND if wanted.indexed else None,
        ),
        {"event_id": event_id, "indexed": wanted.indexed, "others": wanted.others},
        lambda at, id, position, *rest: FoundVisitor(position, at, id, *rest),
        start=start,
        limit=limit,
    )
    rows = await with_people(connection, keys, found.rows)
    return msgspec.structs.replace(found, rows=rows)
