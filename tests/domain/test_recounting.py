"""Recounting: the tables of seats follow from history; a difference is found and repaired."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import Connection

from domain.core.values import Capacity, Email, FullName
from domain.departures import CancelVisitor
from domain.event_editing import ChangeEvent
from domain.registrations import CorrectVisitor, RegisterVisitor
from domain.seats import differences, recount
from tests.support.installation import Installation

pytestmark = pytest.mark.anyio


async def a_full_fair(installation: Installation) -> UUID:
    """Its one seat is taken."""
    fair = await installation.event()
    change = ChangeEvent(event_id=fair, capacity=Capacity(1), waiting_list="automatic")
    await installation.give(change, ask(fair, "seated"))
    return fair


def ask(fair: UUID, name: str) -> RegisterVisitor:
    return RegisterVisitor(
        event_id=fair,
        full_name=FullName(name),
        email=Email(f"{name}@example.com"),
        join_waiting_list=True,
    )


def correct(visitor: UUID, name: str) -> CorrectVisitor:
    return CorrectVisitor(
        visitor_id=visitor, full_name=FullName(name), email=Email(f"{name}@example.com")
    )


def line(database: Connection[Any]) -> list[UUID]:
    rows = database.execute("SELECT visitor_id FROM event_queue ORDER BY position").fetchall()
    return [id for (id,) in rows]


async def join(installation: Installation, fair: UUID, *names: str) -> list[UUID]:
    visitors = await installation.give(*(ask(fair, name) for name in names))
    return [visitor.id for visitor in visitors]


async def test_after_appends_the_tables_equal_a_recount(
    installation: Installation, database: Connection[Any]
) -> None:
    fair = await a_full_fair(installation)
    ada, grace, mary = await join(installation, fair, "ada", "grace", "mary")
    await installation.give(CancelVisitor(visitor_id=grace))
    assert line(database) == [ada, mary]
    assert differences(database) == []
    assert recount(database) == []
    assert line(database) == [ada, mary]


@pytest.mark.parametrize(
    ("tampering", "said"),
    [
        ("UPDATE event_seats SET taken = 7", "7 taken instead of 1"),
        ("UPDATE event_seats SET waiting = 0", "0 waiting instead of 2"),
        ("DELETE FROM event_seats", "0 taken instead of 1, 0 waiting instead of 2"),
        ("UPDATE event_queue SET position = 99 - position", "4 wrong places in line"),
        ("DELETE FROM event_queue", "2 wrong places in line"),
        ("UPDATE event_queue SET event_id = '{another}'", "2 wrong places in line"),
    ],
)
async def test_changes_of_the_tables_by_hand_are_found_and_repaired(
    installation: Installation,
    database: Connection[Any],
    tampering: str,
    said: str,
) -> None:
    fair = await a_full_fair(installation)
    waiting = await join(installation, fair, "ada", "grace")
    other = await installation.event()
    await installation.register(other, "mary@example.com")
    database.execute(tampering.format(another=other).encode())
    found = {difference.event_id: str(difference) for difference in differences(database)}
    assert found[fair] == f"event {fair}: {said}"
    assert {difference.event_id for difference in recount(database)} == set(found)
    assert differences(database) == []
    assert line(database) == waiting


async def test_seats_of_an_event_that_history_does_not_know_are_found(
    installation: Installation, database: Connection[Any]
) -> None:
    unknown = uuid4()
    database.execute("INSERT INTO event_seats VALUES (%s, 1, 0)", [unknown])
    assert [found.event_id for found in recount(database)] == [unknown]
    assert differences(database) == []


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    "names", [["first"], ["first", "second"], ["first", "ada"], ["first", "ada", "first"]]
)
async def test_a_correction_of_the_email_keeps_the_place_in_line(
    installation: Installation,
    database: Connection[Any],
    names: list[str],
    at_once: bool,
) -> None:
    """In one batch or in several; ada's email may become hers again."""
    fair = await a_full_fair(installation)
    ids = {name: installation.visitor(fair, f"{name}@example.com") for name in ("ada", *names)}
    commands: list[Any] = [
        ask(fair, "ada"),
        ask(fair, "grace"),
        *(correct(ids[former], name) for former, name in zip(["ada", *names], names, strict=False)),
    ]
    for batch in [commands] if at_once else [[command] for command in commands]:
        await installation.give(*batch)
    (grace,) = set(line(database)) - set(ids.values())
    assert line(database) == [ids[names[-1]], grace]
    assert differences(database) == []


async def test_a_visitor_who_took_over_a_place_and_leaves_frees_it_for_the_next(
    installation: Installation, database: Connection[Any]
) -> None:
    fair = await a_full_fair(installation)
    ada, grace = await join(installation, fair, "ada", "grace")
    first = installation.visitor(fair, "first@example.com")
    await installation.give(
        correct(ada, "first"), CancelVisitor(visitor_id=first), ask(fair, "ada")
    )
    assert line(database) == [grace, ada]
    assert differences(database) == []
