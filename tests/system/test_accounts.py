"""Accounts in the system that `make run` starts: changes by an operator are valid at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.running import up

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"


async def test_an_operator_grants_the_role_of_organizer(data_dir: Path) -> None:
    with up(data_dir, WRITE_POLICY="organizer", EVENTS_FACE_PASSWORD=PASSWORD) as system:
        assert system.events_face("createsuperuser", "--username", "root") == (
            "created root, with every role\n"
        )
        async with system.client() as http:

            async def status(name: str, **headers: str) -> int:
                body = {"name": name}
                return (
                    await http.post("/api/events/areas/", json=body, headers=headers)
                ).status_code

            assert await status("Hall") == 401
            body = {"username": "ada", "password": PASSWORD}
            registered = (await http.post("/api/auth/register", json=body)).json()
            ada = f"Bearer {registered['meta']['access_token']}"
            assert await status("Hall", Authorization=ada) == 403
            assert system.events_face("grant", "ADA", "organizer") == "ada: organizer\n"
            assert await status("Hall", Authorization=ada) == 201
            assert system.events_face("revoke", "ada", "organizer") == "ada: no role\n"
            assert await status("Cellar", Authorization=ada) == 403
            login = await http.post("/api/auth/login", json=body | {"username": "root"})
            root = f"Bearer {login.json()['data']['access_token']}"
            assert await status("Cellar", Authorization=root) == 201
            link = system.events_face("reset-password", "ada").strip()
            assert link.startswith(f"{system.origin}/admin/password/")
            assert (await http.get(link)).status_code == 200
