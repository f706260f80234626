"""Values of stored events as people read them: ids as names, times in an event's zone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from api.admin.durations import in_words
from api.admin.kit import question_words
from api.html.times import short_moment

MAX_LISTED = 10
"""Items of a list that are shown one by one."""

APART = {"announced", "said"}
"""Fields with nested fields whose names repeat those beside them."""

DURATIONS = {"confirm_within", "reminders"}
"""Fields with a duration, or with several."""

OF_KEY = "key:"
"""Before the id of an API key that is the actor."""

LABELS = {
    "announced_area_id": "area, as announced",
    "announced_event_datetime": "begins, as announced",
    "area_id": "area",
    "capacity": "seats",
    "confirm_within": "confirm the address within",
    "ends_at": "ends",
    "timezone": "time zone",
    "visitor_id": "visitor",
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

Value = str | datetime


class Fact(msgspec.Struct, frozen=True):
    label: str
    value: Value
    old: Value | None = None
    """None when the fact is not about a change."""


class Words(msgspec.Struct, frozen=True):
    """What values are shown with."""

    names: Mapping[UUID, str]
    zone: str | None = None
    """Of the event that the times belong to; None for times that are not an event's."""

    def fact(self, field: str, value: Any) -> Fact:
        return Fact(label(field), self._of(field, value))

    def changes(self, field: str, old: Any, value: Any) -> Iterator[Fact]:
        """Of a field; of the questions of an event one for each that changed."""
        if field == question_words.FIELD:
            for what, was, now in question_words.differences(old or (), value or ()):
                yield Fact(what, now, was)
        else:
            yield Fact(label(field), self._of(field, value), self._of(field, old))

    def _of(self, field: str, value: Any) -> Value:
        if field == question_words.FIELD and value:
            return "; ".join(map(question_words.in_words, value))
        if field in DURATIONS and value:
            value = in_words(value) if isinstance(value, str) else [*map(in_words, value)]
        return self._shown(value)

    def _shown(self, value: Any) -> Value:
        if value in (None, "", [], ()):
            return "none"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, list | tuple):
            if len(value) > MAX_LISTED:
                return f"{len(value):,} items"
            return ", ".join(str(self._shown(item)) for item in value)
        if isinstance(value, dict):
            return ", ".join(f"{label(key)}: {self._shown(item)}" for key, item in value.items())
        for id in ids_of([value]):
            return self.names.get(id, str(id))
        if isinstance(value, str) and "T" in value:
            with suppress(msgspec.ValidationError):
                return self._moment(msgspec.convert(value, datetime), value)
        return str(value)

    def _moment(self, moment: datetime, stored: str) -> Value:
        if moment.tzinfo is None:
            return stored
        return moment if self.zone is None else short_moment(moment, self.zone)


def flattened(state: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with nested ones moved up."""
    flat: dict[str, Any] = {}
    for name, value in state.items():
        if not isinstance(value, dict):
            flat[name] = value
        elif name in APART:
            flat |= {f"{name}_{inner}": v for inner, v in flattened(value).items()}
        else:
            flat |= flattened(value)
    return flat


def label(field: str) -> str:
    return LABELS.get(field, field.replace("_", " "))


def last_name(path: str) -> str:
    """The name that `flattened` gives to the field at this path."""
    *outer, name = path.split(".")
    return f"{outer[-1]}_{name}" if outer and outer[-1] in APART else name


def ids_of(values: Iterable[Any]) -> Iterator[UUID]:
    """Of values that are an id, or an actor with an id."""
    for value in values:
        if isinstance(value, str) and len(id := value.removeprefix(OF_KEY)) == 36:
            with suppress(ValueError):
                yield UUID(id)


def short(id: UUID) -> str:
    """The end of an id: ids that were made one after the other begin alike."""
    return f"…{str(id)[-8:]}"
