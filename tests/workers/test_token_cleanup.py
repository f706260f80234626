"""Expired sessions are removed, and nothing else."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from tests.workers.sessions import sessions_held
from workers.upkeep import session_cleanup
from workers.upkeep.session_cleanup import remove_expired_sessions

pytestmark = pytest.mark.anyio


def remaining(database_url: str) -> list[UUID]:
    with psycopg.connect(database_url) as connection:
        return [id for (id,) in connection.execute("SELECT id FROM sessions ORDER BY id")]


async def test_sessions_that_have_run_out_are_removed(database_url: str) -> None:
    ids = sessions_held(database_url, "-1 second", "1 hour", "-14 days", "14 days")
    assert await remove_expired_sessions(database_url) == 2
    assert remaining(database_url) == [ids[1], ids[3]]
    assert await remove_expired_sessions(database_url) == 0


async def test_many_sessions_are_removed_a_batch_at_a_time(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_cleanup, "BATCH_SIZE", 3)
    ids = sessions_held(database_url, *["-1 hour", "1 hour"] * 5)
    assert await remove_expired_sessions(database_url) == 5
    assert remaining(database_url) == ids[1::2]
