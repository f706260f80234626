"""Deliveries per second of one worker process, to a service with a response time of 20 ms."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import LiteralString

import httpx

from benchmarks.client import Asked
from benchmarks.contenders import (
    DJANGO,
    command,
    django,
    django_environment,
    settings,
    stub,
)
from benchmarks.fairness import new_event
from benchmarks.load import ask, saturate
from benchmarks.peers.environments import python
from benchmarks.processes import run, served, started, until
from benchmarks.results import OURS, Comparison, Reach
from benchmarks.servers import Database
from benchmarks.stage import Stage
from runtime.embedded import valkey
from runtime.ports import free_port

DELAY = "0.02"
"""Seconds."""

HTTPX = "a bare httpx loop"
SERVICE = "the service itself"
RATE = "deliveries/s"

CONNECTIONS = 64
"""Concurrent connections, as many as the product opens."""

WITHIN = 600.0
"""Seconds."""

RATE_OF_OURS: LiteralString = """
SELECT (count(*) - 1) / extract(epoch FROM max(concluded_at) - min(concluded_at)) FROM outbox
"""
RATE_OF_DJANGO: LiteralString = """
SELECT (count(*) - 1) / extract(epoch FROM max(sent_at) - min(sent_at)) FROM django_drf_outbox
"""


def measure(stage: Stage) -> list[Comparison]:
    with stub(stage.folder / "service.log", "--delay", DELAY) as service:
        figures = stage.interleaved(
            {
                OURS: lambda: {RATE: _ours(stage, service)},
                DJANGO: lambda: {RATE: _django(stage, service)},
                HTTPX: lambda: {RATE: _httpx(stage, service)},
                SERVICE: lambda: {RATE: _service(stage, service)},
            }
        )
    return [
        Comparison(
            what="delivery by one worker process, 20 ms an answer",
            unit="/s",
            figures=figures[RATE],
            reaches=(
                Reach(text="2,000/s", bound=2_000),
                Reach(text="20 × Django's loop", beside=DJANGO, times=20),
            ),
        )
    ]


def _ours(stage: Stage, service: str) -> float:
    wanted, log = stage.sizes.deliveries, stage.folder / "deliveries.log"
    with installation(stage) as (database, environment), ExitStack() as taking_in:
        port = free_port()
        taking_in.enter_context(started(command("projector"), environment, log=log))
        api = command("api", "--port", str(port))
        origin = taking_in.enter_context(
            served(api, environment, port=port, log=log, ready="/health/live")
        )
        register(origin, wanted)
        _wait(database, "outbox", "state = 'waiting'", wanted)
        taking_in.close()
        stage.server.settle()
        delivering = {**environment, "NOTIFICATION_SERVICE_URL": service}
        with started(command("worker"), delivering, log=log):
            _wait(database, "outbox", "state = 'sent'", wanted)
        return database.number(RATE_OF_OURS)


@contextmanager
def installation(stage: Stage) -> Iterator[tuple[Database, Mapping[str, str]]]:
    """A migrated database, a broker, and the settings of roles for them."""
    with stage.server.new_database() as database:
        data_dir = stage.folder / database.environment["PGDATABASE"]
        data_dir.mkdir()
        environment = settings(database, data_dir)
        run(command("migrate"), environment)
        broker = valkey.valkey_command(data_dir)
        with started(broker, {}, log=stage.folder / "valkey.log"):
            until(
                lambda: valkey.is_running(data_dir),
                within=10.0,
                otherwise="Valkey does not start",
            )
            yield database, {**environment, "REDIS_URL": valkey.valkey_url(data_dir)}


def _django(stage: Stage, service: str) -> float:
    wanted, log = stage.sizes.peer_deliveries, stage.folder / "deliveries.log"
    with stage.server.new_database() as database:
        with django(database, log, stage.sizes.serving) as origin:
            register(origin, wanted)
        stage.server.settle()
        loop = [python("django_drf"), "-m", "django_drf.outbox", service]
        with started(loop, django_environment(database), log=log):
            _wait(database, "django_drf_outbox", "sent_at IS NOT NULL", wanted)
        return database.number(RATE_OF_DJANGO)


def _httpx(stage: Stage, service: str) -> float:
    """It prints the number per second."""
    loop = [sys.executable, "-P", "-m", "benchmarks.peers.bare_httpx"]
    return float(run([*loop, service, str(stage.sizes.deliveries), str(CONNECTIONS)], {}))


def _service(stage: Stage, service: str) -> float:
    origin, _, path = service.rpartition("/")
    seconds = stage.sizes.seconds / 2
    return saturate(origin, [f"/{path}"], connections=CONNECTIONS, seconds=seconds).rate


def register(origin: str, number: int) -> None:
    with httpx.Client(base_url=origin, trust_env=False) as client:
        path = new_event(client)
    ask(Asked(origin=origin, paths=(path,), connections=CONNECTIONS, requests=number))


def _wait(database: Database, table: str, condition: LiteralString, wanted: int) -> None:
    until(
        lambda: database.count(table, condition) == wanted,
        within=WITHIN,
        otherwise=f"{table} never holds {wanted} rows with {condition}",
    )
