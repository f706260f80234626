"""The texts of all messages to visitors, in plain text.

No text has the name of a person: anybody can register somebody else's address, and make us write
to it. The confirmation code comes first, so that it is not mistaken for another number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal

import msgspec

from domain.core.times import in_timezone

Kind = Literal[
    "registered",
    "waiting",
    "confirm",
    "promoted",
    "cancelled",
    "changed",
    "event_cancelled",
    "event_reinstated",
    "reminder",
]


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a message says besides the event's name and time."""

    code: str | None = None
    confirm_by: datetime | None = None
    place: int | None = None
    """Place in line, from 1."""
    waited: bool = False
    """Whether the visitor is, or was, on the waiting list."""
    reason: str = ""
    area: str | None = None
    """Name of the area."""
    unconfirmed: bool = False
    """Whether the seat is, or was, only reserved."""


class EventFacts(msgspec.Struct, frozen=True):
    """What each message says of the event."""

    name: str
    begins: datetime
    timezone: str
    cancelled: bool = False


def text_of(kind: Kind, facts: Facts, event: EventFacts, link: str | None = None) -> str:
    """`link` leads to the visitor's own page; None when it is not known where people reach it."""
    paragraphs = [
        f"Your confirmation code is {facts.code}" if facts.code else "",
        _NEWS[kind](facts, event),
        _event_cancelled(facts, event) if event.cancelled and kind != "event_cancelled" else "",
        f"Reason: {facts.reason}" if facts.reason else "",
        "\n".join(filter(None, [event.name, _time(event.begins, event), facts.area])),
        f"{_purpose_of_link(kind, facts)}: {link}" if link and kind not in _OVER else "",
    ]
    return "\n\n".join(filter(None, paragraphs))


def _registered(facts: Facts, event: EventFacts) -> str:
    return "You are registered for this event."


def _waiting(facts: Facts, event: EventFacts) -> str:
    place = f" You are number {facts.place} in line." if facts.place else ""
    return (
        f"You are on the waiting list of this event.{place} "
        "You get a message as soon as there is a seat for you."
    )


def _confirm(facts: Facts, event: EventFacts) -> str:
    return f"A seat of this event is reserved for you. {_please_confirm(facts, event)}"


def _please_confirm(facts: Facts, event: EventFacts) -> str:
    by = f" by {_time(facts.confirm_by, event)}" if facts.confirm_by else ""
    return f"Please confirm your email address{by}; after that, the seat goes to somebody else."


def _promoted(facts: Facts, event: EventFacts) -> str:
    return "You got a seat: you were on the waiting list, and now you are registered."


def _cancelled(facts: Facts, event: EventFacts) -> str:
    if facts.waited:
        return "You are no longer on the waiting list of this event."
    return "Your registration for this event is cancelled."


def _changed(facts: Facts, event: EventFacts) -> str:
    return "The time or the place of this event has changed. Now it takes place:"


def _event_cancelled(facts: Facts, event: EventFacts) -> str:
    return "This event is cancelled. It does not take place."


def _event_reinstated(facts: Facts, event: EventFacts) -> str:
    news = "This event was cancelled, but it takes place after all."
    if facts.waited:
        return f"{news} You keep your place on the waiting list."
    if facts.confirm_by:
        return f"{news} Your seat is still reserved for you. {_please_confirm(facts, event)}"
    return f"{news} You need not register again."


def _reminder(facts: Facts, event: EventFacts) -> str:
    return "This event begins soon, and you are registered for it."


_NEWS: Mapping[Kind, Callable[[Facts, EventFacts], str]] = {
    "registered": _registered,
    "waiting": _waiting,
    "confirm": _confirm,
    "promoted": _promoted,
    "cancelled": _cancelled,
    "changed": _changed,
    "event_cancelled": _event_cancelled,
    "event_reinstated": _event_reinstated,
    "reminder": _reminder,
}


def _purpose_of_link(kind: Kind, facts: Facts) -> str:
    if kind == "confirm" or facts.confirm_by:
        return "To confirm or cancel"
    if kind == "waiting" or facts.waited:
        return "To see your place in line, or to leave it"
    return "To see or cancel your registration"


_OVER: frozenset[Kind] = frozenset({"cancelled"})
"""Messages after which the visitor's link is not valid any more."""


def _time(moment: datetime, event: EventFacts) -> str:
    """With the weekday, the date, the hour and the time zone, for people."""
    local, zone = in_timezone(moment, event.timezone)
    return f"{local:%A}, {local.day} {local:%B} {local.year}, {local:%H:%M} ({zone})"
