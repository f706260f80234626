"""Checks of the system through its database: keys, projections, outbox, webhooks, scheduler,
seals."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from psycopg import AsyncConnection

from domain.core.availability import BRING_BACK, TABLES_MISSING, missing_table
from domain.seals.lag import seal_lag
from domain.seals.sealing import Sealer, SealsDamaged
from events_face.commands.doctor import retention, webhooks
from projections.backlog import count_refused, read_backlog
from projections.rebuild import requests
from projections.registry import ALL
from projections.status import ProjectionStatus, projection_statuses
from runtime.checks.finding import Finding, error, ok, warning
from runtime.errors import CommandFailed
from runtime.installation import installation_keys, signing_key
from runtime.settings import Settings
from workers.delivery import pause

MAX_LAG = 10.0
"""Seconds by which read tables and seals may be behind history."""

MAX_WAIT = 60.0
"""Seconds for which a notification may be due without being sent."""

QUERY_TIMEOUT = 10
"""Seconds."""

SCHEMA_VERSIONS = {projection.name: projection.schema_version for projection in ALL}


SystemCheck = Callable[[AsyncConnection[Any]], Awaitable[list[Finding]]]


async def examine(
    settings: Settings, database_url: str, checks: Mapping[str, SystemCheck]
) -> list[Finding]:
    """Raises `UNAVAILABLE`."""
    try:
        installation_keys(settings, database_url)
        found = [ok("keys", "SECRET_KEY decrypts the keys of the installation")]
    except CommandFailed as failure:
        remedy = "run `events-face migrate` if tables are missing; otherwise restore SECRET_KEY"
        found = [error("keys", str(failure), remedy)]
    async with await AsyncConnection.connect(
        database_url, autocommit=True, options=f"-c statement_timeout={QUERY_TIMEOUT}s"
    ) as connection:
        for name, check in checks.items():
            try:
                found += await check(connection)
            except TABLES_MISSING as failure:
                found.append(error(name, missing_table(failure), BRING_BACK))
        if found[0].level == "ok":
            found += await _seals(settings, database_url, connection)
    return found


async def _projector(connection: AsyncConnection[Any]) -> list[Finding]:
    if any(status.state == "unattended" for status in await projection_statuses(connection)):
        remedy = "start `events-face projector`: the read tables do not follow history"
        return [error("projector", "none is running", remedy)]
    return [ok("projector", "one is running")]


async def _projections(connection: AsyncConnection[Any]) -> list[Finding]:
    statuses = await projection_statuses(connection)
    found = [trouble for status in statuses if (trouble := _trouble(status))]
    if not found:
        found = [ok("projections", f"all {len(statuses)} are up to date")]
    failed = [r for r in (await requests.rebuild_requests(connection)).values() if r.failed_because]
    return found + [
        warning(
            f"rebuild of {request.projection}",
            f"it failed: {request.failed_because}",
            f"run `events-face projections rebuild {request.projection}`",
        )
        for request in failed
    ]


def _trouble(status: ProjectionStatus) -> Finding | None:
    check = f"projection {status.name}"
    rebuild = f"events-face projections rebuild {status.name}"
    match status.state:
        case "stopped":
            remedy = f"install a release that fixes it, or correct the cause; then run `{rebuild}`"
            return error(check, str(status.stop), remedy)
        case "outdated" if status.schema_version > SCHEMA_VERSIONS[status.name]:
            newer = f"{status.outdated}: it is of a newer release"
            return error(check, newer, f"install that release; to keep this one, run `{rebuild}`")
        case "outdated":
            return error(check, status.outdated or "", f"run `{rebuild}`")
        case "foreign":
            return warning(
                check,
                "this release has no such projection",
                "run the same release everywhere; after an upgrade its table can be dropped",
            )
        case "rebuilding" | "unattended":
            return None
        case _ if status.lag_seconds is None or status.lag_seconds > MAX_LAG:
            behind = f"{status.lag_events} events behind"
            return warning(check, behind, "check the projector's log and its processor load")
        case _:
            return None


async def _outbox(connection: AsyncConnection[Any]) -> list[Finding]:
    count, oldest_due = await read_backlog(connection)
    if (refused := await pause.reason(connection)) is not None:
        remedy = (
            "correct NOTIFICATION_TOKEN, or MAIL_URL and MAIL_FROM, and restart the workers; no"
            " notification is lost"
        )
        paused = f"sending is paused, the service refuses the credentials: {refused}"
        found = [error("outbox", paused, remedy)]
    elif oldest_due > MAX_WAIT:
        late = f"{count} wait, and the oldest has been due for {oldest_due:.0f} s"
        remedy = "start `events-face worker`, or more of them, and check their logs"
        found = [error("outbox", late, remedy)]
    else:
        found = [ok("outbox", f"{count} wait, none for too long")]
    if failed := await count_refused(connection):
        remedy = "read the reasons in /admin/; when they are fixed, queue them again there"
        found.append(warning("failed notifications", f"the service refused {failed}", remedy))
    return found


async def _scheduler(connection: AsyncConnection[Any]) -> list[Finding]:
    if not await _is_held(connection, "scheduler"):
        remedy = "start `events-face scheduler`: sync, cleanup and sealing do not run"
        return [error("scheduler", "none is active", remedy)]
    return [ok("scheduler", "one is active")]


async def _sealing(connection: AsyncConnection[Any]) -> list[Finding]:
    lag = await seal_lag(connection)
    if lag.seconds is None or lag.seconds > MAX_LAG:
        late = f"{lag.events} events are not sealed, the oldest for {lag.seconds or 0:.0f} s"
        return [warning("sealing", late, "check the scheduler's log")]
    return [ok("sealing", "new events are sealed")]


CHECKS_AT_REST: Mapping[str, SystemCheck] = {"projections": _projections}
"""Checks that make sense while no role is running."""

CHECKS: Mapping[str, SystemCheck] = {
    **CHECKS_AT_REST,
    "projector": _projector,
    "outbox": _outbox,
    "webhooks": webhooks.examine,
    "retention": retention.examine,
    "scheduler": _scheduler,
    "sealing": _sealing,
}


async def _seals(
    settings: Settings, database_url: str, connection: AsyncConnection[Any]
) -> list[Finding]:
    """Checks the newest seal only: `events-face audit verify` compares all of history."""
    try:
        await Sealer.resume(connection, signing_key(settings, database_url))
    except CommandFailed as failure:
        return [error("seals", str(failure), "run `events-face migrate`")]
    except SealsDamaged as damage:
        return [error("seals", str(damage), "run `events-face audit verify`")]
    return [ok("seals", "the newest seal is signed by this installation")]


async def _is_held(connection: AsyncConnection[Any], lock: str) -> bool:
    """Whether a process holds the advisory lock of this name."""
    cursor = await connection.execute(
        """
        SELECT EXISTS (
            SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
            WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.granted
              AND l.objsubid = 1
              AND (l.classid::bigint << 32 | l.objid::bigint) = hashtext(%s)
        )
        """,
        [lock],
    )
    return await cursor.fetchone() == (True,)
