"""Lists without end, newest first: a page of them costs the same wherever in the list it is.

A page begins beyond a row rather than after a number of rows, so an index leads straight to it.
There is no total, which would have to be counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, LiteralString, TypeVar

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Composable, Composed, Identifier

from projections.lists.cursor import Cursor

Row = TypeVar("Row")

WALK = 5_000
"""Rows that are looked at one after the other before an index is asked for the rare ones. They take
about as long as fetching as many by that index."""


class Beyond(msgspec.Struct, frozen=True):
    """Where a page begins: with the newest of all, or next to a row on its older or newer side."""

    row: Cursor | None = None
    newer: bool = False


class Slice(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """Rows that follow one another, newest first."""

    rows: list[Row]
    newer: Cursor | None
    """Beyond which there are newer ones; None when there are none."""
    older: Cursor | None


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for. The table has an `id`, and indexes in the order of its time."""

    table: LiteralString
    time: LiteralString
    """The column that the order goes by."""
    columns: LiteralString
    conditions: Sequence[LiteralString] = ()
    """Those that an index in the order of the time serves."""
    rare: LiteralString | None = None
    """One that holds for most rows or for few, which is not known: an index of its own finds those
    few, but in no order. When many are like that, some are among the next rows."""


async def find(
    connection: AsyncConnection[Any],
    search: Search,
    parameters: Mapping[str, object],
    make: Callable[..., Row],
    *,
    beyond: Beyond,
    limit: int,
) -> Slice[Row]:
    """Up to `limit` rows; `make` is given the time, the id and the columns of each."""
    values = {
        **parameters,
        "limit": limit + 1,
        "walk": WALK if search.rare else limit + 1,
        "row_time": beyond.row and beyond.row.time,
        "row_id": beyond.row and beyond.row.id,
    }
    statements = [_among_next(search, beyond)]
    if search.rare:
        statements.append(_by_index(search, beyond))
    found: list[Any] = []
    for statement in statements:
        cursor = await connection.execute(statement, values, binary=True)
        answer = await cursor.fetchall()
        found = [row[1:] for row in answer if row[2] is not None]
        if len(found) > limit or answer[0][0] < values["walk"]:
            break
    return _slice(found, make, beyond, limit)


def _slice(
    found: Sequence[Any], make: Callable[..., Row], beyond: Beyond, limit: int
) -> Slice[Row]:
    more, found = len(found) > limit, found[:limit]
    if beyond.newer:
        found = found[::-1]
    has_newer, has_older = more, beyond.row is not None
    if not beyond.newer:
        has_newer, has_older = has_older, has_newer
    return Slice(
        rows=[make(*row) for row in found],
        newer=Cursor(*found[0][:2]) if found and has_newer else None,
        older=Cursor(*found[-1][:2]) if found and has_older else None,
    )


def _among_next(search: Search, beyond: Beyond) -> Composed:
    """Those among the next rows, and how many these were. There is always a row."""
    return _statement(
        """
        WITH next AS (
            SELECT * FROM {table} WHERE {conditions} ORDER BY {order} LIMIT %(walk)s
        ), page AS (
            SELECT {time}, id, {columns} FROM next WHERE {rare} ORDER BY {order} LIMIT %(limit)s
        )
        SELECT walked.count, page.* FROM (SELECT count(*) FROM next) walked LEFT JOIN page ON true
        ORDER BY {order}
        """,
        search,
        beyond,
    )


def _by_index(search: Search, beyond: Beyond) -> Composed:
    """All those that are rare, of which the next are taken. PostgreSQL, which cannot know how rare
    they are, is kept from walking the order's index once more."""
    return _statement(
        """
        WITH found AS MATERIALIZED (SELECT * FROM {table} WHERE {rare} AND {conditions}),
        page AS (
            SELECT {time}, id, {columns} FROM found ORDER BY {order} LIMIT %(limit)s
        )
        SELECT 0, page.* FROM (SELECT) AS always LEFT JOIN page ON true ORDER BY {order}
        """,
        search,
        beyond,
    )


def _statement(text: LiteralString, search: Search, beyond: Beyond) -> Composed:
    conditions: list[Composable] = [SQL(c) for c in search.conditions] or [SQL("true")]
    time = Identifier(search.time)
    if beyond.row:
        condition = (
            "({}, id) > (%(row_time)s, %(row_id)s)"
            if beyond.newer
            else ("({}, id) < (%(row_time)s, %(row_id)s)")
        )
        conditions.append(SQL(condition).format(time))
    order = "{time}, id" if beyond.newer else "{time} DESC, id DESC"
    return SQL(text).format(
        table=Identifier(search.table),
        time=time,
        columns=SQL(search.columns),
        conditions=SQL(" AND ").join(conditions),
        rare=SQL(search.rare or "true"),
        order=SQL(order).format(time=time),
    )
