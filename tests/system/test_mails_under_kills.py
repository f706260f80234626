"""Workers that send mails are killed while visitors register, and the mail server refuses now and
then."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.support.mail_server import MailServer, mail_server
from tests.support.waiting import until_async
from tests.system.registering import an_event, register
from tests.system.running import up

pytestmark = pytest.mark.anyio

KILLS = 3

VISITORS = 160

CONNECTIONS = 8

LEASED = 3 * CONNECTIONS
"""Mails that a worker has in hand: these may be taken when it is killed, and not be recorded."""


async def test_no_mail_is_lost_and_only_those_in_hand_come_twice_with_the_same_id(
    data_dir: Path,
) -> None:
    with (
        mail_server() as server,
        up(
            data_dir,
            MAIL_URL=f"{server.url}?connections={CONNECTIONS}",
            MAIL_FROM="events@example.org",
            RATE_LIMITS="off",
        ) as system,
    ):
        async with system.client() as http:
            fair = await an_event(http)
            confirmed = list[str]()
            async with asyncio.TaskGroup() as load:
                for place in range(4):
                    load.create_task(_visitors(http, fair, f"visitor{place}", confirmed))
                for kill in range(KILLS):
                    await _until_received(server, 25 * (kill + 1))
                    server.content_replies.extend(["451 4.3.0 later", "421 4.3.2 closing"])
                    await asyncio.to_thread(system.kill, "worker")

        async def all_arrived() -> bool:
            return set(confirmed) <= set(server.recipients)

        await until_async(all_arrived, within=240)
        ids = {(received.recipient, received.id) for received in server.received}
        assert len(ids) == len(set(confirmed)) == VISITORS
        assert len(server.received) - len(ids) <= KILLS * LEASED


async def _visitors(http: httpx.AsyncClient, fair: str, name: str, confirmed: list[str]) -> None:
    for number in range(VISITORS // 4):
        email = f"{name}.{number}@example.com"
        answer = await register(http, fair, email)
        assert answer.status_code == 201, answer.text
        confirmed.append(email)
        await asyncio.sleep(0.1)


async def _until_received(server: MailServer, mails: int) -> None:
    async def enough() -> bool:
        return len(server.received) >= mails

    await until_async(enough, within=120)
