"""`audit log`, `show` and `diff`, as an operator uses them."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from domain.areas import CreateArea
from domain.audit.point_in_time import AggregateState, state_as_of
from domain.core.values import Email, Text
from domain.erasure import erase_person
from domain.history.codec import to_json
from domain.history.store import connect
from domain.privacy.keys import InstallationKeys
from events_face.commands.audit_export import export
from events_face.commands.audit_log import log
from events_face.commands.audit_state import diff, show
from runtime.embedded.services import Services
from runtime.errors import CommandFailed, WrongUsage
from runtime.settings import Settings
from tests.support.installation import HOUR, MORNING, ORIGIN, Installation, Maker
from tests.support.processes import environment, events_face_command, run, spoken_with

ALL: dict[str, Any] = {
    "aggregate_id": None, "type": None, "actor": None, "since": None, "until": None,
    "after": None, "limit": 50, "follow": False, "personal": False, "json": False,
}  # fmt: skip
"""The options of `audit log` as they are when none is given."""


async def a_renamed_area(installation: Installation) -> UUID:
    area = await installation.at(MORNING).area()
    await installation.at(MORNING + HOUR).by("ada").rename(area, "Annex\u202e")
    return area


async def a_visitor(installation: Installation) -> UUID:
    (visitor,) = await installation.register(await installation.event(), "ada@example.com")
    return visitor


def test_the_log_prints_the_last_events_the_oldest_first(
    settings: Settings, services: Services, make: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    area = make(a_renamed_area)

    def lines(**options: Any) -> list[str]:
        log(settings, services, **ALL | options)
        return capsys.readouterr().out.splitlines()

    header, *events = lines()
    assert header.split() == ["position", "time", "type", "aggregate", "v", "actor", "data"]
    assert len(events) == 5
    assert lines(limit=2)[1:] == events[-2:]
    assert lines(limit=2, after=0)[1:] == events[:2]
    assert lines(type="Area", actor="ada")[1:] == events[-1:]
    assert lines(since="2030-05-01T10:00Z")[1:] == events[2:]
    assert lines(until="2030-05-01", json=True) == []
    (renamed,) = lines(type="Area.Renamed", json=True)
    assert msgspec.json.decode(renamed)["data"] == {"name": "Annex\u202e"}
    position, time, type, aggregate, version, actor, *_ = events[-1].split()
    assert position.isdigit()
    assert (time, type) == ("2030-05-01T10:00:00Z", "Area.Renamed")
    assert (aggregate, version, actor) == (str(area), "2", "ada")
    assert events[-1].endswith(r'{"name":"Annex\u202e"}'), "no terminal is steered by a name"
    with pytest.raises(WrongUsage, match="--from must be a time"):
        lines(since="soon")


def test_reading_personal_data_goes_into_history(
    settings: Settings, services: Services, make: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    make(a_visitor)
    log(settings, services, **ALL)
    assert "ada@example.com" not in capsys.readouterr().out
    log(settings, services, **ALL | {"personal": True})
    assert "ada@example.com" in capsys.readouterr().out
    log(settings, services, **ALL | {"type": "Disclosure", "json": True})
    (disclosure,) = capsys.readouterr().out.splitlines()
    assert msgspec.json.decode(disclosure)["actor"] == "system:cli"


def test_an_aggregate_is_shown_as_it_was(
    settings: Settings, services: Services, make: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    area = make(a_renamed_area)
    show(settings, services, aggregate_id=area, at="2030-05-01T09:30Z", json=False)
    shown = capsys.readouterr().out
    assert shown.startswith(f"Area {area}, version 1\n")
    assert '"Great Hall"' in shown
    assert "Area.Created" in shown
    show(settings, services, aggregate_id=area, at=None, json=False)
    assert r'"Annex\u202e"' in capsys.readouterr().out.splitlines()[2]
    show(settings, services, aggregate_id=area, at=None, json=True)
    assert msgspec.json.decode(capsys.readouterr().out)["state"]["name"] == "Annex\u202e"
    with pytest.raises(CommandFailed, match=f"nothing had happened to {area} by 2030-05-01$"):
        show(settings, services, aggregate_id=area, at="2030-05-01", json=False)
    with pytest.raises(CommandFailed, match="nothing has happened"):
        show(settings, services, aggregate_id=uuid4(), at=None, json=False)
    with pytest.raises(
        WrongUsage, match="--at is not a position in history, and as a time it must"
    ):
        show(settings, services, aggregate_id=area, at="lately", json=False)


def test_a_replay_with_the_library_equals_the_answers_of_the_api(
    settings: Settings,
    services: Services,
    make: Maker,
    keys: InstallationKeys,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def history(installation: Installation) -> list[UUID]:
        area, event = await installation.area(), await installation.event()
        (visitor,) = await installation.register(event, "ada@example.com")
        connection = installation.connection
        await erase_person(connection, keys, Email("ada@example.com"), ORIGIN, _no_rows)
        tampered = []
        for topic in ("Area.Teleported", "Event.Closed", None):
            id = await installation.area(f"Hall {topic}")
            await installation.rename(id, f"Annex {topic}")
            await installation.rename(id, f"Cellar {topic}")
            tampered.append((topic, id))
        foreign = uuid4()
        await connection.execute(
            "INSERT INTO history_events VALUES (%s, 1, 'shop:Order.Placed', '{}')", [foreign]
        )
        await connection.cursor().executemany(
            "UPDATE history_events SET topic = %s"
            " WHERE originator_id = %s AND originator_version = 2",
            tampered,
        )
        return [area, event, visitor, foreign, *(id for _, id in tampered)]

    async def api(id: UUID, position: int) -> AggregateState | None:
        async with await connect(services.database_url) as connection:
            return await state_as_of(connection, id, position)

    def command(id: UUID, position: int) -> str | None:
        try:
            show(settings, services, aggregate_id=id, at=str(position), json=True)
        except CommandFailed:
            return None
        return capsys.readouterr().out

    ids = make(history)
    unreadable = 0
    for id in ids:
        for position in range(0, 30, 3):
            answer = asyncio.run(api(id, position))
            assert command(id, position) == (answer and f"{to_json(answer).decode()}\n")
            unreadable += answer is not None and answer.state is None
    assert unreadable > 3


async def _no_rows(*_: object) -> None:
    """Read tables are not looked at here."""


def test_what_changed_is_printed(
    settings: Settings, services: Services, make: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    area = make(a_renamed_area)
    how: dict[str, Any] = {"aggregate_id": area, "end": None, "json": False}
    diff(settings, services, start="2030-05-01T09:30Z", **how)
    printed = capsys.readouterr().out
    assert printed.startswith(f"Area {area}, from version 1 to 2\n")
    assert r'"Great Hall" -> "Annex\u202e"' in printed
    assert "Area.Renamed" in printed
    assert "Area.Created" not in printed
    diff(settings, services, start="0", **how | {"json": True})
    assert msgspec.json.decode(capsys.readouterr().out)["from_version"] == 0
    with pytest.raises(WrongUsage, match="--from must not be later than the end"):
        diff(settings, services, start="2031-01-01", **how | {"end": "2030-05-01T09:30Z"})


def test_a_follower_sees_new_events(settings: Settings, services: Services, make: Maker) -> None:
    make(partial(Installation.area, name="First"))
    command = events_face_command(
        *("audit", "log", "--follow", "--json", "--type", "Area", "--limit", "1")
    )
    with spoken_with(command, env=environment(settings, services)) as follower:
        assert follower.stdout is not None
        assert '"First"' in follower.stdout.readline()
        for name in ("Second", "Third"):
            make(partial(Installation.area, name=name))
            assert f'"{name}"' in follower.stdout.readline()


def test_a_full_disk_is_one_line(settings: Settings, services: Services) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        command = events_face_command("audit", "log")
        done = run(command, env=environment(settings, services), stdout=full)
    assert (done.returncode, done.stderr) == (1, "events-face: No space left on device\n")


def test_a_closed_output_pipe_is_not_a_failure(
    settings: Settings, services: Services, make: Maker
) -> None:
    areas = [CreateArea(name=Text(f"Area {number}")) for number in range(300)]
    make(lambda installation: installation.give(*areas))
    command = f"{sys.executable} -m events_face audit export | head -n 1"
    done = run(["bash", "-o", "pipefail", "-c", command], env=environment(settings, services))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1


def test_no_command_of_the_audit_shows_the_code_of_a_registration(
    settings: Settings,
    services: Services,
    make: Maker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    visitor = make(a_visitor)
    file = tmp_path / "history.jsonl"
    for json in (False, True):
        log(settings, services, **ALL | {"json": json, "personal": True})
        show(settings, services, aggregate_id=visitor, at=None, json=json)
        diff(settings, services, aggregate_id=visitor, start="0", end=None, json=json)
    exported = {name: ALL[name] for name in ALL.keys() - {"limit", "follow", "json"}}
    export(settings, services, **exported | {"output": file, "resume": False, "personal": True})
    printed = capsys.readouterr().out + file.read_text()
    assert printed.count("ada@example.com") == 3
    assert "code" not in printed
