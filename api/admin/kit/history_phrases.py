"""History in words: actors, the phrase of each event, and labels for aggregates and fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from api.admin.kit.history_values import OF_KEY, ids_of, short
from domain.core.aggregate import EVENT_TYPES
from domain.visitors import Cancelled, Confirmed, Registered, Waitlisted
from projections.message_texts import Kind

ACTORS = {
    "anonymous": "somebody without an account",
    "system:cleanup": "the cleanup",
    "system:cli": "the command line",
    "system:demo": "the demo",
    "system:promoter": "the waiting list",
    "system:scheduler": "the scheduler",
    "system:sync": "the sync",
    "system:worker": "the delivery of messages",
}

BY_VISITOR = {
    Cancelled.topic: "cancelled the registration",
    Confirmed.topic: "confirmed the address",
    Registered.topic: "registered",
    Waitlisted.topic: "joined the waiting list",
}
"""What visitors did themselves."""

KINDS = {
    "ApiKey": "API key",
    "RetentionPolicy": "Setting",
    "AreaName": "Name of an area",
    "Notification": "Message",
}
"""Types of aggregate whose name does not say it."""


KINDS_OF_MESSAGES: Mapping[Kind, str] = {
    "registered": "Registered",
    "waiting": "On the waiting list",
    "confirm": "Confirm the address",
    "promoted": "Got a seat",
    "cancelled": "Registration cancelled",
    "changed": "Time or place changed",
    "event_cancelled": "Event cancelled",
    "event_reinstated": "Event reinstated",
    "reminder": "Reminder",
}
"""What each kind of message is about."""


def phrase(topic: str) -> str:
    """The phrase for an event; the topic itself if this release does not know it."""
    known = EVENT_TYPES.get(topic)
    return known.phrase if known else topic


def kind(aggregate_type: str) -> str:
    return KINDS.get(aggregate_type, aggregate_type)


def phrase_by_visitor(topic: str) -> str | None:
    """If it is an event that visitors cause themselves."""
    return BY_VISITOR.get(topic)


def in_one_sentence(topics: Sequence[str]) -> str:
    """What these events did, one after the other."""
    *before, last = dict.fromkeys(map(phrase, topics))
    return f"{', '.join(before)} and {last}" if before else last


def actor_in_words(actor: str | None, names: Mapping[UUID, str]) -> str:
    """`names` has those of accounts and API keys."""
    for id in ids_of([actor]):
        name = names.get(id, short(id))
        return f"API key {name}" if str(actor).startswith(OF_KEY) else name
    return ACTORS.get(actor or "", (actor or "unknown").replace("system:", "system: "))


def types() -> list[tuple[str, str]]:
    """All types that the log can be filtered by, with their names."""
    known: dict[str, str] = {}
    for topic in sorted(EVENT_TYPES):
        aggregate_type = topic.partition(".")[0]
        known.setdefault(aggregate_type, f"{kind(aggregate_type)}: all")
        known[topic] = f"{kind(aggregate_type)}: {phrase(topic)}"
    return list(known.items())
