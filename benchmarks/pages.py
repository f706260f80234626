"""The pages that people open in a large installation: one of each kind that links lead to, and
what they look for."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import httpx

from benchmarks.servers import Database

USERNAME, PASSWORD = "root", "a long enough password"
"""Of an account that lives for a minute."""

WARM_UP = 3
"""Requests for each page before those that are measured."""

EACH = "*"
"""Stands in an address for a number that no request had before: such a page is never cached."""

Pages = Mapping[str, str]
"""Addresses, by what is measured."""

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_LINK = re.compile(r'href="([^"#]+)')

_PAGE = re.compile(r"/admin/.*|/events/.*|/")

WITH_SOMETHING: Mapping[str, LiteralString] = {
    "CROWDED": "SELECT event_id FROM visitors GROUP BY 1 ORDER BY count(*) DESC LIMIT 1",
    "EVENT": "SELECT event_id FROM visitors ORDER BY registered_at DESC LIMIT 1",
    "REMOVED": "SELECT originator_id FROM history_events WHERE topic = 'Event.Deleted' LIMIT 1",
    "VISITOR": "SELECT id FROM visitors ORDER BY registered_at LIMIT 1",
    "AREA": "SELECT id FROM areas ORDER BY event_count DESC LIMIT 1",
    "HALL": "SELECT name FROM areas ORDER BY event_count DESC LIMIT 1",
    "FAIR": "SELECT name FROM events WHERE event_datetime > now() ORDER BY event_datetime LIMIT 1",
    "LAST": "SELECT (count(*) - 1) / 50 + 1 FROM events WHERE event_datetime > now()",
    "LAST_OF_ALL": "SELECT (count(*) - 1) / 50 + 1 FROM events",
}
"""What stands for it in `LOOKED_FOR`, and where it is found."""

LOOKED_FOR = """
/admin/events/?page=LAST
/admin/events/?time=all
/admin/events/?time=all&page=1000
/admin/events/?time=all&page=LAST_OF_ALL
/admin/events/?time=past
/admin/events/?time=past&page=500
/admin/events/?order=name
/admin/events/?order=-name&page=500
/admin/events/?time=all&order=name
/admin/events/?time=all&order=name&page=1000
/admin/events/?time=all&order=-name&page=LAST_OF_ALL
/admin/events/?name=rust
/admin/events/?name=zur&order=name
/admin/events/?name=rust&status=registrable&time=all
/admin/events/?name=ru&time=all
/admin/events/?name=nothing+like+this&time=all
/admin/events/?status=registrable
/admin/events/?status=full
/admin/events/?status=cancelled&time=all
/admin/events/?status=closed&time=past&order=name
/admin/events/?date=YEAR
/admin/events/?date=MONTH&time=all&order=name
/admin/events/?date=DAY&time=all
/admin/events/?area=HALL
/admin/events/?area=hall&time=all
/admin/areas/?name=hall+2
/admin/visitors/?q=ada
/admin/visitors/?q=ada+brontë
/admin/visitors/?q=visitor
/admin/visitors/?q=visitor.number.7777%40
/admin/visitors/?q=nobody
/admin/visitors/?status=waiting
/admin/visitors/?status=cancelled&q=ada
/admin/visitors/?status=erased
/admin/visitors/?event=CROWDED
/admin/visitors/?event=CROWDED&q=ada
/admin/visitors/?event=CROWDED&q=umber.1234
/admin/visitors/?event=CROWDED&status=cancelled
/admin/visitors/?event=EVENT&q=umber
/admin/visitors/?event=EVENT&status=waiting
/admin/notifications/?state=sent
/admin/notifications/?state=failed
/admin/notifications/?state=waiting
/admin/notifications/?q=rust
/admin/notifications/?q=ada
/admin/notifications/?q=FAIR
/admin/notifications/?q=ada&state=waiting
/admin/notifications/?date=MONTH
/admin/notifications/?date=DAY&state=failed
/admin/history/?show=everything
/admin/history/?actor=root
/admin/history/?actor=anonymous&type=Visitor.Registered
/admin/history/?aggregate=CROWDED
/admin/history/?aggregate=VISITOR
/admin/history/?type=Event.Deleted
/admin/history/?from=DAY&until=NEXT_DAY
/admin/history/?older_than=1000
/admin/history/AREA
/admin/events/REMOVED
/admin/events/EVENT
/admin/history/EVENT?at=DAYT12:00
/
/events/?page=*
/events/?page=2*
/events/?q=rust&page=*
/events/?month=MONTH&page=*
/events/EVENT/
/events/REMOVED/
/sitemap.xml
/api/calendar.ics
/api/calendar.ics?name=rust
/api/events/CROWDED/calendar.ics
/api/events/?offset=1*
"""

STARTS = "/admin/events/CROWDED", "/admin/visitors/VISITOR", "/admin/areas/AREA", "/admin/", "/"
"""Where links are followed from. The first page of a kind is the one that is measured."""


def pages_of(database: Database, browser: httpx.Client) -> Pages:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    names = {
        "YEAR": f"{yesterday + timedelta(days=180):%Y}",
        "MONTH": f"{yesterday:%Y-%m}",
        "NEXT_DAY": f"{yesterday + timedelta(days=1):%Y-%m-%d}",
        "DAY": f"{yesterday:%Y-%m-%d}",
    }
    with database.connect() as connection:
        for name, query in WITH_SOMETHING.items():
            row = connection.execute(query).fetchone()
            names[name] = str(row[0]) if row else ""
    known = re.compile(rf"\b({'|'.join(sorted(names, key=len, reverse=True))})(?=T|\b)")

    def address(text: str) -> str:
        return known.sub(lambda name: names[name[0]], text)

    linked = _linked(browser, map(address, STARTS))
    return linked | {text: address(text) for text in LOOKED_FOR.split()}


def _linked(browser: httpx.Client, starts: Iterable[str]) -> dict[str, str]:
    """One page of each kind, found by following links."""
    found, waiting, kinds = dict[str, str](), list(starts), set[str]()
    while waiting:
        address = waiting.pop(0)
        path = address.partition("?")[0].rstrip("/") or "/"
        kind = re.sub(r"(?<=/)\d+\b", "N", ID.sub("ID", path))
        if kind in kinds or not _PAGE.fullmatch(f"{path}/" if path != "/" else path):
            continue
        kinds.add(kind)
        with browser.stream("GET", path) as answer:
            if answer.headers.get("content-type", "").startswith("text/html"):
                found[kind] = path
                answer.read()
                waiting += map(html.unescape, _LINK.findall(answer.text))
    return found


@contextmanager
def signed_in(origin: str) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=origin, follow_redirects=True, timeout=60, trust_env=False
    ) as browser:
        page = browser.get("/admin/sign-in").text
        token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        form = {"csrf_token": token, "username": USERNAME, "password": PASSWORD}
        browser.post("/admin/sign-in", data=form).raise_for_status()
        yield browser


def times_of(browser: httpx.Client, address: str, requests: int) -> list[float]:
    """Milliseconds to the whole answer, one request after the other."""
    addresses = [address.replace(EACH, str(number)) for number in range(WARM_UP + requests)]
    return [_time(browser, each) for each in addresses][WARM_UP:]


def _time(browser: httpx.Client, address: str) -> float:
    began = time.perf_counter()
    answer = browser.get(address)
    taken = (time.perf_counter() - began) * 1000
    if answer.status_code not in (200, 410):  # it says that the event was removed
        raise RuntimeError(f"{address}: {answer.status_code}")
    return taken
