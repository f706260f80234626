"""`audit export` writes all of history, once, whatever interrupts it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events_face.commands.audit_export import export
from runtime.embedded.services import Services
from runtime.errors import CommandFailed, WrongUsage
from runtime.settings import Settings
from tests.support.installation import Installation, Maker
from tests.support.processes import environment, events_face

pytestmark = pytest.mark.usefixtures("small_export_batches")

NOTHING: dict[str, Any] = {
    "aggregate_id": None, "type": None, "actor": None, "since": None, "until": None,
    "after": None, "output": None, "resume": False, "personal": False,
}  # fmt: skip


async def thirteen_events(installation: Installation) -> None:
    """Five areas, an event and two visitors."""
    for number in range(5):
        await installation.area(f"Area {number}")
    await installation.register(await installation.event(), "ada@example.com", "bob@example.com")


def events_in(file: Path) -> list[dict[str, Any]]:
    assert file.read_bytes().endswith(b"\n")
    return [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]


def positions_in(file: Path) -> list[int]:
    return [event["position"] for event in events_in(file)]


def test_each_event_is_a_line_in_order(
    settings: Settings,
    services: Services,
    make: Maker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(thirteen_events)
    file = tmp_path / "history.jsonl"
    export(settings, services, **NOTHING | {"output": file})
    assert capsys.readouterr().out == f"{file}: events written after position 0: 13\n"
    positions = positions_in(file)
    assert positions == sorted(positions)
    assert len(set(positions)) == 13
    assert events_in(file)[1]["data"] == {"name": "Area 0"}
    to_stdout = events_face(environment(settings, services), "audit", "export")
    assert (to_stdout.code, to_stdout.err) == (0, "")
    assert to_stdout.out.encode() == file.read_bytes()
    some = tmp_path / "some.jsonl"
    export(settings, services, **NOTHING | {"output": some, "type": "Area", "after": positions[3]})
    assert positions_in(some) == positions[5:10:2]


@pytest.mark.parametrize("kept", [0, 1, 5, -1, -20])
def test_an_interrupted_export_continues_after_its_last_complete_line(
    settings: Settings, services: Services, make: Maker, tmp_path: Path, kept: int
) -> None:
    """`kept`: lines of it, or a torn text without its last bytes."""
    make(thirteen_events)
    whole, torn = tmp_path / "whole.jsonl", tmp_path / "torn.jsonl"
    export(settings, services, **NOTHING | {"output": whole})
    text = whole.read_bytes()
    torn.write_bytes(b"".join(text.splitlines(keepends=True)[:kept]) if kept >= 0 else text[:kept])
    for _ in range(2):
        export(settings, services, **NOTHING | {"output": torn, "resume": True})
        assert torn.read_bytes() == text
    make(partial(Installation.area, name="One more"))
    export(settings, services, **NOTHING | {"output": torn, "resume": True})
    assert torn.read_bytes().startswith(text)
    assert len(positions_in(torn)) == 15


def test_an_existing_file_is_never_overwritten(
    settings: Settings, services: Services, tmp_path: Path
) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("my notes\n")
    with pytest.raises(CommandFailed, match="exists already"):
        export(settings, services, **NOTHING | {"output": file})
    with pytest.raises(CommandFailed, match="is not an export"):
        export(settings, services, **NOTHING | {"output": file, "resume": True})
    assert file.read_text() == "my notes\n"
    with pytest.raises(CommandFailed, match="No such file or directory"):
        export(settings, services, **NOTHING | {"output": tmp_path / "no" / "where"})
    with pytest.raises(WrongUsage, match="--output"):
        export(settings, services, **NOTHING | {"resume": True})


def test_an_export_with_personal_data_is_one_disclosure(
    settings: Settings, services: Services, make: Maker, tmp_path: Path
) -> None:
    make(thirteen_events)
    file, disclosures = tmp_path / "personal.jsonl", tmp_path / "disclosures.jsonl"
    export(settings, services, **NOTHING | {"output": file, "personal": True})
    people = [event["data"]["person"] for event in events_in(file)[-2:]]
    assert [person["email"] for person in people] == ["ada@example.com", "bob@example.com"]
    export(settings, services, **NOTHING | {"output": disclosures, "type": "Disclosure"})
    (disclosure,) = events_in(disclosures)
    positions = positions_in(file)
    assert disclosure["position"] == positions[-1] + 1
    assert disclosure["actor"] == "system:cli"
    assert disclosure["data"] == {
        "criteria": {},
        "first_position": positions[-2],
        "last_position": positions[-1],
        "count": 2,
    }


def test_contradictory_options_are_wrong_usage(settings: Settings, services: Services) -> None:
    where = environment(settings, services)
    for words in (["show", "no-uuid"], ["log", "--after", str(2**63)], ["export", "--until", "x"]):
        ended = events_face(where, "audit", *words)
        assert ended.code == 2, words
