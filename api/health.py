"""`/health`: liveness of this process, and readiness with everything that it needs."""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec
import psycopg
from litestar import Response, get
from litestar.openapi.datastructures import ResponseSpec
from redis import RedisError

from api.database.probe import PROBE_TIMEOUT
from api.http.access import Who
from api.http.connections import Connections
from api.http.examples import example
from api.http.limits import UNLIMITED
from api.http.requests import Request
from api.http.responses import json_response
from domain.core.availability import BRING_BACK, OnlyReads
from projections.status import ProjectionStatus, State, Stop

MAX_LAG = 10.0
"""Seconds that a projection may lag behind history and still be ready."""

_FOR_PROBES = {"access": Who.ANYONE, **UNLIMITED}

Status = Literal["ok", "failing"]


@example(status="ok")
class Check(msgspec.Struct, frozen=True):
    status: Status
    reason: str | None = None


class ProjectionCheck(msgspec.Struct, frozen=True, kw_only=True):
    status: Status
    reason: str | None
    state: State
    position: int
    lag_events: int
    lag_seconds: float | None
    version: int
    stop: Stop | None


class Checks(msgspec.Struct, frozen=True, kw_only=True):
    database: Check
    broker: Check
    projections: dict[str, ProjectionCheck]


@example(
    status="ok",
    checks={
        "database": {"status": "ok"},
        "broker": {"status": "ok"},
        "projections": {
            "events": {
                "status": "ok",
                "reason": None,
                "state": "running",
                "position": 42,
                "lag_events": 0,
                "lag_seconds": 0.0,
                "version": 40,
                "stop": None,
            }
        },
    },
)
class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    status: Status
    checks: Checks


@get(
    "/health/live",
    summary="Liveness: whether this process answers",
    tags=["health"],
    opt=_FOR_PROBES,
)
async def live() -> Response[Check]:
    """Depends on nothing else: an answer means that the process needs no restart."""
    return json_response(Check("ok"))


@get(
    "/health/ready",
    summary="Readiness: database, broker and projections",
    tags=["health"],
    opt=_FOR_PROBES,
    responses={503: ResponseSpec(Readiness, description="Something is failing")},
)
async def ready(request: Request) -> Response[Readiness]:
    """503 with the reason when the database, the broker or a projection fails."""
    connections = request.connections
    (database, projections), broker = await asyncio.gather(
        _database(connections), _broker(connections)
    )
    statuses = [database.status, broker.status, *(p.status for p in projections.values())]
    well = all(status == "ok" for status in statuses)
    readiness = Readiness(
        status="ok" if well else "failing",
        checks=Checks(database=database, broker=broker, projections=projections),
    )
    return json_response(readiness, status_code=200 if well else 503)


async def _database(connections: Connections) -> tuple[Check, dict[str, ProjectionCheck]]:
    try:
        now = await connections.watch.now()
    except (psycopg.Error, TimeoutError) as error:
        return _failing(error), {}
    check = Check("ok")
    if now.only_reads:
        check = _failing(OnlyReads())
    if now.missing:
        check = Check("failing", f"missing: {', '.join(now.missing)}; {BRING_BACK}")
    return check, {standing.name: _projection(standing) for standing in now.standings}


async def _broker(connections: Connections) -> Check:
    if connections.broker is None:
        return Check("failing", "not configured")
    try:
        await asyncio.wait_for(connections.broker.ping(), PROBE_TIMEOUT)
    except (RedisError, OSError, TimeoutError) as error:
        return _failing(error)
    return Check("ok")


def _failing(error: Exception) -> Check:
    return Check("failing", str(error) or f"no answer in {PROBE_TIMEOUT:.0f} s")


def _projection(standing: ProjectionStatus) -> ProjectionCheck:
    return ProjectionCheck(
        status="failing" if (reason := _trouble(standing)) else "ok",
        reason=reason,
        state=standing.state,
        position=standing.position,
        lag_events=standing.lag_events,
        lag_seconds=standing.lag_seconds,
        version=standing.version,
        stop=standing.stop,
    )


def _trouble(standing: ProjectionStatus) -> str | None:
    if standing.trouble is not None:
        return standing.trouble
    if (standing.lag_seconds or 0) > MAX_LAG:
        return f"{standing.lag_seconds:.0f} s behind history"
    return None
