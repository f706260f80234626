"""The writer with a real PostgreSQL: races between commands."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest

from domain import areas, events, visitors
from domain.application import APPLICATION
from domain.areas import CreateArea, RenameArea
from domain.core.commands import CommandType
from domain.core.values import Text
from domain.departures import EraseVisitor
from domain.event_editing import ChangeEvent
from domain.events import Event
from domain.history import group_commit
from domain.history.batch import Batch, CommandFailure, Done, Origin
from domain.history.group_commit import GATHER_MIN_BATCH, Writer
from domain.history.store import open_all
from domain.history.streams import LONG_STREAM, Streams
from domain.visitors import DuplicateRegistration, EventClosed
from tests.support.installation import ORIGIN, Installation, an_event, visitor

pytestmark = pytest.mark.anyio


async def test_no_registration_is_accepted_after_a_close_that_was_committed_before(
    installation: Installation,
) -> None:
    async with installation.writers(4) as (first, *others):
        fair = (await first.execute(an_event(), ORIGIN)).value.event.id
        answers = list[str]()

        async def register_all(by: Writer, numbers: range) -> None:
            for number in numbers:
                try:
                    await by.execute(visitor(fair, number), ORIGIN)
                except EventClosed:
                    answers.append("closed")
                else:
                    answers.append("registered")

        async def close_and_reopen() -> None:
            for status in ["closed", "open"] * 10 + ["closed"]:
                await first.execute(ChangeEvent(event_id=fair, status=status), ORIGIN)  # type: ignore[arg-type]
                await asyncio.sleep(0.005)

        async with asyncio.TaskGroup() as tasks:
            for place in range(60):
                numbers = range(place * 20, place * 20 + 20)
                tasks.create_task(register_all(others[place % 3], numbers))
            tasks.create_task(close_and_reopen())

    is_open, registered = True, 0
    for recorded in await installation.history():
        match recorded.event:
            case events.Closed():
                is_open = False
            case events.Opened():
                is_open = True
            case visitors.Registered():
                assert is_open, f"registered at {recorded.position}, after the close"
                registered += 1
    assert Counter(answers) == {"registered": registered, "closed": 1200 - registered}
    assert 0 < registered < 1200, "the race was no race"


async def test_changes_of_another_process_are_seen_despite_the_cache(
    installation: Installation,
) -> None:
    async with installation.writers(2) as (one, other):
        fair = (await one.execute(an_event(), ORIGIN)).value.event.id
        await other.execute(visitor(fair, 1), ORIGIN)
        await one.execute(ChangeEvent(event_id=fair, status="closed"), ORIGIN)
        with pytest.raises(EventClosed):
            await other.execute(visitor(fair, 2), ORIGIN)
        await one.execute(ChangeEvent(event_id=fair, status="open"), ORIGIN)
        await other.execute(visitor(fair, 2), ORIGIN)
        with pytest.raises(DuplicateRegistration):
            await one.execute(visitor(fair, 1), ORIGIN)
        assert (await other.execute(visitor(fair, 3), ORIGIN)).position == 6


async def test_a_refusal_based_on_outdated_streams_is_decided_again(
    installation: Installation,
) -> None:
    one, other = installation, installation.another()
    closed, open_one = [view.event.id for view in await one.give(an_event(), an_event())]
    await one.give(ChangeEvent(event_id=closed, status="closed"))
    await one.give(visitor(open_one, 1))
    await other.give(ChangeEvent(event_id=closed, status="open"))
    outcomes = await one.decide(visitor(closed, 2), visitor(open_one, 2))
    assert [type(outcome) for outcome in outcomes] == [Done, Done]


async def test_the_append_of_a_batch_proves_its_refusals_as_well(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        raise AssertionError

    fair = await installation.event()
    await installation.give(visitor(fair, 1))
    monkeypatch.setattr(Streams, "load", never)
    accepted, refused = await installation.decide(*[visitor(fair, 2)] * 2)
    assert isinstance(accepted, Done)
    assert isinstance(refused, CommandFailure)
    assert isinstance(refused.error, DuplicateRegistration)


async def test_one_of_many_racing_registrations_of_a_person_wins(
    installation: Installation,
) -> None:
    async with installation.writers(3) as by:
        fair = (await by[0].execute(an_event(), ORIGIN)).value.event.id
        outcomes = await asyncio.gather(
            *(by[n % 3].execute(visitor(fair, n // 30), ORIGIN) for n in range(300)),
            return_exceptions=True,
        )
    kinds = Counter(type(outcome) for outcome in outcomes)
    assert kinds == {Done: 10, DuplicateRegistration: 290}


async def test_one_of_many_racing_areas_of_a_name_wins(installation: Installation) -> None:
    async with installation.writers(3) as by:
        outcomes = await asyncio.gather(
            *(by[n % 3].execute(CreateArea(name=Text("Hall")), ORIGIN) for n in range(30)),
            return_exceptions=True,
        )
    assert Counter(type(o) for o in outcomes) == {Done: 1, areas.AreaNameTaken: 29}


async def test_positions_are_answered_and_follow_the_order_of_commits(
    installation: Installation,
) -> None:
    async with installation.writer() as one:
        area = await one.execute(CreateArea(name=Text("Hall")), ORIGIN)
        renamed = await one.execute(RenameArea(area_id=area.value.id, name=Text("Annex")), ORIGIN)
        nothing = await one.execute(RenameArea(area_id=area.value.id, name=Text("Annex")), ORIGIN)
    stored = await installation.history()
    assert area.position == stored[1].position
    assert renamed.position == stored[-1].position
    assert nothing.position == renamed.position


async def test_a_refusal_and_a_bug_do_not_affect_other_commands_of_the_batch(
    installation: Installation,
) -> None:
    class Buggy(msgspec.Struct, frozen=True):
        pass

    def half_done_then_broken(_: Buggy, work: Any) -> None:
        work.record(areas.Area(id=uuid4()), areas.Created(name="never"))
        raise ZeroDivisionError

    commands_of_all: dict[type[Any], CommandType[Any]] = dict(APPLICATION.commands)
    commands_of_all[Buggy] = CommandType(Buggy, half_done_then_broken)
    application = msgspec.structs.replace(APPLICATION, commands=commands_of_all)
    commands = [
        CreateArea(name=Text("Hall")),
        Buggy(),
        CreateArea(name=Text("hall")),
        CreateArea(name=Text("Annex")),
    ]
    outcomes = await installation.another(application).decide(*commands)
    errors = [type(o.error) if isinstance(o, CommandFailure) else None for o in outcomes]
    assert errors == [None, ZeroDivisionError, areas.AreaNameTaken, None]
    created = [e.event for e in await installation.history()]
    assert [e.name for e in created if isinstance(e, areas.Created)] == ["Hall", "Annex"]


async def test_a_command_finds_what_another_one_of_its_batch_has_made(
    installation: Installation,
) -> None:
    """An erasure looks up the notification of a registration, which gets its id in the batch."""
    fair = await installation.event()
    register = visitor(fair, 1)
    erase = EraseVisitor(visitor_id=installation.visitor(fair, register.email))
    async with asyncio.timeout(20):
        _, erased, registered = await installation.give(register, erase, register)
    assert erased == "erased before notified"
    assert (registered.status, registered.episode) == ("registered", 2)


async def test_every_event_has_its_actor_time_and_cause(installation: Installation) -> None:
    async with installation.writer() as one:
        origin = Origin(actor="system:test", correlation_id="abc", causation_id=41)
        await one.execute(CreateArea(name=Text("Hall")), origin)
    for recorded in await installation.history():
        assert recorded.metadata.actor == "system:test"
        assert recorded.metadata.correlation_id == "abc"
        assert recorded.metadata.causation_id == 41
        assert recorded.metadata.timestamp.tzinfo == UTC


async def test_names_and_emails_are_unreadable_in_the_database_without_the_keys(
    installation: Installation,
) -> None:
    async with installation.writer() as one:
        fair = (await one.execute(an_event(), ORIGIN)).value.event.id
        await one.execute(visitor(fair, 7), ORIGIN)
    connection, keys = installation.connection, installation.keys
    (*_, sealed) = await installation.history()
    (opened,) = await open_all(connection, [sealed], keys)
    assert opened.event.person.email == "ada7@example.com"  # type: ignore[attr-defined]
    cursor = await connection.execute(
        "SELECT count(*) FROM history_events WHERE convert_from(state, 'UTF8') LIKE '%ada7@%'"
    )
    assert await cursor.fetchone() == (0,)
    await connection.execute("DELETE FROM personal_keys")
    (forgotten,) = await open_all(connection, [sealed], keys)
    assert forgotten.event.person is None  # type: ignore[attr-defined]


async def test_a_long_stream_is_read_from_a_snapshot_after_its_first_reading(
    installation: Installation,
) -> None:
    async with installation.writer() as one:
        fair = (await one.execute(an_event(), ORIGIN)).value.event.id
        for number in range(LONG_STREAM):
            await one.execute(ChangeEvent(event_id=fair, name=Text(f"Fair {number}")), ORIGIN)

    async def change(name: str) -> Event:
        """By a process that has read nothing of history yet."""
        command = ChangeEvent(event_id=fair, name=Text(name))
        (changed,) = await installation.another().give(command)
        event: Event = changed.event
        return event

    first = await change("First")
    # Without the older events, only the snapshot has the event's other details.
    await installation.connection.execute(
        "DELETE FROM history_events WHERE originator_version <= %s", [LONG_STREAM]
    )
    second = await change("Second")
    assert second.version == first.version + 1
    assert second.details == msgspec.structs.replace(first.details, name="Second")


def test_a_wrong_secret_key_is_refused(database_url: str) -> None:
    from domain.history.store import load_keys
    from domain.privacy.encryption import CannotOpen

    with psycopg.connect(database_url) as connection, pytest.raises(CannotOpen):
        load_keys(connection, ("another key than the one it was made with",))


async def test_a_busy_writer_waits_for_commands_that_are_on_their_way(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "GATHER_TIME", 0.5)
    batches = list[Batch]()
    async with installation.writer(batches.append) as one:
        fair = (await one.execute(an_event(), ORIGIN)).value.event.id
        crowd = range(GATHER_MIN_BATCH)
        await asyncio.gather(*(one.execute(visitor(fair, n), ORIGIN) for n in crowd))
        early = asyncio.create_task(one.execute(visitor(fair, GATHER_MIN_BATCH), ORIGIN))
        await asyncio.sleep(0)  # so that it is waiting,
        while one.waiting:  # noqa: ASYNC110  and until the writer has taken it
            await asyncio.sleep(0)
        await asyncio.gather(early, one.execute(visitor(fair, GATHER_MIN_BATCH + 1), ORIGIN))
    assert [len(batch.requests) for batch in batches] == [1, GATHER_MIN_BATCH, 2]
