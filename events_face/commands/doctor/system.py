"""How the system itself stands, as its database tells: keys, projections, outbox, seals, and
whether anybody schedules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from psycopg import AsyncConnection

from domain.core.availability import BRING_BACK, TABLES_MISSING, missing_table
from domain.seals.lag import seal_lag
from domain.seals.sealing import Sealer, SealsDamaged
from projections import outbox
from projections.rebuild import requests
from projections.registry import ALL
from projections.status import ProjectionStatus, projection_statuses
from runtime.checks.finding import Finding, error, ok, warning
from runtime.errors import CommandFailed
from runtime.installation import installation_keys, signing_key
from runtime.settings import Settings
from workers.delivery import pause

TOLERATED_LAG = 10.0
"""Seconds that read tables and seals may be behind history."""

TOLERATED_WAIT = 60.0
"""Seconds that a notification may be due without being sent."""

QUERY_TIMEOUT = 10
"""Seconds."""

SCHEMA_VERSIONS = {projection.name: projection.schema_version for projection in ALL}


Look = Callable[[AsyncConnection[Any]], Awaitable[list[Finding]]]


async def examine(
    settings: Settings, database_url: str, looks: Mapping[str, Look]
) -> list[Finding]:
    """Raises `UNAVAILABLE`."""
    try:
        installation_keys(settings, database_url)
        found = [ok("keys", "SECRET_KEY opens the installation's keys")]
    except CommandFailed as failure:
        remedy = "run `events-face migrate` where tables are missing; else restore the SECRET_KEY"
        found = [error("keys", str(failure), remedy)]
    async with await AsyncConnection.connect(
        database_url, autocommit=True, options=f"-c statement_timeout={QUERY_TIMEOUT}s"
    ) as connection:
        for check, look in looks.items():
            try:
                found += await look(connection)
            except TABLES_MISSING as failure:
                found.append(error(check, missing_table(failure), BRING_BACK))
        if found[0].level == "ok":
            found += await _seals(settings, database_url, connection)
    return found


async def _projector(connection: AsyncConnection[Any]) -> list[Finding]:
    if any(standing.state == "unattended" for standing in await projection_statuses(connection)):
        remedy = "start `events-face projector`: the read tables do not follow history"
        return [error("projector", "none runs", remedy)]
    return [ok("projector", "one runs")]


async def _projections(connection: AsyncConnection[Any]) -> list[Finding]:
    all_of_them = await projection_statuses(connection)
    found = [trouble for standing in all_of_them if (trouble := _trouble(standing))]
    if not found:
        found = [ok("projections", f"all {len(all_of_them)} are up to date")]
    failed = [r for r in (await requests.rebuild_requests(connection)).values() if r.failed_because]
    return found + [
        warning(
            f"rebuild of {request.projection}",
            f"it failed: {request.failed_because}",
            f"run `events-face projections rebuild {request.projection}`",
        )
        for request in failed
    ]


def _trouble(standing: ProjectionStatus) -> Finding | None:
    check = f"projection {standing.name}"
    rebuild = f"events-face projections rebuild {standing.name}"
    match standing.state:
        case "stopped":
            remedy = f"install the release that mends it, or set right what it names; `{rebuild}`"
            return error(check, str(standing.stop), remedy)
        case "outdated" if standing.schema_version > SCHEMA_VERSIONS[standing.name]:
            newer = f"{standing.outdated}: it is of a newer release"
            return error(check, newer, f"install that release; to stay with this one, `{rebuild}`")
        case "outdated":
            return error(check, standing.outdated or "", f"run `{rebuild}`")
        case "foreign":
            return warning(
                check,
                "this release has no such projection",
                "use the same release everywhere; after an upgrade its table can be dropped",
            )
        case "rebuilding" | "unattended":
            return None
        case _ if standing.lag_seconds is None or standing.lag_seconds > TOLERATED_LAG:
            behind = f"{standing.lag_events} events behind"
            return warning(check, behind, "look at the projector's log and its processor")
        case _:
            return None


async def _outbox(connection: AsyncConnection[Any]) -> list[Finding]:
    count, oldest_due = await outbox.read_backlog(connection)
    if (refused := await pause.reason(connection)) is not None:
        remedy = "set the right NOTIFICATION_TOKEN and restart the workers; nothing is lost"
        found = [error("outbox", f"sending is paused, the service refuses us: {refused}", remedy)]
    elif oldest_due > TOLERATED_WAIT:
        late = f"{count} wait, and the one due the longest has been for {oldest_due:.0f} s"
        remedy = "start `events-face worker`, or more of them, and look at their log"
        found = [error("outbox", late, remedy)]
    else:
        found = [ok("outbox", f"{count} wait, none for too long")]
    if failed := await outbox.count_failed(connection):
        remedy = "read why on /admin/, and queue them again there once that is mended"
        found.append(warning("failed notifications", f"the service refused {failed}", remedy))
    return found


async def _scheduler(connection: AsyncConnection[Any]) -> list[Finding]:
    if not await _is_held(connection, "scheduler"):
        remedy = "start `events-face scheduler`: nothing is synchronised, cleaned up or sealed"
        return [error("scheduler", "none is active", remedy)]
    return [ok("scheduler", "one is active")]


async def _sealing(connection: AsyncConnection[Any]) -> list[Finding]:
    lag = await seal_lag(connection)
    if lag.seconds is None or lag.seconds > TOLERATED_LAG:
        late = f"{lag.events} events are not sealed, the first since {lag.seconds or 0:.0f} s"
        return [warning("sealing", late, "look at the scheduler's log")]
    return [ok("sealing", "history is sealed as it grows")]


AT_REST: Mapping[str, Look] = {"projections": _projections}
"""What can be looked at while nothing runs."""

LOOKS: Mapping[str, Look] = {
    **AT_REST,
    "projector": _projector,
    "outbox": _outbox,
    "scheduler": _scheduler,
    "sealing": _sealing,
}


async def _seals(
    settings: Settings, database_url: str, connection: AsyncConnection[Any]
) -> list[Finding]:
    """The newest one only: `events-face audit verify` compares all of history."""
    try:
        await Sealer.resume(connection, signing_key(settings, database_url))
    except CommandFailed as failure:
        return [error("seals", str(failure), "run `events-face migrate`")]
    except SealsDamaged as damage:
        return [error("seals", str(damage), "run `events-face audit verify`")]
    return [ok("seals", "the newest is signed by this installation")]


async def _is_held(connection: AsyncConnection[Any], lock: str) -> bool:
    """Whether some process holds the advisory lock of this name."""
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
