"""The items after the cursor that are read, and the order in which they may be sent.

A stream is the items of one visitor, or of one event without those of its visitors. Its items are
sent one after the other; while one waits for another try, those after it wait behind it. Items of
different streams are independent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from uuid import UUID

import msgspec

from domain.feed.item import FeedItem
from domain.feed.reading import FeedPage
from workers.webhooks.cursors import Parked


class Entry(msgspec.Struct, kw_only=True, eq=False):
    """An item to send."""

    item: FeedItem
    previous: int | None
    """Position of the item before it."""
    tries: int = 0
    """Before this one."""
    passed: bool = False
    """Whether it is taken or parked."""

    @property
    def stream(self) -> UUID:
        return stream_of(self.item)


def stream_of(item: FeedItem) -> UUID:
    """An item that names nobody, as of a message that an earlier release gave up, is alone."""
    return item.visitor_id or item.event_id or UUID(int=item.position)


class Window:
    """`parked`: streams of which an item waits for another try."""

    def __init__(
        self, position: int, previous: int | None, taken_ahead: Iterable[int], parked: set[UUID]
    ) -> None:
        self.position, self.previous = position, previous
        self.read_to = position
        """All of history up to here is in the window, or before the cursor."""
        self._last_read = previous
        self._taken_before = frozenset(taken_ahead)
        self._parked = parked
        self._order = deque[Entry]()
        """All items after the cursor."""
        self._ready = deque[Entry]()
        self._behind = dict[UUID, deque[Entry]]()
        """By stream of which an item is ready or being sent, the items after it."""
        self._to_park = list[Entry]()

    def __len__(self) -> int:
        return len(self._order)

    def add(self, page: FeedPage) -> None:
        for item in page.items:
            entry = Entry(item=item, previous=self._last_read)
            self._last_read = item.position
            self._order.append(entry)
            stream = entry.stream
            if item.position in self._taken_before:
                entry.passed = True
            elif stream in self._parked:
                self._park_behind(entry)
            elif stream in self._behind:
                self._behind[stream].append(entry)
            else:
                self._behind[stream] = deque()
                self._ready.append(entry)
        self.read_to = page.position

    def next(self) -> Entry | None:
        """An item that may be sent now."""
        return self._ready.popleft() if self._ready else None

    def put_back(self, entry: Entry) -> None:
        """It was not sent."""
        self._ready.appendleft(entry)

    def taken(self, entry: Entry) -> None:
        entry.passed = True
        behind = self._behind[entry.stream]
        if behind:
            self._ready.append(behind.popleft())
        else:
            del self._behind[entry.stream]

    def parked(self, entry: Entry) -> None:
        """It waits for another try, and all items of its stream behind it."""
        entry.passed = True
        self._parked.add(entry.stream)
        for each in self._behind.pop(entry.stream):
            self._park_behind(each)

    def parked_behind(self) -> list[Parked]:
        """Items to record that wait behind another of their stream; each once."""
        waiting, self._to_park = self._to_park, []
        return [
            Parked(position=e.item.position, stream=e.stream, previous=e.previous, tries=0)
            for e in waiting
        ]

    def freed(self, streams: Iterable[UUID]) -> None:
        """No item of these streams is parked in the database any more."""
        waiting = {entry.stream for entry in self._to_park}
        self._parked -= set(streams) - waiting

    def advance(self) -> None:
        """Move the cursor over all items that are taken or parked."""
        while self._order and self._order[0].passed:
            passed = self._order.popleft()
            self.position, self.previous = passed.item.position, passed.item.position
        if not self._order:
            self.position = self.read_to

    @property
    def taken_ahead(self) -> list[int]:
        """Positions of items after the cursor that are taken or parked."""
        return [entry.item.position for entry in self._order if entry.passed]

    def _park_behind(self, entry: Entry) -> None:
        entry.passed = True
        self._to_park.append(entry)
