"""`events-face visitors`: what it prints and writes, and how it ends."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from domain.check_ins import CheckIn, Nonce, Scanned
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.installation import Installation
from tests.support.processes import environment, events_face, events_face_command, run

pytestmark = pytest.mark.anyio

FILE = "full_name,email\nAda,ada@example.com\n=Grace,grace@example.com\n,nobody@example.com\n"


async def test_visitors_are_imported_listed_and_exported(
    installation: Installation, settings: Settings, services: Services, tmp_path: Path
) -> None:
    fair, surroundings = str(await installation.event()), environment(settings, services)
    file, exported = tmp_path / "in.csv", tmp_path / "out.csv"
    file.write_text(FILE)
    refused = "line 4: refused, full_name must not be empty\n"
    ran = events_face(surroundings, "visitors", "import", fair, str(file), "--dry-run")
    assert (ran.code, ran.err) == (0, refused)
    assert ran.out == "dry run: registered 2, waiting 0, already 0, refused 1\n"
    ran = events_face(surroundings, "visitors", "import", fair, str(file))
    assert (ran.code, ran.err) == (0, refused)
    assert ran.out == "registered 2, waiting 0, already 0, refused 1\n"
    await installation.project()

    ran = events_face(surroundings, "visitors", "list", fair)
    assert (ran.code, ran.err) == (0, "")
    header, ada, grace = ran.out.splitlines()
    assert header.split()[0] == "status"
    assert ada.endswith("Ada <ada@example.com>")
    assert grace.startswith("registered ")
    assert ["checked in" in header, ada.count("Z  ")] == [True, 1]
    scanned = Scanned(nonce=Nonce("a-random-nonce"), visitor_id=UUID(ada.split()[2]))
    await installation.give(CheckIn(event_id=UUID(fair), scanned=scanned))
    await installation.project()
    ada = events_face(surroundings, "visitors", "list", fair).out.splitlines()[1]
    assert ada.count("Z  ") == 2, "when she registered and when she came"

    ran = events_face(surroundings, "visitors", "export", fair, "--output", str(exported))
    assert (ran.code, ran.out, ran.err) == (0, f"{exported}: 2 visitors\n", "")
    assert exported.stat().st_mode & 0o777 == 0o600
    assert ",'=Grace,grace@example.com,registered," in exported.read_text()
    ran = events_face(surroundings, "visitors", "export", fair, "--output", str(exported))
    assert (ran.code, ran.err) == (1, f"events-face: {exported} exists already\n")
    ran = events_face(surroundings, "visitors", "export", fair, "--status", "waiting")
    assert len(ran.out.splitlines()) == 1

    command = events_face_command("visitors", "import", fair, "-")
    done = run(command, env=surroundings, input=exported.read_text())
    assert (done.returncode, done.stdout) == (0, "registered 0, waiting 0, already 2, refused 0\n")


async def test_what_cannot_be_done_is_said_in_one_line(
    installation: Installation, settings: Settings, services: Services, tmp_path: Path
) -> None:
    fair, surroundings = str(await installation.event()), environment(settings, services)
    file, nothing = tmp_path / "in.csv", str(uuid4())
    file.write_text("name,email\n")
    for words, said in (
        (("import", fair, str(file)), "cannot be imported: full_name is missing; name is not"),
        (("import", fair, str(tmp_path / "none.csv")), "none.csv: No such file or directory"),
        (("list", nothing), f"There is no event with the id {nothing}"),
        (("export", nothing), f"There is no event with the id {nothing}"),
        (("export", nothing, "--output", str(tmp_path / "out.csv")), "There is no event"),
    ):
        ran = events_face(surroundings, "visitors", *words)
        assert (ran.code, ran.out) == (1, ""), words
        assert said in ran.err
        assert len(ran.err.splitlines()) == 1
    assert not (tmp_path / "out.csv").exists()
    file.write_text(FILE)
    ran = events_face(surroundings, "visitors", "import", nothing, str(file))
    assert (ran.code, ran.err) == (1, f"events-face: There is no event with the id {nothing}\n")
