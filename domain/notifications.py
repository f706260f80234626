"""Notifications: the outcome of each message to a visitor.

The message itself follows from the domain event that causes it, such as `visitors.Registered`; the
notification's stream begins with its first outcome. Failed tries that will be repeated are not
recorded in history.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal
from uuid import UUID

import msgspec

from domain.core.aggregate import (
    Aggregate,
    DomainEvent,
    new_fields_have_their_defaults,
    stored_as,
)
from domain.core.unit_of_work import Work

ERASED = "the recipient was erased"
"""Reason of the failure when the recipient was erased."""

LEFT = "the recipient has left"
"""Why a message was not sent: the registration or the place in line that it is about is over."""

OVERTAKEN = "the event was cancelled or moved"
"""Why a reminder was not sent."""

REPLACED = "a newer message has replaced it"
"""Why a message that could not be sent in time was not sent later."""

GIVEN_UP = (ERASED, LEFT, OVERTAKEN, REPLACED)
"""Reasons that are not failures: these messages must not be sent any more."""


class RecordDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """Records the final outcome: the service accepted the notification, or refused it for good."""

    notification_id: UUID
    failure: str | None = None
    """The reason of the refusal; None when it was sent."""
    visitor_id: UUID | None = None
    """The recipient."""


class QueueAgain(msgspec.Struct, frozen=True, kw_only=True):
    """Queues a failed notification for another try."""

    notification_id: UUID


class Notification(Aggregate, frozen=True, kw_only=True):
    state: Literal["waiting", "sent", "failed"] = "waiting"

    def conclude(
        self, failure: str | None, visitor_id: UUID | None = None
    ) -> list[DomainEvent[Notification]]:
        """Empty if it was sent before: the first confirmation counts."""
        if self.state == "sent":
            return []
        return [Sent()] if failure is None else [Failed(reason=failure, visitor_id=visitor_id)]

    def abandon(self) -> list[DomainEvent[Notification]]:
        """For an erased recipient; empty unless the notification is waiting."""
        return [Failed(reason=ERASED)] if self.state == "waiting" else []

    def queue_again(self) -> list[DomainEvent[Notification]]:
        return [Requeued()] if self.state == "failed" else []


@stored_as("Notification.Sent", phrase="sent the message")
class Sent(DomainEvent[Notification], frozen=True, kw_only=True):
    def apply(self, aggregate: Notification) -> Notification:
        return msgspec.structs.replace(aggregate, state="sent")


@stored_as(
    "Notification.Failed",
    phrase="gave up the message",
    version=2,
    written_as=1,  # a release that ignores the newer field counts the failure just so
)
class Failed(DomainEvent[Notification], frozen=True, kw_only=True):
    reason: str
    visitor_id: UUID | None = None
    """The recipient; None in events of releases that did not record it, and after an erasure."""

    def apply(self, aggregate: Notification) -> Notification:
        return msgspec.structs.replace(aggregate, state="failed")

    @classmethod
    def upcasters(cls) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], ...]:
        return (new_fields_have_their_defaults,)


@stored_as("Notification.Requeued", phrase="had the message sent again")
class Requeued(DomainEvent[Notification], frozen=True, kw_only=True):
    def apply(self, aggregate: Notification) -> Notification:
        return msgspec.structs.replace(aggregate, state="waiting")


def record_delivery(command: RecordDelivery, work: Work) -> None:
    notification = work.get(Notification, command.notification_id)
    work.record(notification, *notification.conclude(command.failure, command.visitor_id))


def queue_again(command: QueueAgain, work: Work) -> bool:
    notification = work.get(Notification, command.notification_id)
    requeued = notification.queue_again()
    work.record(notification, *requeued)
    return bool(requeued)
