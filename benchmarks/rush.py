"""Ten times as many people as seats rush for one event: exactly the seats that there are get sold.

Every answer counts as a handled request: registered, on the waiting list, or refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import httpx
import msgspec

from benchmarks.client import Asked
from benchmarks.contenders import DJANGO, FASTAPI, Contender, django, events_face, fastapi, stub
from benchmarks.fairness import new_event
from benchmarks.hot_event import CONNECTIONS
from benchmarks.load import WentWrong, ask, rush
from benchmarks.results import OURS, Comparison, Reach
from benchmarks.stage import Stage, Turn

UNLIMITED = "Events-Face, without a capacity"
WAITING = "Events-Face, with a waiting list"

RATE = "handled/s"


class Rush(msgspec.Struct, frozen=True, kw_only=True):
    contender: Contender
    event: Mapping[str, Any]
    """Fields of the event besides its name and times."""
    also: str = ""
    """Of each registration."""
    accepted: int
    """Of all registrations, and no more."""


def measure(stage: Stage) -> list[Comparison]:
    people, seats = stage.sizes.hot, stage.sizes.seats
    limited = {"capacity": seats}
    with ExitStack() as held:
        ours = events_face(notifications=held.enter_context(stub(stage.folder / "service.log")))
        rushes = {
            OURS: Rush(contender=ours, event=limited, accepted=seats),
            UNLIMITED: Rush(contender=ours, event={}, accepted=people),
            WAITING: Rush(
                contender=ours,
                event=limited | {"waiting_list": "automatic"},
                also=',"join_waiting_list":true',
                accepted=people,
            ),
            DJANGO: Rush(contender=django, event=limited, accepted=seats),
            FASTAPI: Rush(contender=fastapi, event=limited, accepted=seats),
        }
        figures = stage.interleaved({n: _turn(stage, n, rushes[n]) for n in rushes})
    return [
        Comparison(
            what=f"{people:,} rush for {seats:,} seats from {CONNECTIONS} connections",
            unit="/s",
            figures=figures[RATE],
            reaches=(
                Reach(text="0.85 × without a capacity", beside=UNLIMITED, times=0.85),
                Reach(text=f"faster than {DJANGO} with a row lock", beside=DJANGO),
                Reach(text=f"faster than {FASTAPI} with a row lock", beside=FASTAPI),
            ),
        )
    ]


def _turn(stage: Stage, name: str, of: Rush) -> Turn:
    def turn() -> Mapping[str, float]:
        people, before = stage.sizes.hot, stage.sizes.beforehand
        with (
            stage.server.new_database() as database,
            of.contender(database, stage.folder / f"rush {name}.log", stage.sizes.serving) as at,
        ):
            with httpx.Client(base_url=at, trust_env=False) as client:
                path, others = new_event(client, **of.event), new_event(client)
            ask(Asked(origin=at, paths=(others,), connections=CONNECTIONS, requests=before))
            rushed = rush(at, path, visitors=people, connections=CONNECTIONS, also=of.also)
            expected = {"201": of.accepted, "409": people - of.accepted}
            if rushed.statuses != {status: n for status, n in expected.items() if n}:
                raise WentWrong(f"{name} answered {rushed.statuses} instead of {expected}")
            if name == WAITING:
                sold = database.number("SELECT sum(taken) FROM event_seats WHERE waiting > 0")
                if sold != stage.sizes.seats:
                    raise WentWrong(f"{name} sold {sold:.0f} of {stage.sizes.seats} seats")
        return {RATE: people / rushed.seconds}

    return turn
