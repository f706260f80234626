"""Filters of the log and the requested moment, from the page's address."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from api.http.requests import Request
from domain.audit.log import Criteria
from domain.audit.point_in_time import parse_time
from domain.core.errors import InvalidFields
from domain.core.values import Invalid, Line

T = TypeVar("T")

SHOW = "show"
"""The query parameter that says whose events are shown: `people` or `everything`."""

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

    fields: dict[str, Any] = {
        "aggregate_id": given("aggregate", _id),
        "type": given("type", _topic),
        "since": given("from", _time),
        "until": given("until", _time),
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


def in_utc(text: str) -> str:
    """The text; a time without a zone is taken as UTC."""
    return f"{text}Z" if _WITHOUT_ZONE.fullmatch(text) else text


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


def _time(text: str) -> datetime:
    return parse_time(in_utc(text[:_LONGEST]))
