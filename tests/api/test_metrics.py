"""`/metrics`: what Prometheus reads, with and without the database, from one process or several."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from api import metrics
from api.database import probe
from runtime.embedded.services import Services
from runtime.ports import free_port
from runtime.settings import Settings
from runtime.supervisor import ROLE_VARIABLE
from tests.api.serving import EVENT, Api, Serving, api_process
from tests.support.processes import accepts
from tests.support.waiting import until, until_async

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("each_scrape_is_fresh")]


async def scraped(api: Api) -> dict[str, float]:
    """Values by sample: `events_face_outbox_rows{state="sent"}`, without the prefix."""
    return await samples_at(api.http)


async def samples_at(http: httpx.AsyncClient) -> dict[str, float]:
    answer = await http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return {
        sample.name.removeprefix("events_face_")
        + "".join(f",{value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@asynccontextmanager
async def counting(api: Api) -> AsyncIterator[dict[str, float]]:
    """Filled at the end with what was counted during the block."""
    before, grown = await scraped(api), dict[str, float]()
    yield grown
    after = await scraped(api)
    grown |= {name: value - before.get(name, 0) for name, value in after.items()}


async def test_requests_are_counted_by_their_route(lone_api: Api) -> None:
    async with counting(lone_api) as counted:
        for path in ("/api/events/nonsense", "/nowhere/ada@example.com"):
            assert (await lone_api.http.get(path)).status_code == 404
        for _ in range(2):
            assert (await lone_api.http.get(f"/api/events/{uuid4()}")).status_code == 404
        assert (await lone_api.http.request("BREW", "/api/events/list")).status_code == 405
        await lone_api.event()
    assert counted["requests_total,GET,/api/events/{event_id},4xx"] == 2
    assert counted["requests_total,POST,/api/events,2xx"] == 1
    assert counted["requests_total,GET,none,4xx"] == 2
    assert counted["requests_total,other,none,4xx"] == 1
    assert counted["request_seconds_count,GET,/api/events/{event_id}"] == 2
    assert counted["request_seconds_bucket,+Inf,GET,/api/events/{event_id}"] == 2
    assert counted["request_seconds_sum,GET,/api/events/{event_id}"] > 0
    assert not any("ada@" in name for name in counted)


async def test_commands_are_counted_by_outcome(lone_api: Api) -> None:
    async with counting(lone_api) as counted:
        event = await lone_api.event()
        for expected in (201, 409, 409):
            assert (await lone_api.register(event)).status_code == expected
        assert (await lone_api.register(str(uuid4()))).status_code == 404
        await lone_api.account("ada")
    assert counted["commands_total,RegisterVisitor,accepted"] == 1
    assert counted["commands_total,RegisterVisitor,duplicate-registration"] == 2
    assert counted["commands_total,RegisterVisitor,not-found"] == 1
    assert counted["commands_total,RegisterAccount,accepted"] == 1
    assert counted["command_batch_size_count"] == counted["command_batch_size_sum"] == 6
    assert counted["command_decide_seconds_count"] == 6
    assert counted["command_commit_seconds_count"] == 3 + counted["command_conflicts_total"]


async def test_the_length_of_the_command_queue_is_exported(
    lone_api: Api, database_url: str
) -> None:
    async with (
        await psycopg.AsyncConnection.connect(database_url) as connection,
        asyncio.TaskGroup() as tasks,
    ):
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('append_to_history'))")
        given = iter(range(30))

        async def some_wait() -> bool:
            if next(given, None) is not None:  # more than the batch that hangs has taken
                tasks.create_task(lone_api.event())
            return (await scraped(lone_api))["command_queue"] > 0

        await until_async(some_wait)
        await connection.rollback()


async def test_processes_that_share_a_port_export_their_sums(
    settings: Settings, services: Services, tmp_path: Path
) -> None:
    port = free_port()

    def process(name: str) -> ExitStack:
        more = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), ROLE_VARIABLE: name}
        held = ExitStack()
        held.enter_context(api_process(settings, services, port, **more))
        return held

    async def created(count: int) -> None:
        """On a connection for each, which the processes share out."""
        for _ in range(count):
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
                assert (await http.post("/api/events/", json=EVENT)).status_code == 201

    async def exported(events: int) -> bool:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
            counted = await samples_at(http)
        assert counted["database_up"] == 1
        assert counted["command_queue"] == 0
        return counted["requests_total,POST,/api/events,2xx"] == events

    with ExitStack() as running:
        running.enter_context(process("api 1"))
        second = process("api 2")
        until(lambda: len(list(tmp_path.glob("counter_*.db"))) == 2)
        await created(20)
        await until_async(lambda: exported(20))
        second.close()  # killed
        await until_async(lambda: exported(20))
        running.enter_context(process("api 2"))
        await created(20)
        await until_async(lambda: exported(40))
        assert accepts(port)


async def test_projections_and_history_are_exported(api: Api) -> None:
    created = await api.created_event()
    await api.get("/api/events/list", after=created)
    end = float(created.headers["Event-Position"])
    samples = await scraped(api)
    assert samples["database_up"] == 1
    assert samples["history_position"] == samples["projection_position,events"] == end
    assert samples["projection_lag_events,events"] == samples["projection_lag_seconds,events"] == 0
    assert samples["projection_stopped,events"] == 0
    states = {name: value for name, value in samples.items() if "projection_state,events" in name}
    assert {name for name, value in states.items() if value == 1} == {
        "projection_state,events,running"
    }
    assert set(states.values()) == {0, 1}


async def test_the_number_of_unsealed_events_is_exported(lone_api: Api, database_url: str) -> None:
    samples = await scraped(lone_api)
    assert samples["unsealed_events"] == samples["seal_lag_seconds"] == 0
    await lone_api.event()
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(
            r"""
            UPDATE history_events SET state = convert_to(regexp_replace(
                convert_from(state, 'UTF8'), '"timestamp":"20\d\d', '"timestamp":"2001'), 'UTF8')
            """
        )
    samples = await scraped(lone_api)
    assert samples["unsealed_events"] == 1
    assert samples["seal_lag_seconds"] > 3600


async def test_a_stopped_projection_is_exported(lone_api: Api, database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(
            "UPDATE projections SET stopped_at = 7, stopped_because = 'a riddle'"
            " WHERE name = 'visitors'"
        )
    samples = await scraped(lone_api)
    assert samples["projection_stopped,visitors"] == 1
    assert samples["projection_state,visitors,stopped"] == 1
    assert samples["projection_stopped,events"] == 0


async def test_notifications_that_are_due_and_not_sent_are_exported(
    api: Api, database_url: str
) -> None:
    event = await api.event()
    assert (await scraped(api))["outbox_oldest_due_seconds"] == 0
    assert (await api.register(event)).status_code == 201

    async def one_waits() -> bool:
        return (await scraped(api))["outbox_rows,waiting"] == 1

    await until_async(one_waits)
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("UPDATE outbox SET due_at = now() - interval '1 hour'")
        assert 3600 <= (await scraped(api))["outbox_oldest_due_seconds"] < 3700
        await connection.execute("UPDATE outbox SET due_at = 'infinity'")
        assert (await scraped(api))["outbox_oldest_due_seconds"] == 0
        await connection.execute("DROP TABLE outbox")
    samples = await scraped(api)
    assert not any(name.startswith("outbox") for name in samples)
    assert samples["database_up"] == samples["projection_state,outbox,outdated"] == 1


async def test_at_least_the_waiting_rows_of_a_large_outbox_are_exported(
    lone_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def count_for_ever(_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(probe, "count_by_state", count_for_ever)
    monkeypatch.setattr(probe, "PROBE_TIMEOUT", 0.5)

    async def only_waiting_rows_are_exported() -> bool:
        samples = {name for name in await scraped(lone_api) if name.startswith("outbox")}
        return samples == {"outbox_rows,waiting", "outbox_oldest_due_seconds"}

    await until_async(only_waiting_rows_are_exported)


async def test_without_a_database_a_process_exports_its_own_metrics(
    serving: Serving,
) -> None:
    nowhere = Services(database_url="postgresql://u@127.0.0.1:1/x", redis_url=None)
    async with serving(nowhere) as api:
        samples = await scraped(api)
    assert samples["database_up"] == 0
    assert any(name.startswith("build_info,") for name in samples)
    assert any(name.startswith("process_resident_memory_bytes,") for name in samples)
    of_the_database = ("projection_position", "projection_state", "outbox", "history")
    assert not any(name.startswith(of_the_database) for name in samples)


async def test_scrapes_cost_the_database_little_however_many_there_are(
    lone_api: Api, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "OVERVIEW_LIFETIME", 3600.0)
    before = await scraped(lone_api)
    await lone_api.event()
    assert (await scraped(lone_api))["history_position"] == before["history_position"] == 0


async def test_scrapes_cost_the_process_little_however_many_there_are(
    lone_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "MIN_LIFETIME", 3600.0)
    drawn = list[threading.Thread]()

    def draw_up(collector: Collector) -> bytes:
        drawn.append(threading.current_thread())
        return generate_latest(collector)

    monkeypatch.setattr(metrics, "generate_latest", draw_up)
    answers = await asyncio.gather(*(lone_api.http.get("/metrics") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    (thread,) = drawn
    assert thread is not threading.current_thread()  # whose event loop answers everybody


async def test_a_token_closes_the_metrics(serving: Serving) -> None:
    async with serving(metrics_token="a-secret") as api:
        for given in ("", "Bearer another", "Bearer \u00e4"):
            answer = await api.http.get("/metrics", headers={b"Authorization": given.encode()})
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        good = {"Authorization": "Bearer a-secret"}
        assert (await api.http.get("/metrics", headers=good)).status_code == 200
        assert (await api.http.get("/health/live")).status_code == 200


async def test_scrapers_have_no_rate_limit_and_need_no_allowed_host(serving: Serving) -> None:
    async with serving(rate_limits=True, allowed_hosts=("events.example",)) as api:
        answer = await api.http.get("/metrics/")
        assert answer.status_code == 200
        assert "X-RateLimit-Limit" not in answer.headers
