"""Response times of the admin panel's pages with large tables, for one client with sequential
requests."""

from __future__ import annotations

import re
import statistics
import time
from typing import Any, LiteralString

import httpx
import psycopg
from psycopg import Connection

from benchmarks import event_rows
from benchmarks.contenders import SECRET_KEY, command, events_face, settings, stub
from benchmarks.history import fill
from benchmarks.processes import run
from benchmarks.results import OURS, Comparison
from benchmarks.stage import Stage
from domain.history.store import load_keys
from domain.privacy.keys import InstallationKeys
from domain.visitors import Person
from projections.lists.word_keys import word_keys
from projections.registration_counts import ALL_EVENTS, ALL_EVENTS_BY_DAY

WARM_UP = 3
"""Requests for each page before those that are measured."""

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

PASSWORD = "a long enough password"  # noqa: S105  of an account that lives for a minute

HISTORY = 10_000
"""Events of a history whose visitors the rows of the table lead to, again and again: a page opens
as many names as if each row had its own."""

WORDS = "COPY found_by (number, indexed, words) FROM STDIN (FORMAT binary)"

FILL: tuple[LiteralString, ...] = (
    """
    INSERT INTO visitors (id, event_id, status, episode, ticket_issue, registered_at, version,
                          position, indexed, words)
    SELECT gen_random_uuid(), event.id, 'registered', 1, 0, now() - n * interval '30 s', 1,
           registration.position, indexed, words
    FROM found_by AS f (n, indexed, words)
    JOIN (SELECT id, row_number() OVER () - 1 AS place FROM events) AS event
        ON event.place = CASE n %% 10 WHEN 0 THEN 0 ELSE n %% %(events)s END
    JOIN (
        SELECT notification_id, row_number() OVER () - 1, count(*) OVER ()
        FROM history_events WHERE topic = 'Visitor.Registered'
    ) AS registration (position, place, count) ON registration.place = n %% count
    """,
    """
    INSERT INTO outbox (id, visitor_id, event_id, episode, kind, facts, recipient_key, state,
                        due_at, position, person_position, correlation_id, created_at,
                        concluded_at)
    SELECT gen_random_uuid(), id, event_id, 1, 'registered', '{}', position,
           CASE position %% 4 WHEN 0 THEN 'failed' ELSE 'sent' END,
           registered_at, position, position, '', registered_at, registered_at
    FROM visitors
    """,
    """
    INSERT INTO registrations
    SELECT event_id, date_trunc('hour', registered_at), count(*) FROM visitors GROUP BY 1, 2
    UNION ALL
    SELECT %(all_events)s, date_trunc('hour', registered_at), count(*) FROM visitors GROUP BY 2
    UNION ALL
    SELECT %(all_by_day)s, date_trunc('day', registered_at, 'UTC'), count(*)
    FROM visitors GROUP BY 2
    ON CONFLICT DO NOTHING -- the projector may have counted those of the history already
    """,
)
"""A tenth of the visitors come to the first event."""


def measure(stage: Stage) -> list[Comparison]:
    sizes, log = stage.sizes, stage.folder / "panel.log"
    with (
        stage.server.new_database() as database,
        stub(log) as service,
        events_face(notifications=service)(database, log, sizes.serving) as origin,
    ):
        create = command("createsuperuser", "--username", "root")
        environment = settings(database, stage.folder / database.environment["PGDATABASE"])
        run(create, {**environment, "EVENTS_FACE_PASSWORD": PASSWORD})
        with psycopg.connect(database.url) as connection:
            keys = load_keys(connection, (SECRET_KEY,))
            fill(database.url, keys, HISTORY)
            addresses = _fill(connection, keys, sizes.events, sizes.visitors)
        times = _times(origin, addresses, sizes.pages)
    return [
        Comparison(
            what=f"{ID.sub('ID', page)}, p{percentile}",
            unit="ms",
            figures={OURS: (statistics.quantiles(taken, n=100)[percentile - 1],)},
            more_is_better=False,
        )
        for page, taken in times.items()
        for percentile in (50, 99)
    ]


def _fill(
    connection: Connection[Any], keys: InstallationKeys, events: int, visitors: int
) -> list[str]:
    """The addresses to ask for."""
    connection.execute("CREATE TEMP TABLE found_by (number int, indexed int2, words int[])")
    with connection.cursor().copy(WORDS) as copy:
        copy.set_types(["int4", "int2", "int4[]"])
        for number in range(1, visitors + 1):
            person = Person(full_name=f"Visitor Nr{number}", email=f"visitor{number}@example.com")
            found_by = word_keys(keys).of_person(person)
            words = [*found_by.indexed, *found_by.others]
            copy.write_row((number, len(found_by.indexed), words))
    with connection.cursor().copy(event_rows.COPY) as copy:
        for number in range(events):
            name = f"Conference {number} on {('Rust', 'Python', 'Data', 'Zürich')[number % 4]}"
            id = f"00000000-0000-4000-8000-{number:012x}"
            status = "open" if number % 3 else "closed"
            at = f"20{20 + number % 15}-{1 + number % 12:02}-{1 + number % 28:02} 09:00Z"
            copy.write_row(event_rows.row(id, name, status, at, at))
    counts = {
        "events": events,
        "all_events": ALL_EVENTS,
        "all_by_day": ALL_EVENTS_BY_DAY,
    }
    for statement in FILL:
        connection.execute(statement, counts)
    connection.commit()
    connection.autocommit = True
    connection.execute("VACUUM ANALYZE")
    row = connection.execute(
        """
        SELECT (SELECT event_id FROM visitors GROUP BY 1 ORDER BY count(*) DESC LIMIT 1),
               (SELECT id FROM visitors ORDER BY registered_at LIMIT 1)
        """
    ).fetchone()
    event, visitor = row or (None, None)
    return [
        "/admin/",
        "/admin/events/",
        "/admin/events/?page=1000",
        "/admin/events/?name=rust&status=open",
        "/admin/events/?date=2027-05&order=name",
        f"/admin/events/{event}",
        "/admin/areas/",
        "/admin/visitors/",
        f"/admin/visitors/?event={event}",
        "/admin/visitors/?q=visitor777777%40",
        "/admin/visitors/?q=nr424242",
        f"/admin/visitors/{visitor}",
        "/admin/notifications/",
        "/admin/notifications/?state=failed",
        "/admin/notifications/?state=waiting",
        "/admin/syncs/",
        "/admin/accounts/",
        "/admin/history/",
        "/admin/seals/",
    ]


def _times(origin: str, addresses: list[str], requests: int) -> dict[str, list[float]]:
    """Milliseconds to the answer, signed in, one request after the other."""
    times = dict[str, list[float]]()
    with httpx.Client(base_url=origin, follow_redirects=True, timeout=60) as browser:
        page = browser.get("/admin/sign-in").text
        token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        form = {"csrf_token": token, "username": "root", "password": PASSWORD}
        browser.post("/admin/sign-in", data=form).raise_for_status()
        for address in addresses:
            times[address] = [_time(browser, address) for _ in range(WARM_UP + requests)][WARM_UP:]
    return times


def _time(browser: httpx.Client, address: str) -> float:
    began = time.perf_counter()
    browser.get(address).raise_for_status()
    return (time.perf_counter() - began) * 1000
