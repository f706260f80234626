"""When something that ended may start again."""

import time

FIRST_DELAY = 0.2  # seconds before it starts again; doubled each time,
LONGEST_DELAY = 10.0  # up to so many,
SETTLED = 30.0  # and forgotten once it has lived so long


class Backoff:
    """At once the first time, then after growing delays."""

    def __init__(self) -> None:
        self._delay = FIRST_DELAY
        self._due = 0.0
        self._started = 0.0

    def is_due(self) -> bool:
        return time.monotonic() >= self._due

    def started(self) -> None:
        self._started = time.monotonic()

    def ended(self) -> float:
        """Call it when what was started has ended, or could not start. The seconds until it is due
        again."""
        now = time.monotonic()
        if now - self._started > SETTLED:
            self._delay = FIRST_DELAY
        delay = self._delay
        self._due = now + delay
        self._delay = min(2 * delay, LONGEST_DELAY)
        return delay
