"""Hosts that are killed, or cut off from all others, while visitors register."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from projections.all import ALL
from tests.hosts.layout import BACK, FRONT, Layout, layout
from tests.hosts.visitors import Visitors, visitors
from tests.support.notification_service import NotificationService
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

TAKEN_OVER_WITHIN = 60.0
"""Seconds."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Outside of pytest's own folder, which it closes to the account that PostgreSQL has."""
    with tempfile.TemporaryDirectory(prefix="events-face-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


async def test_nothing_is_lost_or_done_twice_when_hosts_are_killed_or_cut_off(folder: Path) -> None:
    with layout(folder) as (installed, service), installed.postgresql.connect() as connection:
        async with visitors(list(installed.origins.values())) as some:
            await _a_host_of_each_kind_is_killed(installed, connection, some)
            if installed.network.why_uncut is None:
                await _a_host_of_each_kind_is_cut_off(installed, connection, some)
        _tell("attempts that failed", dict(some.failed))
        _tell("longest time without a 201", f"{some.longest_wait:.1f} s")
        await until_async(lambda: _all_sent(connection), within=TAKEN_OVER_WITHIN)
        _everybody_is_there_once(connection, some)
        _everybody_was_told_once(connection, service, some)
        _what_was_missed_was_handed_over_once(installed)
        installed.command("audit", "verify")
        before = _read_tables(connection)
        installed.command("projections", "rebuild")
        assert _read_tables(connection) == before
    if installed.network.why_uncut is not None:
        pytest.skip(f"hosts were killed, but not cut off: {installed.network.why_uncut}")


async def _a_host_of_each_kind_is_killed(
    installed: Layout, connection: Connection[Any], some: Visitors
) -> None:
    leader, other = await _leads(installed, connection)
    front, _ = FRONT
    begun = time.monotonic()
    for name in (leader, front):
        installed.network[name].kill()
    connection.execute("UPDATE schedule_runs SET last_due = last_due - interval '2 days'")
    await _taken_over(installed, connection, other, begun, "killed")
    for name in (leader, front):
        await asyncio.to_thread(installed.start, name)


async def _a_host_of_each_kind_is_cut_off(
    installed: Layout, connection: Connection[Any], some: Visitors
) -> None:
    leader, other = await _leads(installed, connection)
    _, front = FRONT
    begun = time.monotonic()
    for name in (leader, front):
        installed.network[name].cut_off()
    await _taken_over(installed, connection, other, begun, "cut off")
    healed, begun = datetime.now(UTC), time.monotonic()
    for name in (leader, front):
        installed.network[name].connect()
    await _holds(lambda: installed.is_back(connection, leader, healed))
    await _holds(lambda: installed.is_alive(front))
    _tell("back after the cut", f"{time.monotonic() - begun:.1f} s")
    begun = time.monotonic()
    assert await asyncio.to_thread(installed.network[other].stop) == [0, 0, 0]
    await _taken_over(installed, connection, leader, begun, "stopped")


async def _leads(installed: Layout, connection: Connection[Any]) -> tuple[str, str]:
    """A host that leads something, and the other one."""
    everything = {*(projection.name for projection in ALL), "scheduler", "sealer"}
    await _holds(lambda: set(installed.leaders(connection)) == everything)
    leader = installed.leaders(connection)["events"]
    (other,) = set(BACK) - {leader}
    return leader, other


async def _taken_over(
    installed: Layout, connection: Connection[Any], by: str, begun: float, fate: str
) -> None:
    """Wait until that host leads everything, and tell how long it took."""
    took = dict[str, float]()

    def all_taken_over() -> bool:
        for name, host in installed.leaders(connection).items():
            if host == by:
                took.setdefault(name, time.monotonic() - begun)
        return len(took) == len(ALL) + 2

    await _holds(all_taken_over)
    for name in ("events", "scheduler", "sealer"):
        _tell(f"{name} taken over from a host that was {fate}", f"{took[name]:.1f} s")


async def _holds(condition: Callable[[], bool]) -> None:
    async def asked() -> bool:
        return await asyncio.to_thread(condition)

    await until_async(asked, within=TAKEN_OVER_WITHIN)


async def _all_sent(connection: Connection[Any]) -> bool:
    cursor = connection.execute(
        "SELECT (SELECT count(*) FROM outbox WHERE state = 'sent'),"
        " (SELECT count(*) FROM history_events WHERE topic = 'Visitor.Registered')"
    )
    sent, registered = cursor.fetchone() or (0, 0)
    return bool(sent == registered)


def _everybody_is_there_once(connection: Connection[Any], some: Visitors) -> None:
    ids = {registered.id for registered in some.accepted.values()}
    assert len(ids) == len(some.accepted)
    for source in (
        "SELECT originator_id FROM history_events WHERE topic = 'Visitor.Registered'",
        "SELECT id FROM visitors",
    ):
        found = Counter(str(id) for (id,) in connection.execute(source).fetchall())
        assert set(found.values()) == {1}
        assert ids <= set(found)
        assert len(found) == len(ids | set(found)) == len(some.accepted) + len(some.told_later)
    _tell("answered 201, all in history and visitors once", len(ids))
    _tell("registered, told so at a later try", len(some.told_later))


def _everybody_was_told_once(
    connection: Connection[Any], service: NotificationService, some: Visitors
) -> None:
    by_email: dict[str, set[Any]] = {}
    for received in service.received:
        by_email.setdefault(received.email, set()).add(received.id)
    assert set(by_email) == {*some.accepted, *some.told_later}
    assert {len(ids) for ids in by_email.values()} == {1}
    _tell("notifications delivered", len(by_email))
    _tell("of them twice, with the same id", len(service.received) - len(by_email))
    first: dict[str, float] = {}
    for received in service.received:
        first.setdefault(received.email, received.at)
    waits = [first[email] - registered.at for email, registered in some.accepted.items()]
    _tell("longest from 201 to its notification", f"{max(waits):.1f} s")


def _what_was_missed_was_handed_over_once(installed: Layout) -> None:
    assert [line["task"] for line in installed.logged("handed over")] == ["cleanup"]


def _read_tables(connection: Connection[Any]) -> dict[str, list[Any]]:
    """All rows; but how often a delivery was tried is not in history."""
    query = SQL("SELECT to_jsonb(t) - 'attempts' AS row FROM {} t ORDER BY row")
    return {p.name: connection.execute(query.format(Identifier(p.name))).fetchall() for p in ALL}


def _tell(what: str, figure: object) -> None:
    sys.stdout.write(f"{what:<60} {figure}\n")
