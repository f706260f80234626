"""`events-face seats`: what it prints, and how it ends."""

from __future__ import annotations

import pytest

from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.installation import Installation
from tests.support.processes import environment, events_face

pytestmark = pytest.mark.anyio

IN_ORDER = "all seats and waiting lines are as history says\n"


async def test_a_difference_is_named_and_recounted(
    installation: Installation, settings: Settings, services: Services
) -> None:
    fair, surroundings = await installation.event(), environment(settings, services)
    await installation.register(fair, "ada@example.com", "grace@example.com")
    ran = events_face(surroundings, "seats", "check")
    assert (ran.code, ran.out, ran.err) == (0, IN_ORDER, "")

    await installation.connection.execute("UPDATE event_seats SET taken = 1")
    difference = f"event {fair}: 1 taken instead of 2"
    ran = events_face(surroundings, "seats", "check")
    assert (ran.code, ran.out) == (1, f"{difference}\n")
    assert ran.err == (
        f"events-face: the seats of 1 events are not as history says; first {difference}\n"
    )

    ran = events_face(surroundings, "seats", "recount")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"{difference}\nrecounted: now they are as history says\n"
    for command in ("check", "recount"):
        ran = events_face(surroundings, "seats", command)
        assert (ran.code, ran.out, ran.err) == (0, IN_ORDER, "")


async def test_a_damaged_event_is_reported_in_one_line(
    installation: Installation, settings: Settings, services: Services
) -> None:
    surroundings = environment(settings, services)
    await installation.register(await installation.event(), "ada@example.com")
    await installation.connection.execute(
        "UPDATE history_events SET state = 'no JSON' WHERE topic = 'Visitor.Registered'"
    )
    for command in ("check", "recount"):
        ran = events_face(surroundings, "seats", command)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err == (
            "events-face: seats cannot be recounted, an event in history cannot be read:"
            " invalid input syntax for type json\n"
        )
