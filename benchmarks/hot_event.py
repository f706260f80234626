"""Many concurrent registrations for one event: none is lost, none is stored twice."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

import httpx

from benchmarks.client import Asked
from benchmarks.contenders import DJANGO, FASTAPI, Contender, django, events_face, fastapi, stub
from benchmarks.fairness import new_event
from benchmarks.load import WentWrong, ask, rush
from benchmarks.processes import until
from benchmarks.results import OURS, Comparison, Reach
from benchmarks.servers import Database
from benchmarks.stage import Stage, Turn

CONNECTIONS = 256
AGAIN_EVERY = 21
"""One in this many registrations is a duplicate of the previous one."""

CATCHES_UP_WITHIN = 120.0
"""Seconds."""

RATE = "accepted/s"

TABLES = {
    OURS: ("visitors", "outbox"),
    DJANGO: ("django_drf_visitor", "django_drf_outbox"),
    FASTAPI: ("visitors", "outbox"),
}


def measure(stage: Stage) -> list[Comparison]:
    with ExitStack() as held:
        service = held.enter_context(stub(stage.folder / "service.log"))
        served: dict[str, Contender] = {
            OURS: events_face(notifications=service),
            DJANGO: django,
            FASTAPI: fastapi,
        }
        figures = stage.interleaved({n: _turn(stage, n, served[n]) for n in served})
    return [
        Comparison(
            what=f"one hot event, {stage.sizes.hot:,} registrations from {CONNECTIONS} connections",
            unit="/s",
            figures=figures[RATE],
            reaches=(Reach(text="all correct, 4,000/s", bound=4_000),),
        )
    ]


def _turn(stage: Stage, name: str, contender: Contender) -> Turn:
    def turn() -> Mapping[str, float]:
        new, before = stage.sizes.hot, stage.sizes.beforehand
        with (
            stage.server.new_database() as database,
            contender(database, stage.folder / f"hot {name}.log", stage.sizes.serving) as origin,
        ):
            with httpx.Client(base_url=origin, trust_env=False) as client:
                path = new_event(client)
                others = new_event(client)
            ask(Asked(origin=origin, paths=(others,), connections=CONNECTIONS, requests=before))
            rushed = rush(
                origin, path, visitors=new, connections=CONNECTIONS, again_every=AGAIN_EVERY
            )
            if rushed.statuses.keys() != {"201", "409"} or rushed.statuses["201"] != new:
                raise WentWrong(f"{name} answered {rushed.statuses}")
            _check(database, TABLES[name], new + before)
        return {RATE: new / rushed.seconds}

    return turn


def _check(database: Database, tables: tuple[str, ...], expected: int) -> None:
    """Raises `RuntimeError` when a table does not come to hold just as many rows."""
    for table in tables:
        until(
            lambda table=table: database.count(table) >= expected,  # type: ignore[misc]
            within=CATCHES_UP_WITHIN,
            otherwise=f"{table} holds fewer rows than the {expected} accepted registrations",
        )
        if (found := database.count(table)) != expected:
            raise RuntimeError(f"{table} holds {found} rows for {expected} registrations")
