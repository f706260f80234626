"""Checks at the start of a role: it waits for its database, logs risks, and refuses to start when
it would do harm (docs/decisions/0024)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg
import structlog
from psycopg import Connection

from runtime.checks import configuration, database
from runtime.checks.addresses import database_address
from runtime.checks.finding import Finding, in_one_line
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.settings import Settings

CONNECT_TIMEOUT = 5  # seconds

MIN_WAIT, MAX_WAIT = 1.0, 10.0
"""Seconds between two attempts to reach the database: doubled each time, up to the maximum."""

CONFIGURATION_CHECKS: dict[str, tuple[Callable[[Settings], Finding], ...]] = {
    "api": (
        configuration.debug,
        configuration.allowed_hosts,
        configuration.trusted_proxies,
        configuration.rate_limits,
        configuration.write_policy,
    ),
    "worker": (configuration.notification_token, configuration.mail_encryption),
}
"""Checks of settings, by the role that uses the setting: only that role logs the finding."""

ROLES_WITH_BROKER = {"api", "worker", "scheduler"}

log = structlog.get_logger()


def check(role: str, settings: Settings, services: Services) -> None:
    """Return when the role may start. Raises CommandFailed when it must not."""
    for check_setting in CONFIGURATION_CHECKS.get(role, ()):
        _log_finding(check_setting(settings))
    with connect_when_writable(services.database_url) as connection:
        refuse_unfit(connection)
        clock = database.clock(connection)
        if settings.in_production:
            _refuse(clock)
        _log_finding(clock)
        _log_finding(database.durability(connection))
    if role in ROLES_WITH_BROKER and services.redis_url is not None:
        from runtime.checks import broker  # imported late: other roles do not need its client

        for finding in broker.check_broker(services.redis_url):
            _log_finding(finding)


def refuse_unfit(connection: Connection[Any]) -> None:
    """Raises CommandFailed when the database is unsuitable."""
    _refuse(database.version(connection))
    _refuse(database.encoding(connection))


def _refuse(finding: Finding) -> None:
    if finding.level == "error":
        raise CommandFailed(f"{finding.message}: {finding.remedy}")


def _log_finding(finding: Finding) -> None:
    match finding.level:
        case "warning":
            log.warning(finding.message, remedy=finding.remedy)
        case "error":
            log.error(finding.message, remedy=finding.remedy)


def connect_when_writable(database_url: str) -> Connection[Any]:
    """A connection to the database, as soon as it accepts writes. So services may start in any
    order, and a failover may be in progress."""
    wait = MIN_WAIT
    while True:
        try:
            connection = psycopg.connect(
                database_url, autocommit=True, connect_timeout=CONNECT_TIMEOUT
            )
            finding = database.writable(connection)
            if finding.level == "ok":
                return connection
            connection.close()
            reason = finding.message
        except psycopg.OperationalError as failure:
            reason = in_one_line(failure)
        log.warning("waiting for the database", at=database_address(database_url), reason=reason)
        time.sleep(wait)
        wait = min(2 * wait, MAX_WAIT)
