"""The disk of the database is full for a while, as visitors register."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.hosts.layout import BACK, BROKER, FRONT, layout
from tests.hosts.network import network
from tests.hosts.postgresql import PostgreSQL
from tests.hosts.reckoning import reckon, report
from tests.hosts.visitors import are_turned_away, more_are_accepted, visitors
from tests.support.processes import run

pytestmark = pytest.mark.anyio

SOME = 100
"""Visitors who are registered before, and who are after."""

SIZE = "192m"
"""Of the disk; a new PostgreSQL takes 60 MB."""


async def test_nothing_is_lost_or_sent_twice_when_the_disk_is_full(folder: Path) -> None:
    with _disk(folder / "disk") as disk, network(FRONT[0], BACK[0], BROKER, "data") as hosts:
        postgresql = PostgreSQL(hosts["data"], disk / "postgresql")
        postgresql.create()
        with layout(hosts, folder, postgresql.url) as (installed, service):
            async with visitors(list(installed.origins.values())) as some:
                await more_are_accepted(some, SOME)
                filler = _fill(disk)
                await are_turned_away(some, SOME)
                accepted = len(some.accepted)
                filler.unlink()
                report("restarted after the disk was full", postgresql.start_again())
                report("accepted before the disk was full", accepted)
                await more_are_accepted(some, SOME)
            assert "500" not in some.failed
            with installed.connect() as connection:
                doubled = await reckon(installed, connection, some, service)
    assert doubled == 0


@contextmanager
def _disk(folder: Path) -> Iterator[Path]:
    """A small one of its own; skips where it may not be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "tmpfs", str(folder)]
    mounted = run(command)
    if mounted.returncode != 0:
        pytest.skip(f"NO FULL DISK WAS TRIED, none can be mounted: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        umount = ["umount", "--lazy", str(folder)]
        run(umount, check=True)


def _fill(disk: Path) -> Path:
    """With a file that takes all that is free."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler
