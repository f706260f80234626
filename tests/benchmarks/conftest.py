"""What a load is put on, and by what."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.support.http_server import Answer, HttpServer, Request


@pytest.fixture
def bodies() -> list[bytes]:
    """Of all requests to the server."""
    return []


@pytest.fixture
def server(bodies: list[bytes]) -> Iterator[HttpServer]:
    """It takes each body once."""

    def respond(request: Request) -> Answer:
        again = request.body in bodies
        bodies.append(request.body)
        return Answer(status=409 if again else 201)

    with HttpServer(respond) as server:
        yield server


@pytest.fixture(params=["wrk", "ours"])
def generator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a rush is made with."""
    if request.param == "ours":
        monkeypatch.setattr(shutil, "which", lambda _: None)
    elif shutil.which("wrk") is None:
        pytest.skip("wrk is not installed")
