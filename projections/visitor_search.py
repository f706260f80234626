"""Looking for visitors as organizers do: of one event or of all, by name or email, newest first."""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from projections import keyset
from projections.keyset import Beyond, Search, Slice
from projections.visitors import PUNCTUATION, WORDS

MOST_WORDS = 8

NEWEST = Beyond()

_COLUMNS = (
    "event_id, (SELECT name FROM events WHERE events.id = event_id), full_name, email, position"
)

_SPACES = str.maketrans(dict.fromkeys(PUNCTUATION, " "))


class FoundVisitor(msgspec.Struct, frozen=True):
    registered_at: datetime
    id: UUID
    event_id: UUID
    event: str | None
    """The event's name; None when it was removed."""
    full_name: str | None
    """None, as the email, when the person was erased."""
    email: str | None
    position: int
    """Of the registration in history."""


async def search(
    connection: AsyncConnection[Any],
    *,
    text: str = "",
    event_id: UUID | None = None,
    beyond: Beyond = NEWEST,
    limit: int = 50,
) -> Slice[FoundVisitor]:
    """Each word of the text is the beginning of one in the name, or of the email."""
    asked = _query(text)
    conditions: list[LiteralString] = ["event_id = %(event_id)s"] if event_id else []
    return await keyset.find(
        connection,
        Search(
            table="visitors",
            time="registered_at",
            columns=_COLUMNS,
            conditions=conditions,
            rare=f"{WORDS} @@ lower(%(asked)s)::tsquery" if asked else None,
        ),
        {"event_id": event_id, "asked": asked},
        FoundVisitor,
        beyond=beyond,
        limit=limit,
    )


def _query(text: str) -> str:
    """What PostgreSQL is asked for: `ada.l` is the beginning of an email, or of a name's words."""
    return " & ".join(_beginning(word) for word in text.split()[:MOST_WORDS])


def _beginning(word: str) -> str:
    parts = word.translate(_SPACES).split()
    if parts in ([word], []):
        return _prefix(word)
    return f"({_prefix(word)} | ({' & '.join(map(_prefix, parts))}))"


def _prefix(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}':*"
