"""Keyset pagination of long lists, newest first: each page costs the same, wherever it is.

A page starts next to a given row rather than after a number of rows, so an index leads straight to
it. There is no total, because that would have to be counted.

Statements are not prepared: which plan is best depends on the values, such as an event with ten
visitors or with a hundred thousand. A plan for all values took six times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, LiteralString, TypeVar

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Composable, Composed, Identifier

from projections.lists.cursor import Cursor

Row = TypeVar("Row")

SCAN_LIMIT = 5_000
"""Rows that are read in order before the index of `Search.rare` is used. Reading them takes about
as long as fetching the same number through that index."""


class PageStart(msgspec.Struct, frozen=True):
    """Where a page starts: at the newest row, or next to `row` on its older or newer side."""

    row: Cursor | None = None
    newer: bool = False


class Slice(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """Consecutive rows, newest first."""

    rows: list[Row]
    newer: Cursor | None
    """Start of the page of newer rows; None when there are none."""
    older: Cursor | None
    """Start of the page of older rows; None when there are none."""


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What to select. The table has a column `id`, and indexes on `time`."""

    table: LiteralString
    time: LiteralString
    """The column to sort by."""
    columns: LiteralString
    conditions: Sequence[LiteralString] = ()
    """Conditions that an index on `time` supports."""
    rare: LiteralString | None = None
    """A condition that may match most rows or few. It has an index of its own, which finds the rows
    in no order. If it matches many rows, some of them are among the next `SCAN_LIMIT`."""


async def find(
    connection: AsyncConnection[Any],
    search: Search,
    parameters: Mapping[str, object],
    make: Callable[..., Row],
    *,
    start: PageStart,
    limit: int,
    offset: int = 0,
) -> Slice[Row]:
    """Up to `limit` rows, after `offset` others; `make` is called with the time, the id and the
    columns of each."""
    values = {
        **parameters,
        "limit": limit + 1,
        "offset": offset,
        "scan_limit": SCAN_LIMIT if search.rare else offset + limit + 1,
        "row_time": start.row and start.row.time,
        "row_id": start.row and start.row.id,
    }
    statements = [_among_next(search, start)]
    if search.rare:
        statements.append(_by_index(search, start))
    found: list[Any] = []
    for statement in statements:
        cursor = await connection.execute(statement, values, binary=True, prepare=False)
        selected = await cursor.fetchall()
        found = [row[1:] for row in selected if row[2] is not None]
        if len(found) > limit or selected[0][0] < values["scan_limit"]:
            break
    return _slice(found, make, start, limit)


async def count(
    connection: AsyncConnection[Any],
    search: Search,
    parameters: Mapping[str, object],
    *,
    limit: int,
) -> int:
    """How many rows `find` finds on all pages; `limit` + 1 for any larger number. If `rare` matches
    many rows, enough of them are among the newest, and its index, which would collect all of them
    first, is not read."""
    values = {**parameters, "limit": limit + 1, "scan_limit": SCAN_LIMIT}
    statements = [_NEWEST_COUNTED] if search.rare else []
    counted = 0
    for statement in (*statements, _ALL_COUNTED):
        cursor = await connection.execute(
            _statement(statement, search, PageStart()), values, prepare=False
        )
        counted = (await cursor.fetchone() or (0,))[0]
        if counted > limit:
            break
    return counted


_NEWEST_COUNTED: LiteralString = """
    SELECT count(*) FROM (
        SELECT FROM (
            SELECT * FROM {table} WHERE {conditions} ORDER BY {order} LIMIT %(scan_limit)s
        ) AS newest WHERE {rare} LIMIT %(limit)s
    ) AS counted
"""
_ALL_COUNTED: LiteralString = """
    SELECT count(*) FROM (
        SELECT FROM {table} WHERE {conditions} AND {rare} LIMIT %(limit)s
    ) AS counted
"""


def _slice(
    found: Sequence[Any], make: Callable[..., Row], start: PageStart, limit: int
) -> Slice[Row]:
    more, found = len(found) > limit, found[:limit]
    if start.newer:
        found = found[::-1]
    has_newer, has_older = more, start.row is not None
    if not start.newer:
        has_newer, has_older = has_older, has_newer
    return Slice(
        rows=[make(*row) for row in found],
        newer=Cursor(*found[0][:2]) if found and has_newer else None,
        older=Cursor(*found[-1][:2]) if found and has_older else None,
    )


def _among_next(search: Search, start: PageStart) -> Composed:
    """Matches among the next rows, and the number of rows scanned. There is always a row."""
    return _statement(
        """
        WITH next AS (
            SELECT * FROM {table} WHERE {conditions} ORDER BY {order} LIMIT %(scan_limit)s
        ), page AS (
            SELECT {time}, id, {columns} FROM next WHERE {rare}
            ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s
        )
        SELECT scanned.count, page.*
        FROM (SELECT count(*) FROM next) scanned LEFT JOIN page ON true
        ORDER BY {order}
        """,
        search,
        start,
    )


def _by_index(search: Search, start: PageStart) -> Composed:
    """Finds all matches of `rare` by its index, and takes the next of them. MATERIALIZED keeps
    PostgreSQL, which cannot estimate how rare they are, from scanning the index on time again."""
    return _statement(
        """
        WITH found AS MATERIALIZED (SELECT * FROM {table} WHERE {rare} AND {conditions}),
        page AS (
            SELECT {time}, id, {columns} FROM found
            ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s
        )
        SELECT 0, page.* FROM (SELECT) AS always LEFT JOIN page ON true ORDER BY {order}
        """,
        search,
        start,
    )


def _statement(text: LiteralString, search: Search, start: PageStart) -> Composed:
    conditions: list[Composable] = [SQL(c) for c in search.conditions] or [SQL("true")]
    time = Identifier(search.time)
    if start.row:
        condition = (
            "({}, id) > (%(row_time)s, %(row_id)s)"
            if start.newer
            else ("({}, id) < (%(row_time)s, %(row_id)s)")
        )
        conditions.append(SQL(condition).format(time))
    order = "{time}, id" if start.newer else "{time} DESC, id DESC"
    return SQL(text).format(
        table=Identifier(search.table),
        time=time,
        columns=SQL(search.columns),
        conditions=SQL(" AND ").join(conditions),
        rare=SQL(search.rare or "true"),
        order=SQL(order).format(time=time),
    )
