"""The command `ping`: a health check for roles without HTTP."""

import sys

import psycopg
import redis

from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.settings import Settings

TIMEOUT = 3
"""Seconds until each must answer."""


def ping(settings: Settings, services: Services) -> None:
    """Print a line when the database and the broker have answered. Raises `CommandFailed` without
    a broker, and the errors of the clients."""
    if services.redis_url is None:
        raise CommandFailed(
            "REDIS_URL is not set, and no embedded Valkey runs on this data dir: set it, or start"
            " `events-face up`"
        )
    with psycopg.connect(services.database_url, connect_timeout=TIMEOUT) as connection:
        connection.execute("SELECT 1")
    with redis.Redis.from_url(
        services.redis_url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT
    ) as client:
        client.ping()
    sys.stdout.write("the database and the broker answer\n")
