"""The visitors of events that ended long ago are forgotten by themselves, and only there."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import structlog
from psycopg.errors import DeadlockDetected

from domain.core.values import Days, Email, FullName
from domain.departures import CancelVisitor
from domain.event_editing import ChangeEvent, CleanUpEvent, DeleteEvent
from domain.history.leadership import take_lead
from domain.history.store import connect
from domain.notifications import ERASED
from domain.registrations import AddVisitor, CorrectVisitor
from domain.retention import (
    NOTICE,
    ForgetVisitors,
    RetentionSettingChanged,
    VisitorsForgotten,
    present_policy,
)
from domain.visitors import Erased
from events_face.commands.doctor.retention import examine
from projections.people import names_of
from projections.visitors_to_forget import (
    Terms,
    count_to_forget,
    events_forgotten_soon,
    events_to_forget,
    times_to_forget,
)
from tests.support.installation import Installation, an_event
from workers.upkeep import retention
from workers.upkeep.retention import Behind, BeingDone, forget, forget_by_setting, record_setting

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)

PEOPLE = ("ada@example.com", "grace@example.com", "alan@example.com")


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


async def held(
    installation: Installation, days_ago: float, *emails: str, days: int | None = None
) -> UUID:
    """An event that took place so long ago; these people registered a month before."""
    begun = installation.at(ago(days_ago + 30))
    (view,) = await begun.give(an_event(at=ago(days_ago)))
    event: UUID = view.event.id
    if days is not None:
        await begun.give(ChangeEvent(event_id=event, retention_days=Days(days)))
    await begun.register(event, *emails)
    return event


async def forgotten(installation: Installation, days: int | None, **terms: Any) -> dict[UUID, int]:
    """How many were forgotten, by event, once all is projected."""
    await installation.project()
    found = await forgotten_now(installation, days, **terms)
    await installation.project()
    return found


async def forgotten_now(
    installation: Installation, days: int | None, **terms: Any
) -> dict[UUID, int]:
    async with await connect(installation.database_url) as connection:
        forgetting = forget(
            connection, installation.database_url, installation.keys, Terms(days, **terms)
        )
        return {each.event.id: each.visitors async for each in forgetting}


async def known(installation: Installation, event: UUID, *emails: str) -> list[str | None]:
    ids = [installation.visitor(event, email) for email in emails]
    names = await names_of(installation.connection, installation.keys, ids)
    return [names.get(id) for id in ids]


async def test_people_are_forgotten_at_events_that_ended_long_ago_and_stay_at_others(
    installation: Installation,
) -> None:
    old = await held(installation, 31, *PEOPLE)
    recent = await held(installation, 29, PEOPLE[0])
    assert await forgotten(installation, 30) == {old: 3}
    assert await known(installation, old, *PEOPLE) == [None, None, None]
    assert await known(installation, recent, PEOPLE[0]) == ["Ada Lovelace"]
    rows = {row["id"]: row for row in await installation.rows("visitors")}
    for email in PEOPLE:
        row = rows[str(installation.visitor(old, email))]
        assert (row["status"], row["indexed"], row["words"]) == ("erased", 0, [])
    messages = [row for row in await installation.rows("outbox") if row["event_id"] == str(old)]
    assert {(row["state"], row["last_error"], row["erased"]) for row in messages} == {
        ("failed", ERASED, True)
    }
    assert await forgotten(installation, 30) == {}


async def test_history_says_who_forgot_how_many(installation: Installation) -> None:
    old = await held(installation, 31, *PEOPLE)
    await forgotten(installation, 30)
    done = [
        each for each in await installation.history() if each.metadata.actor == "system:retention"
    ]
    assert sum(isinstance(each.event, Erased) for each in done) == 3
    assert (done[-1].originator_id, done[-1].event) == (old, VisitorsForgotten(count=3))


async def test_the_end_of_the_event_counts_if_it_is_known(installation: Installation) -> None:
    event = await held(installation, 31, PEOPLE[0])
    await installation.at(ago(40)).give(ChangeEvent(event_id=event, ends_at=ago(29)))
    assert await forgotten(installation, 30) == {}
    assert await forgotten(installation, 29) == {event: 1}


@pytest.mark.parametrize("removal", ["deleted", "cleaned up"])
async def test_people_of_removed_events_are_forgotten_too(
    installation: Installation, removal: str
) -> None:
    event = await held(installation, 31, *PEOPLE)
    await installation.give(
        DeleteEvent(event_id=event)
        if removal == "deleted"
        else CleanUpEvent(event_id=event, before=NOW)
    )
    assert await forgotten(installation, 30) == {event: 3}
    assert await known(installation, event, *PEOPLE) == [None, None, None]


async def test_the_days_of_an_event_count_more_than_the_setting(installation: Installation) -> None:
    longer = await held(installation, 31, PEOPLE[0], days=100)
    shorter = await held(installation, 11, PEOPLE[0], days=10)
    forever = await held(installation, 400, PEOPLE[0], days=Days.most)
    assert await forgotten(installation, 30) == {shorter: 1}
    assert await known(installation, longer, PEOPLE[0]) == ["Ada Lovelace"]
    assert await known(installation, forever, PEOPLE[0]) == ["Ada Lovelace"]


async def test_without_a_setting_people_are_kept_except_where_the_event_says_so(
    installation: Installation,
) -> None:
    kept = await held(installation, 4_000, PEOPLE[0])
    own = await held(installation, 31, PEOPLE[0], days=30)
    assert await forgotten(installation, None) == {own: 1}
    assert await known(installation, kept, PEOPLE[0]) == ["Ada Lovelace"]


async def test_who_left_or_had_another_email_is_forgotten_too(installation: Installation) -> None:
    event = await held(installation, 31, *PEOPLE)
    before = installation.at(ago(35))
    await before.give(CancelVisitor(visitor_id=installation.visitor(event, PEOPLE[0])))
    await before.give(
        CorrectVisitor(
            visitor_id=installation.visitor(event, PEOPLE[1]),
            full_name=FullName("Grace Hopper"),
            email=Email("hopper@example.com"),
        )
    )
    assert await forgotten(installation, 30) == {event: 4}
    assert await known(installation, event, *PEOPLE, "hopper@example.com") == [None] * 4


async def test_who_is_added_to_an_event_that_was_forgotten_is_forgotten_later(
    installation: Installation,
) -> None:
    event = await held(installation, 31, PEOPLE[0])
    assert await forgotten(installation, 30) == {event: 1}
    (added,) = await installation.give(
        AddVisitor(event_id=event, full_name=FullName("Ada"), email=Email(PEOPLE[0]))
    )
    assert await forgotten(installation, 30) == {event: 1}
    assert await names_of(installation.connection, installation.keys, [added.id]) == {}


async def test_many_are_forgotten_in_batches_and_an_interrupted_run_is_continued(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH_SIZE", 4)
    emails = [f"ada{number}@example.com" for number in range(10)]
    event = await held(installation, 31, *emails)
    await installation.project()
    erase_once, calls = retention._erase_once, 0

    async def dies_in_the_second(*arguments: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise asyncio.CancelledError
        return await erase_once(*arguments)

    with monkeypatch.context() as dying:
        dying.setattr(retention, "_erase_once", dies_in_the_second)
        with pytest.raises(asyncio.CancelledError):
            await forgotten(installation, 30)
    assert sum(name is None for name in await known(installation, event, *emails)) == 4
    assert await forgotten(installation, 30) == {event: 6}
    assert sum(name is None for name in await known(installation, event, *emails)) == 10


async def test_a_deadlock_is_tried_again(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await held(installation, 31, PEOPLE[0])
    erase_once, calls = retention._erase_once, 0

    async def in_a_deadlock_at_first(*arguments: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise DeadlockDetected
        return await erase_once(*arguments)

    monkeypatch.setattr(retention, "_erase_once", in_a_deadlock_at_first)
    assert await forgotten(installation, 30) == {event: 1}
    assert calls == 2


async def test_an_event_that_was_moved_meanwhile_keeps_its_people(
    installation: Installation,
) -> None:
    event = await held(installation, 31, PEOPLE[0])
    await installation.project()
    await installation.give(ChangeEvent(event_id=event, ends_at=ago(1)))
    # The read table does not know it yet: the command decides.
    (found,) = await events_to_forget(installation.connection, Terms(30), NOW)
    (count,) = await installation.give(
        ForgetVisitors(
            event_id=event, visitor_ids=[installation.visitor(event, PEOPLE[0])], days=30
        )
    )
    assert (found.id, count) == (event, 0)


async def test_nobody_is_forgotten_while_the_read_tables_are_behind(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CATCH_UP_TIMEOUT", 0.1)
    await held(installation, 31, PEOPLE[0])
    with pytest.raises(Behind):
        await forgotten_now(installation, 30)


async def test_one_process_forgets_at_a_time(installation: Installation) -> None:
    await held(installation, 31, PEOPLE[0])
    await installation.project()
    async with await connect(installation.database_url) as other:
        assert await take_lead(other, "retention")
        with pytest.raises(BeingDone):
            await forgotten_now(installation, 30)


async def test_a_shorter_setting_applies_after_a_notice_and_a_longer_one_at_once(
    installation: Installation,
) -> None:
    old = await held(installation, 31, PEOPLE[0])

    async def changed(days: int | None) -> Terms:
        policy = await record_setting(installation.connection, installation.keys, days)
        await installation.project()
        return Terms.of(policy)

    async def forgets_at(terms: Terms) -> datetime | None:
        return (await times_to_forget(installation.connection, terms, [old])).get(old)

    assert await forgets_at(await changed(None)) is None
    first = await changed(30)
    at = await forgets_at(first)
    assert at is not None
    assert NOTICE - timedelta(minutes=5) < at - datetime.now(UTC) <= NOTICE
    assert await forgotten(installation, 30, applies_from=first.applies_from) == {}
    assert await count_to_forget(installation.connection, first, at) == 1
    longer = await changed(60)
    assert longer.applies_from == first.applies_from
    assert await forgets_at(longer) == ago(31) + timedelta(days=60)
    assert await forgets_at(await changed(None)) is None
    changes = [
        e.event
        for e in await installation.history()
        if isinstance(e.event, RetentionSettingChanged)
    ]
    assert [change.days for change in changes] == [30, 60, None]


async def test_a_run_records_the_setting_and_warns_of_what_it_will_forget(
    installation: Installation,
) -> None:
    event = await held(installation, 31, *PEOPLE)
    await installation.project()
    for _ in range(2):
        with structlog.testing.capture_logs() as logs:
            running = asyncio.create_task(
                forget_by_setting(installation.database_url, installation.keys, 30)
            )
            while not running.done():
                await installation.project()
                await asyncio.sleep(0)
            await running
    (warning,) = [log for log in logs if log["log_level"] == "warning"]
    assert (warning["events"], warning["visitors"], warning["retention_days"]) == (1, 3, 30)
    assert await known(installation, event, PEOPLE[0]) == ["Ada Lovelace"]
    assert (await present_policy(installation.connection)).days == 30
    recorded = [
        e for e in await installation.history() if isinstance(e.event, RetentionSettingChanged)
    ]
    assert [each.metadata.actor for each in recorded] == ["system:retention"]


async def test_changed_days_of_an_event_apply_after_a_notice(installation: Installation) -> None:
    event = await held(installation, 31, PEOPLE[0])
    await installation.give(ChangeEvent(event_id=event, retention_days=Days(3)))
    assert await forgotten(installation, None) == {}
    at = (await times_to_forget(installation.connection, Terms(None), [event])).get(event)
    assert at is not None
    assert NOTICE - timedelta(minutes=5) < at - datetime.now(UTC) <= NOTICE
    assert await forgotten(installation, None, with_notice=False) == {event: 1}


async def test_an_event_of_the_year_9999_can_be_kept_for_a_hundred_years(
    installation: Installation,
) -> None:
    far = datetime(9999, 12, 31, tzinfo=UTC)
    (view,) = await installation.give(an_event(at=far))
    await installation.give(ChangeEvent(event_id=view.event.id, retention_days=Days(Days.most)))
    await installation.project()
    ids = [view.event.id]
    at = (await times_to_forget(installation.connection, Terms(None), ids)).get(ids[0])
    assert at is not None
    assert at > far
    assert await forgotten(installation, 0) == {}


async def test_doctor_warns_of_what_a_changed_setting_will_forget(
    installation: Installation,
) -> None:
    await held(installation, 31, *PEOPLE)
    await installation.project()
    (found,) = await examine(installation.connection)
    assert found.level == "ok"
    await record_setting(installation.connection, installation.keys, 3)
    (found,) = await examine(installation.connection)
    assert found.level == "warning"
    assert found.message.startswith("3 visitors will be forgotten until ")
    assert found.message.endswith("RETENTION_DAYS was changed to 3")


async def test_the_events_that_are_forgotten_soon_are_known_before(
    installation: Installation,
) -> None:
    past, soon, own = (
        await held(installation, 31, PEOPLE[0]),
        await held(installation, 27, PEOPLE[0]),
        await held(installation, 5, PEOPLE[0], days=10),
    )
    changed = await held(installation, 100, PEOPLE[0], days=3_000)
    await installation.give(ChangeEvent(event_id=changed, retention_days=None))
    await held(installation, 27)
    await installation.project()

    async def coming(terms: Terms) -> list[UUID]:
        now = datetime.now(UTC)
        until = now + timedelta(days=7, minutes=1)
        found = await events_forgotten_soon(installation.connection, terms, now, until, limit=10)
        return [event.id for event in found]

    assert await coming(Terms(30)) == [soon, own, changed]
    in_notice = await coming(Terms(30, datetime.now(UTC) + timedelta(days=6)))
    assert set(in_notice) == {past, soon, own, changed}
    assert await coming(Terms(None)) == [own]
