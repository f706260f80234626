"""Workers that send webhooks are killed in turn, while visitors register, leave and come back.
Three endpoints: one takes everything, one fails now and then, one is down until the end.
Afterwards, what they took is compared with history.

    python -m tests.workers.webhook_kills --seconds 60
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from domain.application import APPLICATION
from domain.departures import CancelVisitor
from domain.feed.reading import read_feed
from domain.history.batch import Origin
from domain.history.decider import Decider
from domain.history.group_commit import Writer
from domain.history.store import connect, load_keys
from domain.privacy.keys import InstallationKeys
from events_face.commands.migrate import migrate
from runtime.embedded import valkey
from runtime.embedded.postgres import embedded_postgres
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.http_server import Answer
from tests.support.installation import a_registration, an_event, installation_on
from tests.support.processes import Process, environment, start, started
from tests.support.sending import a_webhook
from tests.support.waiting import until, until_async
from tests.support.webhook_endpoint import Endpoint, Received, webhook_endpoint

WORKERS = 3

COMING_BACK = 3
"""One in so many visitors leaves and registers again."""

FAILING = 20
"""The flaky endpoint does not take one in so many items at the first time."""

AT_ONCE = 200
"""Visitors under way, at most."""

DEADLINE = 600.0
"""Seconds until everything has to be taken."""


class Figures(msgspec.Struct, kw_only=True):
    """Of one endpoint."""

    items: int
    """In history."""
    taken: int
    doubles: int
    """Taken again, with the same id."""
    lost: int
    gaps: int
    """Items whose `previous` was not taken, or is not the one of history."""
    out_of_order: int
    """Taken after a later item of the same visitor or event."""
    ids_of_several: int
    """Ids that two items had."""


class Taking:
    """An endpoint, and what it took in which order."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.taken: list[Received] = []
        self.refused = set[int]()
        endpoint.answer = self.take

    def take(self, received: Received) -> Answer:
        self.taken.append(received)
        return Answer(status=204, body=b"")

    def take_at_second_try(self, received: Received) -> Answer:
        position = received.position
        if position % FAILING == 0 and position not in self.refused:
            self.refused.add(position)
            return Answer(status=503, hang_up=position % (2 * FAILING) == 0)
        return self.take(received)

    def has(self, positions: set[int]) -> bool:
        return positions <= {received.position for received in self.taken}

    def figures(self, expected: dict[int, int | None]) -> Figures:
        """`expected`: positions of history's items -> the item before."""
        first = dict[int, Received]()
        ids = defaultdict[str, set[int]](set)
        out_of_order, last = 0, dict[Any, int]()
        for received in self.taken:
            ids[received.id].add(received.position)
            if received.position in first:
                continue
            first[received.position] = received
            stream = received.item["visitor_id"] or received.item["event_id"]
            out_of_order += received.position < last.get(stream, 0)
            last[stream] = max(received.position, last.get(stream, 0))
        return Figures(
            items=len(expected),
            taken=len(first),
            doubles=len(self.taken) - len(first),
            lost=len(expected.keys() - first.keys()),
            gaps=sum(r.item["previous"] != expected.get(p, -1) for p, r in first.items()),
            out_of_order=out_of_order,
            ids_of_several=sum(len(positions) > 1 for positions in ids.values()),
        )


async def make_history(writer: Writer, rate: float, seconds: float) -> int:
    """So many registrations a second, and visitors who leave and come back; returns the number of
    registrations."""
    made = await writer.execute(an_event("Fair"), _origin())
    fair = made.value.event.id
    begun, number, places = monotonic(), 0, asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as tasks:
        while monotonic() - begun < seconds:
            while number < (monotonic() - begun) * rate and not places.locked():
                number += 1
                await places.acquire()
                tasks.create_task(_visit(writer, fair, number, places))
            await asyncio.sleep(0.01)
    return number + number // COMING_BACK


async def _visit(writer: Writer, fair: UUID, number: int, places: asyncio.Semaphore) -> None:
    registration = a_registration(fair, f"visitor{number}@example.com")
    try:
        visitor = (await writer.execute(registration, _origin())).value
        if number % COMING_BACK == 0:
            await writer.execute(CancelVisitor(visitor_id=visitor.id), _origin())
            await writer.execute(registration, _origin())
    finally:
        places.release()


def _origin() -> Origin:
    return Origin(actor="anonymous", correlation_id="kills")


async def kill_in_turn(
    workers: list[Process], command: Sequence[object], env: Any, log: Path, interval: float
) -> int:
    """Until cancelled."""
    killed = 0
    try:
        while True:
            await asyncio.sleep(interval)
            place = killed % len(workers)
            workers[place].kill()
            workers[place].wait()
            killed += 1
            workers[place] = start(command, env=env, log=log)
    except asyncio.CancelledError:
        return killed


async def items_of(database_url: str, keys: InstallationKeys, after: int) -> dict[int, int | None]:
    found, previous = dict[int, int | None](), None
    async with await connect(database_url) as connection:
        while (page := await read_feed(connection, keys, after=after, limit=1000)).items:
            for item in page.items:
                found[item.position] = previous
                previous = item.position
            after = page.position
    return found


async def rage(
    settings: Settings,
    services: Services,
    keys: InstallationKeys,
    options: argparse.Namespace,
    *,
    first: str = "",
) -> dict[str, Figures]:
    """What a worker does `first` is Python."""
    program = f"{first}\nfrom events_face.cli import main\nmain()"
    command = [sys.executable, "-c", program, "worker", "--queues", "webhooks"]
    env = environment(settings, services) | {"WEBHOOK_PRIVATE_NETWORKS": "on"}
    log = settings.data_dir / "workers.log"
    with ExitStack() as held:
        good, flaky, dead = (Taking(held.enter_context(webhook_endpoint())) for _ in range(3))
        flaky.endpoint.answer = flaky.take_at_second_try
        dead.endpoint.server.stop()
        async with installation_on(services.database_url, keys) as installation:
            for taking in (good, flaky, dead):
                webhook = await a_webhook(installation, taking.endpoint.url)
        workers = [start(command, env=env, log=log) for _ in range(WORKERS)]
        held.callback(_end, workers)
        killing = asyncio.create_task(kill_in_turn(workers, command, env, log, options.interval))
        async with Writer(services.database_url, Decider(keys, APPLICATION)) as writer:
            begun = monotonic()
            registrations = await make_history(writer, options.rate, options.seconds)
            rate = registrations / (monotonic() - begun)
        killing.cancel()
        _say(f"{registrations} registrations, {rate:.0f}/s; {await killing} workers were killed")
        begins = installation_position(services.database_url, webhook.id)
        expected = await items_of(services.database_url, keys, begins)
        await _until_taken([good, flaky], expected)
        parked = _end_the_outage(services.database_url, webhook.id)
        _say(f"the dead endpoint comes back: {parked} items wait for another try")
        dead.endpoint.server.start()
        await _until_taken([dead], expected)
        names = ("good", "flaky", "dead")
        return {
            name: taking.figures(expected)
            for name, taking in zip(names, (good, flaky, dead), strict=True)
        }


def _end(workers: Sequence[Process]) -> None:
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.wait()


def installation_position(database_url: str, webhook_id: UUID) -> int:
    """Where the first webhook begins: the three are created one after the other."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT min(created_position) FROM webhooks").fetchone()
    assert row is not None
    position: int = row[0]
    return position


def _end_the_outage(database_url: str, webhook_id: UUID) -> int:
    """Make all that is parked due; the number of these items."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE webhook_parked SET due_at = now() WHERE webhook_id = %s AND due_at > now()",
            [webhook_id],
        )
        row = connection.execute(
            "SELECT count(*) FROM webhook_parked WHERE webhook_id = %s", [webhook_id]
        ).fetchone()
        connection.execute("NOTIFY webhooks")
    assert row is not None
    count: int = row[0]
    return count


async def _until_taken(takings: Sequence[Taking], expected: dict[int, int | None]) -> None:
    async def is_taken() -> bool:
        await asyncio.sleep(0.2)
        return all(taking.has(set(expected)) for taking in takings)

    await until_async(is_taken, within=DEADLINE)


@contextmanager
def servers(folder: Path) -> Iterator[tuple[Settings, Services]]:
    environ = {"DATA_DIR": str(folder), "SECRET_KEY": "only-for-tests-" * 3, "DEBUG": "true"}
    settings = Settings.load(environ, dotenv=None)
    with embedded_postgres(folder) as url, started(valkey.valkey_command(folder)):
        until(lambda: valkey.is_running(folder))
        services = Services(database_url=url, redis_url=valkey.valkey_url(folder))
        migrate(settings, services)
        yield settings, services


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.workers.webhook_kills")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=400)
    parser.add_argument("--interval", type=float, default=12, help="seconds between two kills")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        servers(Path(folder)) as (settings, services),
    ):
        with psycopg.connect(services.database_url) as connection:
            keys = load_keys(connection, settings.secret_keys)
        found = asyncio.run(rage(settings, services, keys, options))
    for name, figures in found.items():
        shown = ", ".join(f"{k} {v}" for k, v in msgspec.structs.asdict(figures).items())
        _say(f"{name}: {shown}")
    broken = [f.lost or f.gaps or f.out_of_order or f.ids_of_several for f in found.values()]
    sys.exit(1 if any(broken) else 0)


if __name__ == "__main__":
    main()
