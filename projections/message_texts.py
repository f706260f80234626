"""What all messages to visitors say: the text of notifications, and the parts of mails.

No text has the name of a person: anybody can register somebody else's address, and make us write
to it. The confirmation code comes first, so that it is not mistaken for another number.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

import msgspec

from domain.core.times import in_timezone
from runtime.languages.locale import IN_ENGLISH, Locale

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

    locale: Locale
    heading: str
    code: str | None
    paragraphs: tuple[str, ...]
    event: str
    when: str
    where: str | None
    link: Link | None
    page: str | None = None
    """Address of the event's own page, for everybody."""

    @property
    def subject(self) -> str:
        return self._labelled(self.heading, self.event)

    @property
    def text(self) -> str:
        _ = self.locale.gettext
        parts = [
            _("Your confirmation code is %(code)s", code=self.code) if self.code else "",
            *self.paragraphs,
            "\n".join(filter(None, [self.event, self.when, self.where])),
            self._labelled(self.link.purpose, self.link.url) if self.link else "",
            self._labelled(_("Page of the event"), self.page) if self.page else "",
        ]
        return "\n\n".join(filter(None, parts))

    def _labelled(self, label: str, text: str) -> str:
        return self.locale.gettext("%(label)s: %(text)s", label=label, text=text)


def content_of(
    kind: Kind,
    facts: Facts,
    event: EventFacts,
    url: str | None = None,
    locale: Locale = IN_ENGLISH,
    page: str | None = None,
) -> Content:
    """`url` is that of the visitor's own page, `page` that of the event's; None when it is not
    known where people reach them."""
    return _Writer(kind, facts, event, locale).content(url, page)


_OVER: frozenset[Kind] = frozenset({"cancelled"})
"""Messages after which the visitor's link is not valid any more."""


class _Writer(msgspec.Struct, frozen=True):
    kind: Kind
    facts: Facts
    event: EventFacts
    locale: Locale

    def content(self, url: str | None, page: str | None) -> Content:
        news: Callable[[], str] = getattr(self, f"_{self.kind}")
        paragraphs = [news(), self._event_is_off(), self._reason()]
        return Content(
            locale=self.locale,
            heading=self._heading(),
            code=self.facts.code,
            paragraphs=tuple(filter(None, paragraphs)),
            event=self.event.name,
            when=self._period(),
            where=self.facts.area or self.event.area,
            link=Link(*self._purpose_of_link(), url) if url and self.kind not in _OVER else None,
            page=page,
        )

    def _heading(self) -> str:
        _ = self.locale.gettext
        match self.kind:
            case "registered":
                return _("You are registered")
            case "waiting":
                return _("You are on the waiting list")
            case "confirm":
                return _("Please confirm your email address")
            case "promoted":
                return _("You got a seat")
            case "cancelled" if self.facts.waited:
                return _("You left the waiting list")
            case "cancelled":
                return _("Your registration is cancelled")
            case "changed":
                return _("New time or place")
            case "event_cancelled":
                return _("This event is cancelled")
            case "event_reinstated":
                return _("This event takes place after all")
            case "reminder":
                return _("This event begins soon")

    def _registered(self) -> str:
        return self.locale.gettext("You are registered for this event.")

    def _waiting(self) -> str:
        _ = self.locale.gettext
        if self.facts.place:
            return _(
                "You are on the waiting list of this event. You are number %(place)s in line. You"
                " get a message as soon as there is a seat for you.",
                place=self.facts.place,
            )
        return _(
            "You are on the waiting list of this event. You get a message as soon as there is a"
            " seat for you."
        )

    def _confirm(self) -> str:
        reserved = self.locale.gettext("A seat of this event is reserved for you.")
        return f"{reserved} {self._please_confirm()}"

    def _please_confirm(self) -> str:
        _ = self.locale.gettext
        if self.facts.confirm_by is None:
            return _(
                "Please confirm your email address; after that, the seat goes to somebody else."
            )
        return _(
            "Please confirm your email address by %(time)s; after that, the seat goes to somebody"
            " else.",
            time=self._moment(self.facts.confirm_by),
        )

    def _promoted(self) -> str:
        return self.locale.gettext(
            "You got a seat: you were on the waiting list, and now you are registered."
        )

    def _cancelled(self) -> str:
        _ = self.locale.gettext
        if self.facts.waited:
            return _("You are no longer on the waiting list of this event.")
        return _("Your registration for this event is cancelled.")

    def _changed(self) -> str:
        return self.locale.gettext(
            "The time or the place of this event has changed. Now it takes place:"
        )

    def _event_cancelled(self) -> str:
        return self.locale.gettext("This event is cancelled. It does not take place.")

    def _event_reinstated(self) -> str:
        _ = self.locale.gettext
        news = _("This event was cancelled, but it takes place after all.")
        if self.facts.waited:
            then = _("You keep your place on the waiting list.")
        elif self.facts.confirm_by:
            reserved = _("Your seat is still reserved for you.")
            then = f"{reserved} {self._please_confirm()}"
        else:
            then = _("You need not register again.")
        return f"{news} {then}"

    def _reminder(self) -> str:
        return self.locale.gettext("This event begins soon, and you are registered for it.")

    def _event_is_off(self) -> str:
        """For messages about something else."""
        is_off = self.event.cancelled and self.kind != "event_cancelled"
        return self._event_cancelled() if is_off else ""

    def _reason(self) -> str:
        reason = self.facts.reason
        return self.locale.gettext("Reason: %(reason)s", reason=reason) if reason else ""

    def _purpose_of_link(self) -> tuple[str, str]:
        _ = self.locale.gettext
        if self.kind == "confirm" or self.facts.confirm_by:
            return _("To confirm or cancel"), _("Confirm or cancel")
        if self.kind == "waiting" or self.facts.waited:
            return _("To see your place in line, or to leave it"), _("Your place in line")
        return _("To see or cancel your registration"), _("Your registration")

    def _period(self) -> str:
        """When the event begins and, where that is known, ends."""
        event, locale = self.event, self.locale
        if event.ends is None:
            return self._moment(event.begins)
        begins, zone = in_timezone(event.begins, event.timezone)
        ends, _ = in_timezone(event.ends, event.timezone)
        times = {"begins": locale.time(begins), "ends": locale.time(ends), "zone": zone}
        if begins.date() == ends.date():
            return locale.gettext(
                "%(day)s, %(begins)s to %(ends)s (%(zone)s)", day=locale.day(begins), **times
            )
        return locale.gettext(
            "%(first)s, %(begins)s to %(last)s, %(ends)s (%(zone)s)",
            first=locale.day(begins),
            last=locale.day(ends),
            **times,
        )

    def _moment(self, moment: datetime) -> str:
        """With the weekday, the date, the hour and the time zone."""
        return self.locale.moment(*in_timezone(moment, self.event.timezone))
