"""The visitors of an event as a CSV file, which `api.visitor_import` takes.

The file is read page by page, so that it holds neither a connection nor a transaction while a
client reads slowly. Each page is of one moment; a visitor who stays is in the file once.
"""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import datetime
from functools import partial
from io import StringIO
from uuid import UUID

from api.csv_files.cells import escaped
from api.database.query import Query
from domain.privacy.keys import InstallationKeys
from domain.visitors import VisitorStatus
from projections.event_visitors import BEGINNING, Place, next_visitors
from projections.visitors import VisitorRow

COLUMNS = (
    "id",
    "full_name",
    "email",
    "status",
    "queue_position",
    "registered_at",
    "checked_in_at",
)

PAGE_SIZE = 250
"""Visitors that are read at once: to decrypt their names takes about 10 ms of the event loop."""

Rows = list[VisitorRow]
RunQuery = Callable[[Query[Rows]], Awaitable[Rows]]


async def exported(
    run_query: RunQuery,
    keys: InstallationKeys,
    event_id: UUID,
    *,
    status: VisitorStatus | None = None,
    personal: bool = True,
) -> AsyncIterator[str]:
    """Parts of the file, in the order in which the visitors came. Without `personal`, names and
    emails are empty."""
    yield _lines([COLUMNS])
    async for rows in pages_of(run_query, keys, event_id, status):
        yield _lines(_cells(row, personal=personal) for row in rows)


async def pages_of(
    run_query: RunQuery, keys: InstallationKeys, event_id: UUID, status: VisitorStatus | None
) -> AsyncIterator[Rows]:
    """The visitors of the event, in the order in which they came."""
    place = BEGINNING
    while True:
        rows = await run_query(
            partial(
                next_visitors,
                keys=keys,
                event_id=event_id,
                status=status,
                after=place,
                limit=PAGE_SIZE,
            )
        )
        yield rows
        if len(rows) < PAGE_SIZE:
            return
        place = Place(rows[-1].registered_at, rows[-1].position)


def _cells(row: VisitorRow, *, personal: bool) -> Iterable[object]:
    """A cell of None is empty."""
    person = row.person
    return (
        row.id,
        escaped(person.full_name) if personal and person else None,
        escaped(person.email) if personal and person else None,
        row.status if person else "erased",
        row.queue_position,
        _time(row.registered_at),
        _time(row.checked_in_at),
    )


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None


def _lines(rows: Iterable[Iterable[object]]) -> str:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
