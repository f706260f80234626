"""A cache of responses to queries, in memory.

An entry is stored under the request's path and query, with its entity tag. The tag changes whenever
one of the tables changes that the response was read from, so an entry never expires: it is valid
while its tag matches.
"""

from __future__ import annotations

from collections import OrderedDict

MAX_BYTES = 16 * 1024 * 1024
"""Size of a process's cache; the least recently used entries leave first."""


ENTRY_OVERHEAD = 500
"""Bytes of an entry besides its key and body."""


class ResponseCache:
    """The body of the last response to each request."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._free = max_bytes
        self._entries: OrderedDict[str, tuple[str, bytes]] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        """Whether there is an entry, valid or not."""
        return key in self._entries

    def get(self, key: str, etag: str) -> bytes | None:
        """The body of the entry if it has this tag."""
        entry = self._entries.get(key)
        if entry is None or entry[0] != etag:
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def store(self, key: str, etag: str, body: bytes) -> None:
        self._remove(key)
        self._entries[key] = (etag, body)
        self._free -= _size(key, body)
        while self._free < 0:
            self._remove(next(iter(self._entries)))

    def _remove(self, key: str) -> None:
        if entry := self._entries.pop(key, None):
            self._free += _size(key, entry[1])


def _size(key: str, body: bytes) -> int:
    return ENTRY_OVERHEAD + len(key) + len(body)
