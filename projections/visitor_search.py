"""Searches visitors for organizers: of one event or of all, by name or email, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.privacy.keys import InstallationKeys
from domain.visitors import VisitorStatus
from projections.lists import keyset
from projections.lists.keyset import PageStart, Search, Slice
from projections.lists.search_text import searchable
from projections.lists.word_keys import word_keys
from projections.people import WithPerson, with_people
from projections.places_in_line import places_in_line
from projections.removed_events import names_of_removed
from projections.visitors import INDEXED_KEYS

MAX_WORDS = 8

COUNT_LIMIT, FOUND_COUNT_LIMIT = 10_000, 50
"""Visitors who are counted, at most: without words, and with them."""

MOST_READ = 1_000
"""Visitors of an event who are decrypted for one search, at most."""

FIRST_PAGE = PageStart()

_COLUMNS = (
    "position, event_id, status,"
    " (SELECT name FROM events WHERE events.id = event_id), checked_in_at"
)

HAS_STATUS: dict[VisitorStatus, LiteralString] = {
    "registered": "status = 'registered'",
    "waiting": "status = 'waiting'",
    "unconfirmed": "status = 'unconfirmed'",
    "cancelled": "status = 'cancelled'",
    "lapsed": "status = 'lapsed'",
    "erased": "status = 'erased'",
}
"""Constants, not parameters: otherwise PostgreSQL would not use the index on visitors who are not
registered."""

_FOUND: LiteralString = f"{INDEXED_KEYS} @> %(indexed)s::int[] AND words @> %(others)s::int[]"


class FoundVisitor(WithPerson, frozen=True):
    registered_at: datetime
    id: UUID
    event_id: UUID
    status: VisitorStatus
    event: str | None
    """Name of the event."""
    checked_in_at: datetime | None
    """When the visitor entered."""
    is_removed: bool = False
    """Whether the event was removed."""
    queue_position: int | None = None


async def search(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    *,
    text: str = "",
    event_id: UUID | None = None,
    status: VisitorStatus | None = None,
    start: PageStart = FIRST_PAGE,
    limit: int = 50,
) -> Slice[FoundVisitor]:
    """Visitors with, for each word of the text, a word in name or email that starts with it."""
    asked = search_for(keys, text, event_id, status)
    if asked is None:
        return Slice(rows=[], newer=None, older=None)
    found = await keyset.find(
        connection,
        *asked,
        lambda at, id, position, *rest: FoundVisitor(position, at, id, *rest),
        start=start,
        limit=limit,
    )
    named = await with_people(connection, keys, found.rows)
    rows = await _with_removed_events(connection, await _with_places(connection, named))
    return msgspec.structs.replace(found, rows=rows)


async def search_anywhere(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    *,
    text: str,
    event_id: UUID,
    status: VisitorStatus | None = None,
) -> list[FoundVisitor] | None:
    """The visitors of one event whose name or email contains the text, also within a word, ignoring
    case and accents; newest first. None for an event with more than `MOST_READ` visitors: no
    database row has a name, so all of them are decrypted for it."""
    asked = search_for(keys, "", event_id, status)
    if asked is None:
        return []
    wanted, parameters = asked
    everybody = await keyset.find(
        connection,
        wanted,
        parameters,
        lambda at, id, position, *rest: FoundVisitor(position, at, id, *rest),
        start=FIRST_PAGE,
        limit=MOST_READ,
    )
    if everybody.older is not None:
        return None
    folded = searchable(text)
    found = [
        row
        for row in await with_people(connection, keys, everybody.rows)
        if row.person and folded in searchable(f"{row.full_name} {row.email}")
    ]
    return await _with_removed_events(connection, await _with_places(connection, found))


async def count(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    *,
    text: str = "",
    event_id: UUID | None = None,
    status: VisitorStatus | None = None,
) -> int:
    """How many `search` finds on all pages; one more than `most_counted` for any larger number."""
    asked = search_for(keys, text, event_id, status)
    if asked is None:
        return 0
    return await keyset.count(connection, *asked, limit=most_counted(text))


def most_counted(text: str) -> int:
    """Who searches for people looks at the first ones, or adds words."""
    return FOUND_COUNT_LIMIT if text.strip() else COUNT_LIMIT


def search_for(
    keys: InstallationKeys,
    text: str,
    event_id: UUID | None,
    status: VisitorStatus | None,
    columns: LiteralString = _COLUMNS,
) -> tuple[Search, dict[str, object]] | None:
    """A search in `visitors`, and its parameters; None when no visitor matches the text."""
    wanted = word_keys(keys).for_search(text, MAX_WORDS)
    if text.strip() and not wanted.indexed:
        return None
    conditions: list[LiteralString] = ["event_id = %(event_id)s"] if event_id else []
    if status:
        conditions.append(HAS_STATUS[status])
    search = Search(
        table="visitors",
        time="registered_at",
        columns=columns,
        conditions=conditions,
        rare=_FOUND if wanted.indexed else None,
    )
    return search, {"event_id": event_id, "indexed": wanted.indexed, "others": wanted.others}


async def _with_places(
    connection: AsyncConnection[Any], rows: Sequence[FoundVisitor]
) -> list[FoundVisitor]:
    waiting = [row.id for row in rows if row.status == "waiting"]
    places = await places_in_line(connection, waiting)
    return [msgspec.structs.replace(row, queue_position=places.get(row.id)) for row in rows]


async def _with_removed_events(
    connection: AsyncConnection[Any], rows: Sequence[FoundVisitor]
) -> list[FoundVisitor]:
    removed = {row.event_id for row in rows if row.event is None}
    names = await names_of_removed(connection, removed)
    return [
        row
        if row.event is not None
        else msgspec.structs.replace(row, event=names.get(row.event_id), is_removed=True)
        for row in rows
    ]
