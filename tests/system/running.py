"""`events-face up` as a user runs it: one process tree, its embedded servers, its data dir."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import IO

import httpx
import msgspec
import psutil

from runtime.ports import free_port
from tests.support.processes import Spoken, events_face, events_face_command, spoken_with
from tests.support.waiting import until

READY_WITHIN = 60.0
STOPPED_WITHIN = 30.0
"""Seconds; the product's own limit is 10, on a machine with nothing else to do."""


class System(msgspec.Struct, frozen=True):
    """A running `up`."""

    process: Spoken
    origin: str
    data_dir: Path
    environment: dict[str, str]

    def client(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=32)
        return httpx.AsyncClient(base_url=self.origin, timeout=30.0, limits=limits)

    def events_face(self, *words: str) -> str:
        """What a sub-command prints, run beside it."""
        done = events_face(self.environment, *words)
        assert done.code == 0, done.err
        return done.out

    def role(self, name: str) -> psutil.Process | None:
        """The process of a role, or of `valkey-server`: one of `up`'s children."""
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # a zombie is none either
                words = " ".join(child.cmdline()).replace("/", " ").split()
                if name in words:
                    return child
        return None

    def kill(self, name: str) -> None:
        """As `kill -9` does; returns when another process has taken its place."""
        victim = self.role(name)
        assert victim is not None, f"no {name} runs"
        victim.kill()
        until(lambda: (now := self.role(name)) is not None and now.pid != victim.pid)

    def kill_postgres(self) -> None:
        pid = int((self.data_dir / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)


@contextmanager
def up(data_dir: Path, *words: str, **settings: str) -> Iterator[System]:
    """Ready when the block begins; stopped, cleanly and wholly, when it ends."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(data_dir),
        "WRITE_POLICY": "anyone",
        **settings,
    }
    command = events_face_command("up", "--port", str(port), *words)
    with spoken_with(command, env=environment, cwd=data_dir.parent) as process:
        assert process.stdout is not None
        line = _first_line(process.stdout)
        assert line == f"Events-Face is ready at http://127.0.0.1:{port}\n"
        system = System(process, f"http://127.0.0.1:{port}", data_dir, environment)
        family = psutil.Process(process.pid).children(recursive=True)
        try:
            yield system
        finally:
            family += psutil.Process(process.pid).children(recursive=True)
            process.terminate()
            process.wait(STOPPED_WITHIN)
        assert process.returncode == 0
        _, left = psutil.wait_procs(family, timeout=STOPPED_WITHIN)
        assert left == []


def _first_line(stdout: IO[str]) -> str:
    lines = Queue[str]()
    Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
    return lines.get(timeout=READY_WITHIN)
