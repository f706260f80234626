"""A large installation in its usual state, as organizers have it after years."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.contenders import command
from benchmarks.history import fill
from benchmarks.processes import run
from benchmarks.servers import Database
from benchmarks.stretches import Shape
from domain.history.store import connect, load_keys
from domain.questions import Question
from domain.seals.sealing import Sealer
from domain.seals.signing import load_key

LASTED = timedelta(days=730)
"""Its history, until now."""

NOTICE = timedelta(days=7), LASTED
"""Of an event. So one half of the events is over, the other is to come, and most are near now."""

EVENTS, DELETED = 330, 6
"""In each stretch: those that are created, and those of them that are deleted."""

QUESTIONS = (
    Question(id="company", type="text", label="Where do you work?", required=True),
    Question(id="food", type="choice", label="What do you eat?", options=("Meat", "Plants")),
    Question(id="news", type="yes_no", label="May we send you news?"),
)

OF_AN_EVENT, OF_A_VISITOR = 4, 2.9
"""Domain events, about."""


def fill_installation(database: Database, secret_key: str, *, events: int, visitors: int) -> None:
    """At least so many; a tenth of the visitors come to the first event. The only account creates
    all events. No other process may write to the database meanwhile."""
    with database.connect() as connection:
        keys = load_keys(connection, (secret_key,))
        row = connection.execute("SELECT account_id FROM credentials").fetchone()
    stretches = -(-events // (EVENTS - DELETED))
    first = int(visitors / 10 * OF_A_VISITOR) + OF_AN_EVENT
    each = int(visitors / stretches * 0.9 * OF_A_VISITOR) + EVENTS * OF_AN_EVENT
    crowded = Shape(
        stretch=first,
        events=1,
        beginning=datetime.now(UTC) - LASTED,
        pace=LASTED / (first + each * stretches),
        notice=(LASTED + timedelta(days=1),) * 2,
        organizer=str(row[0]) if row else "anonymous",
        questions=QUESTIONS,
        leaves_failed=True,
        one_enters_of=20,
    )
    others = msgspec.structs.replace(
        crowded,
        stretch=each,
        events=EVENTS,
        capacity=6,
        notice=NOTICE,
        one_closes_of=9,
        one_is_cancelled_of=101,
        one_is_deleted_of=EVENTS // DELETED,
    )
    fill(database.url, keys, first, crowded)
    fill(database.url, keys, each * stretches, others)


def settle(database: Database, environment: Mapping[str, str]) -> None:
    """History is projected, sealed and vacuumed, so that no background work is left while
    something is measured."""
    run(command("projections", "rebuild"), environment)
    with database.connect() as connection:
        signing_key = load_key(connection, (environment["SECRET_KEY"],))
        asyncio.run(_seal(database.url, signing_key))
        connection.execute("VACUUM ANALYZE")


async def _seal(database_url: str, key: Ed25519PrivateKey) -> None:
    async with await connect(database_url) as connection:
        sealer = await Sealer.resume(connection, key)
        while await sealer.seal():
            pass
