"""When an item that an endpoint did not take is tried again."""

from __future__ import annotations

import random

MINUTE, HOUR = 60.0, 3600.0

WAITS = (
    5.0,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
)
"""Seconds before each further try, as Standard Webhooks proposes; after the last one, the item is
given up."""

JITTER = 0.1
"""Share of a wait that is added at random at most, so that the items of an outage do not return at
one moment."""

MAX_RETRY_AFTER = 24 * HOUR
"""An endpoint cannot ask for a longer wait."""


def wait_after(tries: int, retry_after: float) -> float | None:
    """Seconds until the next try of an item that was tried so often; None when it is given up."""
    if tries > len(WAITS):
        return None
    wait = WAITS[tries - 1] * (1 + random.random() * JITTER)  # noqa: S311
    return max(wait, retry_after)
