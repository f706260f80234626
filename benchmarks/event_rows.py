"""Rows of the read table `events`, for measures that fill it without a history."""

from __future__ import annotations

from projections.lists.search_text import searchable
from projections.lists.trigrams import trigrams

COPY = """
COPY events (id, name, name_folded, trigrams, status, event_datetime, registration_deadline,
             description, timezone, waiting_list, reminders, sequence, changed_at, version)
FROM STDIN
"""


def row(id: str, name: str, status: str, begins: str, deadline: str) -> tuple[object, ...]:
    """The values of the columns of `COPY`; times as PostgreSQL reads them."""
    folded = searchable(name)
    details = ("", "UTC", "off", list[str](), 0, begins)
    return (id, name, folded, trigrams(folded), status, begins, deadline, *details, 1)
