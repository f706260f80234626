"""Limits concurrent calls of the service: fewer while it cannot take them.

Each answer that means "later" halves the limit, each other answer doubles it. A service that is
down gets one call at a time, with a delay before each, until it is back.
"""

from __future__ import annotations

import structlog

from workers.delivery.sender import Answer, TryLater

PROBE_DELAY = 0.25
"""Seconds before each call while the service is down."""

log = structlog.get_logger()


class ConcurrencyLimit:
    """The number of calls that may run at once: at first `maximum`, later between `minimum` and
    `maximum`."""

    def __init__(self, maximum: int, minimum: int = 1) -> None:
        self._maximum, self._minimum = maximum, minimum
        self.calls = maximum
        self.delay = 0.0
        """Seconds to wait before each call."""

    def answered(self, answer: Answer) -> None:
        later = isinstance(answer, TryLater)
        self.calls = (
            max(self._minimum, self.calls // 2) if later else min(self._maximum, self.calls * 2)
        )
        delay = PROBE_DELAY if later and self.calls == 1 else 0.0
        if delay and not self.delay:
            log.warning("the service takes no notifications: probing it")
        elif self.delay and not delay:
            log.info("the service takes notifications again")
        self.delay = delay
