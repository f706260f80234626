"""What a registration costs when history is long, and with more API processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager

import httpx

from benchmarks.contenders import (
    PROCESSES,
    SECRET_KEY,
    Contender,
    command,
    events_face,
    settings,
    stub,
)
from benchmarks.fairness import new_event
from benchmarks.history import fill
from benchmarks.load import saturate
from benchmarks.processes import run
from benchmarks.registrations import FAIRS, LATER
from benchmarks.results import Comparison, Reach
from benchmarks.servers import Database
from benchmarks.stage import Stage, Turn
from domain.history import load_keys

FLAT = 1.15


def measure_history(stage: Stage) -> list[Comparison]:
    with ExitStack() as held:
        service = held.enter_context(_service(stage))
        turns = {
            _long(size): held.enter_context(
                _turn_of(stage, events_face(notifications=service), size)
            )
            for size in stage.sizes.growth
        }
        figures = stage.interleaved(turns)
    least, most = min(stage.sizes.growth), max(stage.sizes.growth)
    flat = (Reach(text="flat within 15 %", beside=_long(least), times=1 / FLAT),)
    return [
        Comparison(
            what="registrations, 64 connections, by the length of history",
            unit="/s",
            figures=figures["registrations/s"],
            ours=_long(most),
            reaches=flat,
        ),
        Comparison(
            what="registrations, 1 connection, p50, by the length of history",
            unit="ms",
            figures=figures["ms alone"],
            more_is_better=False,
            ours=_long(most),
            reaches=flat,
        ),
    ]


def measure_processes(stage: Stage) -> list[Comparison]:
    with ExitStack() as held:
        service = held.enter_context(_service(stage))
        turns = {
            _named(number): held.enter_context(
                _turn_of(stage, events_face(notifications=service, processes=number), 0)
            )
            for number in stage.sizes.processes
        }
        figures = stage.interleaved(turns)
    usual = _named(PROCESSES)
    return [
        Comparison(
            what="registrations, 64 connections, by the number of API processes",
            unit="/s",
            figures=figures["registrations/s"],
            ours=usual if usual in turns else next(iter(turns)),
        )
    ]


def _long(events: int) -> str:
    return f"{events:,} events"


def _named(processes: int) -> str:
    return f"{processes} API process{'es' if processes > 1 else ''}"


def _service(stage: Stage) -> AbstractContextManager[str]:
    return stub(stage.folder / "unwilling.log", "--status", "503", "--retry-after", LATER)


@contextmanager
def _turn_of(stage: Stage, contender: Contender, events: int) -> Iterator[Turn]:
    sizes = stage.sizes
    with stage.server.new_database() as database:
        if events:
            _fill(stage, database, events)

        def turn() -> Mapping[str, float]:
            with contender(database, stage.folder / "growth.log") as origin:
                with httpx.Client(base_url=origin, trust_env=False) as client:
                    paths = [new_event(client) for _ in range(FAIRS)]
                saturate(origin, paths, connections=64, seconds=sizes.warm_up)
                busy = saturate(origin, paths, connections=64, seconds=sizes.seconds)
                alone = saturate(origin, paths, connections=1, seconds=sizes.seconds / 2)
            return {"registrations/s": busy.rate, "ms alone": alone.p50}

        yield turn


def _fill(stage: Stage, database: Database, events: int) -> None:
    environment = settings(database, stage.folder / database.environment["PGDATABASE"])
    run(command("migrate"), environment)
    with database.connect() as connection:
        keys = load_keys(connection, (SECRET_KEY,))
    fill(database.url, keys, events)
    run(command("projections", "rebuild"), environment)
