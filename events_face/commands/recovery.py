"""What follows when a database is back at an earlier moment, be it from a backup or by PostgreSQL's
own recovery to a point in time. By itself it is the command `recovered`.

What happened after that moment is lost, and the world outside may remember it. So positions of
history go on far beyond those that were lost, all sessions end, no lease stands, and what cannot be
known here is said.
"""

import asyncio
import sys
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection

from api.identity.sessions import end_all
from domain.application import APPLICATION
from domain.history.decider import Decider
from domain.history.store import connect, last_position, leave_gap
from domain.privacy.keys import InstallationKeys
from events_face.commands.backup import End, end_of_history
from events_face.commands.migrate import create_tables, rebuild_what_is_due
from projections.outbox import OUTBOX
from projections.projector.tail import PositionMoved, Tail
from projections.status import projection_statuses
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings
from workers.delivery.holds import hold_all, release_all_leases
from workers.delivery.leases import count_waiting

HELD = "held: the database was restored, and it may have been sent since the backup"
"""Why a notification is not sent by itself."""

GAP = 10_000_000
"""Positions that are passed over: more than may have been lost."""


class Settled(msgspec.Struct, frozen=True):
    sessions: int
    waiting: int
    held: int


def settle_in(settings: Settings, services: Services, hold: bool) -> None:
    """Do what is to be done before any role runs, and print what is known and what is not.

    With `hold`, notifications that wait are given up until somebody queues them again. Raises
    `CommandFailed`, above all while a projector runs.
    """
    if create_tables(settings, services):
        rebuild_what_is_due(settings, services)
    keys = installation_keys(settings, services.database_url)
    with psycopg.connect(services.database_url, autocommit=True) as connection:
        end = end_of_history(connection)
        settled = asyncio.run(_settle(services.database_url, keys, hold))
        connection.execute("ANALYZE")
    sys.stdout.write(_told(end, settled))


async def _settle(database_url: str, keys: InstallationKeys, hold: bool) -> Settled:
    async with await connect(database_url) as connection:
        if any(standing.led for standing in await projection_statuses(connection)):
            raise CommandFailed("a projector runs on this database: stop every role first")
        sessions = await end_all(connection)
        await _bring_outbox_up_to_date(connection, keys)
        await release_all_leases(connection)
        await leave_gap(connection, GAP)
        waiting = await count_waiting(connection)
        held = await hold_all(connection, Decider(keys, APPLICATION), HELD) if hold else 0
        return Settled(sessions, waiting - held, held)


async def _bring_outbox_up_to_date(
    connection: AsyncConnection[Any], keys: InstallationKeys
) -> None:
    """Registrations that it does not have yet wait as those that it has."""
    tail = Tail(connection, keys)
    await tail.follow([OUTBOX])
    target = await last_position(connection)
    while (reached := tail.positions[OUTBOX]) < target:
        try:
            await tail.step()
        except PositionMoved:
            raise CommandFailed("a projector has started: stop every role first") from None
        if tail.positions[OUTBOX] == reached:
            raise CommandFailed("the outbox cannot follow history: see `projections status`")


def _told(end: End, settled: Settled) -> str:
    later = f"after {end.at:%Y-%m-%dT%H:%M:%SZ}" if end.at else "ever"
    return (
        f"restored: {end}\n"
        f"lost: whatever was done {later}; `audit verify --checkpoint FILE` tells whether a pinned"
        " checkpoint knew more\n"
        f"undone: every erasure {later}: names and emails are back, erase those people again; and"
        " every account disabled, role revoked and password changed\n"
        f"sessions: {settled.sessions} ended; whoever was signed in signs in again\n"
        f"notifications: {_of_notifications(settled)}\n"
    )


def _of_notifications(settled: Settled) -> str:
    if settled.held:
        return (
            f"{settled.held} that waited are held as failed, because they may have been sent since;"
            " /admin/notifications/again queues them again"
        )
    if settled.waiting:
        return (
            f"{settled.waiting} wait, and may have been sent since: they are sent with the same id"
            " and Idempotency-Key as then"
        )
    return "none waits"
