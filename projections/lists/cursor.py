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


class Page(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """Rows, and what was true of all of them at that one moment."""

    rows: list[Row]
    total: int
    """Rows that there are, on whatever page."""
    version: str
    """Another one whenever the same question may have another answer: what an ETag needs."""
    next_cursor: str | None = None


Versions = Mapping[str, int]
"""Of each projection, the version that its rows have."""


async def versions(connection: AsyncConnection[Any]) -> Versions:
    """As they are now."""
    cursor = await connection.execute("SELECT name, version FROM projections", binary=True)
    return dict(await cursor.fetchall())


class BadCursor(ValueError):
    """The cursor is none that a page ended with"""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PLACE = struct.Struct(">q16s")


class Cursor(msgspec.Struct, frozen=True):
    """The place of a row in an order by time and id. To clients it is opaque text."""

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
