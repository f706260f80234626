"""What other systems cost a registration: an Idempotency-Key on every call, three webhooks, a feed
that 100 clients follow."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import httpx

from benchmarks.client import Asked
from benchmarks.contenders import command, events_face, settings, stub
from benchmarks.fairness import new_event
from benchmarks.load import WentWrong, ask
from benchmarks.processes import run, started
from benchmarks.results import OURS, Comparison
from benchmarks.servers import Database
from benchmarks.stage import Stage, Turn

CONNECTIONS = 64

WEBHOOKS, FOLLOWERS = 3, 100

KEYED = "with an Idempotency-Key each"
CALLED = f"with {WEBHOOKS} webhooks"
FOLLOWED = f"with {FOLLOWERS} clients that follow the feed"

RATE = "registrations/s"

ADMIN, PASSWORD = "root", "a long enough password"

Integration = Callable[[str, str, Path], AbstractContextManager[object]]
"""What runs beside the load, given the origin, an admin's token and a file for a log."""


def measure(stage: Stage) -> list[Comparison]:
    with stub(stage.folder / "integrations.log") as service:
        turn = partial(_turn, stage, service)
        figures = stage.interleaved(
            {
                OURS: turn(_nothing),
                KEYED: turn(_nothing, idempotent=True),
                CALLED: turn(_called),
                FOLLOWED: turn(_followed),
            }
        )
    return [
        Comparison(
            what=f"registrations, {CONNECTIONS} connections, beside other systems",
            unit="/s",
            figures=figures[RATE],
        )
    ]


def _turn(
    stage: Stage, service: str, integration: Integration, *, idempotent: bool = False
) -> Turn:
    log = stage.folder / "integrations.log"

    def turn() -> Mapping[str, float]:
        sizes = stage.sizes
        with (
            stage.server.new_database() as database,
            events_face(notifications=service)(database, log, sizes.serving) as origin,
            httpx.Client(base_url=origin, trust_env=False, timeout=30) as client,
        ):
            token = admin_token(stage, database, client)
            asked = Asked(
                origin=origin,
                paths=tuple(new_event(client) for _ in range(20)),
                connections=CONNECTIONS,
                requests=sizes.hot,
                idempotent=idempotent,
            )
            with integration(origin, token, log):
                got = ask(asked)
        if got.lost or got.statuses != {"201": sizes.hot}:
            raise WentWrong(str(got))
        return {RATE: sizes.hot / got.seconds}

    return turn


def admin_token(stage: Stage, database: Database, client: httpx.Client) -> str:
    """The access token of a new admin."""
    create = command("createsuperuser", "--username", ADMIN)
    environment = settings(database, stage.folder / database.environment["PGDATABASE"])
    run(create, {**environment, "EVENTS_FACE_PASSWORD": PASSWORD})
    login = client.post("/api/auth/login", json={"username": ADMIN, "password": PASSWORD})
    token: str = login.raise_for_status().json()["data"]["access_token"]
    return token


def _nothing(_origin: str, _token: str, _log: Path) -> AbstractContextManager[object]:
    return nullcontext()


@contextmanager
def _called(origin: str, token: str, log: Path) -> Iterator[None]:
    """Webhooks that get every item of the feed."""
    with (
        stub(log) as receiver,
        httpx.Client(base_url=origin, trust_env=False, timeout=30) as client,
    ):
        for number in range(WEBHOOKS):
            add_webhook(client, token, f"{receiver}/{number}")
        yield


def add_webhook(client: httpx.Client, token: str, url: str) -> None:
    """One that gets every item of the feed from now on."""
    client.post(
        "/api/webhooks/",
        json={"url": url, "types": []},
        headers={"Authorization": f"Bearer {token}"},
    ).raise_for_status()


@contextmanager
def _followed(origin: str, token: str, log: Path) -> Iterator[None]:
    follow = [sys.executable, "-P", "-m", "benchmarks.followers", origin, token]
    with started([*follow, "--clients", str(FOLLOWERS)], {}, log=log) as followers:
        yield
        if followers.poll() is not None:
            raise WentWrong(log.read_text()[-2_000:])
