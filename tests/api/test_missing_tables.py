"""Tables that are gone: the API says so as a problem that passes, and readiness names them."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from api.database.probe import TABLES
from runtime.schema.migrations import migrations_of, tables_of
from tests.api.serving import Api

pytestmark = pytest.mark.anyio


def drop(database_url: str, table: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(SQL("DROP TABLE {} CASCADE").format(Identifier(table)))


@pytest.mark.parametrize(
    ("table", "method", "path", "body"),
    [
        ("events", "GET", "/api/events/list", None),
        ("events", "GET", "/api/events/00000000-0000-4000-8000-000000000001", None),
        ("areas", "GET", "/api/events/areas/", None),
        ("projections", "GET", "/api/events/list", None),
        (
            "credentials",
            "POST",
            "/api/auth/login",
            {"username": "ada", "password": "a long enough one"},
        ),
        (
            "personal_keys",
            "POST",
            "/api/events/{event}/register",
            {"full_name": "Ada", "email": "ada@example.org"},
        ),
    ],
)
async def test_a_missing_table_is_a_503_and_readiness_names_it(
    lone_api: Api, database_url: str, table: str, method: str, path: str, body: object
) -> None:
    event = await lone_api.event()
    drop(database_url, table)
    answer = await lone_api.http.request(method, path.replace("{event}", event), json=body)
    assert answer.status_code == 503, answer.text
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["type"] == "/problems/overloaded"
    assert "relation" not in answer.text
    ready = await lone_api.http.get("/health/ready")
    assert ready.status_code == 503
    assert f"{table}" in ready.text
    assert "relation" not in ready.text


def test_readiness_looks_for_every_table_of_the_lower_layers() -> None:
    assert {*TABLES} == {"projections", *tables_of(migrations_of("domain", "projections"))}
