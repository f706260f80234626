"""Keeps child processes running: starts them, starts again what dies, replaces what gives no sign
of life, stops them in order.

Every child leads a process group of its own, so that a terminal's Ctrl-C reaches the supervisor
only, and holds a lifeline, so that it ends when the supervisor is killed. All stay in one session:
Linux shares out the processor by session first, and a child's niceness counts within it only.
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
from runtime.signs_of_life import Signs

STOP_TIMEOUT = 7.0  # seconds for all roles together, before they are killed
STOP_SHARE = 3.0  # seconds of these that one stage may take

NAME = "EVENTS_FACE_ROLE"
"""The variable in which a child finds its role's name."""

log = structlog.get_logger()


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """One program to keep running; roles of one `stage` are stopped together, lowest first."""

    name: str
    command: Sequence[str]
    stage: int
    environment: Mapping[str, str] = {}
    nice: int = 0
    before_start: Callable[[], None] | None = None
    answers: Callable[[], bool] | None = None
    """Asks a program that gives no signs of life by itself (`runtime.heartbeat`) for one."""


class Supervisor:
    """Runs its roles for the length of a `with` block; `tend` is to be called again and again.

    Once `hurried` says so, stopping no longer waits for anyone.
    """

    def __init__(self, roles: Sequence[Role], hurried: Callable[[], bool] = lambda: False) -> None:
        self._lifeline, self._other_end = os.pipe()
        self._children = [_Child(role, self._lifeline) for role in roles]
        self._hurried = hurried

    def __enter__(self) -> Self:
        self.tend()
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

    def tend(self) -> None:
        """Notice what died, and start what is due. Never waits."""
        for child in self._children:
            child.tend()

    def _stop(self) -> None:
        deadline = time.monotonic() + STOP_TIMEOUT
        for stage in sorted({child.role.stage for child in self._children}):
            those = [child for child in self._children if child.role.stage == stage]
            for child in those:
                child.ask_to_stop()
            until = min(deadline, time.monotonic() + STOP_SHARE)
            while any(child.is_alive() for child in those) and not self._hurried():
                if time.monotonic() > until:
                    break
                time.sleep(0.02)
            for child in those:
                child.kill()


class _Child:
    """The process of one role, the one before it, or the one to come."""

    def __init__(self, role: Role, lifeline_end: int) -> None:
        self.role = role
        self._lifeline = lifeline_end
        self._process: subprocess.Popen[bytes] | None = None
        self._signs = Signs()
        self._backoff = Backoff()

    def tend(self) -> None:
        if self.is_alive() and self._signs.have_ceased():
            log.warning("a role gives no sign of life and is replaced", name=self.role.name)
            self._end()
        if self._process is not None and self._process.poll() is not None:
            ended = _ending(self._process.returncode)
            self._end()
            self._process = None
            self._put_off("a role ended and starts again", ended)
        if self._process is None and self._backoff.is_due():
            try:
                self._start()
            except (OSError, CommandFailed) as error:
                self._put_off("a role cannot start, and is tried again", str(error))

    def _put_off(self, event: str, reason: str) -> None:
        seconds = self._backoff.ended()
        log.warning(event, name=self.role.name, reason=reason, seconds=seconds)

    def _start(self) -> None:
        if self.role.before_start is not None:
            self.role.before_start()
        with self._signs.listened_to() as signs:
            self._process = subprocess.Popen(
                self.role.command,
                env={
                    **os.environ,
                    **self.role.environment,
                    lifeline.VARIABLE: str(self._lifeline),
                    heartbeat.VARIABLE: str(signs),
                    NAME: self.role.name,
                },
                pass_fds=[self._lifeline, signs],
                stdin=subprocess.DEVNULL,
                process_group=0,
            )
            if self.role.answers is not None:
                self._signs.ask(self._process, self.role.answers, signs)
        self._backoff.started()
        if self.role.nice:
            with contextlib.suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, self.role.nice)

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ask_to_stop(self) -> None:
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End it at once with all that it started."""
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


def _ending(code: int) -> str:
    return f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
