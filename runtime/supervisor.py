"""Keeps child processes running: starts them, restarts those that end or give no sign of life, and
stops them in order.

Each child leads its own process group, so that Ctrl-C in a terminal reaches only the supervisor,
and has a lifeline, so that it ends when the supervisor is killed. All children stay in one session,
because Linux divides the processor between sessions first: niceness counts only within a session.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import msgspec
import structlog

from runtime import heartbeat, lifeline
from runtime.backoff import Backoff
from runtime.errors import CommandFailed
from runtime.signs_of_life import SignsOfLife

STOP_TIMEOUT = 7.0  # seconds until all roles are killed
STAGE_STOP_TIMEOUT = 3.0  # seconds until the roles of one stage are killed

ROLE_VARIABLE = "EVENTS_FACE_ROLE"
"""The environment variable with the name of the child's role."""

log = structlog.get_logger()


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """One program to keep running; roles of one `stage` are stopped together, lowest first."""

    name: str
    command: Sequence[str]
    stage: int
    environment: Mapping[str, str] = {}
    nice: int = 0
    before_start: Callable[[], None] | None = None
    is_responding: Callable[[], bool] | None = None
    """Checks a program that has no heartbeat of its own (`runtime.heartbeat`)."""


class Supervisor:
    """Runs its roles during a `with` block. Call `check` repeatedly.

    When `stop_at_once` returns True, stopping kills the roles without waiting.
    """

    def __init__(
        self, roles: Sequence[Role], stop_at_once: Callable[[], bool] = lambda: False
    ) -> None:
        self._lifeline, self._other_end = os.pipe()
        self._children = [_Child(role, self._lifeline) for role in roles]
        self._hurried = stop_at_once

    def __enter__(self) -> Self:
        self.check()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()
        os.close(self._lifeline)
        os.close(self._other_end)

    def check(self) -> None:
        """Detect children that ended, and start those that are due. Never blocks."""
        for child in self._children:
            child.check()

    def _stop(self) -> None:
        deadline = time.monotonic() + STOP_TIMEOUT
        for stage in sorted({child.role.stage for child in self._children}):
            children = [child for child in self._children if child.role.stage == stage]
            for child in children:
                child.terminate()
            until = min(deadline, time.monotonic() + STAGE_STOP_TIMEOUT)
            while any(child.is_alive() for child in children) and not self._hurried():
                if time.monotonic() > until:
                    break
                time.sleep(0.02)
            for child in children:
                child.kill()


class _Child:
    """The process of one role, and its restarts."""

    def __init__(self, role: Role, lifeline_end: int) -> None:
        self.role = role
        self._lifeline = lifeline_end
        self._process: subprocess.Popen[bytes] | None = None
        self._signs = SignsOfLife()
        self._backoff = Backoff()

    def check(self) -> None:
        if self.is_alive() and self._signs.are_overdue():
            log.warning("a role gives no sign of life and is replaced", name=self.role.name)
            self._end()
        if self._process is not None and self._process.poll() is not None:
            ended = _describe_end(self._process.returncode)
            self._end()
            self._process = None
            self._back_off("a role ended and will be restarted", ended)
        if self._process is None and self._backoff.is_due():
            try:
                self._start()
            except (OSError, CommandFailed) as error:
                self._back_off("a role cannot start; trying again", str(error))

    def _back_off(self, event: str, reason: str) -> None:
        seconds = self._backoff.ended()
        log.warning(event, name=self.role.name, reason=reason, seconds=seconds)

    def _start(self) -> None:
        if self.role.before_start is not None:
            self.role.before_start()
        with self._signs.open_pipe() as signs:
            self._process = subprocess.Popen(
                self.role.command,
                env={
                    **os.environ,
                    **self.role.environment,
                    lifeline.VARIABLE: str(self._lifeline),
                    heartbeat.VARIABLE: str(signs),
                    ROLE_VARIABLE: self.role.name,
                },
                pass_fds=[self._lifeline, signs],
                stdin=subprocess.DEVNULL,
                process_group=0,
            )
            if self.role.is_responding is not None:
                self._signs.poll_child(self._process, self.role.is_responding, signs)
        self._backoff.started()
        if self.role.nice:
            with contextlib.suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, self.role.nice)

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def terminate(self) -> None:
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """Kill the child with its process group."""
        if self._process is None:
            return
        if self._process.poll() is None:
            log.warning("a role does not stop and is killed", name=self.role.name)
        self._end()

    def _end(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _describe_end(code: int) -> str:
    return f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
