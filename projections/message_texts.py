"""What all messages to visitors say: the text of notifications, and the parts of mails.

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
    """Name of the area, as it was announced."""
    unconfirmed: bool = False
    """Whether the seat is, or was, only reserved."""


class EventFacts(msgspec.Struct, frozen=True):
    """What each message says of the event."""

    name: str
    begins: datetime
    timezone: str
    cancelled: bool = False
    ends: datetime | None = None
    area: str | None = None
    """Name of the area."""


class Link(msgspec.Struct, frozen=True):
    """To the visitor's own page."""

    purpose: str
    label: str
    """The same, on a button."""
    url: str


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What a message says, in the order in which it is read."""

    heading: str
    code: str | None
    paragraphs: tuple[str, ...]
    event: str
    when: str
    where: str | None
    link: Link | None

    @property
    def subject(self) -> str:
        return f"{self.heading}: {self.event}"

    @property
    def text(self) -> str:
        parts = [
            f"Your confirmation code is {self.code}" if self.code else "",
            *self.paragraphs,
            "\n".join(filter(None, [self.event, self.when, self.where])),
            f"{self.link.purpose}: {self.link.url}" if self.link else "",
        ]
        return "\n\n".join(filter(None, parts))


def content_of(kind: Kind, facts: Facts, event: EventFacts, url: str | None = None) -> Content:
    """`url` is that of the visitor's own page; None when it is not known where people reach it."""
    paragraphs = [
        _NEWS[kind](facts, event),
        _event_cancelled(facts, event) if event.cancelled and kind != "event_cancelled" else "",
        f"Reason: {facts.reason}" if facts.reason else "",
    ]
    return Content(
        heading=_heading(kind, facts),
        code=facts.code,
        paragraphs=tuple(filter(None, paragraphs)),
        event=event.name,
        when=_period(event),
        where=facts.area or event.area,
        link=Link(*_purpose_of_link(kind, facts), url) if url and kind not in _OVER else None,
    )


_HEADINGS: Mapping[Kind, str] = {
    "registered": "You are registered",
    "waiting": "You are on the waiting list",
    "confirm": "Please confirm your email address",
    "promoted": "You got a seat",
    "cancelled": "Your registration is cancelled",
    "changed": "New time or place",
    "event_cancelled": "This event is cancelled",
    "event_reinstated": "This event takes place after all",
    "reminder": "This event begins soon",
}


def _heading(kind: Kind, facts: Facts) -> str:
    if kind == "cancelled" and facts.waited:
        return "You left the waiting list"
    return _HEADINGS[kind]


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


def _purpose_of_link(kind: Kind, facts: Facts) -> tuple[str, str]:
    if kind == "confirm" or facts.confirm_by:
        return "To confirm or cancel", "Confirm or cancel"
    if kind == "waiting" or facts.waited:
        return "To see your place in line, or to leave it", "Your place in line"
    return "To see or cancel your registration", "Your registration"


_OVER: frozenset[Kind] = frozenset({"cancelled"})
"""Messages after which the visitor's link is not valid any more."""


def _period(event: EventFacts) -> str:
    """When the event begins and, where that is known, ends."""
    if event.ends is None:
        return _time(event.begins, event)
    begins, zone = in_timezone(event.begins, event.timezone)
    ends, _ = in_timezone(event.ends, event.timezone)
    if begins.date() == ends.date():
        return f"{_day(begins)}, {begins:%H:%M} to {ends:%H:%M} ({zone})"
    return f"{_day(begins)}, {begins:%H:%M} to {_day(ends)}, {ends:%H:%M} ({zone})"


def _time(moment: datetime, event: EventFacts) -> str:
    """With the weekday, the date, the hour and the time zone, for people."""
    local, zone = in_timezone(moment, event.timezone)
    return f"{_day(local)}, {local:%H:%M} ({zone})"


def _day(local: datetime) -> str:
    return f"{local:%A}, {local.day} {local:%B} {local.year}"
