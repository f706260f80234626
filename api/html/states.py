"""What a visitor can do about an event, and why not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from domain.core.errors import DomainError
from domain.visitors import DeadlinePassed, EventCancelled, EventClosed, EventFull
from projections.events import EventRow

State = Literal["open", "waiting", "full", "closed", "too_late", "cancelled", "over"]
"""`waiting`: one may join the waiting list; `too_late`: after the deadline; `over`: it has ended.
"""


def state_of(event: EventRow, now: datetime) -> State:
    if event.cancelled:
        return "cancelled"
    if now >= (event.ends_at or event.event_datetime):
        return "over"
    if event.status == "closed":
        return "closed"
    if now > event.registration_deadline:
        return "too_late"
    return event.availability


def registration_state(event: EventRow) -> State:
    """At this moment."""
    return state_of(event, datetime.now(UTC))


def state_after(refusal: DomainError) -> State | None:
    """The state that follows from a refused registration; the read tables may not show it yet."""
    if isinstance(refusal, EventFull):
        return "waiting" if refusal.members["waiting_list"] else "full"
    return _TOLD_BY.get(type(refusal))


_TOLD_BY: dict[type[DomainError], State] = {
    EventCancelled: "cancelled",
    EventClosed: "closed",
    DeadlinePassed: "too_late",
}
