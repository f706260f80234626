"""A page of rows, and the cursor that leads to the next one."""

from __future__ import annotations

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Self, TypeVar
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

Row = TypeVar("Row")


class Period(msgspec.Struct, frozen=True):
    """Times at which a result that depends on the clock is the same, both ends included."""

    begin: datetime
    end: datetime | None
    """None: for ever."""

    def __contains__(self, moment: datetime) -> bool:
        return self.begin <= moment and (self.end is None or moment <= self.end)


class Page(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """Rows, their total and their version, read in one snapshot."""

    rows: list[Row]
    total: int
    """Number of rows on all pages."""
    version: str
    """Changes whenever a change of the tables may give the same query a different result."""
    valid: Period | None = None
    """When the result is the same for one version; None: at any time."""
    next_cursor: str | None = None
    """None on the last page."""


Versions = Mapping[str, int]
"""The version of the rows of each projection, by the projection's name."""


async def versions(connection: AsyncConnection[Any]) -> Versions:
    """The present versions."""
    cursor = await connection.execute("SELECT name, version FROM projections", binary=True)
    return dict(await cursor.fetchall())


class BadCursor(ValueError):
    """The cursor was not returned by an earlier page"""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PLACE = struct.Struct(">q16s")


class Cursor(msgspec.Struct, frozen=True):
    """The place of a row in the order by time and id. Clients get it as opaque text."""

    time: datetime
    id: UUID

    def __str__(self) -> str:
        microseconds = (self.time - _EPOCH) // _MICROSECOND
        return urlsafe_b64encode(_PLACE.pack(microseconds, self.id.bytes)).decode()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `BadCursor`."""
        try:
            microseconds, id = _PLACE.unpack(urlsafe_b64decode(text.encode("ascii")))
            return cls(_EPOCH + microseconds * _MICROSECOND, UUID(bytes=id))
        except (ValueError, OverflowError, struct.error):
            raise BadCursor(text) from None
