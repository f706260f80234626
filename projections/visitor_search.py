"""Looking for visitors as organizers do: of one event or of all, by name or email, newest first."""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.privacy.keys import InstallationKeys
from projections.lists import keyset
from projections.lists.keyset import Beyond, Search, Slice
from projections.lists.word_keys import word_keys
from projections.people import OfPerson, with_people
from projections.visitors import INDEXED

MOST_WORDS = 8

NEWEST = Beyond()

_COLUMNS = "position, event_id, (SELECT name FROM events WHERE events.id = event_id)"

_FOUND: LiteralString = f"{INDEXED} @> %(indexed)s::int[] AND words @> %(others)s::int[]"


class FoundVisitor(OfPerson, frozen=True):
    registered_at: datetime
    id: UUID
    event_id: UUID
    event: str | None
    """The event's name; None when it was removed."""


async def search(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    *,
    text: str = "",
    event_id: UUID | None = None,
    beyond: Beyond = NEWEST,
    limit: int = 50,
) -> Slice[FoundVisitor]:
    """Each word of the text is the beginning of one in the name or the email."""
    asked = word_keys(keys).asked(text, MOST_WORDS)
    if text.strip() and not asked.indexed:
        return Slice(rows=[], newer=None, older=None)
    conditions: list[LiteralString] = ["event_id = %(event_id)s"] if event_id else []
    found = await keyset.find(
        connection,
        Search(
            table="visitors",
            time="registered_at",
            columns=_COLUMNS,
            conditions=conditions,
            rare=_FOUND if asked.indexed else None,
        ),
        {"event_id": event_id, "indexed": asked.indexed, "others": asked.others},
        lambda at, id, position, *rest: FoundVisitor(position, at, id, *rest),
        beyond=beyond,
        limit=limit,
    )
    rows = await with_people(connection, keys, found.rows)
    return msgspec.structs.replace(found, rows=rows)
