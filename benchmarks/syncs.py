"""A full sync with the provider: the first one, and one without changes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from uuid import UUID, uuid5

import msgspec

from benchmarks.contenders import command, settings, stub
from benchmarks.processes import run
from benchmarks.results import OURS, Comparison, Reach
from benchmarks.stage import Stage

NAMESPACE = UUID("6f0b6f62-1f0e-4c4e-9b57-0c8f3d2a9e11")
PLACES = 400
"""Different areas."""

STATUS = "projections status"
"""A command that only starts: its time is part of each sync."""


def measure(stage: Stage) -> list[Comparison]:
    body = stage.folder / "provider.json"
    body.write_bytes(msgspec.json.encode([item(number) for number in range(stage.sizes.synced)]))

    def turn() -> Mapping[str, float]:
        with (
            stage.server.new_database() as database,
            stub(stage.folder / "provider.log", "--status", "200", "--body", str(body)) as provider,
        ):
            environment = {
                **settings(database, stage.folder),
                "EVENTS_PROVIDER_URL": provider,
            }
            run(command("migrate"), environment)
            return {
                "first": _seconds(environment),
                "unchanged": _seconds(environment),
                STATUS: _seconds(environment, "projections", "status"),
            }

    figures = stage.interleaved({OURS: turn})
    return [
        Comparison(
            what=f"events-face sync --all of {stage.sizes.synced:,} events, {kind}",
            unit="s",
            figures={
                OURS: figures[kind][OURS],
                f"events-face {STATUS}": figures[STATUS][OURS],
            },
            more_is_better=False,
            reaches=(Reach(text=f"{bound} s", bound=bound),),
        )
        for kind, bound in (("first", 2.0), ("unchanged", 0.5))
    ]


def item(number: int) -> dict[str, object]:
    """As a provider of conferences gives it."""
    year, month, day = 2027 + number % 5, 1 + number % 12, 1 + number % 28
    return {
        "id": str(uuid5(NAMESPACE, str(number))),
        "name": f"PyCon {number}",
        "event_datetime": f"{year}-{month:02}-{day:02}T09:00:00Z",
        "registration_deadline": f"{year}-{month:02}-{day:02}T08:00:00Z",
        "status": "open",
        "area": {"name": f"City {number % PLACES}, Country {number % 40}"},
        "changed_at": f"2026-{month:02}-{day:02}T12:00:00Z",
    }


def _seconds(environment: Mapping[str, str], *words: str) -> float:
    """Of the whole command, from its start to its end."""
    began = time.perf_counter()
    run(command(*(words or ("sync", "--all"))), environment)
    return time.perf_counter() - began
