"""The `visitors` table follows people from registering to leaving and coming back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain.core.durations import LongDuration
from domain.core.errors import Refused
from domain.core.values import Capacity, Email, FullName
from domain.departures import (
    CancelVisitor,
    ConfirmVisitor,
    EraseVisitor,
    LapseVisitor,
    ResendMessage,
)
from domain.history.batch import CommandRequest
from domain.registrations import CorrectVisitor
from domain.tickets import ReissueTicket
from domain.visitors import LinkExpired, Visitor
from domain.waiting_list import PromoteVisitor
from projections.places_in_line import places_in_line
from projections.rebuild.rebuild import rebuild_tables
from projections.registration_counts import REGISTRATIONS, total
from projections.visitor_search import search
from projections.visitors import VISITORS, VisitorRow, get_visitor
from tests.support.installation import ORIGIN, Installation, a_registration, an_event

pytestmark = pytest.mark.anyio

NAMES = ["ada", "grace", "joan", "mary", "edith", "klara"]


async def a_small_event(installation: Installation, capacity: int = 1, **fields: Any) -> UUID:
    small = msgspec.structs.replace(
        an_event(), capacity=Capacity(capacity), waiting_list="automatic", **fields
    )
    (view,) = await installation.give(small)
    id: UUID = view.event.id
    return id


async def join(installation: Installation, event_id: UUID, *names: str) -> list[UUID]:
    """The ids of people who register, or wait if there is no seat."""
    asked = [a_registration(event_id, f"{n}@example.org", n.title()) for n in names]
    return [
        visitor.id
        for each in asked
        for visitor in await installation.give(
            msgspec.structs.replace(each, join_waiting_list=True)
        )
    ]


async def row(installation: Installation, id: UUID) -> VisitorRow:
    await installation.project([VISITORS])
    found = await get_visitor(installation.connection, installation.keys, id)
    assert found is not None
    return found


async def standing(installation: Installation, *ids: UUID) -> list[tuple[str, int | None]]:
    rows = [await row(installation, id) for id in ids]
    return [(each.status, each.queue_position) for each in rows]


async def test_places_in_line_move_up_when_someone_leaves(installation: Installation) -> None:
    event_id = await a_small_event(installation)
    ids = await join(installation, event_id, "ada", "grace", "joan", "mary")
    assert await standing(installation, *ids) == [
        ("registered", None),
        ("waiting", 1),
        ("waiting", 2),
        ("waiting", 3),
    ]
    await installation.give(CancelVisitor(visitor_id=ids[2]))
    await installation.give(CancelVisitor(visitor_id=ids[0]))
    assert await standing(installation, *ids) == [
        ("cancelled", None),
        ("registered", None),
        ("cancelled", None),
        ("waiting", 1),
    ]


async def test_places_in_the_lines_of_two_events_are_read_at_once(
    installation: Installation,
) -> None:
    first, second = await a_small_event(installation), await a_small_event(installation)
    _, grace, joan, mary = await join(installation, first, "ada", "grace", "joan", "mary")
    _, hedy, lise = await join(installation, second, "ada", "hedy", "lise")
    of_all = await places_in_line(installation.connection, [lise, grace, mary, hedy])
    assert of_all == {grace: 1, mary: 3, hedy: 1, lise: 2}
    assert await places_in_line(installation.connection, [mary, joan]) == {joan: 2, mary: 3}


async def test_who_comes_back_begins_a_new_episode(installation: Installation) -> None:
    event_id = await a_small_event(installation)
    (ada,) = await join(installation, event_id, "ada")
    before = await row(installation, ada)
    await installation.give(CancelVisitor(visitor_id=ada))
    await join(installation, event_id, "ada")
    after = await row(installation, ada)
    assert (before.episode, after.episode) == (1, 2)
    assert (before.version, after.version) == (1, 3)
    assert after.registered_at > before.registered_at
    assert after.status == "registered"


async def test_the_visitor_has_the_time_until_when_the_address_must_be_confirmed(
    installation: Installation,
) -> None:
    event_id = await a_small_event(installation, confirm_within=LongDuration("P1D"))
    (ada,) = await join(installation, event_id, "ada")
    unconfirmed = await row(installation, ada)
    assert unconfirmed.status == "unconfirmed"
    assert unconfirmed.confirm_by is not None
    await installation.give(ConfirmVisitor(visitor_id=ada, episode=1))
    confirmed = await row(installation, ada)
    assert (confirmed.status, confirmed.confirm_by) == ("registered", None)


async def test_a_corrected_name_is_shown_and_found(installation: Installation) -> None:
    event_id = await a_small_event(installation)
    (ada,) = await join(installation, event_id, "ada")
    await installation.project()
    correction = CorrectVisitor(
        visitor_id=ada, full_name=FullName("Augusta"), email=Email("ada@example.org")
    )
    await installation.give(correction)
    corrected = await row(installation, ada)
    assert corrected.full_name == "Augusta"
    assert await found(installation, "augusta") == ["Augusta"]


async def test_a_corrected_email_is_another_visitor_with_the_same_place_in_line(
    installation: Installation,
) -> None:
    event_id = await a_small_event(installation)
    ids = await join(installation, event_id, "ada", "grace", "joan")
    correction = CorrectVisitor(
        visitor_id=ids[1], full_name=FullName("Grace"), email=Email("hopper@example.org")
    )
    (other,) = await installation.give(correction)
    assert await standing(installation, ids[1], other.id, ids[2]) == [
        ("cancelled", None),
        ("waiting", 1),
        ("waiting", 2),
    ]


async def test_an_erased_visitor_is_not_found_any_more(installation: Installation) -> None:
    event_id = await a_small_event(installation)
    ada, grace = await join(installation, event_id, "ada", "grace")
    await installation.project()
    await installation.give(CancelVisitor(visitor_id=grace), EraseVisitor(visitor_id=ada))
    await installation.give(EraseVisitor(visitor_id=grace))
    assert await standing(installation, ada, grace) == [("erased", None), ("erased", None)]
    assert [r["words"] for r in await installation.rows("visitors")] == [[], []]
    assert await found(installation, "ada") == []


async def found(installation: Installation, text: str) -> list[str | None]:
    rows = await search(installation.connection, installation.keys, text=text)
    return [each.full_name for each in rows.rows]


async def test_registrations_are_counted_when_a_seat_is_given(installation: Installation) -> None:
    """Also those that are over; a corrected email is no other registration."""
    event_id = await a_small_event(installation)
    ada, grace = await join(installation, event_id, "ada", "grace")
    await installation.project([REGISTRATIONS])
    assert await total(installation.connection, event_id) == 1
    correction = CorrectVisitor(
        visitor_id=ada, full_name=FullName("Ada"), email=Email("lovelace@example.org")
    )
    (moved,) = await installation.give(correction)
    await installation.give(CancelVisitor(visitor_id=moved.id))
    assert await standing(installation, grace) == [("registered", None)]
    await installation.project([REGISTRATIONS])
    assert await total(installation.connection, event_id) == 2


async def random_lives(installation: Installation, random: Random) -> None:
    """Whatever people and organizers do, in any order that can be, projected now and then."""
    events = [
        await a_small_event(installation, 2),
        await a_small_event(installation, 3, confirm_within=LongDuration("PT1M")),
        await installation.event(),
    ]
    ids = dict.fromkeys(await join(installation, events[0], *NAMES))

    def anybody() -> UUID:
        return random.choice(list(ids))

    for _ in range(150):
        commands: dict[str, Callable[[], object]] = {
            "register": lambda: msgspec.structs.replace(
                a_registration(random.choice(events), f"{random.choice(NAMES)}@example.org"),
                join_waiting_list=True,
            ),
            "cancel": lambda: CancelVisitor(visitor_id=anybody()),
            "promote": lambda: PromoteVisitor(visitor_id=anybody(), over_capacity=True),
            "confirm": lambda: ConfirmVisitor(visitor_id=anybody(), episode=random.choice([1, 2])),
            "lapse": lambda: LapseVisitor(visitor_id=anybody()),
            "resend": lambda: ResendMessage(visitor_id=anybody()),
            "reissue": lambda: ReissueTicket(visitor_id=anybody()),
            "erase": lambda: EraseVisitor(visitor_id=anybody()),
            "correct": lambda: CorrectVisitor(
                visitor_id=anybody(),
                full_name=FullName(f"Name {random.random()}"),
                email=Email(f"{random.choice(NAMES)}@example.org"),
            ),
        }
        kind = random.choice(["register", "register", *commands])
        at = datetime.now(UTC) - timedelta(hours=1) if kind == "register" else None
        request = CommandRequest(commands[kind](), ORIGIN, at)
        (outcome,) = await installation.decider.execute(installation.connection, [request])
        try:
            value = outcome.or_raise().value
        except (Refused, LinkExpired):
            continue
        if isinstance(value, Visitor):
            ids[value.id] = None
        if random.random() < 0.2:
            await installation.project([VISITORS])
    await installation.project([VISITORS])


@pytest.mark.usefixtures("in_bulk")
@pytest.mark.parametrize("seed", range(4))
async def test_a_rebuild_gives_the_same_rows_after_every_kind_of_event(
    installation: Installation, seed: int
) -> None:
    await random_lives(installation, Random(seed))
    followed = await installation.rows("visitors")
    assert len({r["status"] for r in followed}) > 3
    await rebuild_tables(installation.database_url, installation.keys, [VISITORS])
    assert await installation.rows("visitors") == followed
    for each in followed:
        state = await installation.decider._streams.load(
            installation.connection, [UUID(each["id"])]
        )
        visitor = state[UUID(each["id"])]
        assert isinstance(visitor, Visitor)
        kept = (each["status"], each["episode"], each["ticket_issue"], each["version"])
        assert kept == (visitor.status, visitor.episode, visitor.ticket_issue, visitor.version)
