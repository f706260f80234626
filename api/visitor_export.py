"""The visitors of an event as a CSV file, which `api.visitor_import` takes.

The file is read page by page, so that it holds neither a connection nor a transaction while a
client reads slowly. Each page is of one moment; a visitor who stays is in the file once.
"""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from functools import partial
from io import StringIO
from typing import Protocol, TypeVar
from uuid import UUID

import msgspec

from api.answer_texts import PREFIX, text_of
from api.csv_files.cells import escaped
from api.database.query import Query
from domain.privacy.keys import InstallationKeys
from domain.visitors import VisitorStatus
from projections.event_visitors import BEGINNING, Place, next_visitors
from projections.questions import questions_ever
from projections.visitors import VisitorRow, with_people_and_places

COLUMNS = (
    "id",
    "full_name",
    "email",
    "status",
    "queue_position",
    "registered_at",
    "checked_in_at",
)

PAGE_SIZE = 500
"""Visitors that are read at once: to decrypt their names takes about 10 ms of the event loop."""

Rows = list[VisitorRow]
T = TypeVar("T")


class RunQuery(Protocol):
    def __call__(self, query: Query[T], /) -> Awaitable[T]: ...


async def exported(
    run_query: RunQuery,
    keys: InstallationKeys,
    event_id: UUID,
    *,
    status: VisitorStatus | None = None,
    personal: bool = True,
) -> AsyncIterator[str]:
    """Parts of the file, in the order in which the visitors came. Each question has a column, also
    those that have gone. Without `personal`, names, emails and answers are empty."""
    asked = list(await run_query(partial(questions_ever, event_id=event_id)))
    yield _lines([[*COLUMNS, *(PREFIX + id for id in asked)]])
    async for rows in pages_of(run_query, keys, event_id, status):
        yield _lines(_cells(row, asked, personal=personal) for row in rows)


async def pages_of(
    run_query: RunQuery, keys: InstallationKeys, event_id: UUID, status: VisitorStatus | None
) -> AsyncIterator[Rows]:
    """The visitors of the event, in the order in which they came. While a page is decrypted and
    sent, the database finds the next one. Its names are read last, so that it contains
    no person whose erasure was complete before."""

    def page_after(place: Place) -> asyncio.Task[Rows]:
        query = partial(
            next_visitors, event_id=event_id, status=status, after=place, limit=PAGE_SIZE
        )
        return asyncio.ensure_future(run_query(query))

    coming = page_after(BEGINNING)
    try:
        while True:
            rows = await coming
            if is_full := len(rows) == PAGE_SIZE:
                coming = page_after(Place(rows[-1].registered_at, rows[-1].position))
            yield await _named(run_query, keys, rows)
            if not is_full:
                return
    finally:
        coming.cancel()


async def _named(run_query: RunQuery, keys: InstallationKeys, rows: Rows) -> Rows:
    """The rows with their people and places. While the first half is decrypted, the database
    reads the second."""
    half = PAGE_SIZE // 2
    halves = [part for part in (rows[:half], rows[half:]) if part]
    named = await asyncio.gather(
        *(run_query(partial(with_people_and_places, keys=keys, rows=part)) for part in halves)
    )
    return [row for part in named for row in part]


def _cells(row: VisitorRow, asked: Sequence[str], *, personal: bool) -> Iterable[object]:
    """A cell of None is empty."""
    person, answers = row.person, (personal and row.answers) or {}
    return (
        row.id,
        escaped(person.full_name) if personal and person else None,
        escaped(person.email) if personal and person else None,
        row.status if person else "erased",
        row.queue_position,
        row.registered_at,
        row.checked_in_at,
        *(escaped(text_of(answers[id])) if id in answers else None for id in asked),
    )


def _lines(rows: Iterable[Iterable[object]]) -> str:
    text = StringIO()
    # msgspec writes ids and times five times as fast as Python's own methods.
    csv.writer(text).writerows(msgspec.to_builtins(list(rows)))
    return text.getvalue()
