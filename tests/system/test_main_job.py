"""The main job, end to end, in the system that `make run` starts."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path

import httpx
import pytest
import redis

from domain.history.store import connect
from projections.people import people_at
from runtime.embedded import valkey
from runtime.embedded.services import services
from runtime.installation import installation_keys
from runtime.settings import Settings
from tests.support.http_server import Answer
from tests.support.notification_service import NotificationService, notification_service
from tests.support.provider import conferences, provider
from tests.support.waiting import until, until_async
from tests.system.registering import an_event, register
from tests.system.running import System, up

pytestmark = pytest.mark.anyio


def delivered(service: NotificationService) -> Counter[str]:
    """Ids that the service confirmed, and how often."""
    return Counter(str(received.id) for received in service.received)


async def test_two_hundred_concurrent_registrations_are_notified_once_each(
    data_dir: Path,
) -> None:
    with (
        notification_service() as service,
        up(data_dir, NOTIFICATION_SERVICE_URL=service.url, NOTIFICATION_TOKEN="t") as system,
    ):
        async with system.client() as http:
            fair = await an_event(http)
            emails = [f"visitor{n}@example.com" for n in range(200)]
            twice = [email.upper() for email in emails[:50]]
            answers = await asyncio.gather(
                *(register(http, fair, email) for email in emails + twice)
            )
        assert Counter(a.status_code for a in answers) == {201: 200, 409: 50}
        until(lambda: len(service.received) >= 200)
        assert set(delivered(service).values()) == {1}
        assert sorted(service.emails) == sorted(emails)


async def test_events_of_the_provider_are_found_in_any_case_and_script(
    data_dir: Path,
) -> None:
    with provider() as source:
        source.items = conferences()
        with up(data_dir, EVENTS_PROVIDER_URL=source.url) as system:
            count = len(source.items)
            assert system.events_face("sync", "--all") == (
                f"new {count}, updated 0, unchanged 0, skipped 0\n"
            )
            source.items[0]["name"] += " (moved to a larger hall, 100% free)"
            assert system.events_face("sync", "--all") == (
                f"new 0, updated 1, unchanged {count - 1}, skipped 0\n"
            )
            async with system.client() as http:

                async def named(fragment: str) -> list[str]:
                    found = await http.get(
                        "/api/events/list", params={"name": fragment, "limit": 100}
                    )
                    return [event["name"] for event in found.json()["data"]]

                await until_async(lambda: named("100%"))
                assert await named("PYCON") == await named("pycon") != []
                assert await named("_%") == []
                everything = await named("")
                assert {item["name"] for item in source.items} == set(everything)


async def test_every_registration_arrives_everywhere_though_any_process_is_killed(
    data_dir: Path,
) -> None:
    """Each 201 is in history, in the read tables and at the notification service in the end."""
    with (
        notification_service() as service,
        up(
            data_dir,
            NOTIFICATION_SERVICE_URL=service.url,
            NOTIFICATION_TOKEN="t",
            RATE_LIMITS="off",  # all visitors come from one address, as fast as they are answered
        ) as system,
    ):
        async with system.client() as http:
            fair = await an_event(http)
            confirmed = list[str]()
            stop = asyncio.Event()

            async def visitors(name: str) -> None:
                number = 0
                while not stop.is_set():
                    number += 1
                    email = f"{name}.{number}@example.com"
                    try:
                        answer = await register(http, fair, email)
                    except httpx.TransportError:
                        continue
                    if answer.status_code == 201:
                        confirmed.append(email)
                    else:
                        assert answer.status_code == 503, answer.text
                    await asyncio.sleep(0.01)

            async def go_on_for(registrations: int) -> None:
                wanted = len(confirmed) + registrations

                async def enough() -> bool:
                    return len(confirmed) >= wanted

                await until_async(enough)

            async with asyncio.TaskGroup() as load:
                for place in range(8):
                    load.create_task(visitors(f"visitor{place}"))
                await go_on_for(50)
                for role in ("worker", "projector", "scheduler", "api", "valkey-server"):
                    await asyncio.to_thread(system.kill, role)
                    await go_on_for(50)
                service.usual = Answer(status=503)
                with redis.Redis.from_url(valkey.valkey_url(data_dir)) as broker:
                    broker.flushall()
                system.kill_postgres()
                await go_on_for(50)
                service.usual = Answer(status=202)
                stop.set()
            await _all_arrived(system, http, service, confirmed)


async def _all_arrived(
    system: System, http: httpx.AsyncClient, service: NotificationService, confirmed: list[str]
) -> None:
    wanted = set(confirmed)
    assert len(wanted) == len(confirmed), "a registration was confirmed twice"
    until(lambda: wanted <= set(service.emails))
    ids = {received.email: received.id for received in service.received}
    assert all(ids[received.email] == received.id for received in service.received)

    async def well() -> bool:
        return (await http.get("/health/ready")).status_code == 200

    await until_async(well)
    status = system.events_face("projections", "status")
    assert "stopped" not in status
    assert await _visitors(system) >= wanted


async def _visitors(system: System) -> set[str]:
    settings = Settings.load(system.environment, dotenv=None)
    with services(settings) as found:
        keys = installation_keys(settings, found.database_url)
        async with await connect(found.database_url) as connection:
            cursor = await connection.execute("SELECT position FROM visitors")
            positions = [position for (position,) in await cursor.fetchall()]
            people = await people_at(connection, keys, positions)
            cursor = await connection.execute(
                "SELECT count(*) FROM history_events WHERE topic = 'Visitor.Registered'"
            )
            assert await cursor.fetchone() == (len(people),)
            return {person.email for person in people.values()}


async def test_a_demo_begins_a_new_installation_and_leaves_an_old_one_alone(
    data_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        with up(data_dir, "--demo") as system:
            async with system.client() as http:

                async def all_of_it() -> bool:
                    listing = (await http.get("/api/events/list")).json()
                    return bool(listing["pagination"]["total"] == 6)

                await until_async(all_of_it)
                printed = capfd.readouterr().err
                if found := re.search(r"demo account: demo, password: (\S+) ", printed):
                    signed_in = {"username": "demo", "password": found[1]}
                answer = await http.post("/api/auth/login", json=signed_in)
                assert answer.status_code == 200
        printed += capfd.readouterr().err
    assert "demo account" not in printed
    assert "--demo changes nothing" in printed


async def test_the_first_start_prints_the_pages_and_how_to_create_an_account(
    data_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    printed = ""

    def has_printed(text: str) -> bool:
        nonlocal printed
        printed += capfd.readouterr().err
        return text in printed

    with up(data_dir) as system:
        until(lambda: has_printed("no account exists yet"))
        assert f"{system.origin}/admin/" in printed
        assert f"{system.origin}/api/swagger/" in printed
        assert f"createsuperuser --username root --data-dir {data_dir}" in printed


async def test_after_a_restart_everything_is_as_it_was(data_dir: Path) -> None:
    with up(data_dir) as system:
        async with system.client() as http:
            fair = await an_event(http)
            assert (await register(http, fair, "ada@example.com")).status_code == 201
    with up(data_dir) as system:
        async with system.client() as http:
            assert (await http.get(f"/api/events/{fair}")).json()["data"]["name"] == "Fair"
            assert (await register(http, fair, "Ada@example.com")).status_code == 409


async def test_a_database_that_cannot_start_again_is_503_until_it_can(data_dir: Path) -> None:
    with up(data_dir) as system:
        async with system.client() as http:

            async def answers(status: int) -> bool:
                return (await http.get("/health/ready")).status_code == status

            fair = await an_event(http)
            version = data_dir / "postgres" / "PG_VERSION"
            version.write_text("9.6\n")
            system.kill_postgres()
            await until_async(lambda: answers(503))
            assert (await register(http, fair, "ada@example.com")).status_code == 503
            until(lambda: (data_dir / "postgres.log").read_text().count("incompatible") > 2)
            version.write_text("18\n")
            await until_async(lambda: answers(200))
            assert (await register(http, fair, "ada@example.com")).status_code == 201
