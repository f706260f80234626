"""A pooler in transaction mode: queries get along with it, all else refuses it at the start."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from domain.privacy.keys import InstallationKeys
from events_face.commands.migrate import create_tables
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings
from tests.api.serving import api_on, projector_on
from tests.hosts.pgbouncer import needs_pgbouncer, refusing

LIST = "/api/events/list"


@needs_pgbouncer
@pytest.mark.anyio
async def test_queries_go_through_a_pooler(
    settings: Settings, services: Services, keys: InstallationKeys, pooled_url: str
) -> None:
    pooled = msgspec.structs.replace(settings, read_database_url=pooled_url)
    async with api_on(pooled, services, keys) as api, projector_on(services, keys):
        for number in range(5):
            created = await api.created_event(name=f"Event {number}")
            answers = await asyncio.gather(
                *(api.get(LIST, after=created, name=f"event {n}") for n in range(20))
            )
            assert {answer.status_code for answer in answers} == {200}
            found = sum(answer.json()["pagination"]["total"] for answer in answers)
            assert found == number + 1


@needs_pgbouncer
def test_parts_that_need_sessions_refuse_a_pooler(settings: Settings, pooled_url: str) -> None:
    with pytest.raises(CommandFailed, match="DATABASE_URL leads to a pooler"):
        installation_keys(settings, pooled_url)
    with pytest.raises(CommandFailed, match="DATABASE_URL leads to a pooler"):
        create_tables(settings, Services(database_url=pooled_url, redis_url=None))


def test_the_error_for_refused_connection_options_says_that_a_pooler_is_the_cause(
    settings: Settings,
) -> None:
    with refusing() as url, pytest.raises(CommandFailed, match="DATABASE_URL leads to a pooler"):
        installation_keys(settings, url)
