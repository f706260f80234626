"""All read tables and the outbox are lost: `up` rebuilds them, and sends no notification twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from projections.registry import ALL
from runtime.embedded.postgres import embedded_postgres
from tests.support.notification_service import notification_service
from tests.support.waiting import until
from tests.system.running import System, up

pytestmark = pytest.mark.anyio

EVERY_TABLE = "DROP TABLE projections, " + ", ".join(projection.name for projection in ALL)


async def register(system: System, *emails: str, event_id: str | None = None) -> str:
    """The id of the event that they are registered for now, a new one unless it is given."""
    starts = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    fair = {"name": "Fair", "event_datetime": starts, "registration_deadline": starts}
    async with system.client() as http:
        if event_id is None:
            event_id = (await http.post("/api/events/", json=fair)).json()["data"]["id"]
        for email in emails:
            body = {"full_name": "Ada Lovelace", "email": email}
            answer = await http.post(f"/api/events/{event_id}/register", json=body)
            assert answer.status_code == 201, answer.text
    assert event_id is not None
    return event_id


def metrics(system: System) -> str:
    return httpx.get(f"{system.origin}/metrics", timeout=30).text


def rows(connection: psycopg.Connection[Any]) -> dict[str, list[Any]]:
    """All of all tables but the number of a delivery's tries, which is no history."""
    return {
        p.name: connection.execute(
            f"SELECT to_jsonb(t) - 'attempts' AS row FROM {p.name} t ORDER BY row"  # noqa: S608
        ).fetchall()
        for p in ALL
    }


async def test_up_restores_lost_tables_before_it_is_ready(data_dir: Path) -> None:
    with notification_service() as service:
        settings = {"NOTIFICATION_SERVICE_URL": service.url, "NOTIFICATION_TOKEN": "t"}
        emails = [f"visitor{number}@example.com" for number in range(20)]
        with up(data_dir, **settings) as system:
            fair = await register(system, *emails)
            until(lambda: len(service.received) == len(emails))
            until(lambda: 'outbox_rows{state="sent"} 20.0' in metrics(system))
        with embedded_postgres(data_dir) as url, psycopg.connect(url, autocommit=True) as database:
            before = rows(database)
            database.execute(EVERY_TABLE.encode())
        with up(data_dir, **settings) as system:
            with embedded_postgres(data_dir) as url, psycopg.connect(url) as database:
                assert rows(database) == before
            async with system.client() as http:
                listed = (await http.get("/api/events/list")).json()
            assert [event["id"] for event in listed["data"]] == [fair]
            await register(system, "one.more@example.com", event_id=fair)
            until(lambda: "one.more@example.com" in service.emails)
        assert sorted(service.emails) == sorted([*emails, "one.more@example.com"])
