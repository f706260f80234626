"""The primary dies and a replica takes its place, while visitors register."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from events_face.embedded.cluster import DATABASE
from tests.hosts.layout import BACK, BROKER, FRONT, layout
from tests.hosts.network import network
from tests.hosts.postgresql import PASSWORD, PostgreSQL
from tests.hosts.reckoning import reckon, tell
from tests.hosts.visitors import Visitors, visitors
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

TAKEN_OVER_WITHIN = 60.0
"""Seconds."""

SOME = 100
"""Visitors who are registered before, and who are after."""


async def test_nothing_is_lost_when_a_synchronous_replica_takes_over(folder: Path) -> None:
    with network(FRONT[0], BACK[0], BROKER, "data-a", "data-b") as hosts:
        primary = PostgreSQL(hosts["data-a"], folder / "primary")
        primary.create()
        replica = primary.replica(hosts["data-b"], folder / "replica")
        with primary.connect() as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
        places = ",".join(f"{one.host.address}:{one.port}" for one in (primary, replica))
        url = (
            f"postgresql://postgres:{PASSWORD}@{places}/{DATABASE}?target_session_attrs=read-write"
        )
        with layout(hosts, folder, url) as (installed, service):
            async with visitors(list(installed.origins.values())) as some:
                await _more_are_accepted(some)
                died = time.monotonic()
                await asyncio.to_thread(primary.host.kill)
                await _are_turned_away(some)
                await asyncio.to_thread(replica.promote)
                tell("promoted after", f"{time.monotonic() - died:.1f} s")
                await _more_are_accepted(some)
            with installed.connect() as connection:
                await reckon(installed, connection, some, service)


async def _are_turned_away(some: Visitors) -> None:
    async def turned_away() -> bool:
        return some.failed.total() > 0

    await until_async(turned_away, within=TAKEN_OVER_WITHIN)


async def _more_are_accepted(some: Visitors) -> None:
    before = len(some.accepted)

    async def accepted() -> bool:
        return len(some.accepted) >= before + SOME

    await until_async(accepted, within=TAKEN_OVER_WITHIN)
