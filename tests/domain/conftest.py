from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from eventsourcing.utils import Environment
from psycopg import AsyncConnection, Connection

from domain.core.aggregate import EVENT_TYPES
from domain.history import leadership
from domain.history.leadership import take_lead
from domain.history.persistence import Factory
from domain.history.store import connect
from tests.domain.former_history import former_installation
from tests.support.databases import Databases
from tests.support.installation import MORNING, Installation


@pytest.fixture
def invented_events() -> Iterator[None]:
    """Event classes that the test declares with `stored_as` are forgotten when it ends."""
    known = dict(EVENT_TYPES)
    yield
    EVENT_TYPES.clear()
    EVENT_TYPES.update(known)


@pytest.fixture
def database(database_url: str) -> Iterator[Connection[Any]]:
    """For code that is not asynchronous."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def morning(installation: Installation) -> Installation:
    """At nine, until the test says otherwise."""
    return installation.at(MORNING)


@pytest.fixture
async def former(database_url: str) -> AsyncIterator[Installation]:
    """One whose history is of a former release."""
    async with former_installation(database_url) as former:
        yield former


@pytest.fixture
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leadership, "MAX_SILENCE", timedelta(seconds=2))
    monkeypatch.setattr(leadership, "SIGN_OF_LIFE_INTERVAL", 0.1)


@pytest.fixture
async def leader(database_url: str) -> AsyncIterator[AsyncConnection[Any]]:
    """Of the band."""
    async with await connect(database_url) as connection:
        assert await take_lead(connection, "band")
        yield connection


@pytest.fixture
def library_case(request: pytest.FixtureRequest, databases: Databases) -> Iterator[None]:
    """A test case of the eventsourcing library has an empty history of its own."""
    with databases.new() as url:
        case: Any = request.instance
        case.env = {"PERSISTENCE_MODULE": "domain.history.persistence", "DATABASE_URL": url}
        with Factory(Environment("history", case.env)) as case.factory:
            yield
