"""No name and no email of a visitor is in any file of the database, stored answers included: not
before an erasure, and so not after one either."""

from __future__ import annotations

from pathlib import Path

import msgspec
import psycopg
import pytest

from domain.history.store import connect
from domain.privacy.keys import InstallationKeys
from projections.outbox import OUTBOX
from projections.rebuild.rebuild import rebuild_tables
from projections.visitor_search import search
from projections.visitors import VISITORS
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.api.database_files import a_name, files_with, write_everything
from tests.api.forgetting import caught_up
from tests.api.serving import Api
from tests.support.http_server import Answer
from tests.support.notification_service import notification_service
from tests.support.waiting import until_async
from workers.delivery.deliverer import new_delivery

pytestmark = pytest.mark.anyio


async def test_no_file_of_the_cluster_holds_a_name_or_an_email(
    api: Api,
    services: Services,
    settings: Settings,
    keys: InstallationKeys,
    servers_dir: Path,
) -> None:
    first, last, mailbox, domain = (a_name() for _ in range(4))
    email = f"{mailbox}@{domain}.org"
    person = {"full_name": f"{first} {last}", "email": email}
    admin = await api.account("root", "admin")
    async with await connect(services.database_url) as connection:
        for answer in (Answer(), Answer(status=422, body=email.encode())):
            event = await api.event()
            path = f"/api/events/{event}/register"
            assert (await api.http.post(path, json=person)).status_code == 201
            for number in range(20):
                other = {"full_name": "Charles Babbage", "email": f"charles{number}@example.org"}
                assert (await api.http.post(path, json=other)).status_code == 201
            await until_async(lambda: caught_up(connection))
            await deliver(settings, services, keys, answer)
        key, event = a_name(), await api.event()
        again = {**admin.bearer, "Idempotency-Key": key}
        for _ in range(2):
            added = await api.http.post(f"/api/events/{event}/visitors", json=person, headers=again)
            assert added.json()["data"]["email"] == email.lower()
        assert added.headers["Idempotent-Replayed"] == "true"
        await until_async(lambda: caught_up(connection))
        for asked in (first, f"{first} {last}", email, f"{domain}.org"):
            found = await search(connection, keys, text=asked)
            assert [visitor.email for visitor in found.rows] == [email.lower()] * 3
        await rebuild_tables(services.database_url, keys, [VISITORS, OUTBOX])
        write_everything(services.database_url)
        assert files_with(servers_dir, [first, last, mailbox, domain, key]) == set()

        answered = await api.http.post(
            "/api/visitors/erase", json={"email": email}, headers=admin.bearer
        )
        assert answered.json()["data"]["registrations"] == 3
        await until_async(lambda: caught_up(connection))
        assert (await search(connection, keys, text=email)).rows == []
        write_everything(services.database_url)
        assert files_with(servers_dir, [first, last, mailbox, domain, key]) == set()


async def test_the_search_of_files_finds_what_a_table_holds(
    services: Services, servers_dir: Path
) -> None:
    name = a_name()
    with psycopg.connect(services.database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE names AS SELECT %s AS name", [name])
    write_everything(services.database_url)
    assert any("base" in path for path in files_with(servers_dir, [name]))


async def deliver(
    settings: Settings, services: Services, keys: InstallationKeys, answer: Answer
) -> None:
    with notification_service() as service:
        service.usual = answer
        configured = msgspec.structs.replace(settings, notification_service_url=service.url)
        async with new_delivery(configured, services.database_url, keys) as delivery:
            await delivery.drain()
