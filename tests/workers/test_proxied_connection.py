"""Notifications go through the proxy that the environment configures."""

from __future__ import annotations

import pytest

from tests.support.messages import outgoing
from tests.support.notification_service import NotificationService
from workers.delivery import notification_service as calling
from workers.delivery.sender import Accepted, Answer, TryLater

pytestmark = pytest.mark.anyio

NOTIFICATION = outgoing("ada@example.org")


async def sent(url: str) -> Answer:
    calls = calling.NotificationService(url, "the-token", "the-owner")
    try:
        return await calls.send(NOTIFICATION)
    finally:
        await calls.close()


async def test_calls_go_through_the_proxy_that_the_environment_names(
    service: NotificationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", service.server.origin)
    assert await sent("http://notifications.invalid/take") == Accepted()
    (received,) = service.received
    assert received.request.target == "http://notifications.invalid/take"
    assert received.request.headers["host"] == "notifications.invalid"
    assert received.request.headers["authorization"] == "Bearer the-token"
    assert received.request.headers["idempotency-key"] == str(NOTIFICATION.id)
    assert received.email == "ada@example.org"


async def test_hosts_that_need_no_proxy_are_called_directly(
    service: NotificationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", "http://proxy.invalid:3128")
    assert isinstance(await sent(service.url), TryLater)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert await sent(service.url) == Accepted()
    (received,) = service.received
    assert received.request.target == "/api/notifications"
