"""How many calls the notification service is given at once: fewer while it cannot take them.

Each answer that says "later" halves the number, each other doubles it. A service that is down is
asked by one call at a time, with a rest before each, until it is back.
"""

from __future__ import annotations

import structlog

from workers.delivery.notification_service import Answer, TryLater

REST = 0.25
"""Seconds."""

log = structlog.get_logger()


class Window:
    """Wide open at first: `most` calls at once, and no rest before them. It closes no further than
    to `least`."""

    def __init__(self, most: int, least: int = 1) -> None:
        self._most, self._least = most, least
        self.size = most
        self.rest = 0.0

    def answered(self, answer: Answer) -> None:
        later = isinstance(answer, TryLater)
        self.size = max(self._least, self.size // 2) if later else min(self._most, self.size * 2)
        rest = REST if later and self.size == 1 else 0.0
        if rest and not self.rest:
            log.warning("the notification service takes nothing: it is asked once in a while")
        elif self.rest and not rest:
            log.info("the notification service takes notifications again")
        self.rest = rest
