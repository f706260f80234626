"""A storm on the seats of a few events: processes that register, leave and change capacities at
once, on one database. Afterwards every rule is checked by a replay of history.

    python -m tests.domain.storm --commands 50000
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from domain.application import APPLICATION
from domain.core.errors import DomainError
from domain.core.ids import Identity
from domain.core.values import Capacity, Email
from domain.departures import CancelVisitor
from domain.event_editing import ChangeEvent
from domain.history.batch import Batch, Origin
from domain.history.decider import Decider
from domain.history.group_commit import Writer
from domain.history.store import connect, load_keys, read_events
from domain.privacy.keys import InstallationKeys
from domain.seats import differences
from domain.waiting_list import PromoteWaiting
from events_face.commands.migrate import migrate
from runtime.embedded.postgres import embedded_postgres
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.domain.seat_rules import SeatRules
from tests.support.installation import a_registration, an_event

PROCESSES = 3
CANCELLATIONS = 0.45
"""Of all commands; of the others, one in a hundred changes a capacity."""

CAPACITIES = range(20, 60)
PEOPLE = 150
"""For each event."""

AT_ONCE = 64
"""Commands under way in each process."""

EVENTS = 3


class Outcome(msgspec.Struct, kw_only=True):
    """Of the storm, or of one process in it."""

    commands: Counter[str] = msgspec.field(default_factory=Counter)
    """Accepted ones, by type, and refused ones, by refusal."""
    appends: int = 0
    refused_appends: int = 0
    locked: int = 0
    """Batches that were decided under history's lock."""

    def observe(self, batch: Batch) -> None:
        self.appends += len(batch.appends)
        self.refused_appends += sum(not append.taken for append in batch.appends)
        self.locked += batch.locked


def storm(database_url: str, keys: InstallationKeys, commands: int, seed: int) -> Outcome:
    """Let it rage."""
    fairs = asyncio.run(_make_fairs(database_url, keys))
    total = Outcome()
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as processes:
        for outcome in processes.map(
            _process,
            *zip(
                *(
                    (database_url, keys, fairs, commands // PROCESSES, seed + number)
                    for number in range(PROCESSES)
                ),
                strict=True,
            ),
        ):
            total.commands += outcome.commands
            total.appends += outcome.appends
            total.refused_appends += outcome.refused_appends
            total.locked += outcome.locked
    return total


def check(database_url: str) -> SeatRules:
    """Raises AssertionError if a rule was broken or a table differs from history."""
    rules = asyncio.run(_replay(database_url))
    with psycopg.connect(database_url) as connection:
        assert differences(connection) == []
        rows = connection.execute("SELECT event_id, taken FROM event_seats").fetchall()
        queue = connection.execute(
            "SELECT event_id, visitor_id FROM event_queue ORDER BY position"
        ).fetchall()
    taken = dict[UUID, int](rows)
    for id, seats in rules.events.items():
        assert taken.get(id, 0) == len(seats.taken)
        assert [visitor for event, visitor in queue if event == id] == seats.line
    return rules


async def _make_fairs(database_url: str, keys: InstallationKeys) -> list[UUID]:
    fairs = list[UUID]()
    at = datetime.now(UTC) + timedelta(days=30)
    async with Writer(database_url, Decider(keys, APPLICATION)) as writer:
        for number in range(EVENTS):
            made = await writer.execute(an_event(f"Fair {number}", at=at), _origin("create"))
            change = ChangeEvent(
                event_id=made.value.event.id,
                capacity=Capacity(CAPACITIES[0]),
                waiting_list="automatic",
            )
            await writer.execute(change, _origin("change"))
            fairs.append(made.value.event.id)
    return fairs


def _process(
    database_url: str, keys: InstallationKeys, fairs: Sequence[UUID], commands: int, seed: int
) -> Outcome:
    return asyncio.run(_give_all(database_url, keys, fairs, commands, random.Random(seed)))


async def _give_all(
    database_url: str,
    keys: InstallationKeys,
    fairs: Sequence[UUID],
    commands: int,
    chance: random.Random,
) -> Outcome:
    outcome = Outcome()
    given = _commands(fairs, Identity(keys.identity), commands, chance)
    numbers = count()

    async def give_next(writer: Writer) -> None:
        for command in given:
            name = type(command).__name__
            try:
                await writer.execute(command, _origin(f"{name} {chance.random()} {next(numbers)}"))
            except DomainError as refusal:
                name = type(refusal).__name__
            outcome.commands[name] += 1

    async with (
        Writer(database_url, Decider(keys, APPLICATION, observer=outcome.observe)) as writer,
        asyncio.TaskGroup() as tasks,
    ):
        for _ in range(AT_ONCE):
            tasks.create_task(give_next(writer))
    return outcome


def _commands(
    fairs: Sequence[UUID], identity: Identity, number: int, chance: random.Random
) -> Iterator[Any]:
    for _ in range(number):
        fair = chance.choice(fairs)
        email = f"visitor{chance.randrange(PEOPLE)}@example.com"
        if chance.random() < CANCELLATIONS:
            yield CancelVisitor(visitor_id=identity.visitor(fair, Email(email)))
        elif chance.random() < 0.01:
            yield ChangeEvent(event_id=fair, capacity=Capacity(chance.choice(CAPACITIES)))
        elif chance.random() < 0.01:
            yield PromoteWaiting(event_id=fair)
        else:
            asked = a_registration(fair, email)
            yield msgspec.structs.replace(asked, join_waiting_list=chance.random() < 0.8)


def _origin(correlation_id: str) -> Origin:
    return Origin(actor="anonymous", correlation_id=correlation_id)


async def _replay(database_url: str) -> SeatRules:
    rules, after = SeatRules(), 0
    async with await connect(database_url) as connection:
        while events := await read_events(connection, after=after, limit=200_000):
            rules.follow(events)
            after = events[-1].position
    return rules


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.domain.storm")
    parser.add_argument("--commands", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="events-face-storm-") as folder:
        settings = Settings.load(
            {"DATA_DIR": folder, "SECRET_KEY": "only-for-tests-" * 3, "DEBUG": "true"}, dotenv=None
        )
        with embedded_postgres(Path(folder)) as url:
            migrate(settings, Services(database_url=url, redis_url=None))
            with psycopg.connect(url) as connection:
                keys = load_keys(connection, settings.secret_keys)
            begun = perf_counter()
            outcome = storm(url, keys, given.commands, given.seed)
            seconds = perf_counter() - begun
            rules = check(url)
    sys.stdout.write(f"{_in_words(outcome, rules, seconds)}\n")


def _in_words(outcome: Outcome, rules: SeatRules, seconds: float) -> str:
    total = outcome.commands.total()
    counts = ", ".join(f"{name} {number:,}" for name, number in sorted(outcome.commands.items()))
    promotions = sum(seats.promotions for seats in rules.events.values())
    departures = sum(seats.departures for seats in rules.events.values())
    return (
        f"{total:,} commands in {seconds:.1f} s, {total / seconds:,.0f}/s: {counts}\n"
        f"{outcome.appends:,} appends, {outcome.refused_appends:,} of them refused;"
        f" {outcome.locked:,} batches decided under the lock\n"
        f"{departures:,} departures, {promotions:,} promotions;"
        f" every rule holds, and the tables equal history"
    )


if __name__ == "__main__":
    main()
