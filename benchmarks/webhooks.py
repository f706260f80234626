"""Items that one worker process sends to one webhook per second."""

from __future__ import annotations

from contextlib import ExitStack
from typing import LiteralString

import httpx

from benchmarks.contenders import command, stub
from benchmarks.deliveries import DELAY, installation, register
from benchmarks.integrations import add_webhook, admin_token
from benchmarks.processes import served, started, until
from benchmarks.registrations import LATER
from benchmarks.results import OURS, Comparison, Reach
from benchmarks.stage import Stage
from runtime.ports import free_port

WITHIN = 600.0
"""Seconds."""

SLOW = "Events-Face, 20 ms an answer"

RATE = "items/s"

RATE_OF_ATTEMPTS: LiteralString = """
SELECT (count(*) - 1) / extract(epoch FROM max(at) - min(at)) FROM webhook_attempts
WHERE error IS NULL
"""


def measure(stage: Stage) -> list[Comparison]:
    log = stage.folder / "receiver.log"
    with (
        stub(log) as receiver,
        stub(log, "--delay", DELAY) as slow,
        stub(log, "--status", "503", "--retry-after", LATER) as service,
    ):
        figures = stage.interleaved(
            {
                OURS: lambda: {RATE: _rate(stage, receiver, service)},
                SLOW: lambda: {RATE: _rate(stage, slow, service)},
            }
        )
    return [
        Comparison(
            what="one webhook, by one worker process",
            unit="/s",
            figures=figures[RATE],
            reaches=(Reach(text="1,500/s", bound=1_500),),
        )
    ]


def _rate(stage: Stage, receiver: str, service: str) -> float:
    wanted, log = stage.sizes.deliveries, stage.folder / "webhooks.log"
    with installation(stage) as (database, environment), ExitStack() as taking_in:
        port = free_port()
        taking_in.enter_context(started(command("projector"), environment, log=log))
        api = command("api", "--port", str(port))
        origin = taking_in.enter_context(
            served(api, environment, port=port, log=log, ready="/health/live")
        )
        with httpx.Client(base_url=origin, trust_env=False) as client:
            add_webhook(client, admin_token(stage, database, client), receiver)
        register(origin, wanted)
        until(
            lambda: database.count("visitors") == wanted,
            within=WITHIN,
            otherwise="not all visitors can be read",
        )
        taking_in.close()
        stage.server.settle()
        with started(
            command("worker"), {**environment, "NOTIFICATION_SERVICE_URL": service}, log=log
        ):
            until(
                lambda: database.count("webhook_attempts", "error IS NULL") >= wanted,
                within=WITHIN,
                otherwise="not all items are sent",
            )
        return database.number(RATE_OF_ATTEMPTS)
