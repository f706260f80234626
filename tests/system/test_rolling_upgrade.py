"""Three upgrades, each with two releases at work beside each other on one database, under load."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from domain.history.codec import decode_state
from domain.privacy.encryption import unseal
from domain.privacy.keys import binding_of, unwrap
from runtime.embedded.services import Services
from runtime.ports import free_port
from runtime.settings import Settings
from tests.api.raw_clients import RawClient, Seen
from tests.api.serving import EVENT
from tests.support.installation import Installation, all_caught_up
from tests.support.processes import (
    LAST_RESORT,
    CommandFailed,
    Process,
    environment,
    events_face_command,
    run,
    start,
)
from tests.support.waiting import until_async
from tests.system.releases import CONTRACT, EXPAND, HERE, NEXT_MIGRATION, SWITCH, make_release

pytestmark = pytest.mark.anyio

API_PROCESSES = 2


class Running:
    """API processes that share a port, and a projector, of one release or two."""

    def __init__(self, around: dict[str, str]) -> None:
        self.port = free_port()
        self._around = {**around, "WRITE_POLICY": "anyone", "RATE_LIMITS": "off"}
        self._processes: dict[Path, list[Process]] = {}

    async def events_face(self, release: Path, *words: str) -> str:
        """What a sub-command of the release prints."""
        command = events_face_command(*words)
        done = await asyncio.to_thread(run, command, env=self._around, cwd=release, check=True)
        return done.stdout

    def start(self, release: Path, *words: str) -> None:
        process = start(events_face_command(*words), env=self._around, cwd=release)
        self._processes.setdefault(release, []).append(process)

    async def start_api(self, release: Path) -> None:
        """Returns when all processes that were started answer."""
        before = await self._names()
        for _ in range(API_PROCESSES):
            self.start(release, "api", "--port", str(self.port))

        async def are_there() -> bool:
            return len(await self._names() - before) == API_PROCESSES

        await until_async(are_there)

    async def stop(self, release: Path) -> None:
        """All of the release's."""
        processes = self._processes.pop(release)
        for process in processes:
            process.terminate()
        for process in processes:
            assert await asyncio.to_thread(process.wait, LAST_RESORT) == 0

    def kill(self) -> None:
        for process in [each for those in self._processes.values() for each in those]:
            process.kill()
            process.wait()

    async def _names(self) -> set[str]:
        """Of the processes that answer: each has its own for the requests it gets."""
        names = set[str]()
        for _ in range(16 * API_PROCESSES):
            # To load the certificates of all authorities takes longer than to ask.
            async with httpx.AsyncClient(timeout=30, verify=False) as client:  # noqa: S501
                try:
                    answer = await client.get(f"http://127.0.0.1:{self.port}/health/live")
                except httpx.TransportError:
                    return names
            names.add(answer.headers["X-Request-ID"].partition("-")[0])
        return names


@contextmanager
def running(settings: Settings, services: Services) -> Iterator[Running]:
    system = Running(environment(settings, services))
    try:
        yield system
    finally:
        system.kill()


@asynccontextmanager
async def load(port: int, event: str) -> AsyncIterator[Seen]:
    """Visitors who register twice and look at lists, until the block ends."""
    seen, ended = Seen(), asyncio.Event()

    async def visitor(name: int) -> None:
        client, number = RawClient(port, seen, keeps=name % 2 == 0), 0
        while not ended.is_set():
            number += 1
            body = {"full_name": "Ada", "email": f"{name}-{number}@example.com"}
            for _ in range(2):  # the second time, what is known of the first is read
                await client.post(f"/api/events/{event}/register", body)
            for path in ("/api/events/areas/", "/api/events/list"):
                await client.get(path)
            await asyncio.sleep(0.01)
        client.close()

    async with asyncio.TaskGroup() as visitors:
        for name in range(8):
            visitors.create_task(visitor(name))
        yield seen
        ended.set()


async def upgrade(system: Running, old: Path, new: Path, *, schema: str, tables: list[str]) -> None:
    """As docs/upgrading.md has it."""
    printed = await system.events_face(new, "migrate")
    changed, *rebuilds = printed.splitlines()
    assert changed == schema
    assert [line.partition(":")[0] for line in rebuilds] == tables
    system.start(new, "projector")
    if tables:
        await system.events_face(new, "projections", "rebuild", *tables)
    await system.start_api(new)
    await system.stop(old)


async def stored_versions(installation: Installation) -> list[int]:
    """Of the registrations, in their order, each as often as it changes."""
    cursor = await installation.connection.execute(
        """
        SELECT coalesce((convert_from(state, 'UTF8')::jsonb ->> 'schema_version')::int, 1)
        FROM history_events WHERE topic = 'Visitor.Registered' ORDER BY notification_id
        """
    )
    versions = [version for (version,) in await cursor.fetchall()]
    return [
        v
        for binding_of, v in enumerate(versions)
        if binding_of == 0 or versions[binding_of - 1] != v
    ]


async def test_three_upgrades_under_load_refuse_no_registration(
    installation: Installation, settings: Settings, services: Services, tmp_path: Path
) -> None:
    expand = make_release(tmp_path / "expand", HERE, EXPAND)
    switch = make_release(tmp_path / "switch", expand, SWITCH)
    contract = make_release(tmp_path / "contract", switch, CONTRACT)
    with running(settings, services) as system:
        system.start(HERE, "projector")
        await system.start_api(HERE)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{system.port}", timeout=30
        ) as client:
            event = (await client.post("/api/events/", json=EVENT)).json()["data"]["id"]
            await client.post("/api/events/areas/", json={"name": "Great Hall"})
        async with load(system.port, event) as seen:
            await upgrade(
                system,
                HERE,
                expand,
                schema=f"applied migrations domain {NEXT_MIGRATION};"
                " added column personal_keys.note",
                tables=["areas"],
            )
            assert await stored_versions(installation) == [1]
            await upgrade(system, expand, switch, schema="nothing to change", tables=[])
            await upgrade(
                system,
                switch,
                contract,
                schema=f"applied migrations domain {NEXT_MIGRATION + 1};"
                " removed column personal_keys.note",
                tables=["areas"],
            )
        assert set(seen.statuses) == {200, 201, 409}
        assert seen.unanswered == 0
        assert seen.statuses.count(409) == seen.statuses.count(201)
        assert await count_registered(installation) == seen.statuses.count(201)
        first, *later = await stored_versions(installation)
        assert (first, later[-1], {first, *later}) == (1, 5, {1, 5})
        await until_async(lambda: all_caught_up(installation))
        checked = await system.events_face(contract, "seats", "check")
        assert checked == "all seats and waiting lines are as history says\n"
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{system.port}", timeout=30
        ) as client:
            one_more = {"capacity": seen.statuses.count(201) + 1}
            changed = await client.patch(f"/api/events/{event}", json=one_more)
            assert changed.status_code == 200
        await system.stop(contract)

        with pytest.raises(CommandFailed) as refused:
            await system.events_face(HERE, "migrate")
        assert "the database is newer than this release" in refused.value.stderr
        await system.start_api(HERE)  # too far back
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{system.port}", timeout=30
        ) as client:
            for email, status in (
                ("a.new.one@example.com", 201),  # takes the last seat
                ("0-1@example.com", 409),
                ("another.new.one@example.com", 409),
            ):
                body = {"full_name": "Ada", "email": email}
                answer = await client.post(f"/api/events/{event}/register", json=body)
                assert answer.status_code == status
            body["email"] = await newest(installation)
            answer = await client.post(f"/api/events/{event}/register", json=body)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        checked = await system.events_face(HERE, "seats", "check")
        assert checked == "all seats and waiting lines are as history says\n"


async def newest(installation: Installation) -> str:
    """The email of the last registration that a newer release wrote, which this one cannot read."""
    cursor = await installation.connection.execute(
        """
        SELECT originator_id, originator_version, state, wrapped
        FROM history_events JOIN personal_keys USING (originator_id, originator_version)
        WHERE state LIKE '%"schema_version":5%'::bytea ORDER BY notification_id DESC LIMIT 1
        """,
        binary=True,
    )
    ((id, version, state, wrapped),) = await cursor.fetchall()
    sealed = decode_state(state).sealed
    assert sealed is not None
    bound_to = binding_of(id, version)
    person = unseal(unwrap(installation.keys, wrapped, bound_to), sealed, bound_to)
    email: str = msgspec.json.decode(person)["email"]
    return email


async def count_registered(installation: Installation) -> int:
    cursor = await installation.connection.execute(
        "SELECT count(*) FROM history_events WHERE topic = 'Visitor.Registered'"
    )
    (count,) = await cursor.fetchone() or (0,)
    return int(count)
