"""History in words: the phrase of each event, and labels for aggregates and fields."""

from __future__ import annotations

from domain.core.aggregate import EVENT_TYPES

KINDS = {
    "ApiKey": "API key",
    "RetentionPolicy": "Setting",
    "AreaName": "Name of an area",
    "Sync": "Synchronisation",
}
"""Types of aggregate whose name does not say it."""

LABELS = {
    "area_id": "area",
    "capacity": "seats",
    "confirm_within": "confirm the address within",
    "ends_at": "ends",
    "timezone": "time zone",
    "cleaned_up": "removed as past",
    "event_count": "events",
    "event_datetime": "begins",
    "event_id": "event",
    "full": "in full",
    "holder": "held by",
    "notification_id": "notification",
    "registration_deadline": "registration ends",
    "retention_days": "visitors are kept for (days)",
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
    """The phrase for an event; the topic itself if this release does not know it."""
    known = EVENT_TYPES.get(topic)
    return known.phrase if known else topic


def kind(aggregate_type: str) -> str:
    return KINDS.get(aggregate_type, aggregate_type)


def label(field: str) -> str:
    return LABELS.get(field, field.replace("_", " "))


def types() -> list[tuple[str, str]]:
    """All types that the log can be filtered by, with their names."""
    known: dict[str, str] = {}
    for topic in sorted(EVENT_TYPES):
        aggregate_type = topic.partition(".")[0]
        known.setdefault(aggregate_type, f"{kind(aggregate_type)}: all")
        known[topic] = f"{kind(aggregate_type)}: {phrase(topic)}"
    return list(known.items())
