"""Check-ins per second at one event, by one API process."""

from __future__ import annotations

from uuid import UUID

import httpx
import msgspec

from benchmarks.client import Asked
from benchmarks.contenders import events_face, stub
from benchmarks.exports import LINES, import_visitors
from benchmarks.fairness import new_event
from benchmarks.integrations import admin_token
from benchmarks.load import WentWrong, ask
from benchmarks.results import OURS, Comparison, Reach
from benchmarks.servers import Database
from benchmarks.stage import Stage

CONNECTIONS = 64

GATES = 4

RATE = "check-ins/s"


def measure(stage: Stage) -> list[Comparison]:
    with stub(stage.folder / "check_ins.log") as service:
        figures = stage.interleaved({OURS: lambda: {RATE: _rate(stage, service)}})
    return [
        Comparison(
            what=f"check-ins by one API process, {CONNECTIONS} connections",
            unit="/s",
            figures=figures[RATE],
            reaches=(Reach(text="2,500/s", bound=2_500),),
        )
    ]


def _rate(stage: Stage, service: str) -> float:
    log, visitors = stage.folder / "check_ins.log", min(LINES, stage.sizes.visitors)
    with (
        stage.server.new_database() as database,
        events_face(notifications=service)(database, log, 1) as origin,
        httpx.Client(base_url=origin, trust_env=False, timeout=60) as client,
    ):
        token = admin_token(stage, database, client)
        client.headers["Authorization"] = f"Bearer {token}"
        event = new_event(client).removesuffix("/register")
        import_visitors(client, event, database, visitors)
        scans = tuple(_scan(number, id) for number, id in enumerate(_ids(database)))
        got = ask(
            Asked(
                origin=origin,
                paths=(f"{event}/check-ins",),
                connections=CONNECTIONS,
                requests=len(scans),
                bodies=scans,
                token=token,
            )
        )
    if got.lost or got.statuses != {"201": visitors}:
        raise WentWrong(str(got))
    return visitors / got.seconds


def _ids(database: Database) -> list[UUID]:
    with database.connect() as connection:
        return [id for (id,) in connection.execute("SELECT id FROM visitors ORDER BY random()")]


def _scan(number: int, visitor: UUID) -> str:
    scan = {"visitor_id": visitor, "nonce": f"bench-{number:08}", "gate": f"Gate {number % GATES}"}
    return msgspec.json.encode(scan).decode()
