"""The lag of the read tables behind history under a steady load."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping

import httpx
import msgspec
import psycopg

from benchmarks.contenders import events_face, stub
from benchmarks.fairness import new_event
from benchmarks.load import at_rate, warm_up
from benchmarks.results import OURS, Comparison, Reach
from benchmarks.servers import Database
from benchmarks.stage import Stage

RATE = 1_000.0
"""Registrations per second."""


def measure(stage: Stage) -> list[Comparison]:
    def turn() -> Mapping[str, float]:
        log = stage.folder / "lag.log"
        with (
            stage.server.new_database() as database,
            stub(log) as service,
            events_face(notifications=service)(database, log, stage.sizes.serving) as origin,
        ):
            with httpx.Client(base_url=origin, trust_env=False) as client:
                paths = [new_event(client)]
            warm_up(origin, paths, seconds=stage.sizes.warm_up)
            watch = Watch(database)
            answered = at_rate(origin, paths, rate=RATE, seconds=stage.sizes.seconds)
            lags = watch.end()
        return {
            "lag p50": lags[len(lags) // 2],
            "lag p99": lags[int(len(lags) * 0.99)],
            "answer p50": answered.p50,
            "answer p99": answered.p99,
        }

    figures = stage.interleaved({OURS: turn})
    return [
        Comparison(
            what=f"projection lag at {RATE:,.0f} registrations/s, {percentile}",
            unit="ms",
            figures=figures[f"lag {percentile}"],
            more_is_better=False,
            reaches=(Reach(text=f"{bound} ms", bound=bound),),
        )
        for percentile, bound in (("p50", 15), ("p99", 60))
    ] + [
        Comparison(
            what=f"response time meanwhile, {percentile}",
            unit="ms",
            figures=figures[f"answer {percentile}"],
            more_is_better=False,
        )
        for percentile in ("p50", "p99")
    ]


class Watch:
    """Times from the notification of an append to the notification that the visitors' table
    includes it: PostgreSQL sends both to one listener."""

    def __init__(self, database: Database) -> None:
        self._connection = psycopg.connect(database.url, autocommit=True)
        self._connection.execute("LISTEN history")
        self._connection.execute("LISTEN projections")
        self._ended = threading.Event()
        self._lags: list[float] = []
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def end(self) -> list[float]:
        """Milliseconds, in order. Raises `RuntimeError` when there are none."""
        self._ended.set()
        self._thread.join()
        self._connection.close()
        if not self._lags:
            raise RuntimeError("no notification of a projection was received")
        return sorted(self._lags)

    def _watch(self) -> None:
        coming = deque[tuple[int, float]]()
        while not self._ended.is_set():
            for notification in self._connection.notifies(timeout=0.1):
                now = time.perf_counter()
                if notification.channel == "history":
                    coming.append((int(notification.payload), now))
                elif place := msgspec.json.decode(notification.payload).get("visitors"):
                    while coming and coming[0][0] <= place[0]:
                        self._lags.append((now - coming.popleft()[1]) * 1000)
