"""What workers do to the outbox's rows: lease those that are due, and record what became of them.

`due_at` is the one time that says when a worker may take a row: its creation, its next try, or
the end of the lease that somebody has on it. The rows themselves are the projection's
(`projections.outbox`).

A call begins soon after its row was leased, or not at all: however long this process or its host
stood still, nothing is sent that another worker may have sent by now, or whose recipient was
erased. The lease is far longer, so that what was begun is recorded before it runs out.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast
from uuid import UUID, uuid4

import msgspec
import structlog
from psycopg import AsyncConnection

from domain.history.batch import Failed, Origin, Request
from domain.history.decider import Decider
from domain.notifications import RecordDelivery
from domain.privacy.keys import InstallationKeys
from projections.outbox import MAX_SEND_DELAY
from projections.people import WithPerson, with_people
from workers.delivery import pause
from workers.delivery.notification_service import Answer, BadCredentials, Refused, Sent, TryLater

LEASE = timedelta(seconds=120)
"""A worker that stands still for less sends nothing twice; of one that is gone, leases are freed
before (`workers.delivery.abandoned`)."""

FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 600.0
"""Seconds; the backoff doubles with each try, and the wait is drawn from all of it."""

ACTOR = "system:worker"

log = structlog.get_logger()


_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps."""


def clock() -> float:
    """Seconds, for comparison with others of this process."""
    return time.clock_gettime(_CLOCK)


class Leased(WithPerson, frozen=True):
    """A row that nobody else sends for the length of `LEASE`."""

    id: UUID
    lease_token: UUID
    message: str
    attempts: int
    """Tries so far, the one under way included."""
    correlation_id: str
    leased_at: float
    """By `clock`; rather too early than too late."""

    def may_begin(self) -> bool:
        return clock() - self.leased_at < MAX_SEND_DELAY


class GivenBack(msgspec.Struct, frozen=True):
    """It was leased, and is given back as it was: nothing came of it, so another worker may take it
    at once."""


Outcome = Answer | GivenBack


async def lease(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    limit: int,
    due_by: datetime | None = None,
    *,
    takes_over: bool = True,
    token: UUID | None = None,
) -> list[Leased]:
    """Take up to `limit` rows that are due, the longest due first; `due_by` narrows it further.
    `takes_over`: those too whose lease ran out without an outcome. `token` is a new one."""
    allowed = await pause.rows_allowed(connection, limit)
    if not allowed:
        return []
    leased_at = clock()
    cursor = await connection.execute(
        """
        WITH due AS MATERIALIZED (
            SELECT id FROM outbox
            WHERE state = 'waiting' AND due_at <= least(now(), %(due_by)b::timestamptz)
              AND (lease_token IS NULL OR %(takes_over)b)
            ORDER BY due_at
            LIMIT %(limit)b
            FOR UPDATE SKIP LOCKED
        )
        UPDATE outbox
        SET lease_token = %(token)b, due_at = now() + %(lease)b, attempts = attempts + 1
        FROM due
        WHERE outbox.id = due.id
        RETURNING position, outbox.id, lease_token, message, attempts, correlation_id
        """,
        {
            "due_by": due_by,
            "limit": allowed,
            "takes_over": takes_over,
            "token": token or uuid4(),
            "lease": LEASE,
        },
        binary=True,
    )
    leased = [Leased(*(*row, leased_at)) for row in await cursor.fetchall()]
    return await with_people(connection, keys, leased)


async def settle(
    connection: AsyncConnection[Any],
    decider: Decider,
    outcomes: Sequence[tuple[Leased, Outcome]],
) -> None:
    """Record all of it, in the rows and in history, in one transaction.

    A row that somebody else has leased since is left alone: theirs is the outcome that counts.
    """
    concluded_at = datetime.now(UTC)  # in both, so that a rebuild gives the same row
    async with connection.transaction():
        ours = await _update_rows(connection, outcomes, concluded_at)
        if lost := [(row, outcome) for row, outcome in outcomes if row.id not in ours]:
            await _let_go(connection, lost)
        answers = [answer for row, answer in outcomes if row.id in ours]
        refusals = [answer.reason for answer in answers if isinstance(answer, BadCredentials)]
        if refusals:
            await pause.begin(connection, refusals[0])
        elif any(isinstance(answer, Sent) for answer in answers):
            await pause.end(connection)
        # Last, because history's lock is held from the append to the end of the transaction.
        concluded = [(row, outcome) for row, outcome in outcomes if row.id in ours]
        await _append(connection, decider, concluded, concluded_at)


async def _update_rows(
    connection: AsyncConnection[Any],
    outcomes: Sequence[tuple[Leased, Outcome]],
    concluded_at: datetime,
) -> set[UUID]:
    """Ids of the rows whose lease is still ours, which now hold their outcome."""
    changes = [_change(row, outcome) for row, outcome in outcomes]
    cursor = await connection.execute(
        """
        UPDATE outbox SET
            state = outcome.state,
            attempts = outcome.attempts,
            due_at = CASE WHEN outcome.state = 'waiting'
                          THEN now() + make_interval(secs => outcome.wait)
                          ELSE %(concluded_at)b END,
            last_error = CASE WHEN outcome.state <> 'sent'
                              THEN coalesce(outcome.error, last_error) END,
            concluded_at = CASE WHEN outcome.state <> 'waiting' THEN %(concluded_at)b END,
            lease_token = NULL
        FROM unnest(
            %(ids)b::uuid[], %(tokens)b::uuid[], %(states)b::text[], %(attempts)b::int[],
            %(waits)b::float8[], %(errors)b::text[]
        ) AS outcome (id, token, state, attempts, wait, error)
        WHERE outbox.id = outcome.id
          AND outbox.lease_token = outcome.token -- which a waiting row has, or an erased one
          AND outbox.state <> 'failed'
        RETURNING outbox.id
        """,
        {
            "ids": [row.id for row, _ in outcomes],
            "tokens": [row.lease_token for row, _ in outcomes],
            "states": [change.state for change in changes],
            "attempts": [change.attempts for change in changes],
            "waits": [change.wait for change in changes],
            "errors": [change.error for change in changes],
            "concluded_at": concluded_at,
        },
        binary=True,
    )
    return {id for (id,) in await cursor.fetchall()}


async def _let_go(connection: AsyncConnection[Any], lost: Sequence[tuple[Leased, Outcome]]) -> None:
    """Of rows that are not ours any more: somebody else has leased them, or their recipients were
    erased, and then the erasure waits for this."""
    for row, outcome in lost:
        if not isinstance(outcome, GivenBack):
            log.warning(
                "the lease had run out: its outcome is not recorded",
                notification=str(row.id),
                correlation_id=row.correlation_id,
            )
    await connection.execute(
        """
        UPDATE outbox SET lease_token = NULL
        FROM unnest(%b::uuid[], %b::uuid[]) AS lost (id, token)
        WHERE outbox.id = lost.id AND outbox.lease_token = lost.token
        """,
        [[row.id for row, _ in lost], [row.lease_token for row, _ in lost]],
    )


class _Change(msgspec.Struct, frozen=True):
    """What an outcome does to its row."""

    state: Literal["waiting", "sent", "failed"]
    attempts: int
    wait: float = 0.0
    error: str | None = None


def _change(row: Leased, outcome: Outcome) -> _Change:
    match outcome:
        case Sent():
            return _Change("sent", row.attempts)
        case Refused(reason):
            return _Change("failed", row.attempts, error=reason)
        case TryLater(reason, not_within):
            return _Change("waiting", row.attempts, max(backoff(row.attempts), not_within), reason)
        case BadCredentials(reason):
            return _Change("waiting", row.attempts - 1, error=reason)
        case GivenBack():
            return _Change("waiting", row.attempts - 1)


def backoff(attempts: int) -> float:
    """Seconds to wait after so many tries: exponential with full jitter."""
    longest = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(attempts - 1, 32))
    return random.uniform(0, longest)  # noqa: S311 - spreads load, keeps no secret


async def _append(
    connection: AsyncConnection[Any],
    decider: Decider,
    outcomes: Sequence[tuple[Leased, Outcome]],
    concluded_at: datetime,
) -> None:
    requests = [
        Request(
            RecordDelivery(
                notification_id=row.id,
                failure=outcome.reason if isinstance(outcome, Refused) else None,
            ),
            Origin(actor=ACTOR, correlation_id=row.correlation_id, causation_id=row.position),
            at=concluded_at,
        )
        for row, outcome in outcomes
        if isinstance(outcome, Sent | Refused)
    ]
    if requests:
        for result in await decider.execute(connection, requests):
            if isinstance(result, Failed):
                raise result.error


async def count_waiting(connection: AsyncConnection[Any]) -> int:
    cursor = await connection.execute("SELECT count(*) FROM outbox WHERE state = 'waiting'")
    row = await cursor.fetchone()
    return row[0] if row else 0


async def next_due_in(connection: AsyncConnection[Any]) -> float | None:
    """Seconds until a row is due, 0 or less when one is; None when none will be."""
    cursor = await connection.execute(
        """
        SELECT extract(epoch FROM min(due_at) - now())::float8 FROM outbox
        WHERE state = 'waiting' AND due_at < 'infinity'
        """
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def now(connection: AsyncConnection[Any]) -> datetime:
    """The time by the clock that `due_at` goes by."""
    cursor = await connection.execute("SELECT clock_timestamp()")
    return cast("tuple[datetime]", await cursor.fetchone())[0]
