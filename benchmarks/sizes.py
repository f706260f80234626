"""The sizes and durations of the measures."""

from __future__ import annotations

import msgspec


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    at_once: int = 1
    """Concurrent measures; more than one only in a quick run, where figures do not matter."""
    serving: int = 2
    """Processes of a contender's server; as many as the product has on two cores by itself."""
    beforehand: int = 1_000
    """Registrations before what is looked at."""
    rounds: int
    """Turns that each contender has."""
    warm_up: float
    """Seconds of load before what counts."""
    seconds: float
    """Of load that counts, in each turn."""
    events: int
    """In the list."""
    hot: int
    """Registrations for one event."""
    seats: int
    """Of an event that `hot` people rush for."""
    deliveries: int
    peer_deliveries: int
    """By a loop that posts one by one."""
    rebuilt: int
    """Events of history."""
    peer_rebuilt: int
    synced: int
    visitors: int
    """Behind the panel's pages."""
    pages: int
    """Requests for each of the panel's pages."""
    growth: tuple[int, ...]
    """Events in history."""
    processes: tuple[int, ...]
    """Of the API."""


FULL = Sizes(
    rounds=5,
    warm_up=3.0,
    seconds=8.0,
    events=100_000,
    hot=10_000,
    seats=1_000,
    deliveries=20_000,
    peer_deliveries=500,
    rebuilt=1_000_000,
    peer_rebuilt=20_000,
    synced=4_005,
    visitors=1_000_000,
    pages=100,
    growth=(10_000, 100_000, 1_000_000),
    processes=(1, 2, 4),
)

QUICK = Sizes(
    at_once=3,
    serving=1,
    beforehand=20,
    rounds=1,
    warm_up=0,
    seconds=0.4,
    events=2_000,
    hot=50,
    seats=20,
    deliveries=200,
    peer_deliveries=10,
    rebuilt=5_000,
    peer_rebuilt=500,
    synced=200,
    visitors=1_000,
    pages=5,
    growth=(2_000,),
    processes=(),
)
