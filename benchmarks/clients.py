"""Clients that use a running system and record failed and slow requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from benchmarks.fairness import new_event

EVERY = 0.05
"""Seconds from one request of a client to the next."""

SLOW = 0.2
"""Seconds."""


class Seen:
    """The failures and slow requests so far."""

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
def used(origin: str) -> Iterator[Seen]:
    """Two clients use the system during the block."""
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


def _list(origin: str, seen: Seen, done: threading.Event) -> None:
    with httpx.Client(base_url=origin, timeout=30.0) as client:
        while not done.wait(EVERY):
            _ask(seen, client, "GET", "/api/events/list", None)


def _register(origin: str, seen: Seen, done: threading.Event) -> None:
    with httpx.Client(base_url=origin, timeout=30.0) as client:
        path = new_event(client)
        number = 0
        while not done.wait(EVERY):
            number += 1
            body = {"full_name": "Ada Lovelace", "email": f"ada.{number}@example.org"}
            _ask(seen, client, "POST", path, body)


def _ask(
    seen: Seen, client: httpx.Client, method: str, path: str, body: dict[str, str] | None
) -> None:
    began = time.perf_counter()
    try:
        failed = not client.request(method, path, json=body).is_success
    except httpx.HTTPError:
        failed = True
    seen.note(failed=failed, seconds=time.perf_counter() - began)
