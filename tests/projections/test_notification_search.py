"""Searching notifications by state and by date, newest first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from domain.departures import CancelVisitor
from domain.notifications import RecordDelivery
from projections import notification_search
from projections.lists import keyset
from projections.lists.dates import Span
from projections.notification_search import (
    Pause,
    count_by_state,
    count_that_may_be_sent_again,
    dates_with_notifications,
    get_notification,
    pause,
    search,
    that_may_be_sent_again,
)
from projections.outcomes import State
from projections.visitors import get_visitor
from tests.support.installation import Installation
from tests.workers.outboxes import forget_everybody, rows_by_email

pytestmark = pytest.mark.anyio

EMAILS = [f"visitor{n}@example.org" for n in range(6)]


async def some_notifications(installation: Installation) -> None:
    """The first two were sent, the next one failed, three are waiting."""
    event = await installation.event()
    for email in EMAILS:
        await installation.register(event, email)
    await installation.project()
    ids = {email: UUID(row["id"]) for email, row in (await rows_by_email(installation)).items()}
    await installation.give(
        RecordDelivery(notification_id=ids[EMAILS[0]]),
        RecordDelivery(notification_id=ids[EMAILS[1]]),
        RecordDelivery(notification_id=ids[EMAILS[2]], failure="no such mailbox"),
    )
    await installation.project()


async def emails(
    installation: Installation, state: State | None = None, span: Span | None = None
) -> list[str | None]:
    found = await search(installation.connection, installation.keys, state=state, span=span)
    return [row.email for row in found.rows]


@pytest.mark.parametrize("walk", [1, keyset.SCAN_LIMIT])
@pytest.mark.parametrize(
    ("state", "found"),
    [
        (None, EMAILS[::-1]),
        ("waiting", EMAILS[:2:-1]),
        ("sent", EMAILS[1::-1]),
        ("failed", [EMAILS[2]]),
    ],
)
async def test_they_are_found_by_state_newest_first(
    installation: Installation,
    state: State | None,
    found: list[str],
    walk: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keyset, "SCAN_LIMIT", walk)
    await some_notifications(installation)
    assert await emails(installation, state) == found


async def test_they_are_found_by_the_date_they_were_created(installation: Installation) -> None:
    await some_notifications(installation)
    await installation.connection.execute("UPDATE outbox SET created_at = '2030-05-31T23:59:59Z'")
    assert len(await emails(installation, span=Span(2030, 5, 31))) == len(EMAILS)
    assert await emails(installation, "failed", Span(2030, 5)) == [EMAILS[2]]
    for span in (Span(2030, 5, 30), Span(2030, 6), Span(2031)):
        assert await emails(installation, span=span) == []


@pytest.mark.parametrize("walk", [1, keyset.SCAN_LIMIT])
async def test_they_are_found_by_event_and_by_visitor(
    installation: Installation, walk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyset, "SCAN_LIMIT", walk)
    await some_notifications(installation)
    other = await installation.event()
    (visitor,) = await installation.register(other, EMAILS[0])
    await installation.give(CancelVisitor(visitor_id=visitor))
    await installation.project()

    async def kinds(**wanted: Any) -> list[str]:
        found = await search(installation.connection, installation.keys, **wanted)
        return [row.kind for row in found.rows]

    assert await kinds(event_id=other) == ["cancelled", "registered"]
    assert await kinds(visitor_id=visitor) == ["cancelled", "registered"]
    assert await kinds(event_id=other, state="waiting") == ["cancelled", "registered"]
    assert await kinds(event_id=other, state="sent") == []
    assert len(await kinds()) == len(EMAILS) + 2


async def test_years_months_and_days_with_notifications_are_known(
    installation: Installation,
) -> None:
    assert await dates_with_notifications(installation.connection) == []
    await some_notifications(installation)
    await installation.connection.execute(
        """
        UPDATE outbox SET created_at = CASE
            WHEN state = 'sent' THEN timestamptz '2028-12-31 23:59:59.999999Z'
            WHEN state = 'failed' THEN '2030-05-31 00:00Z' ELSE '2030-07-01 00:00Z'
        END
        """
    )

    async def dates(span: Span | None = None) -> list[Span]:
        return list(await dates_with_notifications(installation.connection, span))

    assert await dates() == [Span(2028), Span(2030)]
    assert await dates(Span(2028)) == [Span(2028, 12)]
    assert await dates(Span(2028, 12)) == [Span(2028, 12, 31)]
    assert await dates(Span(2030)) == [Span(2030, 5), Span(2030, 7)]
    assert await dates(Span(2030, 6)) == await dates(Span(2029)) == []


async def test_a_notification_shows_its_recipient_and_its_error(
    installation: Installation,
) -> None:
    await some_notifications(installation)
    (found,) = (await search(installation.connection, installation.keys, state="failed")).rows
    visitor = await get_visitor(installation.connection, installation.keys, found.visitor_id)
    assert visitor is not None
    assert (found.full_name, found.email) == (visitor.full_name, visitor.email)
    assert found.last_error == "no such mailbox"
    assert found.concluded_at is not None
    assert await get_notification(installation.connection, installation.keys, found.id) == found
    assert await get_notification(installation.connection, installation.keys, visitor.id) is None


async def test_they_are_counted_up_to_a_bound(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await some_notifications(installation)
    connection = installation.connection
    assert await count_by_state(connection) == {"waiting": 3, "sent": 2, "failed": 1}
    monkeypatch.setattr(notification_search, "COUNT_LIMIT", 1)
    assert await count_by_state(connection) == {"waiting": 2, "sent": 2, "failed": 1}


async def test_failed_ones_may_be_sent_again_unless_their_recipient_was_erased(
    installation: Installation,
) -> None:
    await some_notifications(installation)
    connection = installation.connection
    (found,) = (await search(connection, installation.keys, state="failed")).rows
    assert found.may_be_sent_again
    assert await that_may_be_sent_again(connection, 10) == [found.id]
    assert await count_that_may_be_sent_again(connection) == 1
    await forget_everybody(connection)
    (found,) = (await search(connection, installation.keys, state="failed")).rows
    assert not found.may_be_sent_again
    assert await that_may_be_sent_again(connection, 10) == []
    assert await count_that_may_be_sent_again(connection) == 0
    assert not any(
        row.may_be_sent_again
        for row in (await search(connection, installation.keys, state="sent")).rows
    )


async def test_a_pause_is_shown_with_its_reason(installation: Installation) -> None:
    assert await pause(installation.connection) is None
    moment = datetime(2030, 5, 17, 9, tzinfo=UTC)
    await installation.connection.execute(
        """
        INSERT INTO delivery_pause (reason, since, probe_at, probe_every)
        VALUES ('401: who are you?', %(moment)s, %(moment)s, '5 s')
        """,
        {"moment": moment},
    )
    assert await pause(installation.connection) == Pause("401: who are you?", moment, moment)
