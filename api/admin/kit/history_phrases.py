"""History in words: what each event is called for people, and each field."""

from __future__ import annotations

from domain.core.aggregate import EVENT_TYPES

PHRASES = {
    "Account.Disabled": "disabled the account",
    "Account.PasswordChanged": "changed the password",
    "Account.Registered": "registered the account",
    "Account.RoleGranted": "granted a role",
    "Account.RoleRevoked": "revoked a role",
    "Area.Created": "created the area",
    "Area.Deleted": "deleted the area",
    "Area.EventAdded": "added an event",
    "Area.EventRemoved": "took an event away",
    "Area.Renamed": "renamed the area",
    "AreaName.Claimed": "claimed the name of an area",
    "AreaName.Released": "released the name of an area",
    "Disclosure.PersonalDataRead": "read personal data in history",
    "Event.CleanedUp": "removed the past event",
    "Event.Closed": "closed registration",
    "Event.Created": "created the event",
    "Event.Deleted": "deleted the event",
    "Event.Opened": "opened registration",
    "Event.Relocated": "moved the event to another area",
    "Event.Renamed": "renamed the event",
    "Event.Rescheduled": "changed the times",
    "Event.TakenFromProvider": "took what the provider says",
    "Notification.Failed": "gave up the notification",
    "Notification.Requeued": "had the notification sent again",
    "Notification.Sent": "sent the notification",
    "Sync.Completed": "synchronised with the provider",
    "Sync.Failed": "failed to synchronise with the provider",
    "Visitor.Erased": "erased the visitor",
    "Visitor.Registered": "registered the visitor",
}
"""Topic -> what somebody did."""

KINDS = {
    "AreaName": "Name of an area",
    "Sync": "Synchronisation",
}
"""Types of aggregate whose name does not say it."""

LABELS = {
    "area_id": "area",
    "cleaned_up": "removed as past",
    "event_count": "events",
    "event_datetime": "begins",
    "event_id": "event",
    "full": "in full",
    "holder": "held by",
    "notification_id": "notification",
    "registration_deadline": "registration ends",
    "said_area_id": "provider: area here",
    "said_area_name": "provider: area",
    "said_event_datetime": "provider: begins",
    "said_is_known": "from the provider",
    "said_name": "provider: name",
    "said_registration_deadline": "provider: registration ends",
    "said_status": "provider: registration",
    "status": "registration",
}
"""Field -> label, where its name will not do."""


def phrase(topic: str) -> str:
    return PHRASES.get(topic, topic)


def kind(aggregate_type: str) -> str:
    return KINDS.get(aggregate_type, aggregate_type)


def label(field: str) -> str:
    return LABELS.get(field, field.replace("_", " "))


def types() -> list[tuple[str, str]]:
    """All that the log can be asked for by type, and what it is called."""
    known: dict[str, str] = {}
    for topic in sorted(EVENT_TYPES):
        aggregate_type = topic.partition(".")[0]
        known.setdefault(aggregate_type, f"{kind(aggregate_type)}: all")
        known[topic] = f"{kind(aggregate_type)}: {phrase(topic)}"
    return list(known.items())
