"""Which domain events are items of the feed. Every class of the application is in one of the two
tables."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from domain import (
    accounts,
    announcements,
    api_keys,
    areas,
    entries,
    event_cancellation,
    events,
    notifications,
    question_editing,
    retention,
    syncs,
    tickets,
    visitors,
    webhooks,
)
from domain.audit import disclosures
from domain.core.aggregate import DomainEvent
from domain.feed import check_in_data, event_data, notification_data, visitor_data
from domain.feed.item import ITEM_TYPES, ItemData

EventClass = type[DomainEvent[Any]]

SOURCES: dict[EventClass, type[ItemData]] = {
    events.Created: event_data.EventCreatedData,
    events.Renamed: event_data.EventChangedData,
    events.Relocated: event_data.EventChangedData,
    **dict.fromkeys(events.CHANGES_OF_ONE_FIELD.values(), event_data.EventChangedData),
    question_editing.QuestionsChanged: event_data.EventChangedData,
    events.Rescheduled: event_data.EventRescheduledData,
    events.Opened: event_data.EventOpenedData,
    events.Closed: event_data.EventClosedData,
    event_cancellation.Cancelled: event_data.EventCancelledData,
    event_cancellation.Reinstated: event_data.EventReinstatedData,
    events.Restored: event_data.EventCreatedData,
    events.Deleted: event_data.EventDeletedData,
    events.CleanedUp: event_data.EventDeletedData,
    visitors.Registered: visitor_data.VisitorRegisteredData,
    visitors.Waitlisted: visitor_data.VisitorWaitingData,
    visitors.Promoted: visitor_data.VisitorPromotedData,
    visitors.Confirmed: visitor_data.VisitorConfirmedData,
    visitors.Cancelled: visitor_data.VisitorCancelledData,
    visitors.Lapsed: visitor_data.VisitorLapsedData,
    visitors.Corrected: visitor_data.VisitorChangedData,
    visitors.Erased: visitor_data.VisitorErasedData,
    entries.CheckedIn: check_in_data.CheckInRecordedData,
    entries.EnteredWithoutSeat: check_in_data.CheckInRecordedData,
    entries.EnteredAgain: check_in_data.CheckInRepeatedData,
    entries.CheckInUndone: check_in_data.CheckInUndoneData,
    notifications.Failed: notification_data.NotificationFailedData,
}

TYPES = tuple(ITEM_TYPES)
"""The types of items."""

NO_ITEMS: frozenset[EventClass] = frozenset(
    {
        # what the provider says; separate events record what follows from it
        events.TakenFromProvider,
        # tickets: the door's list has them
        tickets.TicketReissued,
        # what the erasures of visitors are from
        retention.VisitorsForgotten,
        # what the entries of visitors are from
        entries.ScanRecorded,
        entries.ScanUndone,
        # messages to visitors, which are no changes
        announcements.ChangeAnnounced,
        announcements.ReminderDue,
        visitors.MessageResent,
        notifications.Sent,
        notifications.Requeued,
        # areas: items name an area where an event is in it
        areas.Created,
        areas.Renamed,
        areas.EventAdded,
        areas.EventRemoved,
        areas.Deleted,
        areas.NameClaimed,
        areas.NameReleased,
        # the installation's own affairs
        syncs.Completed,
        syncs.Failed,
        retention.RetentionSettingChanged,
        disclosures.PersonalDataRead,
        disclosures.PersonExported,
        accounts.Registered,
        accounts.Invited,
        accounts.RoleGranted,
        accounts.RoleRevoked,
        accounts.PasswordLinkMade,
        accounts.PasswordChanged,
        accounts.Disabled,
        accounts.Enabled,
        api_keys.Created,
        api_keys.Rolled,
        api_keys.Revoked,
        webhooks.Created,
        webhooks.Changed,
        webhooks.Enabled,
        webhooks.Disabled,
        webhooks.SecretRolled,
        webhooks.Deleted,
    }
)


def ignored_topics(types: Collection[str] = ()) -> list[str]:
    """The topics of domain events that are never an item of these types; without types: of any."""
    others = [kind for kind, data in SOURCES.items() if types and data.type not in types]
    return [kind.topic for kind in (*NO_ITEMS, *others)]
