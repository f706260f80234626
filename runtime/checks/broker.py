"""Whether Redis, or Valkey, answers and keeps what it is given. What it holds may be lost at any
time: that costs seconds, so its own durability is not looked at."""

from __future__ import annotations

from typing import Any

import redis

from runtime.checks.addresses import of_broker
from runtime.checks.finding import Finding, error, in_one_line, ok, warning

PATIENCE = 3.0
"""Seconds that it has to answer in."""

OLDEST = 7


def examine(url: str) -> list[Finding]:
    try:
        with redis.Redis.from_url(
            url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
        ) as client:
            info: dict[str, Any] = client.info()
    except redis.RedisError as failure:
        return [
            error(
                "broker",
                f"{of_broker(url)} does not answer: {in_one_line(failure)}",
                "start it, or let REDIS_URL name the right one; meanwhile deliveries and periodic"
                " work wait, and calls are not limited",
            )
        ]
    return [_version(info), _eviction(info)]


def _version(info: dict[str, Any]) -> Finding:
    if valkey := info.get("valkey_version"):
        return ok("broker", f"Valkey {valkey}; nothing it holds need be durable")
    version = str(info["redis_version"])
    told = f"Redis {version}"
    if int(version.partition(".")[0]) < OLDEST:
        return error("broker", f"{told} is too old", "use Redis 7 or newer, or Valkey")
    return ok("broker", f"{told}; nothing it holds need be durable")


def _eviction(info: dict[str, Any]) -> Finding:
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        return warning(
            "broker memory",
            f"maxmemory-policy is {policy}: when memory is short, work that was handed over is"
            " forgotten, and done late",
            "set maxmemory-policy noeviction",
        )
    return ok("broker memory", "what it is given is not evicted")
