"""Leases on rows of the outbox: workers lease due rows, and record the outcomes.

`due_at` is the time from which a worker may take a row: its creation, its next attempt, or the end
of its present lease. The rows belong to the projection (`projections.outbox`).

A call starts within `MAX_SEND_DELAY` of the lease, or not at all: if this process or its host was
suspended, another worker may have sent the notification by now, or its recipient may be erased. The
lease is much longer, so that the outcome of a call is recorded before it expires.
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

from domain.history.batch import CommandRequest, Origin
from domain.history.decider import Decider
from domain.notifications import RecordDelivery
from domain.privacy.keys import InstallationKeys
from projections import service_replies
from projections.messages import Message, messages_by_id
from projections.outbox import MAX_SEND_DELAY
from projections.people import WithPerson, with_people
from projections.service_replies import Reply
from workers.delivery import pause
from workers.delivery.sender import (
    Accepted,
    Answer,
    BadCredentials,
    Rejected,
    TryLater,
)

LEASE_DURATION = timedelta(seconds=120)
"""A worker that is suspended for less time sends nothing twice. Leases of dead workers are freed
earlier (`workers.delivery.abandoned`)."""

FIRST_BACKOFF = 1.0
MAX_BACKOFF = 600.0
"""Seconds. The backoff doubles with each attempt; the wait is a random part of it (full jitter)."""

ACTOR = "system:worker"

log = structlog.get_logger()


_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Where available, a clock that runs while the machine is suspended."""


def clock() -> float:
    """Seconds on a clock of this host; only differences within this process are meaningful."""
    return time.clock_gettime(_CLOCK)


class Leased(WithPerson, frozen=True):
    """A leased row: no other worker sends it for `LEASE_DURATION`."""

    id: UUID
    lease_token: UUID
    attempts: int
    """Attempts so far, including the present one."""
    correlation_id: str
    causation_id: int
    """Position of the domain event that caused the message."""
    visitor_id: UUID
    leased_at: float
    """By `clock`, taken before the row was leased."""
    message: Message | None = None
    """None until `lease` has read it."""

    def may_start(self) -> bool:
        return clock() - self.leased_at < MAX_SEND_DELAY


class Released(msgspec.Struct, frozen=True):
    """No call was made: the row is released unchanged, and another worker may take it at once."""


Outcome = Answer | Released


async def lease(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    limit: int,
    due_by: datetime | None = None,
    *,
    take_expired: bool = True,
    token: UUID | None = None,
) -> list[Leased]:
    """Lease up to `limit` due rows, those that have been due longest first, and only those due by
    `due_by`. `take_expired`: also rows whose lease expired without an outcome. `token`: the token
    of the lease; None for a new one."""
    allowed = await pause.rows_allowed(connection, limit)
    if not allowed:
        return []
    leased_at = clock()
    cursor = await connection.execute(
        """
        WITH due AS MATERIALIZED (
            SELECT id FROM outbox
            WHERE state = 'waiting' AND due_at <= least(now(), %(due_by)b::timestamptz)
              AND (lease_token IS NULL OR %(take_expired)b)
            ORDER BY due_at
            LIMIT %(limit)b
            FOR UPDATE SKIP LOCKED
        )
        UPDATE outbox
        SET lease_token = %(token)b, due_at = now() + %(lease)b, attempts = attempts + 1
        FROM due
        WHERE outbox.id = due.id
        RETURNING person_position, outbox.id, lease_token, attempts, correlation_id, position,
                  visitor_id
        """,
        {
            "due_by": due_by,
            "limit": allowed,
            "take_expired": take_expired,
            "token": token or uuid4(),
            "lease": LEASE_DURATION,
        },
        binary=True,
    )
    leased = [Leased(*(*row, leased_at)) for row in await cursor.fetchall()]
    messages = await messages_by_id(connection, [row.id for row in leased])
    rows = await with_people(connection, keys, leased)
    return [
        msgspec.structs.replace(row, message=message.written_to(row.person))
        if (message := messages.get(row.id))
        else row
        for row in rows
    ]


async def settle(
    connection: AsyncConnection[Any],
    decider: Decider,
    outcomes: Sequence[tuple[Leased, Outcome]],
) -> None:
    """Record all outcomes, in the rows and in history, in one transaction.

    A row that another worker has leased since is not changed: the outcome of that worker counts.
    """
    concluded_at = datetime.now(UTC)  # the same in both, so that a rebuild gives the same row
    async with connection.transaction():
        await _lock_rows(connection, [row.id for row, _ in outcomes])
        held = await _update_rows(connection, outcomes, concluded_at)
        if lost := [(row, outcome) for row, outcome in outcomes if row.id not in held]:
            await _release(connection, lost)
        answers = [answer for row, answer in outcomes if row.id in held]
        kept = [(row, outcome) for row, outcome in outcomes if row.id in held]
        await _keep_replies(connection, decider.keys, kept)
        refusals = [answer.reason for answer in answers if isinstance(answer, BadCredentials)]
        if refusals:
            await pause.begin(connection, refusals[0])
        elif any(isinstance(answer, Accepted) for answer in answers):
            await pause.end(connection)
        # Last, because the append locks history until the end of the transaction.
        await _append(connection, decider, kept, concluded_at)


async def _lock_rows(connection: AsyncConnection[Any], ids: Sequence[UUID]) -> None:
    """In the order of their ids, as erasures and the projector do: so they never wait for each
    other in a circle, which PostgreSQL would end only after a second."""
    await connection.execute(
        "SELECT FROM outbox WHERE id = ANY(%b::uuid[]) ORDER BY id FOR UPDATE", [ids], binary=True
    )


async def _update_rows(
    connection: AsyncConnection[Any],
    outcomes: Sequence[tuple[Leased, Outcome]],
    concluded_at: datetime,
) -> set[UUID]:
    """Write the outcomes into the rows that are still leased with the same token; returns their
    ids."""
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
          AND outbox.lease_token = outcome.token -- set in a waiting row, or in an erased one
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


async def _keep_replies(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    outcomes: Sequence[tuple[Leased, Outcome]],
) -> None:
    """What the service said of the messages that it did not take."""
    replies = [
        Reply(row.id, row.position, outcome.said)
        for row, outcome in outcomes
        if isinstance(outcome, Rejected | TryLater) and outcome.said
    ]
    sent = [row.id for row, o in outcomes if isinstance(o, Accepted) and row.attempts > 1]
    if replies:
        await service_replies.keep(connection, keys, replies)
    if sent:
        await service_replies.forget(connection, sent)


async def _release(
    connection: AsyncConnection[Any], lost: Sequence[tuple[Leased, Outcome]]
) -> None:
    """Release the leases that were lost: another worker has leased the row, or its recipient was
    erased; an erasure waits until the lease is released."""
    for row, outcome in lost:
        if not isinstance(outcome, Released):
            log.warning(
                "the lease had expired: the outcome is not recorded",
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
    """The new values of a row."""

    state: Literal["waiting", "sent", "failed"]
    attempts: int
    wait: float = 0.0
    error: str | None = None


def _change(row: Leased, outcome: Outcome) -> _Change:
    match outcome:
        case Accepted():
            return _Change("sent", row.attempts)
        case Rejected(reason):
            return _Change("failed", row.attempts, error=reason)
        case TryLater(reason, retry_after):
            return _Change("waiting", row.attempts, max(backoff(row.attempts), retry_after), reason)
        case BadCredentials(reason):
            return _Change("waiting", row.attempts - 1, error=reason)
        case Released():
            return _Change("waiting", row.attempts - 1)


def backoff(attempts: int) -> float:
    """Seconds to wait after this number of attempts: exponential with full jitter."""
    longest = min(MAX_BACKOFF, FIRST_BACKOFF * 2 ** min(attempts - 1, 32))
    return random.uniform(0, longest)  # noqa: S311 - spreads load, keeps no secret


async def _append(
    connection: AsyncConnection[Any],
    decider: Decider,
    outcomes: Sequence[tuple[Leased, Outcome]],
    concluded_at: datetime,
) -> None:
    requests = [
        CommandRequest(
            RecordDelivery(
                notification_id=row.id,
                failure=outcome.reason if isinstance(outcome, Rejected) else None,
                visitor_id=row.visitor_id,
            ),
            Origin(actor=ACTOR, correlation_id=row.correlation_id, causation_id=row.causation_id),
            at=concluded_at,
        )
        for row, outcome in outcomes
        if isinstance(outcome, Accepted | Rejected)
    ]
    if requests:
        for result in await decider.execute(connection, requests):
            result.or_raise()


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
    """The time of the database, which sets `due_at`."""
    cursor = await connection.execute("SELECT clock_timestamp()")
    return cast("tuple[datetime]", await cursor.fetchone())[0]
