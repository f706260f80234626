"""The final state: no registration is lost, none is there twice, no notification is sent twice."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Identifier

from projections.registry import ALL
from tests.hosts.layout import Layout
from tests.hosts.visitors import Visitors
from tests.support.notification_service import NotificationService
from tests.support.waiting import until_async

SENT_WITHIN = 180.0
"""Seconds. A dead worker's leases are free after about 20 s; a busy machine takes several times as
long."""


async def reckon(
    installed: Layout, connection: Connection[Any], some: Visitors, service: NotificationService
) -> int:
    """Once the visitors have stopped; how many notifications were delivered twice."""
    report("failed attempts", dict(some.failed))
    report("longest time without a 201", f"{some.longest_wait:.1f} s")
    await until_async(lambda: _all_sent(connection), within=SENT_WITHIN)
    _everybody_is_there_once(connection, some)
    doubled = _everybody_was_notified_once(service, some)
    installed.command("audit", "verify")
    before = _read_tables(connection)
    installed.command("projections", "rebuild")
    assert _read_tables(connection) == before
    return doubled


def report(what: str, figure: object) -> None:
    sys.stdout.write(f"{what:<60} {figure}\n")


async def _all_sent(connection: Connection[Any]) -> bool:
    cursor = connection.execute(
        "SELECT (SELECT count(*) FROM outbox WHERE state = 'sent'),"
        " (SELECT count(*) FROM history_events WHERE topic = 'Visitor.Registered')"
    )
    sent, registered = cursor.fetchone() or (0, 0)
    return bool(sent == registered)


def _everybody_is_there_once(connection: Connection[Any], some: Visitors) -> None:
    ids = {registered.id for registered in some.accepted.values()}
    assert len(ids) == len(some.accepted)
    for source in (
        "SELECT originator_id FROM history_events WHERE topic = 'Visitor.Registered'",
        "SELECT id FROM visitors",
    ):
        found = Counter(str(id) for (id,) in connection.execute(source).fetchall())
        assert set(found.values()) == {1}
        assert ids <= set(found)
        assert len(found) == len(ids | set(found)) == len(some.accepted) + len(some.confirmed_later)
    report("answered 201, all in history and visitors once", len(ids))
    report("registered, confirmed by a later attempt", len(some.confirmed_later))


def _everybody_was_notified_once(service: NotificationService, some: Visitors) -> int:
    by_email: dict[str, set[Any]] = {}
    for received in service.received:
        by_email.setdefault(received.email, set()).add(received.id)
    assert set(by_email) == {*some.accepted, *some.confirmed_later}
    assert {len(ids) for ids in by_email.values()} == {1}
    report("notifications delivered", len(by_email))
    doubled = len(service.received) - len(by_email)
    report("notifications sent twice, with the same id", doubled)
    first: dict[str, float] = {}
    for received in service.received:
        first.setdefault(received.email, received.at)
    waits = [first[email] - registered.at for email, registered in some.accepted.items()]
    report("longest time from 201 to the notification", f"{max(waits):.1f} s")
    return doubled


def _read_tables(connection: Connection[Any]) -> dict[str, list[Any]]:
    """All rows; but how often a delivery was tried is not in history."""
    query = SQL("SELECT to_jsonb(t) - 'attempts' AS row FROM {} t ORDER BY row")
    return {p.name: connection.execute(query.format(Identifier(p.name))).fetchall() for p in ALL}
