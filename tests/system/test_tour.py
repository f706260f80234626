"""The sessions of our documentation print what they show."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.support.console import Console, commands
from tests.support.waiting import DEADLINE
from tests.system.running import up

REGISTRATIONS = Path(__file__).parents[2] / "docs" / "registrations.md"

PASSWORD = "correct horse battery"


def test_the_life_of_one_visitor_is_as_the_page_shows_it(tmp_path: Path, data_dir: Path) -> None:
    (tmp_path / ".data").symlink_to(data_dir)
    with up(data_dir, WRITE_POLICY="organizer") as system:
        system.events_face("createsuperuser", "--username", "root", "--password", PASSWORD)
        credentials = {"username": "root", "password": PASSWORD}
        answer = httpx.post(f"{system.origin}/api/auth/login", json=credentials, timeout=DEADLINE)
        console = Console(
            tmp_path,
            {
                "API": system.origin,
                "JSON": "Content-Type: application/json",
                "AUTH": f"Authorization: Bearer {answer.json()['data']['access_token']}",
            },
            system.origin,
        )
        session = list(commands(REGISTRATIONS.read_text("utf-8")))
        assert len(session) > 15
        for command in session:
            console.type(command)
