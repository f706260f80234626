"""The cost of a registration with a long history, and with more API processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import httpx

from benchmarks.contenders import (
    SECRET_KEY,
    Contender,
    command,
    events_face,
    settings,
    stub,
)
from benchmarks.fairness import new_event
from benchmarks.history import fill
from benchmarks.load import saturate, warm_up
from benchmarks.organized import settle
from benchmarks.processes import run
from benchmarks.registrations import FAIRS, LATER
from benchmarks.results import Comparison, Reach
from benchmarks.servers import Database
from benchmarks.stage import Stage, Turn
from domain.history.store import load_keys

FLAT = 1.15


def measure(stage: Stage) -> list[Comparison]:
    served = stage.sizes.serving
    lengths = {_long(events): (served, events) for events in stage.sizes.growth}
    processes = {_many(number): (number, 0) for number in stage.sizes.processes}
    with ExitStack() as held:
        service = held.enter_context(
            stub(stage.folder / "unwilling.log", "--status", "503", "--retry-after", LATER)
        )
        contender = events_face(notifications=service)
        turns = {
            name: held.enter_context(_turn_of(stage, contender, number, events))
            for name, (number, events) in (lengths | processes).items()
        }
        figures = stage.interleaved(turns)
    rates, alone = figures["registrations/s"], figures["ms alone"]
    least, most = _long(min(stage.sizes.growth)), _long(max(stage.sizes.growth))
    flat = (Reach(text="flat within 15 %", beside=least, times=1 / FLAT),)
    found = [
        Comparison(
            what="registrations, 64 connections, by the length of history",
            unit="/s",
            figures={name: rates[name] for name in lengths},
            ours=most,
            reaches=flat,
        ),
        Comparison(
            what="registrations, 1 connection, p50, by the length of history",
            unit="ms",
            figures={name: alone[name] for name in lengths},
            more_is_better=False,
            ours=most,
            reaches=flat,
        ),
    ]
    if processes:
        found.append(
            Comparison(
                what="registrations, 64 connections, by the number of API processes",
                unit="/s",
                figures={name: rates[name] for name in processes},
                ours=_many(served),
            )
        )
    return found


def _long(events: int) -> str:
    return f"{events:,} events"


def _many(processes: int) -> str:
    return "1 API process" if processes == 1 else f"{processes} API processes"


@contextmanager
def _turn_of(stage: Stage, contender: Contender, processes: int, events: int) -> Iterator[Turn]:
    sizes = stage.sizes
    with stage.server.new_database() as database:
        if events:
            _fill(stage, database, events)

        def turn() -> Mapping[str, float]:
            with contender(database, stage.folder / "growth.log", processes) as origin:
                with httpx.Client(base_url=origin, trust_env=False) as client:
                    paths = [new_event(client) for _ in range(FAIRS)]
                warm_up(origin, paths, seconds=sizes.warm_up)
                busy = saturate(origin, paths, connections=64, seconds=sizes.seconds)
                alone = saturate(origin, paths, connections=1, seconds=sizes.seconds / 2)
            return {"registrations/s": busy.rate, "ms alone": alone.p50}

        yield turn


def _fill(stage: Stage, database: Database, events: int) -> None:
    """A history of that length in its usual state."""
    environment = settings(database, stage.folder / database.environment["PGDATABASE"])
    run(command("migrate"), environment)
    with database.connect() as connection:
        keys = load_keys(connection, (SECRET_KEY,))
    fill(database.url, keys, events)
    settle(database, environment)
