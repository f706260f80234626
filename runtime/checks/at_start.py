"""What is checked whenever a role starts: what it needs is waited for, what is a risk is logged,
and what would do harm is refused. docs/decisions/0024 says why so."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg
import structlog
from psycopg import Connection

from runtime.checks import configuration, database
from runtime.checks.addresses import of_database
from runtime.checks.finding import Finding, in_one_line
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.settings import Settings

CONNECT_TIMEOUT = 5  # seconds

FIRST_WAIT, LONGEST_WAIT = 1.0, 10.0
"""Seconds between two tries to reach the database, doubling from one to the other."""

CONFIGURATION: dict[str, tuple[Callable[[Settings], Finding], ...]] = {
    "api": (
        configuration.debug,
        configuration.allowed_hosts,
        configuration.trusted_proxies,
        configuration.rate_limits,
        configuration.write_policy,
    ),
    "worker": (configuration.notification_token,),
}
"""By the role that a setting is about; it is told once, not by all of them."""

BROKERED = {"api", "worker", "scheduler"}

log = structlog.get_logger()


def check(role: str, settings: Settings, services: Services) -> None:
    """Return once the role may start. Raises CommandFailed when it must not."""
    for look in CONFIGURATION.get(role, ()):
        _tell(look(settings))
    with reached(services.database_url) as connection:
        refuse_unfit(connection)
        clock = database.clock(connection)
        if settings.in_production:
            _refuse(clock)
        _tell(clock)
        _tell(database.durability(connection))
    if role in BROKERED and services.redis_url is not None:
        from runtime.checks import broker  # with its client, which others never need

        for finding in broker.examine(services.redis_url):
            _tell(finding)


def refuse_unfit(connection: Connection[Any]) -> None:
    """Raises CommandFailed when the database cannot hold this system."""
    _refuse(database.version(connection))
    _refuse(database.encoding(connection))


def _refuse(finding: Finding) -> None:
    if finding.level == "error":
        raise CommandFailed(f"{finding.says}: {finding.remedy}")


def _tell(finding: Finding) -> None:
    match finding.level:
        case "warning":
            log.warning(finding.says, remedy=finding.remedy)
        case "error":
            log.error(finding.says, remedy=finding.remedy)


def reached(database_url: str) -> Connection[Any]:
    """A connection to the database, as soon as it takes writes: whoever starts everything at once
    need not care which is first, and a failover comes to its end."""
    wait = FIRST_WAIT
    while True:
        try:
            connection = psycopg.connect(
                database_url, autocommit=True, connect_timeout=CONNECT_TIMEOUT
            )
            trouble = database.writable(connection)
            if trouble.level == "ok":
                return connection
            connection.close()
            reason = trouble.says
        except psycopg.OperationalError as failure:
            reason = in_one_line(failure)
        log.warning("waiting for the database", at=of_database(database_url), reason=reason)
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)
