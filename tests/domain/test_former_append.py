"""During an upgrade, releases that know no seats append beside this one, and seats are counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import Connection

from domain.core.values import Capacity
from domain.event_editing import ChangeEvent
from domain.seats import differences
from domain.visitors import Erased, EventFull
from tests.support.former_append import append_as_before, registered
from tests.support.installation import Installation

pytestmark = pytest.mark.anyio


def erased() -> Erased:
    return Erased(notification_id=uuid4())


def taken(database: Connection[Any]) -> dict[UUID, int]:
    rows: Sequence[tuple[UUID, int]] = database.execute(
        "SELECT event_id, taken FROM event_seats"
    ).fetchall()
    return dict(rows)


async def test_the_append_of_the_release_before_counts_seats(
    installation: Installation, database: Connection[Any]
) -> None:
    fair, other = await installation.event(), await installation.event()
    ada, grace, mary, joan = (uuid4() for _ in range(4))
    append_as_before(
        database,
        (ada, 1, registered(fair)),
        (grace, 1, registered(fair)),
        (mary, 1, registered(other)),
    )
    assert taken(database) == {fair: 2, other: 1}
    append_as_before(database, (ada, 2, erased()), (mary, 2, erased()))
    assert taken(database) == {fair: 1, other: 0}
    append_as_before(
        database,
        (ada, 3, registered(fair)),
        (joan, 1, registered(other)),
        (joan, 2, erased()),
        (joan, 3, registered(other)),
        (ada, 4, erased()),
    )
    assert taken(database) == {fair: 1, other: 1}
    assert differences(database) == []


async def test_seats_taken_by_the_release_before_are_not_sold_again(
    installation: Installation, database: Connection[Any]
) -> None:
    """Although this release has counted them before."""
    fair = await installation.event()
    await installation.give(ChangeEvent(event_id=fair, capacity=Capacity(2)))
    await installation.register(fair, "ada@example.com")
    visitor = uuid4()
    append_as_before(database, (visitor, 1, registered(fair)))
    with pytest.raises(EventFull):
        await installation.register(fair, "grace@example.com")
    append_as_before(database, (visitor, 2, erased()))
    await installation.register(fair, "grace@example.com")
    assert taken(database)[fair] == 2
    assert differences(database) == []


async def test_events_of_other_applications_pass_the_append_of_the_release_before(
    database: Connection[Any],
) -> None:
    """They are of applications written with the library: their states need not be JSON."""
    (position,) = database.execute(
        """
        SELECT unnest(append_to_history(
            '{}', '{}', ARRAY[gen_random_uuid()], '{1}', '{other:Thing}', ARRAY['\\x00'::bytea],
            ARRAY[NULL::bytea]
        ))
        """
    ).fetchone() or (None,)
    assert position == 1
    assert differences(database) == []
