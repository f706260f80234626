"""An aggregate at a moment, and its changes between two moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from psycopg import AsyncConnection

from domain.audit import point_in_time, replay
from domain.audit.point_in_time import difference, parse_position_or_time, state_as_of
from domain.core.values import Invalid
from domain.history.store import last_position
from tests.support.installation import HOUR, MORNING, Installation

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("rows", [1, 500])
async def test_a_state_is_that_of_a_position_or_a_time(
    morning: Installation,
    connection: AsyncConnection[Any],
    monkeypatch: pytest.MonkeyPatch,
    rows: int,
) -> None:
    monkeypatch.setattr(replay, "ROWS_PER_QUERY", rows)
    area = await morning.area()
    created = await last_position(connection)
    await morning.at(MORNING + HOUR).by("ada").rename(area, "Annex")
    renamed = await last_position(connection)

    async def name_as_of(moment: Any) -> str | None:
        found = await state_as_of(connection, area, moment)
        return str(found.state["name"]) if found and found.state else None

    assert await name_as_of(created - 1) is None
    assert await name_as_of(created) == await name_as_of(renamed - 1) == "Great Hall"
    assert await name_as_of(renamed) == "Annex"
    second = timedelta(seconds=1)
    assert await name_as_of(MORNING - second) is None
    assert await name_as_of(MORNING) == await name_as_of(MORNING + HOUR - second) == "Great Hall"
    assert await name_as_of(MORNING + HOUR) == "Annex"
    now = await state_as_of(connection, area)
    assert now is not None
    assert (now.type, now.version, now.last_event.position) == ("Area", 2, renamed)
    assert (now.last_event.actor, now.last_event.time) == ("ada", MORNING + HOUR)
    assert now.state == {"name": "Annex", "event_count": 0, "exists": True}
    assert await state_as_of(connection, uuid4()) is None


async def test_a_difference_has_fields_and_events(
    morning: Installation, connection: AsyncConnection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    area = await morning.area()
    for hours, name in enumerate(["Annex", "Cellar"], start=1):
        await morning.at(MORNING + hours * HOUR).rename(area, name)
    found = await difference(connection, area, MORNING, MORNING + HOUR)
    assert found is not None
    assert (found.from_version, found.to_version) == (1, 2)
    assert [(c.field, c.old, c.new) for c in found.changes] == [("name", "Great Hall", "Annex")]
    assert [e.data for e in found.events] == [{"name": "Annex"}]
    since_ever = await difference(connection, area)
    assert since_ever is not None
    assert (since_ever.from_version, len(since_ever.events)) == (0, 3)
    assert ("name", None, "Cellar") in [(c.field, c.old, c.new) for c in since_ever.changes]
    nothing = await difference(connection, area, MORNING, MORNING)
    assert nothing is not None
    assert nothing.changes == []
    assert nothing.events == []
    assert await difference(connection, area, 0, MORNING - HOUR) is None
    with pytest.raises(Invalid):
        await difference(connection, area, MORNING + HOUR, MORNING)
    monkeypatch.setattr(point_in_time, "MAX_EVENTS", 2)
    short = await difference(connection, area)
    assert short is not None
    assert (short.to_version, len(short.events)) == (3, 2)


async def test_a_nested_field_is_named_by_its_path(
    morning: Installation, connection: AsyncConnection[Any]
) -> None:
    fair = await morning.event()
    found = await difference(connection, fair)
    assert found is not None
    assert "details.name" in {change.field for change in found.changes}


async def test_a_stream_that_cannot_be_read_has_a_version_but_no_state(
    morning: Installation, connection: AsyncConnection[Any]
) -> None:
    area = await morning.area()
    created = await last_position(connection)
    await morning.rename(area, "Annex")
    position = await last_position(connection)
    for topic in ("Area.Teleported", "Event.Closed"):
        await connection.execute(
            "UPDATE history_events SET topic = %s WHERE notification_id = %s", [topic, position]
        )
        found = await state_as_of(connection, area)
        assert found is not None
        assert (found.version, found.state) == (2, None)
        assert f"the event at {position}" in (found.unreadable or "")
        before = await state_as_of(connection, area, created)
        assert before is not None
        assert before.state is not None
        changed = await difference(connection, area)
        assert changed is not None
        assert (changed.changes, changed.unreadable) == ([], found.unreadable)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("0", 0),
        (" 4711 ", 4711),
        (str(2**63 - 1), 2**63 - 1),
        ("2026-11-01T12:00Z", datetime(2026, 11, 1, 12, tzinfo=UTC)),
        ("2026-11-01T12:00+02:00", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("2026-11-01T12:00:30.5Z", datetime(2026, 11, 1, 12, 0, 30, 500_000, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("11.01.2026", datetime(2026, 11, 1, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_position_or_a_time(text: str, moment: Any) -> None:
    assert parse_position_or_time(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "1.5",
        str(2**63),
        "9" * 5000,
        "2026-11-01T12:00",
        "2026-13-01",
        "now",
        "\x00",
        "٤٢",
    ],
)
def test_text_that_is_neither_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_position_or_time(text)
