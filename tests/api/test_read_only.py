"""A database that only reads: what writes is asked to come back, what reads is answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.api.admin.panel import FORM
from tests.api.serving import EVENT, PASSWORD, Api
from tests.support.read_only import read_only
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


async def test_writes_are_answered_with_503_and_reads_as_usual(api: Api, database_url: str) -> None:
    admin = await api.account("ada", "admin", "organizer", "auditor")
    other = await api.account("bob", "organizer")
    event, area = await api.event(), await api.area()
    assert (await api.register(event)).status_code == 201
    await api.settled()
    writes: list[tuple[str, str, Mapping[str, Any]]] = [
        ("POST", f"/api/events/{event}/register", {"full_name": "Al", "email": "al@example.com"}),
        ("POST", "/api/events/", EVENT),
        ("PATCH", f"/api/events/{event}", {"name": "EuroPython"}),
        ("DELETE", f"/api/events/{event}", {}),
        ("POST", "/api/events/areas/", {"name": "Small Hall"}),
        ("PATCH", f"/api/events/areas/{area}", {"name": "Hall"}),
        ("DELETE", f"/api/events/areas/{area}", {}),
        ("POST", "/api/auth/register", {"username": "grace", "password": PASSWORD}),
        ("POST", "/api/auth/login", {"username": "ada", "password": PASSWORD}),
        ("POST", "/api/auth/refresh", {"refresh": admin.refresh_token}),
        ("POST", "/api/auth/logout", {"refresh": admin.refresh_token}),
        ("POST", f"/api/accounts/{other.id}/roles/auditor", {}),
        ("POST", f"/api/accounts/{other.id}/disable", {}),
        ("DELETE", f"/api/accounts/{other.id}/roles/organizer", {}),
        ("POST", "/api/visitors/erase", {"email": "ada@example.com"}),
    ]
    with read_only(database_url):
        for method, path, body in writes:
            answer = await api.http.request(method, path, json=body, headers=admin.bearer)
            assert _asks_to_come_back(answer), f"{method} {path}: {answer.text}"
        for path in ("/api/events/list", f"/api/events/{event}", "/api/accounts/"):
            answer = await api.http.get(path, headers=admin.bearer)
            assert answer.status_code == 200, answer.text
    for method, path, body in writes[:2]:
        answer = await api.http.request(method, path, json=body, headers=admin.bearer)
        assert answer.status_code == 201, answer.text


async def test_the_panel_says_so_at_sign_in(lone_api: Api, database_url: str) -> None:
    await lone_api.account("ada", "admin")
    page = await lone_api.http.get("/admin/sign-in")
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    typed = {"csrf_token": token, "username": "ada", "password": PASSWORD}
    with read_only(database_url):
        answer = await lone_api.http.post("/admin/sign-in", data=typed, headers=FORM)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


async def test_it_is_not_ready_and_says_why(api: Api, database_url: str) -> None:
    assert (await api.http.get("/health/ready")).status_code == 200
    with read_only(database_url):
        answer = await api.http.get("/health/ready")
        assert answer.status_code == 503
        checks = answer.json()["checks"]
        assert checks["database"]["status"] == "failing"
        assert "takes no writes" in checks["database"]["reason"]
        assert checks["projections"]["events"]["status"] == "ok"

    async def is_ready() -> bool:
        return (await api.http.get("/health/ready")).status_code == 200

    await until_async(is_ready)


def _asks_to_come_back(answer: httpx.Response) -> bool:
    return (
        answer.status_code == 503
        and answer.json()["type"] == "/problems/overloaded"
        and int(answer.headers["Retry-After"]) > 0
    )
