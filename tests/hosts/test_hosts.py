"""Hosts that are killed, or cut off from all others, while visitors register."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from projections.all import ALL
from tests.hosts.layout import BACK, BROKER, FRONT, Layout, layout
from tests.hosts.network import network
from tests.hosts.postgresql import PostgreSQL
from tests.hosts.reckoning import reckon, tell
from tests.hosts.visitors import visitors
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

TAKEN_OVER_WITHIN = 60.0
"""Seconds."""


async def test_nothing_is_lost_or_done_twice_when_hosts_are_killed_or_cut_off(folder: Path) -> None:
    with network(*FRONT, *BACK, BROKER, "data") as hosts:
        postgresql = PostgreSQL(hosts["data"], folder / "postgresql")
        postgresql.create()
        with (
            layout(hosts, folder, postgresql.url) as (installed, service),
            installed.connect() as connection,
        ):
            async with visitors(list(installed.origins.values())) as some:
                await _a_host_of_each_kind_is_killed(installed, connection)
                if hosts.why_uncut is None:
                    await _a_host_of_each_kind_is_cut_off(installed, connection)
            await reckon(installed, connection, some, service)
            _what_was_missed_was_handed_over_once(installed)
    if hosts.why_uncut is not None:
        pytest.skip(f"hosts were killed, but not cut off: {hosts.why_uncut}")


async def _a_host_of_each_kind_is_killed(installed: Layout, connection: Connection[Any]) -> None:
    leader, other = await _leads(installed, connection)
    front, _ = FRONT
    begun = time.monotonic()
    for name in (leader, front):
        installed.network[name].kill()
    connection.execute("UPDATE schedule_runs SET last_due = last_due - interval '2 days'")
    await _taken_over(installed, connection, other, begun, "killed")
    for name in (leader, front):
        await asyncio.to_thread(installed.start, name)


async def _a_host_of_each_kind_is_cut_off(installed: Layout, connection: Connection[Any]) -> None:
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
    tell("back after the cut", f"{time.monotonic() - begun:.1f} s")
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
        tell(f"{name} taken over from a host that was {fate}", f"{took[name]:.1f} s")


async def _holds(condition: Callable[[], bool]) -> None:
    async def asked() -> bool:
        return await asyncio.to_thread(condition)

    await until_async(asked, within=TAKEN_OVER_WITHIN)


def _what_was_missed_was_handed_over_once(installed: Layout) -> None:
    assert [line["task"] for line in installed.logged("handed over")] == ["cleanup"]
