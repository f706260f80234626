"""The feed is equal to history, item by item, although its reader is killed again and again while
four processes write.

    python -m tests.api.feed_under_kills --events 100000
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from domain.application import APPLICATION
from domain.core.ids import Identity
from domain.core.values import Email
from domain.departures import CancelVisitor
from domain.history.decider import Decider
from domain.history.group_commit import Writer
from domain.history.store import load_keys
from domain.privacy.keys import InstallationKeys
from events_face.commands.migrate import migrate
from runtime.embedded.postgres import embedded_postgres
from runtime.embedded.services import Services
from runtime.ports import free_port
from runtime.settings import Settings
from tests.support.installation import ORIGIN, a_registration, an_event
from tests.support.processes import accepts, environment, events_face, role, started
from tests.support.waiting import until

WRITERS = 4

EVENTS = 10
"""Of each process."""

AT_ONCE = 200
"""Commands under way in each process."""

TYPES = {
    "Event.Created": "event.created",
    "Visitor.Registered": "visitor.registered",
    "Visitor.Cancelled": "visitor.cancelled",
}
"""What is written."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    items: int
    starts: int
    """Of the reader."""
    seconds: float


def read_under_kills(
    settings: Settings, services: Services, keys: InstallationKeys, events: int, folder: Path
) -> Outcome:
    """Write so many events, and read them. Raises AssertionError if the feed differs from
    history."""
    begun, port = time.monotonic(), free_port()
    environ = os.environ | environment(settings, services)
    words = ("keys", "create", "follower", "--scope", "feed", "personal")
    created = events_face(environ, *words)
    assert created.code == 0, created.err
    reader = [sys.executable, "-m", "tests.api.feed_follower"]
    items = folder / "items.jsonl"
    reader += [f"http://127.0.0.1:{port}", created.out.strip(), str(items)]
    starts, chance = 0, random.Random(1)
    with (
        ThreadPoolExecutor(1) as thread,
        role(
            environ,
            *("api", "--port", str(port)),
            log=folder / "api.log",
            ended_by=signal.SIGKILL,
        ),
    ):
        until(lambda: accepts(port))
        writing: Future[int] = thread.submit(_write, services.database_url, keys, events)
        while not writing.done():
            with started(reader, ended_by=signal.SIGKILL):
                starts += 1
                before = _size(items)
                until(lambda: writing.done() or _size(items) > before)  # noqa: B023
                time.sleep(chance.uniform(0, 0.5))  # it reads on
        last = writing.result()
        with started(reader, ended_by=signal.SIGKILL):
            until(lambda: _ends_at(items, last), within=300)
    exported = events_face(environ, "audit", "export", "--output", str(folder / "history.jsonl"))
    assert exported.code == 0, exported.err
    compared = _compare(items, folder / "history.jsonl")
    return Outcome(items=compared, starts=starts + 1, seconds=time.monotonic() - begun)


def _write(database_url: str, keys: InstallationKeys, events: int) -> int:
    """The last position."""
    with ProcessPoolExecutor(WRITERS, mp_context=get_context("spawn")) as processes:
        shares = [(database_url, keys, number, events // WRITERS) for number in range(WRITERS)]
        return max(processes.map(_process, *zip(*shares, strict=True)))


def _process(database_url: str, keys: InstallationKeys, number: int, events: int) -> int:
    return asyncio.run(_give_all(database_url, keys, number, events))


async def _give_all(database_url: str, keys: InstallationKeys, number: int, events: int) -> int:
    """Events of its own, and people who register for them; every fifth leaves."""
    identity, written, last = Identity(keys.identity), count(), 0
    async with Writer(database_url, Decider(keys, APPLICATION)) as writer:
        made = [await writer.execute(an_event(f"Fair {n}"), ORIGIN) for n in range(EVENTS)]
        fairs = [done.value.event.id for done in made]

        async def give() -> None:
            nonlocal last
            while (n := next(written)) < events:
                fair, email = fairs[n % EVENTS], f"ada{number}.{n}@example.com"
                done = await writer.execute(a_registration(fair, email), ORIGIN)
                if n % 5 == 0:
                    next(written)
                    leave = CancelVisitor(visitor_id=identity.visitor(fair, Email(email)))
                    done = await writer.execute(leave, ORIGIN)
                last = max(last, done.position)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(give())
    return last


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _ends_at(file: Path, position: int) -> bool:
    with file.open("rb") as lines:
        lines.seek(max(0, file.stat().st_size - 2_000))
        _, _, last = lines.read().rstrip(b"\n").rpartition(b"\n")
    try:
        return bool(msgspec.json.decode(last)["position"] >= position)
    except msgspec.DecodeError:
        return False  # it is being written


def _compare(items: Path, history: Path) -> int:
    """Item by item; returns their number."""
    compared = 0
    with items.open("rb") as read, history.open("rb") as exported:
        events = (e for e in map(msgspec.json.decode, exported) if e["type"] in TYPES)
        for line, event in zip(read, events, strict=True):
            compared += 1
            item = msgspec.json.decode(line)
            assert _as_exported(item, event) == item, (item, event)
    return compared


def _as_exported(item: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """The item, with everything that the exported event says in its place."""
    is_visitor = event["aggregate_type"] == "Visitor"
    expected = {
        "position": event["position"],
        "type": TYPES[event["type"]],
        "occurred_at": event["time"],
        "event_id": event["data"]["event_id"] if is_visitor else event["aggregate_id"],
        "visitor_id": event["aggregate_id"] if is_visitor else None,
    }
    data = {name: event["data"].get(name, value) for name, value in item["data"].items()}
    return item | expected | {"data": data}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.api.feed_under_kills")
    parser.add_argument("--events", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="events-face-feed-") as name:
        folder = Path(name)
        settings = Settings.load(
            {"DATA_DIR": name, "SECRET_KEY": "only-for-tests-" * 3, "DEBUG": "true"}, dotenv=None
        )
        with embedded_postgres(folder) as url:
            services = Services(database_url=url, redis_url=None)
            migrate(settings, services)
            with psycopg.connect(url) as connection:
                keys = load_keys(connection, settings.secret_keys)
            outcome = read_under_kills(settings, services, keys, given.events, folder)
    sys.stdout.write(
        f"{outcome.items:,} items, written by {WRITERS} processes, are equal to the export of"
        f" history; the reader was started {outcome.starts} times and killed each time;"
        f" {outcome.seconds:.0f} s\n"
    )


if __name__ == "__main__":
    main()
