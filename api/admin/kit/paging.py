"""Pages of a list: by number for lists that are searched, else by keyset cursor."""

from __future__ import annotations

import math
from contextlib import suppress

import msgspec

from api.html.forms import whole_number
from api.http.requests import Request
from projections.lists.cursor import BadCursor, Cursor
from projections.lists.keyset import PageStart

LAST = 100_000


class Pages(msgspec.Struct, frozen=True):
    number: int
    size: int
    total: int

    @property
    def count(self) -> int:
        return max(1, math.ceil(self.total / self.size))

    @property
    def previous(self) -> int | None:
        return self.number - 1 if self.number > 1 else None

    @property
    def next(self) -> int | None:
        return self.number + 1 if self.number < self.count else None


def page_number(request: Request) -> int:
    """The page number in the address; 1 if it is not a number."""
    number = whole_number(request.query_params.get("page", "")) or 1
    return min(number, LAST)


def beyond(request: Request) -> PageStart:
    """The row that the page is next to; None, for the newest page, if the address names none."""
    for name, newer in (("older_than", False), ("newer_than", True)):
        if given := request.query_params.get(name):
            with suppress(BadCursor):
                return PageStart(Cursor.parse(given), newer)
    return PageStart()
