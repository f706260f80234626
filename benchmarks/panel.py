"""How long the admin panel's pages take when there is much to show.

    python -m benchmarks.panel [--events 100000] [--visitors 1000000]

The read tables of a new installation are filled by SQL, and the whole system serves them; each page
is asked for one time after the other. Prints median and 99th percentile of the time to the answer.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, LiteralString

import httpx
import psycopg
from psycopg import Connection
from rich.console import Console
from rich.table import Table

from benchmarks.clients import running
from domain.values import fold
from events_face.embedded.postgres import embedded_postgres
from projections.registrations import ALL_BY_DAY, ALL_EVENTS
from projections.trigrams import trigrams

TIMES = 100
"""Requests for each page."""

PASSWORD = "a long enough password"  # noqa: S105  of an account that lives for a minute

EVENTS = """
COPY events (id, name, name_folded, trigrams, status, event_datetime, registration_deadline,
             version) FROM STDIN
"""

FILL: tuple[LiteralString, ...] = (
    """
    INSERT INTO visitors (id, event_id, full_name, email, registered_at, position)
    SELECT gen_random_uuid(), event.id, 'Visitor Nr' || n, 'visitor' || n || '@example.com',
           now() - n * interval '30 s', n
    FROM generate_series(1, %(visitors)s) AS n
    JOIN (SELECT id, row_number() OVER () - 1 AS place FROM events) AS event
        ON event.place = CASE n %% 10 WHEN 0 THEN 0 ELSE n %% %(events)s END
    """,
    """
    INSERT INTO outbox (id, visitor_id, event_id, email, message, state, due_at, position,
                        correlation_id, created_at, concluded_at)
    SELECT gen_random_uuid(), id, event_id, email, '',
           CASE position %% 4 WHEN 0 THEN 'failed' ELSE 'sent' END,
           registered_at, position, '', registered_at, registered_at
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
    """,
)
"""A tenth of the visitors come to the first event."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=100_000)
    options.add_argument("--visitors", type=int, default=1_000_000)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "PATH": os.environ["PATH"],
            "DATA_DIR": folder,
            "RATE_LIMITS": "off",
            "EVENTS_FACE_PASSWORD": PASSWORD,
        }
        with running(environment) as origin:
            create = [sys.executable, "-P", "-m", "events_face", "createsuperuser"]
            subprocess.run([*create, "--username", "root"], env=environment, check=True)
            with embedded_postgres(Path(folder)) as url, psycopg.connect(url) as connection:
                addresses = _fill(connection, chosen.events, chosen.visitors)
            _measure(origin, addresses)


def _fill(connection: Connection[Any], events: int, visitors: int) -> list[str]:
    """The addresses to ask for."""
    with connection.cursor().copy(EVENTS) as copy:
        for number in range(events):
            name = f"Conference {number} on {('Rust', 'Python', 'Data', 'Zürich')[number % 4]}"
            folded = fold(name)
            copy.write_row(
                (
                    f"00000000-0000-4000-8000-{number:012x}",
                    name,
                    folded,
                    trigrams(folded),
                    "open" if number % 3 else "closed",
                    f"20{20 + number % 15}-{1 + number % 12:02}-{1 + number % 28:02} 09:00Z",
                    f"20{20 + number % 15}-{1 + number % 12:02}-{1 + number % 28:02} 09:00Z",
                    1,
                )
            )
    counts = {
        "visitors": visitors,
        "events": events,
        "all_events": ALL_EVENTS,
        "all_by_day": ALL_BY_DAY,
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


def _measure(origin: str, addresses: list[str]) -> None:
    table = Table("page", "median ms", "p99 ms")
    with httpx.Client(base_url=origin, follow_redirects=True, timeout=60) as browser:
        page = browser.get("/admin/sign-in").text
        token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        form = {"csrf_token": token, "username": "root", "password": PASSWORD}
        browser.post("/admin/sign-in", data=form).raise_for_status()
        for address in addresses:
            times = []
            for _ in range(TIMES):
                began = time.perf_counter()
                browser.get(address).raise_for_status()
                times.append((time.perf_counter() - began) * 1000)
            times = times[3:]
            p99 = statistics.quantiles(times, n=100)[98]
            table.add_row(address, f"{statistics.median(times):.1f}", f"{p99:.1f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
