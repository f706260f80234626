"""Checks Redis or Valkey: whether it answers, its version, its eviction policy. Its durability is
not checked, because losing its data only costs seconds."""

from __future__ import annotations

from typing import Any

import redis

from runtime.checks.addresses import broker_address
from runtime.checks.finding import Finding, error, in_one_line, ok, warning

REDIS_TIMEOUT = 3.0
"""Seconds until it must answer."""

MIN_REDIS_VERSION = 7


def check_broker(url: str) -> list[Finding]:
    try:
        with redis.Redis.from_url(
            url, socket_timeout=REDIS_TIMEOUT, socket_connect_timeout=REDIS_TIMEOUT
        ) as client:
            info: dict[str, Any] = client.info()
    except redis.RedisError as failure:
        return [
            error(
                "broker",
                f"{broker_address(url)} does not answer: {in_one_line(failure)}",
                "start it, or correct REDIS_URL; meanwhile deliveries and periodic work wait, and"
                " rate limits are off",
            )
        ]
    return [_version(info), _eviction(info)]


def _version(info: dict[str, Any]) -> Finding:
    if valkey := info.get("valkey_version"):
        return ok("broker", f"Valkey {valkey}; its data need not be durable")
    version = str(info["redis_version"])
    name = f"Redis {version}"
    if int(version.partition(".")[0]) < MIN_REDIS_VERSION:
        return error("broker", f"{name} is too old", "use Redis 7 or newer, or Valkey")
    return ok("broker", f"{name}; its data need not be durable")


def _eviction(info: dict[str, Any]) -> Finding:
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        return warning(
            "broker memory",
            f"maxmemory-policy is {policy}: when memory runs out, enqueued tasks are lost, and run"
            " late",
            "set maxmemory-policy noeviction",
        )
    return ok("broker memory", "no data is evicted")
