"""When the visitors of events are forgotten, and how many: what the command `retention` prints with
`--dry-run`, and pages show.

They are forgotten by themselves after the notice of a changed setting. The command does not wait
for it: an operator calls it, who knows what the setting says.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.retention import NOTICE, RetentionPolicy, present_policy
from projections.visitors_to_forget import (
    ForgottenEvent,
    Terms,
    count_known,
    count_to_forget,
    events_to_forget,
    times_to_forget,
)


class Forgetting(msgspec.Struct, frozen=True):
    """When the visitors of an event are forgotten."""

    by_itself: datetime | None
    """None: never."""
    by_command: datetime | None
    """From when on the command `retention` forgets them; None: never."""

    @property
    def waits(self) -> bool:
        """Whether the command forgets them earlier."""
        if self.by_command is None:
            return False
        return self.by_itself is None or self.by_command < self.by_itself


class PlannedEvent(msgspec.Struct, frozen=True):
    event: ForgottenEvent
    """With the time from which the command forgets its visitors."""
    visitors: int
    by_itself: datetime | None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the command would do now, and until the end of the notice."""

    events: Sequence[PlannedEvent]
    """The first ones come first."""
    now: int
    """Visitors whom the command would forget now."""
    later: int
    """And those whom it would forget besides, until the end of the notice."""
    policy: RetentionPolicy
    """The setting that the scheduler has seen."""


async def forgetting_of(
    connection: AsyncConnection[Any], event_id: UUID, setting: int | None
) -> Forgetting | None:
    """Of one event, None if its visitors are kept; `setting` is `RETENTION_DAYS`."""
    ids = [event_id]
    by_policy = Terms.of(await present_policy(connection))
    by_itself = await times_to_forget(connection, by_policy, ids)
    by_command = await times_to_forget(connection, by_command_now(setting), ids)
    if not by_itself and not by_command:
        return None
    return Forgetting(by_itself.get(event_id), by_command.get(event_id))


async def plan(
    connection: AsyncConnection[Any],
    setting: int | None,
    now: datetime,
    *,
    limit: int | None = None,
    most: int | None = None,
) -> Plan:
    """Of the first events, up to `limit`; visitors are counted up to `most`."""
    terms, policy, until = by_command_now(setting), await present_policy(connection), now + NOTICE
    events = await events_to_forget(connection, terms, until, limit=limit)
    ids = [event.id for event in events]
    visitors = await count_known(connection, ids)
    by_itself = await times_to_forget(connection, Terms.of(policy), ids)
    due = await count_to_forget(connection, terms, now, limit=most)
    return Plan(
        events=[
            PlannedEvent(event, visitors[event.id], by_itself.get(event.id)) for event in events
        ],
        now=due,
        later=await count_to_forget(connection, terms, until, limit=most) - due,
        policy=policy,
    )


def by_command_now(setting: int | None) -> Terms:
    """The terms of the command."""
    return Terms(setting, with_notice=False)
