"""Hosts that are killed, frozen, or cut off from all others, while visitors register."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from projections.registry import ALL
from tests.hosts.layout import BACK, BROKER, FRONT, Layout, layout
from tests.hosts.network import network
from tests.hosts.postgresql import PostgreSQL
from tests.hosts.reckoning import reckon, report
from tests.hosts.visitors import visitors
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

TAKEN_OVER_WITHIN = 60.0
"""Seconds."""

LED = {*(projection.name for projection in ALL), "scheduler", "sealer"}


async def test_nothing_is_lost_or_done_twice_when_hosts_are_killed_suspended_or_disconnected(
    folder: Path,
) -> None:
    with network(*FRONT, *BACK, BROKER, "data") as hosts:
        postgresql = PostgreSQL(hosts["data"], folder / "postgresql")
        postgresql.create()
        with (
            layout(hosts, folder, postgresql.url) as (installed, service),
            installed.connect() as connection,
        ):
            async with visitors(list(installed.origins.values())) as some:
                await _a_host_of_each_kind_is_killed(installed, connection)
                await _the_leader_is_frozen(installed, connection)
                if hosts.why_uncut is None:
                    await _a_host_of_each_kind_is_cut_off(installed, connection)
            await reckon(installed, connection, some, service)
            _what_was_missed_was_handed_over_once(installed)
    if hosts.why_uncut is not None:
        pytest.skip(f"hosts were killed and frozen, but not cut off: {hosts.why_uncut}")


async def _a_host_of_each_kind_is_killed(installed: Layout, connection: Connection[Any]) -> None:
    takeover = await _prepared(installed, connection)
    front, _ = FRONT
    for name in (takeover.leader, front):
        installed.network[name].kill()
    connection.execute("UPDATE schedule_runs SET last_due = last_due - interval '2 days'")
    await takeover.completed("killed")
    for name in (takeover.leader, front):
        await asyncio.to_thread(installed.start, name)


async def _the_leader_is_frozen(installed: Layout, connection: Connection[Any]) -> None:
    takeover = await _prepared(installed, connection)
    host = installed.network[takeover.leader]
    host.freeze()
    await takeover.completed("frozen")
    awake = datetime.now(UTC)
    host.thaw()
    await _holds(lambda: installed.is_back(connection, takeover.leader, awake))
    assert set(installed.leaders(connection).values()) == {takeover.other}


async def _a_host_of_each_kind_is_cut_off(installed: Layout, connection: Connection[Any]) -> None:
    takeover = await _prepared(installed, connection)
    _, front = FRONT
    for name in (takeover.leader, front):
        installed.network[name].cut_off()
    await takeover.completed("cut off")
    healed, begun = datetime.now(UTC), time.monotonic()
    for name in (takeover.leader, front):
        installed.network[name].connect()
    await _holds(lambda: installed.is_back(connection, takeover.leader, healed))
    await _holds(lambda: installed.is_alive(front))
    report("reconnected after the cut", f"{time.monotonic() - begun:.1f} s")
    takeover = await _prepared(installed, connection)
    assert await asyncio.to_thread(installed.network[takeover.leader].stop) == [0, 0, 0]
    await takeover.completed("stopped")


class _Takeover:
    """Of all that one host leads, by the other one; begins as it is made."""

    def __init__(
        self, installed: Layout, connection: Connection[Any], leaders: Mapping[str, str]
    ) -> None:
        self.leader = leaders["events"]
        (self.other,) = set(BACK) - {self.leader}
        self._led = [name for name, host in leaders.items() if host == self.leader]
        self._installed = installed
        self._connection = connection
        self._begun = time.monotonic()

    async def completed(self, fate: str) -> None:
        """Returns when it is, and reports how long it took since the leader was killed, frozen or
        cut off."""
        took = dict[str, float]()

        def all_taken_over() -> bool:
            for name, host in self._installed.leaders(self._connection).items():
                if host == self.other:
                    took.setdefault(name, time.monotonic() - self._begun)
            return took.keys() == LED

        await _holds(all_taken_over)
        for name in ("events", "scheduler", "sealer"):
            if name in self._led:
                report(f"takeover of {name} from a host that was {fate}", f"{took[name]:.1f} s")


async def _prepared(installed: Layout, connection: Connection[Any]) -> _Takeover:
    """Once everything is led."""
    await _holds(lambda: installed.leaders(connection).keys() == LED)
    return _Takeover(installed, connection, installed.leaders(connection))


async def _holds(condition: Callable[[], bool]) -> None:
    async def asked() -> bool:
        return await asyncio.to_thread(condition)

    await until_async(asked, within=TAKEN_OVER_WITHIN)


def _what_was_missed_was_handed_over_once(installed: Layout) -> None:
    tasks = [line["task"] for line in installed.logged("task enqueued")]
    assert "cleanup" in tasks
    assert len(tasks) == len(set(tasks))
