"""Growing delays between restarts."""

import time

FIRST_DELAY = 0.2  # seconds before the first restart; doubled each time
MAX_DELAY = 10.0  # seconds
RESET_AFTER = 30.0  # seconds of running, after which the delay starts again at the first


class Backoff:
    """Starts immediately the first time, then after growing delays."""

    def __init__(self) -> None:
        self._delay = FIRST_DELAY
        self._due = 0.0
        self._started = 0.0

    def is_due(self) -> bool:
        return time.monotonic() >= self._due

    def started(self) -> None:
        self._started = time.monotonic()

    def ended(self) -> float:
        """Call this when the process has ended, or could not start. Returns the seconds until it is
        due again."""
        now = time.monotonic()
        if now - self._started > RESET_AFTER:
            self._delay = FIRST_DELAY
        delay = self._delay
        self._due = now + delay
        self._delay = min(2 * delay, MAX_DELAY)
        return delay
