"""Health: alive is not yet ready."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from domain.personal_data import InstallationKeys
from events_face.services import Services
from events_face.settings import Settings
from tests.api.serving import Api, api_on
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


async def test_the_api_is_ready_when_all_it_needs_is_well(api: Api) -> None:
    created = await api.created_event()
    await api.get("/api/events/list", after=created)
    answer = await api.http.get("/health/ready/")
    assert answer.status_code == 200
    readiness = answer.json()
    assert readiness["status"] == "ok"
    assert readiness["checks"]["database"]["status"] == "ok"
    assert readiness["checks"]["broker"]["status"] == "ok"
    projections = readiness["checks"]["projections"]
    assert set(projections) == {
        "accounts",
        "areas",
        "deliveries",
        "events",
        "outbox",
        "registrations",
        "sync_results",
        "visitors",
    }
    assert projections["events"]["position"] == int(created.headers["Event-Position"])
    assert projections["events"]["lag_events"] == 0


async def test_a_stopped_projection_is_named(api: Api, database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(
            "UPDATE projections SET stopped_at = 7, stopped_because = 'a riddle'"
            " WHERE name = 'visitors'"
        )
        answer = await api.http.get("/health/ready")
    assert answer.status_code == 503
    checks = answer.json()["checks"]
    assert checks["projections"]["visitors"]["status"] == "failing"
    assert "a riddle" in checks["projections"]["visitors"]["reason"]
    assert checks["database"]["status"] == checks["projections"]["events"]["status"] == "ok"


@pytest.mark.parametrize("redis_url", [None, "redis://127.0.0.1:1/0"])
async def test_a_missing_broker_is_named(
    settings: Settings, database_url: str, keys: InstallationKeys, redis_url: str | None
) -> None:
    services = Services(database_url=database_url, redis_url=redis_url)
    async with api_on(settings, services, keys) as api:
        answer = await api.http.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["checks"]["broker"]["status"] == "failing"
        assert answer.json()["checks"]["broker"]["reason"]
        assert (await api.http.get("/health/live")).status_code == 200


async def test_a_database_that_comes_back_is_used_again(
    api: Api, template_database: str, database_url: str
) -> None:
    event = await api.event()
    name = sql.Identifier(str(conninfo_to_dict(database_url)["dbname"]))
    async with await psycopg.AsyncConnection.connect(template_database, autocommit=True) as outside:
        await outside.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        await outside.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [conninfo_to_dict(database_url)["dbname"]],
        )
        answers = [
            await api.http.get("/api/events/list"),
            await api.register(event),
            await api.http.get("/health/ready"),
        ]
        assert [answer.status_code for answer in answers] == [503, 503, 503]
        assert answers[2].json()["checks"]["database"]["status"] == "failing"
        await outside.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
    assert (await api.register(event)).status_code == 201

    async def ready() -> bool:
        return (await api.http.get("/health/ready")).status_code == 200

    await until_async(ready)
    assert (await api.http.get("/api/events/list")).status_code == 200
