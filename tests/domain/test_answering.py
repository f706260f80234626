"""A database that is reachable, but does not answer."""

from __future__ import annotations

import pytest

from domain.areas import CreateArea
from domain.core.values import Text
from domain.history import answering
from domain.history.answering import AnsweringConnection, NoAnswer
from domain.history.batch import Done, OutcomeUnknown
from domain.history.store import LOCK_HISTORY, connect
from tests.support.installation import ORIGIN, Installation

pytestmark = pytest.mark.anyio


async def test_a_statement_without_an_answer_ends_its_connection(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "ANSWER_TIMEOUT", 0.3)
    async with await connect(database_url, AnsweringConnection) as connection:
        await connection.execute("SELECT 1")
        with pytest.raises(NoAnswer, match="The database does not answer"):
            await connection.execute("SELECT pg_sleep(600)")
        assert connection.closed


async def test_a_command_without_an_answer_has_an_unknown_outcome_and_others_go_on(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "ANSWER_TIMEOUT", 0.3)
    async with installation.writer() as one:
        await one.execute(CreateArea(name=Text("Hall")), ORIGIN)
        async with installation.connection.transaction():
            await installation.connection.execute(LOCK_HISTORY)
            with pytest.raises(OutcomeUnknown):
                await one.execute(CreateArea(name=Text("Annex")), ORIGIN)
        created = await one.execute(CreateArea(name=Text("Studio")), ORIGIN)
    assert isinstance(created, Done)
