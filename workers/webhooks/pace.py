"""How many calls of one endpoint run at once, and how long each waits while nothing is taken."""

from __future__ import annotations

from time import monotonic

CALLS = 16
"""Concurrent calls of an endpoint at first, and at most if it answers slowly."""

MAX_CALLS = 48
"""Of an endpoint that answers quickly."""

QUICK = 0.1
"""Seconds. With `CALLS` at once, an endpoint that answers in 20 ms would get at most 800 items a
second."""

FIRST_DELAY, MAX_DELAY = 0.25, 60.0
"""Seconds between two new items while the endpoint takes none; each failure doubles them. Items
that are tried again do not wait for it."""


class Pace:
    def __init__(self) -> None:
        self.calls = CALLS
        self._delay = 0.0
        self._changed_at = self._next_at = 0.0

    def taken(self, seconds: float) -> None:
        """An item was taken after so many seconds."""
        if self._delay or self.calls < CALLS:
            self._delay, self.calls = 0.0, min(CALLS, self.calls * 2)
        else:
            step = 1 if seconds < QUICK else -1
            self.calls = min(max(CALLS, self.calls + step), MAX_CALLS)

    def failed(self, started_at: float) -> None:
        """An item was not taken. Of the calls that run at once, only the first one counts."""
        now = monotonic()
        if started_at >= self._changed_at:
            self._changed_at = now
            self.calls = max(1, min(CALLS, self.calls) // 2)
            self._delay = min(MAX_DELAY, max(FIRST_DELAY, self._delay * 2))
            self._next_at = now + self._delay

    def seconds_until_next(self) -> float:
        """Until a new item may be sent; 0 for now."""
        return max(0.0, self._next_at - monotonic()) if self._delay else 0.0

    def started(self) -> None:
        """A new item is sent."""
        self._next_at = monotonic() + self._delay
