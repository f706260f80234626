import errno
import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import msgspec
import psutil
import pytest

from runtime import heartbeat
from runtime.errors import CommandFailed
from runtime.signs_of_life import MAX_STEP, SignsOfLife
from runtime.supervisor import Role, Supervisor
from tests.support.processes import started
from tests.support.waiting import until

ORDINARY = """
import pathlib, signal, sys, time
from runtime import lifeline
lifeline.hold()
place = pathlib.Path(sys.argv[1])
def stop(*_):
    with place.open("a") as file: file.write("stopped ")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
with place.open("a") as file: file.write("started ")
while True: time.sleep(60)
"""
BEATING = ORDINARY.replace(
    "lifeline.hold()",
    """lifeline.hold()
from runtime.heartbeat import HEARTBEAT
HEARTBEAT.begin()""",
)
STUBBORN = """
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
while True: time.sleep(60)
"""
SUPERVISING = """
import sys, time
from runtime.errors import CommandFailed
from runtime.supervisor import Role, Supervisor
command = [sys.executable, "-c", sys.argv[1], sys.argv[2]]
with Supervisor([Role(name="one", command=command, stage=0)]) as supervisor:
    while True:
        supervisor.check()
        time.sleep(0.02)
"""


def role(name: str, program: str, place: Path, stage: int = 0) -> Role:
    command = [sys.executable, "-c", program, str(place)]
    return Role(name=name, command=command, stage=stage)


def until_tended(supervisor: Supervisor, condition: Callable[[], bool]) -> None:
    def tended() -> bool:
        supervisor.check()
        return condition()

    until(tended)


def text(place: Path) -> str:
    return place.read_text() if place.exists() else ""


def test_a_role_that_dies_starts_again(tmp_path: Path) -> None:
    place = tmp_path / "one"
    with Supervisor([role("one", ORDINARY, place)]) as supervisor:
        until(lambda: text(place) == "started ")
        for child in psutil.Process().children():
            if str(place) in child.cmdline():
                child.kill()
        until_tended(supervisor, lambda: text(place) == "started started ")
    assert text(place) == "started started stopped "


def test_a_role_that_keeps_dying_waits_longer_each_time(tmp_path: Path) -> None:
    starts: list[int] = []
    dying = Role(
        name="dying",
        command=[sys.executable, "-c", "raise SystemExit(3)"],
        stage=0,
        before_start=lambda: starts.append(1),
    )
    with Supervisor([dying]) as supervisor:
        until_tended(supervisor, lambda: len(starts) == 3)
        backoff = supervisor._children[0]._backoff
        until_tended(supervisor, lambda: len(starts) == 3 and not backoff.is_due())
        assert backoff.ended() == 1.6  # after 0.2, 0.4 and 0.8


def test_a_role_that_cannot_start_is_tried_again(tmp_path: Path) -> None:
    place, program = tmp_path / "one", tmp_path / "program"
    refusals = [OSError(errno.EAGAIN, "no process to be had"), CommandFailed("not yet")]

    def refuse() -> None:
        if refusals:
            raise refusals.pop()

    command = [str(program), "-c", ORDINARY, str(place)]
    missing = Role(name="one", stage=0, command=command, before_start=refuse)
    with Supervisor([missing]) as supervisor:
        until_tended(supervisor, lambda: refusals == [])
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        program.chmod(0o700)
        until_tended(supervisor, lambda: text(place) == "started ")


def test_roles_stop_in_the_order_of_their_stages(tmp_path: Path) -> None:
    place = tmp_path / "order"
    noting = ORDINARY.replace('"stopped "', 'sys.argv[2] + " "')
    roles = [
        Role(name=name, stage=stage, command=[sys.executable, "-c", noting, str(place), name])
        for name, stage in (("database", 2), ("worker", 1), ("api", 0))
    ]
    with Supervisor(roles):
        until(lambda: text(place).count("started") == 3)
    assert text(place).split()[-3:] == ["api", "worker", "database"]


def test_a_role_that_does_not_stop_is_killed_with_all_it_started(tmp_path: Path) -> None:
    place = tmp_path / "stubborn"
    with Supervisor([role("stubborn", STUBBORN, place)], stop_at_once=lambda: True):
        until(lambda: text(place) != "")
    until(lambda: _is_gone(int(text(place))))


def test_a_terminals_interrupt_does_not_reach_the_roles(tmp_path: Path) -> None:
    place = tmp_path / "one"
    with Supervisor([role("one", ORDINARY, place)]) as supervisor:
        until(lambda: text(place) == "started ")
        child = supervisor._children[0]._process
        assert child is not None
        assert os.getpgid(child.pid) == child.pid


def test_roles_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    place = tmp_path / "one"
    with started([sys.executable, "-c", SUPERVISING, ORDINARY, str(place)]) as supervisor:
        until(lambda: text(place) == "started ")
        supervisor.send_signal(signal.SIGKILL)
    until(lambda: text(place) == "started stopped ")


def test_a_role_runs_at_the_priority_it_was_given(tmp_path: Path) -> None:
    place = tmp_path / "nice"
    program = "import os, sys, time\nwhile os.nice(0) != 5: time.sleep(0.01)\n"
    program += "open(sys.argv[1], 'w').write('nice'); time.sleep(60)"
    nice = Role(name="nice", stage=0, nice=5, command=[sys.executable, "-c", program, str(place)])
    with Supervisor([nice], stop_at_once=lambda: True):
        until(lambda: text(place) == "nice")


def _is_gone(number: int) -> bool:
    try:
        return psutil.Process(number).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def suspend(place: Path) -> None:
    for child in psutil.Process().children():
        if str(place) in child.cmdline():
            child.suspend()


def test_a_role_without_a_heartbeat_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.signs_of_life.MAX_SILENCE", 5.0)
    place = tmp_path / "one"
    with Supervisor([role("one", BEATING, place)]) as supervisor:
        until_tended(supervisor, lambda: supervisor._children[0]._signs._given_any)
        suspend(place)
        until_tended(supervisor, lambda: text(place) == "started started ")


def test_a_program_that_does_not_answer_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.signs_of_life.MAX_SILENCE", 0.5)
    monkeypatch.setattr("runtime.heartbeat.INTERVAL", 0.01)
    place = tmp_path / "one"
    answers = iter([True] * 3)
    asked = msgspec.structs.replace(
        role("one", ORDINARY, place), is_responding=lambda: next(answers, False)
    )
    with Supervisor([asked]) as supervisor:
        until(lambda: text(place) == "started ")
        until_tended(supervisor, lambda: text(place) == "started started ")


def test_a_starting_role_has_more_time_for_its_first_heartbeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.signs_of_life.MAX_SILENCE", -1.0)
    place = tmp_path / "one"
    with Supervisor([role("one", ORDINARY, place)]) as supervisor:
        until(lambda: text(place) == "started ")
        for _ in range(10):
            supervisor.check()
        assert text(place) == "started "
        monkeypatch.setattr("runtime.signs_of_life.MAX_START_TIME", -1.0)
        supervisor.check()
        monkeypatch.setattr("runtime.signs_of_life.MAX_START_TIME", 3600.0)
        until_tended(supervisor, lambda: text(place) == "started started ")


def test_time_in_which_the_supervisor_was_suspended_does_not_count_as_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr("runtime.signs_of_life.time", SimpleNamespace(monotonic=lambda: clock[0]))
    signs = SignsOfLife()
    with signs.open_pipe() as end:
        heartbeat.beat(end)
        assert signs.silence() == 0
        clock[0] += 3600
        assert signs.silence() == MAX_STEP
        heartbeat.beat(end)
        assert signs.silence() == 0
    signs.close()
