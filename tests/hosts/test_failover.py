"""The primary dies and a replica takes its place, while visitors register."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from runtime.embedded.cluster import DATABASE
from tests.hosts.layout import BACK, BROKER, FRONT, layout
from tests.hosts.network import network
from tests.hosts.postgresql import PASSWORD, PostgreSQL
from tests.hosts.reckoning import reckon, report
from tests.hosts.visitors import are_turned_away, more_are_accepted, visitors

pytestmark = pytest.mark.anyio

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
                await more_are_accepted(some, SOME)
                died = time.monotonic()
                await asyncio.to_thread(primary.host.kill)
                await are_turned_away(some)
                await asyncio.to_thread(replica.promote)
                report("promoted after", f"{time.monotonic() - died:.1f} s")
                await more_are_accepted(some, SOME)
            with installed.connect() as connection:
                await reckon(installed, connection, some, service)
