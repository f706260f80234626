"""Health: alive is not yet ready."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from projections.rebuild.progress import announce_progress, lock_for_rebuild
from runtime.embedded.services import Services
from tests.api.serving import Api, Serving
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


async def test_the_api_is_ready_when_all_dependencies_are_healthy(api: Api) -> None:
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
        "feed_blocks",
        "outbox",
        "registrations",
        "retention",
        "sync_results",
        "visitors",
    }
    assert projections["events"]["position"] == int(created.headers["Event-Position"])
    assert projections["events"]["lag_events"] == 0


async def test_a_stopped_projection_names_the_event(lone_api: Api, database_url: str) -> None:
    event = await lone_api.event()
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        cursor = await connection.execute(
            """
            UPDATE projections SET stopped_because = 'a riddle', stopped_at =
                (SELECT notification_id FROM history_events WHERE topic = 'Event.Created')
            WHERE name = 'visitors' RETURNING stopped_at
            """
        )
        (stopped_at,) = await cursor.fetchone() or (None,)
        answer = await lone_api.http.get("/health/ready")
    assert answer.status_code == 503
    checks = answer.json()["checks"]
    visitors = checks["projections"]["visitors"]
    assert (visitors["status"], visitors["state"]) == ("failing", "stopped")
    assert "a riddle" in visitors["reason"]
    assert visitors["stop"] == {
        "position": stopped_at,
        "topic": "Event.Created",
        "aggregate_id": event,
        "because": "a riddle",
    }
    assert checks["database"]["status"] == checks["projections"]["events"]["status"] == "ok"


async def test_an_outdated_table_is_a_failure_unless_its_rebuild_is_running(
    api: Api, database_url: str
) -> None:
    async def areas() -> dict[str, object]:
        answer = await api.http.get("/health/ready")
        found: dict[str, object] = answer.json()["checks"]["projections"]["areas"]
        assert answer.status_code == (200 if found["status"] == "ok" else 503)
        return found

    async def runs() -> bool:
        return (await areas())["state"] == "running"

    await until_async(runs)
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as rebuild:
        await lock_for_rebuild(rebuild, ["areas"])
        await announce_progress(rebuild, 30, 100)
        found = await areas()
        assert (found["status"], found["state"]) == ("ok", "rebuilding")
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as migration:
        await migration.execute("UPDATE projections SET schema_version = 99 WHERE name = 'areas'")

    async def outdated() -> bool:
        found = await areas()
        return (found["status"], found["state"]) == ("failing", "outdated")

    await until_async(outdated)


async def test_a_replica_that_does_not_answer_is_a_failure(serving: Serving) -> None:
    async with serving(read_database_url="postgresql://u@127.0.0.1:1/x") as api:
        answer = await api.http.get("/health/ready")
    assert answer.status_code == 503
    database = answer.json()["checks"]["database"]
    assert database["status"] == "failing"
    assert "READ_DATABASE_URL" in database["reason"]


@pytest.mark.parametrize("redis_url", [None, "redis://127.0.0.1:1/0"])
async def test_a_missing_broker_is_named(
    serving: Serving, database_url: str, redis_url: str | None
) -> None:
    services = Services(database_url=database_url, redis_url=redis_url)
    async with serving(services) as api:
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
