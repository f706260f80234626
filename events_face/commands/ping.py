"""The sub-command `ping`: what a health check of a role without HTTP asks."""

import sys

import psycopg
import redis

from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.settings import Settings

PATIENCE = 3
"""Seconds that each has to answer in."""


def ping(settings: Settings, services: Services) -> None:
    """Say so once the database and the broker have answered. Raises `CommandFailed` when no broker
    is known, else what the clients raise."""
    if services.redis_url is None:
        raise CommandFailed("REDIS_URL is not set, and no embedded Valkey runs on this data dir")
    with psycopg.connect(services.database_url, connect_timeout=PATIENCE) as connection:
        connection.execute("SELECT 1")
    with redis.Redis.from_url(
        services.redis_url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
    ) as client:
        client.ping()
    sys.stdout.write("the database and the broker answer\n")
