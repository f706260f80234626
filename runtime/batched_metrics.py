"""Counting many things together, a moment later: one by one the library takes as long for it as a
twentieth of a registration."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Callable, Collection, Sequence
from typing import Any, Generic, TypeVar

from prometheus_client import Histogram

T = TypeVar("T")

MANY = 64

LATER = 1.0
"""Seconds until a few are counted, too."""

_all: list[Gathered[Any]] = []


class Gathered(Generic[T]):
    """Things of one event loop, until `count` is given them."""

    def __init__(self, count: Callable[[Sequence[T]], None]) -> None:
        self._count = count
        self._things: list[T] = []
        self._timer: asyncio.TimerHandle | None = None
        _all.append(self)

    def add(self, thing: T) -> None:
        self._things.append(thing)
        if len(self._things) == MANY:
            self.count()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LATER, self.count)

    def count(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        things, self._things = self._things, []
        if things:
            self._count(things)


def count_all() -> None:
    """At once, because somebody asks."""
    for gathered in _all:
        gathered.count()


class HistogramOfMany(Histogram):
    """Takes many observations at the price of a few."""

    def observe_all(self, amounts: Collection[float]) -> None:
        self._sum.inc(sum(amounts))
        places = Tally(bisect_left(self._upper_bounds, amount) for amount in amounts)
        for place, number in places.items():
            self._buckets[place].inc(number)
