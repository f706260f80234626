"""The sessions of our documentation print what they show."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from runtime.ports import free_port
from tests.support.console import Console, commands
from tests.support.processes import accepts, started
from tests.support.waiting import DEADLINE, until
from tests.system.running import up

ROOT = Path(__file__).parents[2]

PASSWORD = "correct horse battery"

TOUR = re.compile(r"^Create an area, .*?^Show the status", re.MULTILINE | re.DOTALL)
"""The part of README.md's tour that follows signing in."""

RECEIVER = re.compile(r"^python3 docs/receiver\.py (\d+) (\S+)$", re.MULTILINE)


@contextmanager
def signed_in(folder: Path, data_dir: Path, **settings: str) -> Iterator[Console]:
    """The console of a reader whose system runs and who has signed in."""
    (folder / ".data").symlink_to(data_dir)
    (folder / ".venv").symlink_to(sys.prefix)
    with up(data_dir, WRITE_POLICY="organizer", **settings) as system:
        system.events_face("createsuperuser", "--username", "root", "--password", PASSWORD)
        credentials = {"username": "root", "password": PASSWORD}
        answer = httpx.post(f"{system.origin}/api/auth/login", json=credentials, timeout=DEADLINE)
        variables = {
            "API": system.origin,
            "JSON": "Content-Type: application/json",
            "AUTH": f"Authorization: Bearer {answer.json()['data']['access_token']}",
        }
        yield Console(folder, variables, system.origin)


def type_all(console: Console, section: str) -> int:
    session = list(commands(section))
    for command in session:
        console.type(command)
    return len(session)


def test_the_life_of_one_visitor_is_as_the_page_shows_it(tmp_path: Path, data_dir: Path) -> None:
    with signed_in(tmp_path, data_dir) as console:
        assert type_all(console, read("docs/registrations.md")) > 15


def test_the_tour_and_the_steps_of_connecting_a_system_are_as_the_pages_show_them(
    tmp_path: Path, data_dir: Path
) -> None:
    tour = TOUR.search(read("README.md"))
    page = read("docs/connecting.md")
    receiver = RECEIVER.search(page)
    assert tour is not None
    assert receiver is not None
    port = free_port()
    before, after = (
        part.replace(f":{receiver[1]}/", f":{port}/") for part in page.split(receiver[0])
    )
    log = tmp_path / "receiver.log"
    with signed_in(tmp_path, data_dir, WEBHOOK_PRIVATE_NETWORKS="on") as console:
        assert type_all(console, tour[0]) > 5
        assert type_all(console, before) > 5
        secret = console.of_today(receiver[2])
        with started([sys.executable, ROOT / "docs" / "receiver.py", port, secret], log=log):
            until(lambda: accepts(port))
            assert type_all(console, after) > 5
            until(lambda: "visitor.registered" in log.read_text("utf-8"))
            assert "Edsger Dijkstra" in log.read_text("utf-8")


def read(page: str) -> str:
    return (ROOT / page).read_text("utf-8")
