"""`/metrics` in Prometheus' text format. Decisions 0017 and 0021 explain the design.

The API processes of a host share a port, and a scrape reaches any one of them. So each of them
reports the same for the database and for counts of all processes; metrics of the process itself
carry its `pid`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from hmac import compare_digest
from typing import cast, get_args

from litestar import Response, get
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.database.probe import Backlog, DatabaseWatch, Overview
from api.http.access import Who
from api.http.limits import UNLIMITED
from api.http.requests import Request
from api.http.responses import Ready
from api.identity.tokens import TokenInvalid, TokenMissing
from domain.seals.lag import SealLag
from projections.status import ProjectionStatus, State
from runtime.batched_metrics import flush_all
from runtime.metrics import collect, gauge, gauge_by, process_metrics

MIN_LIFETIME = 1.0
"""Seconds for which a rendered text is served again, at least."""

MAX_RENDERING_SHARE = 0.05
"""Of a process's time that goes into rendering."""


class Scrapes:
    """The text for scrapes. Rendering takes about 50 ms, so it runs in a thread, once for all
    scrapes that arrive during it or shortly after."""

    def __init__(self, watch: DatabaseWatch, token: str | None) -> None:
        self._watch = watch
        self._token = token
        self._rendering = asyncio.Lock()
        self._text = b""
        self._good_until = 0.0

    def allow(self, request: Request) -> None:
        """Raises TokenMissing, TokenInvalid."""
        if self._token is not None:
            given = request.headers.get("Authorization", "")
            if not given:
                raise TokenMissing
            if not compare_digest(given.encode(), f"Bearer {self._token}".encode()):
                raise TokenInvalid

    async def text(self) -> bytes:
        loop = asyncio.get_running_loop()
        async with self._rendering:
            if loop.time() >= self._good_until:
                overview = await self._watch.overview()
                flush_all()
                begun = loop.time()
                self._text = await asyncio.to_thread(generate_latest, _Snapshot(overview))
                now = loop.time()
                self._good_until = now + max(MIN_LIFETIME, (now - begun) / MAX_RENDERING_SHARE)
            return self._text


_EXAMPLE = """\
# HELP events_face_database_up Whether the database answers.
# TYPE events_face_database_up gauge
events_face_database_up 1.0
"""


@get(
    "/metrics",
    summary="Metrics for Prometheus",
    tags=["health"],
    media_type="text/plain",
    opt={
        "access": Who.ANYONE,
        "problems": [TokenMissing, TokenInvalid],
        "example": _EXAMPLE,
        **UNLIMITED,
    },
)
async def metrics(request: Request) -> Response[str]:
    """In Prometheus' text format, usually at most a second old. While the database is away it
    reports `events_face_database_up 0` and the metrics of this process. If `METRICS_TOKEN` is set,
    send it as a bearer token."""
    scrapes = cast("Scrapes", request.app.state["scrapes"])
    scrapes.allow(request)
    return Ready(await scrapes.text(), media_type=CONTENT_TYPE_LATEST)


class _Snapshot(Collector):
    """All metrics at one moment."""

    def __init__(self, overview: Overview | None) -> None:
        self._overview = overview

    def collect(self) -> Iterator[Metric]:
        yield from process_metrics()
        yield from collect()
        yield gauge("database_up", "Whether the database answers.", self._overview is not None)
        if self._overview is not None:
            yield gauge(
                "history_position",
                "Position of the newest event in history.",
                self._overview.last_position,
            )
            yield from _projections(self._overview.standings)
            yield from _seals(self._overview.unsealed)
            if self._overview.backlog is not None:
                yield from _outbox(self._overview.backlog)


def _projections(standings: Iterable[ProjectionStatus]) -> Iterator[Metric]:
    yield gauge_by(
        "projection_position",
        "Position of the last event that the projection's table includes.",
        "projection",
        [(s.name, s.position) for s in standings],
    )
    yield gauge_by(
        "projection_lag_events",
        "Events that the table does not include yet.",
        "projection",
        [(s.name, s.lag_events) for s in standings],
    )
    yield gauge_by(
        "projection_lag_seconds",
        "Age of the first of them.",
        "projection",
        [(s.name, s.lag_seconds) for s in standings if s.lag_seconds is not None],
    )
    yield gauge_by(
        "projection_stopped",
        "Whether there is an event that the projection cannot apply.",
        "projection",
        [(s.name, s.stop is not None) for s in standings],
    )
    state = GaugeMetricFamily(
        "events_face_projection_state",
        "1 for the state that the projection is in.",
        labels=["projection", "state"],
    )
    for standing in standings:
        for possible in get_args(State):
            state.add_metric([standing.name, possible], possible == standing.state)
    yield state


def _seals(unsealed: SealLag) -> Iterator[Metric]:
    yield gauge("unsealed_events", "Events that no seal covers yet.", unsealed.events)
    if unsealed.seconds is not None:
        yield gauge("seal_lag_seconds", "Age of the first of them.", unsealed.seconds)


def _outbox(backlog: Backlog) -> Iterator[Metric]:
    yield gauge_by("outbox_rows", "Notifications by state.", "state", backlog.rows.items())
    yield gauge(
        "outbox_oldest_due_seconds",
        "For how long the notification that is due the longest has been.",
        backlog.oldest_due,
    )
