"""Three upgrades, each with two releases at work beside each other on one database, under load."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest

from events_face.services import Services
from events_face.settings import Settings
from projections.standings import standings
from tests.api.raw_clients import RawClient, Seen
from tests.api.serving import EVENT, free_port
from tests.support.installation import Installation, all_caught_up
from tests.support.waiting import until_async
from tests.system.releases import CONTRACT, EXPAND, HERE, SWITCH, make_release
from tests.workers.conftest import installation
from tests.workers.processes import LAST_RESORT, environment

__all__ = ["installation"]

pytestmark = pytest.mark.anyio


class Cluster:
    """API processes that share a port, and projectors, of one release or two."""

    def __init__(self, around: dict[str, str]) -> None:
        self.port = free_port()
        self._around = {**around, "WRITE_POLICY": "anyone", "RATE_LIMITS": "off"}
        self._running: dict[Path, list[subprocess.Popen[bytes]]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def events_face(self, release: Path, *words: str) -> str:
        """What a sub-command of the release prints."""
        return subprocess.run(
            self._command(*words),
            env=self._around,
            cwd=release,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def start(self, release: Path, *words: str) -> None:
        process = subprocess.Popen(self._command(*words), env=self._around, cwd=release)
        self._running.setdefault(release, []).append(process)

    def stop(self, release: Path) -> None:
        """All of the release's."""
        for process in (those := self._running.pop(release)):
            process.terminate()
        assert [process.wait(LAST_RESORT) for process in those] == [0] * len(those)

    def kill(self) -> None:
        for process in [process for those in self._running.values() for process in those]:
            process.kill()
            process.wait()

    async def shared_by(self, count: int) -> None:
        """Returns when so many processes answer: each has names of its own for requests."""

        async def are() -> bool:
            names = set()
            for _ in range(8 * count):
                async with httpx.AsyncClient() as client:
                    with_name = (await client.get(f"{self.url}/health/live")).headers
                    names.add(with_name["X-Request-ID"].partition("-")[0])
            return len(names) == count

        await until_async(lambda: self._answers(are), within=60)

    async def _answers(self, are) -> bool:
        try:
            return await are()
        except httpx.TransportError:
            return False

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "events_face", *words]
