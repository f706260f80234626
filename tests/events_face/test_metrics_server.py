"""The metrics port of roles that serve nothing else."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import httpx
import pytest

from runtime import metrics_server
from runtime.ports import free_port
from tests.support.waiting import until


def serve(*, token: str | None = None) -> tuple[str, int]:
    port = free_port()
    metrics_server.serve(lambda: b"events_face_up 1\n", "127.0.0.1", port, token)
    return f"http://127.0.0.1:{port}/metrics", port


def test_idle_connections_do_not_block_a_scrape() -> None:
    url, port = serve()
    with ExitStack() as held:
        silent = [
            held.enter_context(socket.create_connection(("127.0.0.1", port)))
            for _ in range(3 * metrics_server.MAX_CONNECTIONS)
        ]
        assert httpx.get(url, timeout=30).text == "events_face_up 1\n"
        silent[0].settimeout(30)
        assert silent[0].recv(1) == b""


def test_a_connection_that_sends_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.metrics_server._Handler.timeout", 0.1)
    _, port = serve()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as silent:
        assert silent.recv(1) == b""


def test_a_token_closes_the_port() -> None:
    url, _ = serve(token="a-secret")
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, headers={"Authorization": "Bearer another"}).status_code == 401
    assert httpx.get(url, headers={"Authorization": "Bearer a-secret"}).status_code == 200


def test_concurrent_scrapes_share_one_rendering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "CACHE_TIME", 3600.0)
    drawn = list[int]()
    port = free_port()

    def text() -> bytes:
        drawn.append(1)
        return b""

    metrics_server.serve(text, "127.0.0.1", port, None)
    for _ in range(3):
        assert httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 200
    until(lambda: drawn == [1])
