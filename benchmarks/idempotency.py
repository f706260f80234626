"""What an `Idempotency-Key` on every registration costs the writer of a process, in turns with
registrations without one. Processor time is that of the writer and of its session in PostgreSQL: it
says something on a machine that does other things too. `benchmarks.integrations` measures it over
HTTP.

    python -m benchmarks.idempotency [--rounds 20]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

import msgspec
import psutil

from api.http.idempotency import StoredResponse
from benchmarks.contenders import SECRET_KEY
from benchmarks.processes import run
from benchmarks.registrations import FAIRS
from benchmarks.servers import Database, postgres
from domain.application import APPLICATION
from domain.core.values import Email, FullName, Text
from domain.event_editing import CreateEvent
from domain.history.batch import CommandRequest, Origin
from domain.history.codec import to_json
from domain.history.decider import Decider
from domain.history.idempotency import Once
from domain.history.store import connect, load_keys
from domain.privacy.encryption import new_key, seal
from domain.privacy.keys import InstallationKeys
from domain.registrations import RegisterVisitor
from domain.visitors import Visitor

ORIGIN = Origin(actor="anonymous", correlation_id="a-request")

BATCHES = {1: 30, 16: 10, 64: 6}
"""Commands in a batch -> batches in a turn."""


class Took(NamedTuple):
    """Microseconds for each registration."""

    elapsed: float
    writer: float
    """Of processor time, as is `session`."""
    session: float


class Writing:
    """Registrations given to a decider as the writer of a process does."""

    def __init__(self, decider: Decider, connection: Any, fairs: list[Any]) -> None:
        self._decider = decider
        self._connection = connection
        self._session = psutil.Process(connection.info.backend_pid)
        self._fairs = fairs
        self._number = 0

    async def turn(self, size: int, batches: int, *, keyed: bool) -> Took:
        rounds = [[self._request(keyed=keyed) for _ in range(size)] for _ in range(batches)]
        begun = self._took()
        for requests in rounds:
            for outcome in await self._decider.execute(self._connection, requests):
                outcome.or_raise()
        ended = self._took()
        number = size * batches / 1e6
        return Took(
            (ended.elapsed - begun.elapsed) / number,
            (ended.writer - begun.writer) / number,
            (ended.session - begun.session) / number,
        )

    def _took(self) -> Took:
        """In seconds so far."""
        session = self._session.cpu_times()
        return Took(perf_counter(), process_time(), session.user + session.system)

    def _request(self, *, keyed: bool) -> CommandRequest:
        self._number += 1
        command = RegisterVisitor(
            event_id=self._fairs[self._number % len(self._fairs)],
            full_name=FullName("Ada Lovelace"),
            email=Email(f"ada.{self._number}@example.com"),
        )
        return CommandRequest(command, ORIGIN, once=_once() if keyed else None)


def _once() -> Once:
    key = new_key()

    def answer(visitor: Visitor) -> bytes:
        """As large as that of the API."""
        body = to_json({"data": {"id": visitor.id, "status": "registered"}, "meta": {}})
        stored = StoredResponse(201, {"Location": f"/api/visitors/{visitor.id}"}, "", body)
        return seal(key, msgspec.msgpack.encode(stored), key)

    return Once(key=key, fingerprint=new_key(), answer=answer)


async def in_writer(url: str, keys: InstallationKeys, rounds: int) -> Mapping[str, list[Took]]:
    figures: dict[str, list[Took]] = {}
    async with await connect(url) as connection:
        decider = Decider(keys, APPLICATION)
        at = datetime.now(UTC) + timedelta(days=30)
        event = CreateEvent(name=Text("Fair"), event_datetime=at, registration_deadline=at)
        made = [await decider.execute_one(connection, event, ORIGIN) for _ in range(FAIRS)]
        writing = Writing(decider, connection, [done.value.event.id for done in made])
        await writing.turn(64, 20, keyed=True)
        for _ in range(rounds):
            for size, batches in BATCHES.items():
                for keyed in (False, True):
                    name = f"batches of {size}, {'with' if keyed else 'without'} keys"
                    took = await writing.turn(size, batches, keyed=keyed)
                    figures.setdefault(name, []).append(took)
    return figures


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m benchmarks.idempotency")
    options.add_argument("--rounds", type=int, default=20)
    given = options.parse_args()
    here = Path(__file__).parents[1]
    with (
        tempfile.TemporaryDirectory(prefix=".bench-", dir=here) as folder,
        postgres(Path(folder)) as server,
        server.new_database() as database,
    ):
        environment = {
            "DATABASE_URL": database.url,
            "DATA_DIR": folder,
            "SECRET_KEY": SECRET_KEY,
        }
        run([sys.executable, "-P", "-m", "events_face", "migrate"], environment)
        keys = _keys(database)
        figures = asyncio.run(in_writer(database.url, keys, given.rounds))
    for name, turns in figures.items():
        elapsed = statistics.median(took.elapsed for took in turns)
        writer = statistics.mean(took.writer for took in turns)
        session = statistics.mean(took.session for took in turns)
        sys.stdout.write(
            f"{name}: {elapsed:,.0f} µs; processor {writer + session:,.0f} µs"
            f" (writer {writer:,.0f}, PostgreSQL {session:,.0f})\n"
        )


def _keys(database: Database) -> InstallationKeys:
    with database.connect() as connection:
        return load_keys(connection, (SECRET_KEY,))


if __name__ == "__main__":
    main()
