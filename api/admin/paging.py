"""Pages of a list, by number: for lists that are searched rather than leafed through."""

from __future__ import annotations

import math

import msgspec

from api.requests import Request

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
    """The one that the address names; the first, where that is no number."""
    given = request.query_params.get("page", "")
    return min(max(int(given), 1), LAST) if given.isascii() and given.isdigit() else 1
