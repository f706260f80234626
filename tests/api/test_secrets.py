"""Nothing that is logged or refused holds a token, a password or an email."""

from __future__ import annotations

import sys

import httpx
import msgspec
import pytest

from domain.key_secrets import KeySecret
from runtime.embedded.services import Services
from runtime.ports import free_port
from runtime.settings import Settings
from tests.api.serving import EVENT, api_process
from tests.support.processes import run
from tests.support.waiting import DEADLINE

PASSWORD = "correct-horse-battery"
EMAIL = "ada.lovelace@example.com"
TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.forged"
JSON = {"Content-Type": "application/json"}
KEY = KeySecret.new().reveal()
"""Of no installation."""
SECRETS = [PASSWORD, EMAIL, EMAIL.upper(), TOKEN, "forged", KEY[4:20]]


def test_failing_logins_and_registrations_leave_no_secret_behind(
    settings: Settings, services: Services, capfd: pytest.CaptureFixture[str]
) -> None:
    away = Services(database_url=services.database_url, redis_url="redis://127.0.0.1:1/0")
    limited = msgspec.structs.replace(settings, rate_limits=True)
    port = free_port()
    with (
        api_process(limited, away, port) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        event = client.post("/api/events", json=EVENT).json()["data"]["id"]
        registering = f"/api/events/{event}/register"
        assert client.post(registering, json=visitor(EMAIL)).status_code == 201
        refused = [
            client.post(registering, json=visitor(EMAIL.upper())),
            client.post(registering, json=visitor(f"{EMAIL} {EMAIL}")),
            client.post(registering, content=f'{{"email": "{EMAIL}"', headers=JSON),
            client.post(registering, json=visitor(EMAIL), headers={"Content-Type": "text/plain"}),
            client.post("/api/auth/login", json={"username": "ada", "password": PASSWORD}),
            client.post("/api/auth/login", json={"username": PASSWORD, "password": [PASSWORD]}),
            client.post("/api/auth/register", json={"username": "", "password": PASSWORD}),
            client.post("/api/auth/refresh", json={"refresh": TOKEN}),
            client.post("/api/auth/logout", json={"refresh": TOKEN}, headers=bearer),
            client.get("/api/auth/me", headers=bearer),
            client.get("/api/accounts/", headers=bearer),
            client.get("/api/accounts/", headers={"Authorization": f"Bearer {KEY}"}),
            client.get("/api/accounts/", headers={"Authorization": f"Bearer {KEY}x"}),
        ]
        unready = client.get("/health/ready", params={"token": TOKEN})
        process.terminate()  # it logs everything before it ends
        process.wait(DEADLINE)
    assert {answer.status_code for answer in refused} == {400, 401, 409, 415, 422}
    assert unready.status_code == 503
    for answer in [*refused, unready]:
        assert not [secret for secret in SECRETS if secret in answer.text]
    logged = capfd.readouterr().err
    assert "rate limits are suspended" in logged
    assert '"status": 503' in logged
    assert not [secret for secret in SECRETS if secret in logged]


def visitor(email: str) -> dict[str, str]:
    return {"full_name": "Ada Lovelace", "email": email}


FAILURE = """
import structlog
from runtime.logging import configure
from runtime.settings import Settings

def login(password):
    raise KeyError("a bug")

configure("api", Settings(debug=True, log_format="{format}"))
try:
    login("correct-horse-" + "battery")
except KeyError:
    structlog.get_logger().error("a bug", exc_info=True)
"""


@pytest.mark.parametrize("rendering", ["json", "pretty"])
def test_a_traceback_is_logged_without_the_values_of_variables(rendering: str) -> None:
    code = FAILURE.format(format=rendering)
    logged = run([sys.executable, "-c", code], check=True).stderr
    assert "KeyError" in logged
    assert PASSWORD not in logged
