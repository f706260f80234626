"""How long the visitors of an event are kept. So many days after its end they are forgotten: they
are erased, but only at this event (docs/decisions/0085-retention.md).

The days are those of the event, else those of the setting. Each value of the setting is recorded in
history when it is first seen, so that a shorter one applies only after a notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import Aggregate, DomainEvent, stored_as
from domain.core.unit_of_work import Missing, Work
from domain.departures import record_erasure
from domain.events import Event
from domain.history.streams import Streams
from domain.visitors import Visitor

NOTICE = timedelta(days=7)
"""A shorter retention applies so long after the change: who mistypes it can correct it."""

POLICY_ID = UUID("0c0f3e0a-6a0b-5a63-9d0e-5f2f5d0a7c11")
"""The stream of the setting. An installation has one."""

ALWAYS = datetime.min.replace(tzinfo=UTC)


class RecordRetention(msgspec.Struct, frozen=True, kw_only=True):
    """Records the setting if it differs from the last record of it."""

    days: int | None


class ForgetVisitors(msgspec.Struct, frozen=True, kw_only=True):
    """Erases these visitors of one event, if it ended long enough ago."""

    event_id: UUID
    visitor_ids: Sequence[UUID]
    days: int | None
    """The setting, for an event without days of its own."""
    before: int = 0
    """Visitors that the same run has forgotten before these."""
    completes: bool = True
    """Whether these are the last ones."""


class RetentionPolicy(Aggregate, frozen=True, kw_only=True):
    """The setting for events without days of their own."""

    days: int | None = None
    """None: visitors are kept."""
    applies_from: datetime = ALWAYS
    """Nobody is forgotten by this setting before."""


@stored_as("Retention.SettingChanged", phrase="changed how long visitors are kept")
class RetentionSettingChanged(DomainEvent[RetentionPolicy], frozen=True, kw_only=True):
    days: int | None
    applies_from: datetime

    def apply(self, aggregate: RetentionPolicy) -> RetentionPolicy:
        return msgspec.structs.replace(aggregate, days=self.days, applies_from=self.applies_from)


@stored_as("Event.VisitorsForgotten", phrase="forgot the visitors of the event")
class VisitorsForgotten(DomainEvent[Event], frozen=True, kw_only=True):
    """All that were known then. Later visitors are forgotten later."""

    count: int


def record_retention(command: RecordRetention, work: Work) -> RetentionPolicy:
    policy = work.get(RetentionPolicy, POLICY_ID)
    if command.days == policy.days:
        return policy
    applies_from = policy.applies_from
    if _is_shorter(command.days, policy.days):
        applies_from = work.now + NOTICE
    return work.record(
        policy, RetentionSettingChanged(days=command.days, applies_from=applies_from)
    )


def _is_shorter(days: int | None, former: int | None) -> bool:
    return days is not None and (former is None or days < former)


def forget_visitors(command: ForgetVisitors, work: Work) -> int:
    """How many were forgotten."""
    event = work.get(Event, command.event_id)
    if not may_be_forgotten(event, command.days, work.now):
        return 0
    forgotten, missing = 0, Missing()
    for id in command.visitor_ids:
        with missing.collected():
            visitor = work.get(Visitor, id)
            if visitor.event_id == event.id and visitor.is_known:
                record_erasure(visitor, work)
                forgotten += 1
    missing.require_nothing()
    if command.completes and (total := command.before + forgotten):
        work.record(event, VisitorsForgotten(count=total))
    return forgotten


def may_be_forgotten(event: Event, setting: int | None, now: datetime) -> bool:
    """Whether its visitors were kept long enough."""
    own = event.details.retention_days
    days = setting if own is None else own
    return days is not None and now - event.details.ended_at >= timedelta(days=days)


async def present_policy(connection: AsyncConnection[Any]) -> RetentionPolicy:
    found = (await Streams().load(connection, [POLICY_ID]))[POLICY_ID]
    return found if isinstance(found, RetentionPolicy) else RetentionPolicy(id=POLICY_ID)
