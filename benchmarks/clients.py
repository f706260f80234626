"""Clients of a running system that keep asking, and note what failed and what took long."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

EVERY = 0.05
"""Seconds from one request of a client to the next."""

SLOW = 0.2
"""Seconds."""

WAIT = 60.0
"""Seconds for the system to be ready."""


class Seen:
    """What clients have met with so far."""

    def __init__(self) -> None:
        self.requests = 0
        self.failed = 0
        self.slow = 0
        self.slowest = 0.0

    def note(self, *, failed: bool, seconds: float) -> None:
        self.requests += 1
        self.failed += failed
        self.slow += seconds > SLOW
        self.slowest = max(self.slowest, seconds)

    def __str__(self) -> str:
        return (
            f"{self.requests} requests meanwhile: {self.failed} failed, {self.slow} took over"
            f" {SLOW * 1000:.0f} ms, the slowest {self.slowest * 1000:.0f} ms"
        )


@contextmanager
def served(environment: dict[str, str]) -> Iterator[Seen]:
    """The whole system runs during the block, and two clients use it. Raises `RuntimeError` when
    it does not get ready."""
    with running(environment) as origin:
        yield from _used(origin)


@contextmanager
def running(environment: dict[str, str]) -> Iterator[str]:
    """The whole system, during the block; gives its origin. Raises `RuntimeError`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-P", "-m", "events_face", "up", "--port", str(port)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet) as system:
        try:
            origin = f"http://127.0.0.1:{port}"
            _wait_until_ready(origin)
            yield origin
        finally:
            system.terminate()


def _used(origin: str) -> Iterator[Seen]:
    seen, done = Seen(), threading.Event()
    clients = [
        threading.Thread(target=client, args=[origin, seen, done]) for client in (_list, _register)
    ]
    for client in clients:
        client.start()
    try:
        yield seen
    finally:
        done.set()
        for client in clients:
            client.join()


def _wait_until_ready(origin: str) -> None:
    ends = time.monotonic() + WAIT
    while time.monotonic() < ends:
        try:
            if httpx.get(f"{origin}/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(EVERY)
    raise RuntimeError("the system did not get ready")


def _list(origin: str, seen: Seen, done: threading.Event) -> None:
    with httpx.Client(base_url=origin, timeout=30.0) as client:
        while not done.wait(EVERY):
            _ask(seen, client, "GET", "/api/events/list", None)


def _register(origin: str, seen: Seen, done: threading.Event) -> None:
    with httpx.Client(base_url=origin, timeout=30.0) as client:
        fair = {
            "name": "While it is rebuilt",
            "event_datetime": "2099-05-17T09:00:00Z",
            "registration_deadline": "2099-05-16T09:00:00Z",
        }
        id = client.post("/api/events/", json=fair).json()["data"]["id"]
        number = 0
        while not done.wait(EVERY):
            number += 1
            body = {"full_name": "Ada Lovelace", "email": f"ada.{number}@example.org"}
            _ask(seen, client, "POST", f"/api/events/{id}/register", body)


def _ask(
    seen: Seen, client: httpx.Client, method: str, path: str, body: dict[str, str] | None
) -> None:
    began = time.perf_counter()
    try:
        failed = not client.request(method, path, json=body).is_success
    except httpx.HTTPError:
        failed = True
    seen.note(failed=failed, seconds=time.perf_counter() - began)
