"""`rotate-keys`, as an operator uses it."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from domain.history.store import load_keys
from events_face.commands.rotate_keys import rotate_keys
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.settings import Settings


def test_it_prints_how_many_keys_are_wrapped_with_the_new_one(
    settings: Settings, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    services = Services(database_url=database_url, redis_url=None)
    with psycopg.connect(database_url) as connection:
        before = load_keys(connection, settings.secret_keys)
        rotate_keys(settings, services)
        after = load_keys(connection, settings.secret_keys)
    assert after.identity == before.identity
    assert not set(after.data.values()) & set(before.data.values())
    printed = "rotated: 0 keys of personal data have a new data key\n"
    assert capsys.readouterr().out == printed


def test_a_second_rotation_at_the_same_time_is_refused(
    settings: Settings, database_url: str
) -> None:
    services = Services(database_url=database_url, redis_url=None)
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext('rotate_keys'))")
        with pytest.raises(CommandFailed, match="being rotated already"):
            rotate_keys(settings, services)


def test_a_damaged_key_is_named(settings: Settings, database_url: str) -> None:
    services = Services(database_url=database_url, redis_url=None)
    damaged = uuid4()
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO personal_keys VALUES (%s, 3, %s)", [damaged, bytes(60)])
    with pytest.raises(CommandFailed, match=f"key of event 3 of {damaged} is damaged"):
        rotate_keys(settings, services)
