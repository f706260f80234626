"""`events-face projections status`."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import psycopg
import pytest

from domain.history.store import connect, last_position
from events_face.commands import projections_status
from projections.areas import AREAS
from projections.events import EVENTS
from projections.rebuild.progress import announce_progress, lock_for_rebuild
from projections.visitors import VISITORS
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.settings import Settings
from tests.support.installation import Installation

pytestmark = pytest.mark.anyio


async def printed(
    installation: Installation,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    *,
    json: bool = False,
) -> str:
    services = Services(database_url=installation.database_url, redis_url=None)
    await asyncio.to_thread(projections_status.status, settings, services, json=json)
    return capsys.readouterr().out


async def test_it_prints_the_status_of_each_projection(
    installation: Installation, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    area = await installation.area("Here")
    await installation.register(await installation.event(area_id=area), "ada@example.org")
    await installation.project()
    end = await last_position(installation.connection)
    await installation.connection.execute(
        """
        UPDATE projections
        SET stopped_because = 'ValueError: [/what] is this?',
            stopped_at = (SELECT notification_id FROM history_events WHERE topic = 'Area.Created')
        WHERE name = 'areas'
        """
    )
    await installation.connection.execute("DROP TABLE visitors")
    lines = {
        words[0]: words[1:]
        for line in (await printed(installation, settings, capsys)).splitlines()
        if (words := [word.strip() for word in line.strip("│").split("│")])
    }
    assert lines["events"] == [
        str(end),
        "0",
        "0.0",
        "1",
        str(EVENTS.schema_version),
        "no projector runs",
    ]
    assert lines["areas"][:-1] == [str(end), "0", "0.0", "1", str(AREAS.schema_version)]
    assert lines["areas"][-1].endswith(f"(Area.Created of {area}): ValueError: [/what] is this?")
    assert lines["visitors"][3:] == [
        "none",
        str(VISITORS.schema_version),
        "its table was lost: run `events-face projections rebuild visitors`",
    ]


async def test_it_prints_the_progress_of_a_rebuild(
    installation: Installation, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    async with await connect(installation.database_url) as rebuild:
        await lock_for_rebuild(rebuild, ["areas"])
        await announce_progress(rebuild, 30, 100)
        assert "│ rebuilding: 30%, " in await printed(installation, settings, capsys)


async def test_it_prints_the_same_as_json(
    installation: Installation, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await installation.area("Here")
    await installation.project()
    end = await last_position(installation.connection)
    text = await printed(installation, settings, capsys, json=True)
    found: dict[str, dict[str, Any]] = {p["name"]: p for p in msgspec.json.decode(text)}
    expected = {"position": end, "lag_events": 0, "rows": 1, "state": "unattended", "stop": None}
    assert found["areas"].items() >= expected.items()


async def test_without_positions_it_names_the_command_that_restores_them(
    installation: Installation, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await installation.connection.execute("DROP TABLE projections")
    with pytest.raises(CommandFailed, match="run `events-face migrate`"):
        await printed(installation, settings, capsys)


def test_a_database_without_tables_is_named_as_such(
    settings: Settings, template_database: str
) -> None:
    services = Services(database_url=template_database, redis_url=None)
    with psycopg.connect(template_database) as connection:
        assert connection.execute("SELECT to_regclass('projections')").fetchone() == (None,)
    with pytest.raises(CommandFailed, match="events-face migrate"):
        projections_status.status(settings, services, json=False)
