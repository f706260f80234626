"""`/events/`: upcoming events, by name and month, in pages. Cached as the API's list is."""

from __future__ import annotations

import re
from datetime import MAXYEAR, UTC, datetime, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Response, get
from psycopg import AsyncConnection

from api.html.forms import whole_number
from api.html.states import State, state_of
from api.html.times import When, when
from api.http.access import Who
from api.http.reads import read_cached
from api.http.requests import Request
from api.http.responses import Ready
from api.pages.formats import tagged_page
from api.pages.languages import Reader, chosen_language, reader_of
from api.pages.rendering import rendered
from domain.core.languages import Language
from projections.event_list import EventFilter, list_events, list_version
from projections.events import EventRow
from projections.lists.cursor import Page, Period
from runtime.languages.locale import Locale

PAGE_SIZE = 20

MAX_PAGE = 10_000

MAX_NAME = 255

MONTHS_OFFERED = 12

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


class Month(msgspec.Struct, frozen=True, order=True):
    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Month | None:
        found = _MONTH.fullmatch(text)
        month = cls(int(found[1]), int(found[2])) if found else None
        return month if month and 1 <= month.year < MAXYEAR else None

    @property
    def begin(self) -> datetime:
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def next(self) -> Month:
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the address asks for. What it does not know is ignored: links carry all sorts of it."""

    name: str = ""
    month: Month | None = None
    page: int = 1
    language: Language | None = None
    """That the address names."""

    @classmethod
    def of(cls, request: Request) -> Wanted:
        given = request.query_params
        name = given.get("q", "").replace("\0", " ").strip()[:MAX_NAME]
        number = whole_number(given.get("page", "")) or 1
        return cls(
            name=name,
            month=Month.parse(given.get("month", "")),
            page=min(number, MAX_PAGE),
            language=chosen_language(request),
        )

    @property
    def query(self) -> dict[str, str]:
        """Of its address."""
        given = {
            "q": self.name,
            "month": str(self.month or ""),
            "page": str(self.page) if self.page > 1 else "",
            "lang": self.language or "",
        }
        return {key: value for key, value in given.items() if value}

    def address(self, **changes: Any) -> str:
        """Of the same list with changes."""
        query = urlencode(msgspec.structs.replace(self, **changes).query)
        return f"/events/?{query}" if query else "/events/"


@get("/events/", include_in_schema=False, opt={"access": Who.ANYONE})
async def event_list(request: Request) -> Response[Any]:
    wanted, reader = Wanted.of(request), reader_of(request)
    hour = this_hour()

    async def listing(connection: AsyncConnection[Any]) -> tuple[Page[Any], datetime]:
        now = datetime.now(UTC)
        page = await list_events(
            connection,
            request.connections.totals,
            EventFilter(
                name_fragment=wanted.name,
                begins_from=max(hour, wanted.month.begin) if wanted.month else hour,
                begins_before=wanted.month.next.begin if wanted.month else None,
            ),
            now=now,
            descending=False,
            limit=PAGE_SIZE,
            offset=(wanted.page - 1) * PAGE_SIZE,
        )
        return as_of(page, now), now

    async def respond(page: Page[EventRow], now: datetime) -> Ready:
        return tagged_page(_rendered(reader, wanted, page, now), reader)

    key = f"page {hour.isoformat()} {reader.language} {wanted.address()}"
    return await read_cached(request, key, 0, list_version, listing, respond)


def this_hour() -> datetime:
    """Lists have the events that begin in this hour or later: so a list is the same for an hour,
    and its total is counted once."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def as_of(page: Page[EventRow], now: datetime) -> Page[EventRow]:
    """The page, valid until one of its events begins, ends, or takes no more registrations, and
    until the end of the hour."""
    end = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    moments = [
        moment
        for row in page.rows
        for moment in (row.registration_deadline, row.event_datetime, row.ends_at)
        if moment and moment > now
    ]
    return msgspec.structs.replace(page, valid=Period(now, min([end, *moments])))


def _rendered(reader: Reader, wanted: Wanted, page: Page[EventRow], now: datetime) -> bytes:
    return rendered(
        reader,
        "events.html",
        query=msgspec.structs.replace(wanted, language=None).query,
        wanted=wanted,
        months=_months(wanted, now),
        by_month=_by_month(entries(page, now, reader.locale), reader.locale),
        found=_found(wanted, page.total, reader.locale),
        last_page=max(1, -(-page.total // PAGE_SIZE)),
    )


Entry = tuple[EventRow, When, State]


def entries(page: Page[EventRow], now: datetime, locale: Locale) -> list[Entry]:
    """Without those of this hour that are over."""
    listed = [(event, when(event, locale), state_of(event, now)) for event in page.rows]
    return [entry for entry in listed if entry[2] != "over"]


def _found(wanted: Wanted, total: int, locale: Locale) -> str:
    """How many events there are like that."""
    values = {"number": locale.number(total), "name": wanted.name}
    if wanted.month is None:
        return locale.ngettext(
            "%(number)s event with “%(name)s” in the name.",
            "%(number)s events with “%(name)s” in the name.",
            total,
            **values,
        )
    values["month"] = locale.month(wanted.month.begin)
    if not wanted.name:
        return locale.ngettext(
            "%(number)s event in %(month)s.", "%(number)s events in %(month)s.", total, **values
        )
    return locale.ngettext(
        "%(number)s event with “%(name)s” in the name in %(month)s.",
        "%(number)s events with “%(name)s” in the name in %(month)s.",
        total,
        **values,
    )


def _by_month(listed: list[Entry], locale: Locale) -> list[tuple[str, list[Entry]]]:
    groups = groupby(listed, lambda entry: locale.month(entry[1].begins))
    return [(month, list(group)) for month, group in groups]


def _months(wanted: Wanted, now: datetime) -> list[Month]:
    months = [Month(now.year, now.month)]
    while len(months) < MONTHS_OFFERED:
        months.append(months[-1].next)
    return sorted({*months, *([wanted.month] if wanted.month else [])})
