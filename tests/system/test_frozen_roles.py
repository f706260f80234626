"""Processes of `up` that are suspended (SIGSTOP): they are replaced."""

from __future__ import annotations

from pathlib import Path

import httpx
import psutil

from tests.support.waiting import DEADLINE, until
from tests.system.running import System, up

ROLES = ("api", "projector", "worker", "scheduler", "sink", "valkey-server")


def test_suspended_roles_are_replaced_and_the_installation_is_healthy_again(data_dir: Path) -> None:
    with up(data_dir) as system:
        frozen = {name: _role(system, name) for name in ROLES}
        for process in frozen.values():
            process.suspend()

        def are_replaced() -> bool:
            return all(
                (now := system.role(name)) is not None and now.pid != process.pid
                for name, process in frozen.items()
            )

        until(are_replaced, within=3 * DEADLINE)  # one that only starts has a minute
        until(lambda: _is_ready(system))


def _role(system: System, name: str) -> psutil.Process:
    process = system.role(name)
    assert process is not None, f"no {name} runs"
    return process


def _is_ready(system: System) -> bool:
    try:
        return httpx.get(f"{system.origin}/health/ready", timeout=5.0).status_code == 200
    except httpx.TransportError:
        return False
