"""A cache of row counts: counting the matches of a query takes longer than all other work on a
page. An entry never expires: it is valid while the version of the table matches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Count = TypeVar("Count")

MAX_ENTRIES = 1_000
"""Queries. The least recently used one is removed first."""


class CountCache(Generic[Count]):
    """The last count of each query, and the version of the table in which it was made: a total, or
    several numbers."""

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._max_entries = max_entries
        self._counts: OrderedDict[Hashable, tuple[Hashable, Count]] = OrderedDict()

    def __contains__(self, query: Hashable) -> bool:
        """Whether the query was counted, in any version."""
        return query in self._counts

    def get(self, query: Hashable, version: Hashable) -> Count | None:
        """The count in this version; None when it is unknown."""
        entry = self._counts.get(query)
        if entry is None or entry[0] != version:
            return None
        self._counts.move_to_end(query)
        return entry[1]

    def store(self, query: Hashable, version: Hashable, count: Count) -> None:
        self._counts[query] = (version, count)
        self._counts.move_to_end(query)
        if len(self._counts) > self._max_entries:
            self._counts.popitem(last=False)
