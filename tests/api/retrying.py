"""Impatient clients: each call is sent eight times at once under one key, to two API processes, one
of which is killed on the way. Who gets no answer sends the call again.

    python -m tests.api.retrying --keys 1000
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import msgspec
import psycopg

from events_face.commands.migrate import migrate
from runtime.embedded.postgres import embedded_postgres
from runtime.embedded.services import Services
from runtime.ports import free_port
from runtime.settings import Settings
from tests.api.serving import EVENT, api_process
from tests.support.waiting import DEADLINE

AT_ONCE = 8
"""Times that each call is sent."""

KEYS_AT_ONCE = 8

SAFE_TO_REPEAT = {503}
"""Statuses after which a call is sent again."""


class Outcome(msgspec.Struct, kw_only=True):
    keys: int
    effects: Counter[str]
    """Domain events in history by what they were asked for with: the name of an event, or the
    number of visitors."""
    bodies: list[set[bytes]]
    """Different responses, by key."""
    statuses: Counter[int]
    replayed: int
    sent_again: int
    """Calls that got no answer, or 503."""
    unknown: int
    """Of these, those whose connection broke."""
    seconds: float


def retry_all(settings: Settings, services: Services, keys: int) -> Outcome:
    """Half of the keys create an event, which nothing but the key keeps from being created twice;
    the others register a visitor. The second process is killed when a third has its answers, and
    replaced."""
    with ExitStack() as held:
        ports = [free_port(), free_port()]
        held.enter_context(api_process(settings, services, ports[0], LOG_LEVEL="error"))
        victim = held.enter_context(api_process(settings, services, ports[1], LOG_LEVEL="error"))

        def kill_one() -> None:
            victim.kill()
            victim.wait()
            held.enter_context(api_process(settings, services, ports[1], LOG_LEVEL="error"))

        clients = _Clients(keys, kill_one)
        begun = perf_counter()
        asyncio.run(clients.run([f"http://127.0.0.1:{port}" for port in ports]))
        seconds = perf_counter() - begun
    return Outcome(
        keys=keys,
        effects=_effects(services.database_url),
        bodies=clients.bodies,
        statuses=clients.statuses,
        replayed=clients.replayed,
        sent_again=clients.sent_again,
        unknown=clients.unknown,
        seconds=seconds,
    )


class _Clients:
    def __init__(self, keys: int, kill_one: Any) -> None:
        self._keys = keys
        self._kill_one = kill_one
        self._numbers = iter(range(keys))
        self._answered = 0
        self._a_third = asyncio.Event()
        self.bodies = [set[bytes]() for _ in range(keys)]
        self.statuses = Counter[int]()
        self.replayed = self.sent_again = self.unknown = 0

    async def run(self, origins: Sequence[str]) -> None:
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            limits = httpx.Limits(max_connections=AT_ONCE * KEYS_AT_ONCE)
            to = [
                await stack.enter_async_context(
                    httpx.AsyncClient(base_url=origin, timeout=DEADLINE, limits=limits)
                )
                for origin in origins
            ]
            created = await to[0].post("/api/events/", json=EVENT | {"name": "The fair"})
            fair = created.json()["data"]["id"]
            workers = [tasks.create_task(self._work(to, fair)) for _ in range(KEYS_AT_ONCE)]
            await self._a_third.wait()
            await asyncio.to_thread(self._kill_one)
            await asyncio.gather(*workers)

    async def _work(self, to: Sequence[httpx.AsyncClient], fair: str) -> None:
        for number in self._numbers:
            if number % 2:
                path, body = "/api/events/", EVENT | {"name": f"event {number}"}
            else:
                path = f"/api/events/{fair}/register"
                body = {"full_name": "Ada", "email": f"ada{number}@example.com"}
            calls = (self._call(to, n, path, body, number) for n in range(AT_ONCE))
            await asyncio.gather(*calls)
            self._answered += 1
            if self._answered >= self._keys // 3:
                self._a_third.set()

    async def _call(
        self, to: Sequence[httpx.AsyncClient], first: int, path: str, body: Any, number: int
    ) -> None:
        """Until it is answered, by one process and the other in turn."""
        headers = {"Idempotency-Key": f"key-{number}"}
        for attempt in count(first):
            try:
                answer = await to[attempt % 2].post(path, json=body, headers=headers)
            except httpx.TransportError:
                self.unknown += 1
            else:
                if answer.status_code not in SAFE_TO_REPEAT:
                    break
            self.sent_again += 1
            await asyncio.sleep(0.02)
        self.statuses[answer.status_code] += 1
        self.replayed += "Idempotent-Replayed" in answer.headers
        self.bodies[number].add(answer.content)


def _effects(database_url: str) -> Counter[str]:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            """
            SELECT convert_from(state, 'UTF8')::json #>> '{data,name}', count(*)
            FROM history_events WHERE topic = 'Event.Created' GROUP BY 1
            UNION ALL
            SELECT 'visitors', count(*) FROM history_events WHERE topic = 'Visitor.Registered'
            """
        )
        return Counter(dict(rows.fetchall()))


def check(outcome: Outcome) -> None:
    """Raises AssertionError."""
    created = {name: n for name, n in outcome.effects.items() if name.startswith("event ")}
    assert created == {f"event {number}": 1 for number in range(1, outcome.keys, 2)}
    assert outcome.effects["visitors"] == (outcome.keys + 1) // 2
    assert {len(bodies) for bodies in outcome.bodies} == {1}
    assert outcome.statuses == {201: outcome.keys * AT_ONCE}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=1_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="events-face-retrying-") as folder:
        environ = {
            "DATA_DIR": folder,
            "SECRET_KEY": "only-for-tests-" * 3,
            "DEBUG": "true",
            "RATE_LIMITS": "off",
            "WRITE_POLICY": "anyone",
        }
        settings = Settings.load(environ, dotenv=None)
        with embedded_postgres(Path(folder)) as url:
            services = Services(database_url=url, redis_url=None)
            migrate(settings, services)
            outcome = retry_all(settings, services, given.keys)
    check(outcome)
    sys.stdout.write(f"{_in_words(outcome)}\n")


def _in_words(outcome: Outcome) -> str:
    created = sum(name.startswith("event ") for name in outcome.effects)
    return (
        f"{outcome.keys:,} keys, each sent {AT_ONCE} times at once to two processes, one of them"
        f" killed: {outcome.statuses[201]:,} answers 201 in {outcome.seconds:.1f} s,"
        f" {outcome.replayed:,} of them replayed\n"
        f"{outcome.sent_again:,} calls sent again, {outcome.unknown:,} because the connection"
        f" broke\n"
        f"in history: {created:,} events created, {outcome.effects['visitors']:,} visitors"
        f" registered; one effect and one answer for each key"
    )


if __name__ == "__main__":
    main()
