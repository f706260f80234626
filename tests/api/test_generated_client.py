"""The OpenAPI document is the client: a stock generator makes one from the running API's document,
without a warning, and what it makes works."""

from __future__ import annotations

import importlib
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.api.serving import Api
from tests.support.processes import STDOUT

pytestmark = pytest.mark.anyio

CONFIG = Path(__file__).parents[2] / "docs" / "client.yaml"

PACKAGE = "events_face_client"


async def generate(api: Api, into: Path) -> None:
    """As docs/api.md says."""
    programs = Path(sys.executable).parent
    command = [
        *(sys.executable, "-m", "openapi_python_client", "generate"),
        *("--url", f"{api.http.base_url}/api/schema/"),
        *("--meta", "none", "--output-path", str(into), "--fail-on-warning"),
        *("--config", str(CONFIG)),
    ]
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    done = await anyio.run_process(command, env=environment, check=False, stderr=STDOUT)
    report = done.stdout.decode()
    assert done.returncode == 0, report
    assert "warning" not in report.lower(), report
    assert "unable" not in report.lower(), report


async def test_a_generated_client_registers_lists_and_cancels(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await generate(api, tmp_path / PACKAGE)
    monkeypatch.syspath_prepend(tmp_path)
    package: Any = importlib.import_module(PACKAGE)
    models: Any = importlib.import_module(f"{PACKAGE}.models")

    def call(name: str) -> Any:
        return importlib.import_module(f"{PACKAGE}.api.{name}").asyncio_detailed

    organizer = await api.account("organizer", "organizer")
    url = str(api.http.base_url)
    visitors = package.Client(base_url=url)
    organizers = package.AuthenticatedClient(base_url=url, token=organizer.access_token)

    area = await call("areas.create_area")(
        client=organizers, body=models.CreateArea(name="Great Hall")
    )
    assert area.status_code == 201
    event = await call("events.create_event")(
        client=organizers,
        body=models.CreateEvent(
            name="PyCon",
            event_datetime=datetime(2099, 5, 17, 9, tzinfo=UTC),
            registration_deadline=datetime(2099, 5, 16, 9, tzinfo=UTC),
            area_id=area.parsed.data.id,
            capacity=1,
            waiting_list=models.WaitingList.AUTOMATIC,
        ),
    )
    assert event.status_code == 201
    assert event.parsed.data.status is models.EventStatus.OPEN

    listed = await call("events.list_events")(
        client=visitors, name="pyc", min_event_position=int(event.headers["Event-Position"])
    )
    assert listed.parsed.pagination.total == 1
    (shown,) = listed.parsed.data
    assert (shown.id, shown.area) == (event.parsed.data.id, "Great Hall")
    assert shown.event_datetime == datetime(2099, 5, 17, 9, tzinfo=UTC)
    assert shown.ends_at is None

    ada = models.Registration(full_name="Ada Lovelace", email="ada@example.com")
    registered = await call("events.register")(shown.id, client=visitors, body=ada)
    assert registered.parsed.data.status is models.VisitorStatus.REGISTERED
    again = await call("events.register")(shown.id, client=visitors, body=ada)
    assert again.status_code == 409
    assert isinstance(again.parsed, models.Problem)
    assert again.parsed.type_ == "/problems/duplicate-registration"
    refused = await call("events.register")(
        shown.id, client=visitors, body=models.Registration(full_name="Bob", email="bob")
    )
    assert [wrong.field for wrong in refused.parsed.errors] == ["email"]

    cancelled = await call("visitors.cancel_visitor")(
        registered.parsed.data.id,
        client=organizers,
        body=models.VisitorCancellation(reason="Ill", notify=False),
    )
    assert cancelled.parsed.data.status is models.VisitorStatus.CANCELLED
    assert cancelled.parsed.data.full_name == "Ada Lovelace"
    nobody = await call("visitors.cancel_visitor")(
        registered.parsed.data.id, client=visitors, body=models.VisitorCancellation()
    )
    assert (nobody.status_code, nobody.parsed.type_) == (401, "/problems/token-invalid")
