"""The processor time of one registration, in all processes of the system together, beside that of
the cheapest response that it has."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import httpx
import psutil

from benchmarks.contenders import events_face, stub
from benchmarks.fairness import new_event
from benchmarks.load import saturate, warm_up
from benchmarks.registrations import FAIRS, LATER
from benchmarks.results import OURS, Comparison, Reach
from benchmarks.servers import Database
from benchmarks.stage import Stage, Turn

SEATS = "Events-Face, events with a capacity"
LIVE = "GET /health/live"

TIME = "µs"

CONNECTIONS = 64

PLENTY = 1_000_000
"""Seats of each event, so that all who register get one."""

AFTERWARDS = 1.0
"""Seconds after the last response that belong to the requests: projections, and a worker that is
woken."""

MICROSECONDS = 1e6

POSTGRES = "postgres"

Times = Counter[str]
"""Microseconds of processor time by the name of the process."""


def measure(stage: Stage) -> list[Comparison]:
    with stub(stage.folder / "unwilling.log", "--status", "503", "--retry-after", LATER) as service:
        figures = stage.interleaved(
            {
                OURS: _turn(stage, service, _events()),
                SEATS: _turn(stage, service, _events(capacity=PLENTY)),
                LIVE: _turn(stage, service, lambda _: ["/health/live"]),
            }
        )
    return [
        Comparison(
            what=f"processor time of one registration, {CONNECTIONS} connections",
            unit="µs",
            figures=figures[TIME],
            more_is_better=False,
            ours=SEATS,
            reaches=(Reach(text="4 × GET /health/live", beside=LIVE, times=1 / 4),),
        )
    ]


def _events(**fields: Any) -> Callable[[str], list[str]]:
    """Events with these fields are created at an origin: the paths to register at."""

    def create(origin: str) -> list[str]:
        with httpx.Client(base_url=origin, trust_env=False) as client:
            return [new_event(client, **fields) for _ in range(FAIRS)]

    return create


def _turn(stage: Stage, service: str, requested: Callable[[str], list[str]]) -> Turn:
    sizes = stage.sizes
    contender = events_face(notifications=service)

    def turn() -> Mapping[str, float]:
        with (
            stage.server.new_database() as database,
            contender(database, stage.folder / "processor_time.log", sizes.serving) as origin,
        ):
            paths = requested(origin)
            warm_up(origin, paths, seconds=sizes.warm_up)
            time.sleep(AFTERWARDS)
            before = _times(database)
            answered = saturate(origin, paths, connections=CONNECTIONS, seconds=sizes.seconds)
            time.sleep(AFTERWARDS)
            used = _times(database) - before
        one = {name: used[name] / answered.requests for name in used}
        stage.progress(", ".join(f"{name} {one[name]:.0f} µs" for name in sorted(one)))
        return {TIME: sum(one.values())}

    return turn


def _times(database: Database) -> Times:
    """Of all processes of the system and of PostgreSQL, since they began."""
    with database.connect() as connection:
        server = psutil.Process(connection.info.backend_pid).parent()
    times = Times()
    for process in psutil.Process().children():
        if _role(process) == "up":
            times.update(_times_of(process))
    if server is not None:
        times.update(_times_of(server))
        ended = server.cpu_times()
        times[POSTGRES] += round((ended.children_user + ended.children_system) * MICROSECONDS)
    return times


def _times_of(parent: psutil.Process) -> Times:
    times = Times()
    for process in (parent, *parent.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            spent = process.cpu_times()
            times[_role(process)] += round((spent.user + spent.system) * MICROSECONDS)
    return times


def _role(process: psutil.Process) -> str:
    """The first word of the command that it runs, or `postgres`."""
    _, product, words = "\0".join(process.cmdline()).partition("\0events_face\0")
    return words.partition("\0")[0] if product else POSTGRES
