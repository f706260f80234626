"""Runs all checks of an installation, in the order of their dependencies."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import psycopg

from api.http.connections import CONNECTIONS_OF_A_PROCESS
from domain.core.availability import UNAVAILABLE
from events_face.commands.doctor import schema, seats, surroundings, system
from runtime.checks import broker, configuration, database
from runtime.checks.addresses import database_address
from runtime.checks.finding import Finding, error, in_one_line, ok
from runtime.data_dir import up_lock
from runtime.embedded.cluster import Cluster, StartFailed
from runtime.embedded.services import Services, has_installation, services
from runtime.errors import CommandFailed
from runtime.file_lock import is_held
from runtime.secret_key import with_stored_key
from runtime.settings import Settings

CONNECT_TIMEOUT = 5  # seconds

CONFIGURATION = (
    configuration.debug,
    configuration.allowed_hosts,
    configuration.trusted_proxies,
    configuration.rate_limits,
    configuration.metrics_token,
    configuration.write_policy,
    configuration.notification_service,
    configuration.notification_token,
    configuration.mail_encryption,
)

DATABASE = (
    database.version,
    database.encoding,
    database.writable,
    database.clock,
    database.durability,
)


UP_STOPPED = error("up", "it is not running", "run `events-face up`")


def examine(settings: Settings) -> list[Finding]:
    """All problems are returned as findings: this raises nothing."""
    found = [check(settings) for check in CONFIGURATION]
    found += surroundings.examine(settings)
    if settings.database_url is None and not has_installation(settings):
        missing = f"there is none in {settings.data_dir}"
        return [*found, error("installation", missing, "run `events-face up`, or set DATABASE_URL")]
    settings = with_stored_key(settings)
    is_stopped = settings.database_url is None and _is_stopped(settings.data_dir)
    with ExitStack() as held:
        try:
            running = held.enter_context(services(settings))
        except CommandFailed as failure:
            remedy = "fix this first: the other checks need the database"
            if isinstance(failure, StartFailed):
                remedy = f"read the end of {Cluster(settings.data_dir).log}"
            return [*found, error("database", str(failure), remedy)]
        if is_stopped:
            return [*found, UP_STOPPED, *_database(settings, running, system.CHECKS_AT_REST)]
        return found + _broker(running) + _database(settings, running, system.CHECKS)


def _is_stopped(data_dir: Path) -> bool:
    return Cluster(data_dir).state() == "down" and not is_held(up_lock(data_dir))


def _broker(running: Services) -> list[Finding]:
    if running.redis_url is None:
        return [error("broker", "none is running", "run `events-face up`, or set REDIS_URL")]
    return broker.check_broker(running.redis_url)


def _database(
    settings: Settings, running: Services, checks: Mapping[str, system.SystemCheck]
) -> list[Finding]:
    where = database_address(running.database_url)
    try:
        with psycopg.connect(
            running.database_url, autocommit=True, connect_timeout=CONNECT_TIMEOUT
        ) as connection:
            found = [ok("database", f"{where} answers")]
            found += [check(connection) for check in DATABASE]
            found.append(schema.examine(connection))
            found.append(database.free_connections(connection, CONNECTIONS_OF_A_PROCESS))
        found += asyncio.run(system.examine(settings, running.database_url, checks))
        found.append(seats.examine(running.database_url))
    except UNAVAILABLE as failure:
        reason = f"{where} does not answer: {in_one_line(failure)}"
        return [error("database", reason, "start it, or correct DATABASE_URL")]
    return found
