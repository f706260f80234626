"""The log shows all of history in order, even if it was damaged."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import AsyncConnection

from domain.areas import NameReleased
from domain.audit import log
from domain.audit.entry import LoggedEvent, open_personal_data
from domain.audit.log import Criteria, Sealed, count, find_sealed, read_page
from domain.core.aggregate import Metadata, RecordedEvent
from domain.history.codec import encode
from domain.privacy.keys import InstallationKeys
from tests.support.installation import HOUR, MORNING, Installation

pytestmark = pytest.mark.anyio

ALL = Criteria()
ADA = {"full_name": "Ada Lovelace", "email": "ada@example.com"}


async def read_all(
    connection: AsyncConnection[Any], criteria: Criteria = ALL, *, limit: int = 2, **where: Any
) -> list[LoggedEvent]:
    """Page by page, to the end."""
    found, after = [], None
    while True:
        page = await read_page(connection, criteria, limit=limit, after=after, **where)
        assert len(page.events) <= limit
        found += page.events
        after = page.next_after
        if after is None:
            return found


async def test_events_are_in_order_with_their_actor_and_time(
    morning: Installation, connection: AsyncConnection[Any]
) -> None:
    area = await morning.by("an-account").area()
    await morning.at(MORNING + HOUR).rename(area, "Annex")
    events = await read_all(connection)
    assert [(e.type, e.aggregate_version) for e in events] == [
        ("AreaName.Claimed", 1),
        ("Area.Created", 1),
        ("AreaName.Claimed", 1),
        ("AreaName.Released", 2),
        ("Area.Renamed", 2),
    ]
    assert [e.position for e in events] == sorted(e.position for e in events)
    created, renamed = events[1], events[-1]
    assert (created.actor, created.time, created.aggregate_id) == ("an-account", MORNING, area)
    assert (renamed.actor, renamed.time) == ("anonymous", MORNING + HOUR)
    assert (renamed.aggregate_type, renamed.data) == ("Area", {"name": "Annex"})
    assert {(e.correlation_id, e.personal, e.unreadable) for e in events} == {
        ("a-request", None, None)
    }


@pytest.mark.parametrize("scan", [1, 2, 3, 100])
async def test_pages_of_any_size_cover_the_whole_log_in_both_directions(
    morning: Installation,
    connection: AsyncConnection[Any],
    monkeypatch: pytest.MonkeyPatch,
    scan: int,
) -> None:
    monkeypatch.setattr(log, "MAX_SCANNED", scan)
    for name in "abcd":
        await morning.area(name)
    positions = [e.position for e in await read_all(connection, limit=100)]
    assert len(positions) == 8
    for limit in (1, 3, 8):
        for criteria in (ALL, Criteria(type="Area"), Criteria(actor="anonymous")):
            found = [e.position for e in await read_all(connection, criteria, limit=limit)]
            assert found == (positions[1::2] if criteria.type else positions)
            back = await read_all(connection, criteria, limit=limit, newest_first=True)
            assert [e.position for e in back] == found[::-1]
    assert [e.position for e in await read_all(connection, up_to=positions[2])] == positions[:3]


async def test_each_result_matches_all_criteria(
    morning: Installation, connection: AsyncConnection[Any]
) -> None:
    fair = await morning.by("ada").event()
    await morning.at(MORNING + HOUR).by("bob").register(fair, "ada@example.com")
    area = await morning.at(MORNING + HOUR + timedelta(microseconds=500)).by("ada").area()
    end = MORNING + 2 * HOUR

    async def types(**criteria: Any) -> list[str]:
        found = await read_all(connection, Criteria(**criteria))
        assert await count(connection, Criteria(**criteria)) == len(found)
        return [e.type for e in found]

    everything = ["Event.Created", "Visitor.Registered", "AreaName.Claimed", "Area.Created"]
    assert await types() == everything
    assert await types(type="Area") == ["Area.Created"]
    assert await types(type="Area.Created") == ["Area.Created"]
    assert await types(type="Are") == await types(type="Area.") == []
    assert await types(actor="ada") == ["Event.Created", "AreaName.Claimed", "Area.Created"]
    assert await types(actor="a") == await types(actor='ada","correlation_id') == []
    assert await types(aggregate_id=area) == ["Area.Created"]
    assert await types(aggregate_id=uuid4()) == []
    assert await types(since=MORNING) == await types(until=end) == everything
    assert await types(since=MORNING + HOUR) == everything[1:]
    assert await types(since=MORNING + HOUR + timedelta(microseconds=1)) == everything[2:]
    assert await types(since=MORNING + HOUR + timedelta(microseconds=501)) == []
    assert await types(until=MORNING + HOUR) == everything[:1]
    assert await types(until=MORNING + HOUR + timedelta(microseconds=500)) == everything[:2]
    assert await types(type="Area", actor="ada", since=MORNING, until=end, aggregate_id=area) == [
        "Area.Created"
    ]
    assert await types(type="Area", actor="bob") == []


async def test_a_long_history_is_not_counted(
    morning: Installation, connection: AsyncConnection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    area = await morning.area()
    monkeypatch.setattr(log, "MAX_SCANNED", 1)
    assert await count(connection, ALL) is None
    assert await count(connection, Criteria(aggregate_id=area)) == 1


async def test_personal_data_is_sealed_until_it_is_opened_and_lost_with_its_key(
    morning: Installation, connection: AsyncConnection[Any], keys: InstallationKeys
) -> None:
    fair = await morning.event()
    ada, bob = await morning.register(fair, "ada@example.com", "bob@example.com")
    await connection.execute("DELETE FROM personal_keys WHERE originator_id = %s", [bob])
    events = await read_all(connection)
    assert [(e.personal, e.data.get("person")) for e in events] == [
        (None, None),
        ("sealed", None),
        ("erased", None),
    ]
    assert "person" in events[1].data
    opened = await open_personal_data(connection, events, keys)
    assert [(e.personal, e.data.get("person")) for e in opened] == [
        (None, None),
        ("open", ADA),
        ("erased", None),
    ]
    assert opened[1].aggregate_id == ada
    last = events[-1].position
    assert await find_sealed(connection, ALL, after=0, up_to=last) == Sealed(
        1, events[1].position, events[1].position
    )
    assert await find_sealed(connection, Criteria(type="Area"), after=0, up_to=last) == Sealed(
        0, None, None
    )


async def test_data_erased_before_it_could_be_opened_is_not_opened(
    morning: Installation, connection: AsyncConnection[Any], keys: InstallationKeys
) -> None:
    await morning.register(await morning.event(), "ada@example.com")
    events = await read_all(connection)
    await connection.execute("DELETE FROM personal_keys")
    opened = await open_personal_data(connection, events, keys)
    assert opened[1].personal == "erased"
    assert opened[1].data["person"] is None


TAMPERINGS = [
    """
    UPDATE history_events SET state = convert_to(
        replace(convert_from(state, 'UTF8'), '"sealed":"', '"sealed":"AAAA'), 'UTF8')
    WHERE originator_id = %s
    """,
    "UPDATE personal_keys SET wrapped = 'x' WHERE originator_id = %s",
    "UPDATE personal_keys SET wrapped = wrapped || 'x' WHERE originator_id = %s",
    """
    UPDATE personal_keys SET wrapped = overlay(wrapped PLACING 'xx' FROM 20)
    WHERE originator_id = %s
    """,
]


@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_tampered_personal_data_does_not_prevent_opening_that_of_others(
    morning: Installation, connection: AsyncConnection[Any], keys: InstallationKeys, tampering: str
) -> None:
    fair = await morning.event()
    people = await morning.register(fair, *(f"ada{number}@example.com" for number in range(5)))
    await connection.execute(tampering, [people[2]])
    opened = await open_personal_data(connection, await read_all(connection), keys)
    assert [e.personal for e in opened] == [None, "open", "open", "sealed", "open", "open"]
    assert "was it changed?" in (opened[3].unreadable or "")


UNREADABLE: list[tuple[str | None, bytes | None]] = [
    (None, None),
    ("Area.Created", None),
    ("Area.Created", b""),
    ("Area.Created", b"\x00\xff nonsense"),
    ("Area.Created", b"{}"),
    ("Area.Created", b'{"timestamp": "yesterday"}'),
    ("Area.Created", b'{"timestamp":"2030-05-01T09:00:00Z","actor":"' + b"\xff" * 80 + b'"}'),
    ("Area.Created", b"[" * 100_000),
]


@pytest.mark.parametrize(("topic", "state"), UNREADABLE)
async def test_an_unreadable_event_is_shown_as_it_is_stored(
    connection: AsyncConnection[Any], topic: str | None, state: bytes | None
) -> None:
    id = await _insert(connection, topic, state)
    (event,) = await read_all(connection)
    assert (event.aggregate_id, event.type, event.time) == (id, topic or "", None)
    assert event.unreadable is not None
    assert event.data == (state or b"").decode(errors="replace")
    assert await read_all(connection, Criteria(actor="ada", since=MORNING)) == []


async def test_an_event_of_a_later_release_is_shown_as_it_is_stored(
    connection: AsyncConnection[Any],
) -> None:
    recorded = RecordedEvent(
        originator_id=uuid4(),
        originator_version=1,
        event=NameReleased(),
        metadata=Metadata(timestamp=MORNING, actor="ada", correlation_id="c"),
    )
    state = encode(recorded).replace(b'"data":{}', b'"data":{"to":"Mars"}')
    await _insert(connection, "Event.Teleported", state)
    (event,) = await read_all(connection, Criteria(actor="ada", type="Event"))
    assert (event.data, event.actor, event.time) == ({"to": "Mars"}, "ada", MORNING)
    assert event.unreadable == "Event.Teleported version 1: is this an older release?"


async def _insert(connection: AsyncConnection[Any], topic: str | None, state: bytes | None) -> UUID:
    id = uuid4()
    await connection.execute(
        """
        INSERT INTO history_events (originator_id, originator_version, topic, state)
        VALUES (%s, 1, %s, %s)
        """,
        [id, topic, state],
    )
    return id
