"""How many items a second one worker sends to an endpoint that answers in 20 ms, alone and beside
an endpoint that hangs.

    python -m tests.workers.webhook_rate --items 10000
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from time import monotonic

import psycopg

from domain.history.store import load_keys
from domain.privacy.keys import InstallationKeys
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.http_server import Answer
from tests.support.installation import installation_on
from tests.support.processes import environment, role
from tests.support.sending import a_webhook
from tests.support.waiting import until
from tests.support.webhook_endpoint import Endpoint, webhook_endpoint
from tests.workers.webhook_kills import servers

BATCH = 500
"""Registrations appended at once."""


async def prepare(
    services: Services, keys: InstallationKeys, items: int, endpoints: list[Endpoint]
) -> None:
    """Webhooks, and so many items for each."""
    async with installation_on(services.database_url, keys) as installation:
        fair = await installation.event("Fair")
        for endpoint in endpoints:
            await a_webhook(installation, endpoint.url)
        for begin in range(0, items, BATCH):
            emails = (f"visitor{n}@example.com" for n in range(begin, begin + BATCH))
            await installation.register(fair, *emails)


def rate(
    settings: Settings, services: Services, keys: InstallationKeys, items: int, *, hanging: bool
) -> float:
    """Items a second to the endpoint that answers."""
    with webhook_endpoint() as quick, webhook_endpoint() as hangs:
        quick.answer = lambda _: Answer(status=204, body=b"", delay=0.02)
        hangs.answer = lambda _: Answer(status=204, delay=60)
        asyncio.run(prepare(services, keys, items, [quick, hangs] if hanging else [quick]))
        env = environment(settings, services) | {"WEBHOOK_PRIVATE_NETWORKS": "on"}
        with role(env, "worker", "--queues", "webhooks"):
            until(lambda: quick.received)
            begun = monotonic()
            until(lambda: len(quick.received) >= items, within=300)
            seconds = monotonic() - begun
    with psycopg.connect(services.database_url) as connection:
        connection.execute("DELETE FROM webhooks")
    return items / seconds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.workers.webhook_rate")
    parser.add_argument("--items", type=int, default=10_000)
    items = parser.parse_args().items
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        servers(Path(folder)) as (settings, services),
    ):
        with psycopg.connect(services.database_url) as connection:
            keys = load_keys(connection, settings.secret_keys)
        for hanging in (False, True):
            found = rate(settings, services, keys, items, hanging=hanging)
            beside = ", beside an endpoint that hangs" if hanging else ""
            sys.stdout.write(f"{items:,} items, {found:,.0f}/s{beside}\n")


if __name__ == "__main__":
    main()
