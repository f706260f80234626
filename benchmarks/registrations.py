"""Registrations at saturation, and the latency of a single one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import httpx

from benchmarks import commits
from benchmarks.contenders import (
    DJANGO,
    EMPTY,
    FASTAPI,
    LIBRARY,
    Contender,
    django,
    empty_route,
    events_face,
    fastapi,
    library,
    stub,
)
from benchmarks.fairness import check, new_event
from benchmarks.load import Answered, at_rate, saturate, warm_up
from benchmarks.results import OURS, Comparison, Reach
from benchmarks.stage import Stage, Turn

DELIVERING = "Events-Face, delivering as well"
GENERATOR = "the load generator alone"
COMMITS = "pgbench: a bare INSERT of one event"

FAIRS = 20
"""Number of events, used in turn."""

LATER = "86400"
"""Seconds of the notification service's `Retry-After`."""

EASY = 100.0
"""Registrations per second that every contender can sustain."""

BUSY = (1_000.0, 4_000.0)
"""Rates that the product should sustain."""


def measure(stage: Stage) -> list[Comparison]:
    with ExitStack() as held:
        unwilling = held.enter_context(
            stub(stage.folder / "unwilling.log", "--status", "503", "--retry-after", LATER)
        )
        willing = held.enter_context(stub(stage.folder / "willing.log"))
        served: dict[str, Contender] = {
            OURS: events_face(notifications=unwilling),
            DELIVERING: events_face(notifications=willing),
            DJANGO: django,
            FASTAPI: fastapi,
            LIBRARY: library,
            EMPTY: empty_route,
        }
        turns: dict[str, Turn] = {
            name: held.enter_context(turn_of(stage, name, contender))
            for name, contender in served.items()
        }
        turns[COMMITS] = held.enter_context(_commits(stage))
        turns[GENERATOR] = lambda: _generator(stage, willing)
        figures = stage.interleaved(turns)
    alone = {name: values for name, values in figures[ALONE].items() if name != DELIVERING}
    return [
        Comparison(
            what="registrations, 64 connections",
            unit="/s",
            figures=figures[RATE],
            reaches=(
                Reach(text="40 × Django REST framework", beside=DJANGO, times=40),
                Reach(text="5 × FastAPI", beside=FASTAPI, times=5),
                Reach(text="0.5 × bare INSERT", beside=COMMITS, times=0.5),
            ),
        ),
        Comparison(
            what="the same, latency at saturation, p99",
            unit="ms",
            figures=figures[SATURATED],
            more_is_better=False,
        ),
        Comparison(
            what="registrations, 1 connection, p50",
            unit="ms",
            figures=alone,
            more_is_better=False,
            reaches=(Reach(text="1.5 × one durable commit", beside=COMMITS, times=1 / 1.5),),
        ),
        *(
            Comparison(
                what=f"registrations at {rate:,.0f}/s, {percentile}",
                unit="ms",
                figures=figures[f"{percentile} at {rate:.0f}/s"],
                more_is_better=False,
            )
            for rate in (EASY, *BUSY)
            for percentile in ("p50", "p99")
        ),
    ]


RATE, SATURATED, ALONE = "registrations/s", "ms p99", "ms alone"


@contextmanager
def turn_of(stage: Stage, name: str, contender: Contender) -> Iterator[Turn]:
    """A turn: the contender is started on its database, warmed up, measured and stopped."""
    sizes = stage.sizes
    log = stage.folder / f"{name}.log"
    with stage.server.new_database() as database:

        def turn() -> Mapping[str, float]:
            with contender(database, log, sizes.serving) as origin:
                paths = _paths(origin, contender)
                warm_up(origin, paths, seconds=sizes.warm_up)
                busy = saturate(origin, paths, connections=64, seconds=sizes.seconds)
                alone = saturate(origin, paths, connections=1, seconds=sizes.seconds / 2)
                rates = (EASY, *BUSY) if name in (OURS, DELIVERING) else (EASY,)
                paced = {
                    rate: at_rate(origin, paths, rate=rate, seconds=sizes.seconds / 2)
                    for rate in rates
                }
            return _reached(busy, alone, paced)

        yield turn


def _reached(
    busy: Answered, alone: Answered, paced: Mapping[float, Answered]
) -> Mapping[str, float]:
    return {
        RATE: busy.rate,
        SATURATED: busy.p99,
        ALONE: alone.p50,
        **{f"p50 at {rate:.0f}/s": answered.p50 for rate, answered in paced.items()},
        **{f"p99 at {rate:.0f}/s": answered.p99 for rate, answered in paced.items()},
    }


def _paths(origin: str, contender: Contender) -> list[str]:
    """The paths to register at, after the check of the rules."""
    if contender is empty_route:
        return ["/api/events/none/register"]
    check(origin)
    with httpx.Client(base_url=origin, trust_env=False) as client:
        return [new_event(client) for _ in range(FAIRS)]


@contextmanager
def _commits(stage: Stage) -> Iterator[Turn]:
    with stage.server.new_database() as database:
        commits.create_table(database)

        def turn() -> Mapping[str, float]:
            seconds = stage.sizes.seconds
            busy = commits.run(database, stage.folder, clients=64, seconds=seconds)
            alone = commits.run(database, stage.folder, clients=1, seconds=seconds / 2)
            return {RATE: busy.rate, SATURATED: busy.p99, ALONE: alone.p50}

        yield turn


def _generator(stage: Stage, stub: str) -> Mapping[str, float]:
    """Its rate when responses cost nothing; always wrk, in a quick run too."""
    origin = stub.rpartition("/")[0]
    path = ["/api/events/none/register"]
    seconds = max(1.0, stage.sizes.seconds)
    return {RATE: saturate(origin, path, connections=64, seconds=seconds).rate}
