"""Filters of the log and the requested moment, from the page's address."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from api.admin.event_times import as_sent
from api.http.requests import Request
from domain.audit.log import Criteria
from domain.audit.point_in_time import parse_time
from domain.core.errors import InvalidFields
from domain.core.times import timezones
from domain.core.values import Invalid, Line

T = TypeVar("T")

SHOW = "show"
"""The query parameter that says whose events are shown: `people` or `everything`."""

ZONE, IN_UTC = "zone", "UTC"
"""The query parameter with the zone of the times in the address, and the zone without one."""

TIMES = ("from", "until")

FILTERS = ("type", "actor", "from", "until", "aggregate")

_LONGEST = 64

_TOPIC = re.compile(r"[A-Za-z.]+", re.ASCII)

_WITHOUT_ZONE = re.compile(r"\d{4,}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?", re.ASCII)
"""What a `datetime-local` input sends."""


async def asked_criteria(request: Request) -> Criteria:
    """Raises InvalidFields naming every invalid value."""
    wrong: dict[str, str] = {}

    def given(name: str, parse: Callable[[str], T]) -> T | None:
        text = request.query_params.get(name, "").strip()
        try:
            return parse(text) if text else None
        except Invalid as error:
            wrong[name] = str(error)
            return None

    zone = asked_zone(request)

    def moment(text: str) -> datetime:
        return parse_time(with_zone(text[:_LONGEST], zone))

    fields: dict[str, Any] = {
        "aggregate_id": given("aggregate", _id),
        "type": given("type", _topic),
        "since": given("from", moment),
        "until": given("until", moment),
    }
    if who := given("actor", Line):
        fields["actor"] = await _actor(request, who)
        if fields["actor"] is None:
            wrong["actor"] = "is not the username or id of an account"
    if wrong:
        raise InvalidFields(**wrong)
    return Criteria(**fields, by_people=_by_people(request))


def has_filter(request: Request) -> bool:
    return any(request.query_params.get(name, "").strip() for name in FILTERS)


def _by_people(request: Request) -> bool:
    """Unless everything is asked for: who looks for something finds all of it."""
    asked = request.query_params.get(SHOW)
    return asked == "people" or (asked != "everything" and not has_filter(request))


def asked_zone(request: Request) -> str:
    """The time zone of the times in the address. A script names the reader's; without it they are
    in UTC."""
    zone = request.query_params.get(ZONE, IN_UTC)
    return zone if zone in timezones() else IN_UTC


def with_zone(text: str, zone: str) -> str:
    """The text; a time without an offset is one in this zone. Raises Invalid."""
    if not _WITHOUT_ZONE.fullmatch(text):
        return text
    return f"{text}Z" if zone == IN_UTC else as_sent(text, zone)


def shown_in_utc(values: Mapping[str, str], zone: str) -> dict[str, str]:
    """Valid values of the form, with its times in UTC: the script shows them in the reader's zone
    again."""
    if zone == IN_UTC:
        return dict(values)
    times = {name: values[name].strip() for name in TIMES if values.get(name, "").strip()}
    in_utc = {name: with_zone(text, zone).removesuffix("Z") for name, text in times.items()}
    return {**values, **in_utc, ZONE: IN_UTC}


async def _actor(request: Request, who: Line) -> str | None:
    """The actor as history names it; None when there is no such account."""
    if who == "anonymous" or who.startswith(("system:", "key:")):
        return str(who)[:_LONGEST]
    try:
        return str(UUID(who))
    except ValueError:
        credential = await request.connections.credentials.of(who)
        return str(credential.account_id) if credential else None


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Invalid("must be a UUID") from None


def _topic(text: str) -> str:
    if len(text) > _LONGEST or not _TOPIC.fullmatch(text):
        raise Invalid("must be one of the listed types")
    return text
