"""A cache of responses to queries, in memory.

An entry is stored under the request's path and query. It is valid while the tables that the
response was read from have the same version, and, if it depends on the clock, for a period.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec

from projections.lists.cursor import Period

T = TypeVar("T")

MAX_BYTES = 16 * 1024 * 1024
"""Size of a process's cache; the least recently used entries leave first."""


ENTRY_OVERHEAD = 500
"""Bytes of an entry besides its key and body."""

GZIPPED = 0.25
"""Size of a compressed body, which the response may keep, of the body's."""


class Entry(msgspec.Struct, Generic[T], frozen=True):
    version: str
    """Of the tables."""
    response: T
    size: int
    """Bytes of its body."""
    valid: Period | None = None
    """None: at any time."""


class ResponseCache(Generic[T]):
    """The last response to each request."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._free = max_bytes
        self._entries: OrderedDict[str, Entry[T]] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        """Whether there is an entry, valid or not."""
        return key in self._entries

    def get(self, key: str, version: str) -> Entry[T] | None:
        """The entry if it is valid now for this version of the tables."""
        entry = self._entries.get(key)
        if entry is None or entry.version != version:
            return None
        if entry.valid is not None and datetime.now(UTC) not in entry.valid:
            return None
        self._entries.move_to_end(key)
        return entry

    def store(self, key: str, entry: Entry[T]) -> None:
        self._remove(key)
        self._entries[key] = entry
        self._free -= _size(key, entry)
        while self._free < 0:
            self._remove(next(iter(self._entries)))

    def _remove(self, key: str) -> None:
        if entry := self._entries.pop(key, None):
            self._free += _size(key, entry)


def _size(key: str, entry: Entry[Any]) -> int:
    return ENTRY_OVERHEAD + len(key) + round(entry.size * (1 + GZIPPED))
