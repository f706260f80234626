"""Auditors read history over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.history import group_commit
from domain.history.group_commit import Overloaded
from domain.history.store import read_events
from domain.visitors import Registered
from tests.api.serving import Account, Api

pytestmark = pytest.mark.anyio

LOG = "/api/audit/events"
ADA = {"full_name": "Ada Lovelace", "email": "ada@example.com"}


class Auditor:
    def __init__(self, api: Api, account: Account) -> None:
        self.api = api
        self.account = account

    async def asks(self, path: str, **query: Any) -> httpx.Response:
        return await self.api.http.get(path, params=query, headers=self.account.bearer)

    async def log(self, **query: Any) -> list[dict[str, Any]]:
        answer = await self.asks(LOG, **query)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"])


async def an_auditor(api: Api) -> Auditor:
    return Auditor(api, await api.account("auditor", "auditor"))


async def test_the_log_shows_who_did_what(lone_api: Api) -> None:
    auditor = await an_auditor(lone_api)
    ada = await auditor.api.account("ada")
    named = await auditor.api.http.post(
        "/api/events/areas/",
        json={"name": "Great Hall"},
        headers=ada.bearer | {"X-Request-ID": "a-request"},
    )
    claimed, created = await auditor.log(actor=ada.id)
    assert claimed["type"] == "AreaName.Claimed"
    assert created["time"].endswith("Z")
    assert {name: created[name] for name in created if name != "time"} == {
        "position": int(named.headers["Event-Position"]),
        "type": "Area.Created",
        "aggregate_type": "Area",
        "aggregate_id": named.json()["data"]["id"],
        "aggregate_version": 1,
        "actor": ada.id,
        "correlation_id": "a-request",
        "causation_id": None,
        "schema_version": 1,
        "data": {"name": "Great Hall"},
        "personal": None,
        "unreadable": None,
    }


async def test_cursors_page_through_a_growing_log_completely(lone_api: Api) -> None:
    auditor = await an_auditor(lone_api)
    for name in "abc":
        await auditor.api.area(name)
    found, query = [], {"limit": 2}
    while True:
        answer = (await auditor.asks(LOG, **query)).json()
        found += [event["position"] for event in answer["data"]]
        if answer["pagination"]["next_cursor"] is None:
            break
        query["after"] = int(answer["pagination"]["next_cursor"])
        if len(found) == 2:
            await auditor.api.area("d")
    everything = [event["position"] for event in await auditor.log()]
    assert found == everything
    assert len(set(found)) == answer["pagination"]["total"] == 10
    assert [e["position"] for e in await auditor.log(order="desc")] == everything[::-1]
    assert [e["position"] for e in await auditor.log(order="desc", after=found[2])] == found[1::-1]
    assert [e["position"] for e in await auditor.log(order="desc", after=0)] == everything[::-1]
    assert await auditor.log(after=2**63 - 1) == await auditor.log(after=1, order="desc") == []


async def test_the_log_of_one_aggregate(lone_api: Api) -> None:
    auditor = await an_auditor(lone_api)
    area = await auditor.api.area()
    await auditor.api.event(area_id=area)
    path = f"/api/events/areas/{area}"
    await auditor.api.http.patch(path, json={"name": "Annex"})
    types = [event["type"] for event in await auditor.log(aggregate_id=area)]
    assert types == ["Area.Created", "Area.EventAdded", "Area.Renamed"]
    assert await auditor.log(aggregate_id=str(uuid4())) == []


async def test_a_state_as_of_a_position_or_a_time(lone_api: Api) -> None:
    auditor = await an_auditor(lone_api)
    area = await auditor.api.area()
    created = (await auditor.log(aggregate_id=area))[0]
    await auditor.api.http.patch(f"/api/events/areas/{area}", json={"name": "Annex"})
    path = f"/api/audit/aggregates/{area}"

    async def name(**query: Any) -> str:
        return str((await auditor.asks(path, **query)).json()["data"]["state"]["name"])

    assert await name() == "Annex"
    assert await name(at=created["position"]) == await name(at=created["time"]) == "Great Hall"
    assert await name(at="2999-01-01") == "Annex"
    answer = (await auditor.asks(path, at=created["position"])).json()["data"]
    assert (answer["type"], answer["version"], answer["last_event"]) == ("Area", 1, created)
    for moment in (created["position"] - 1, "2020-01-01"):
        assert (await auditor.asks(path, at=moment)).status_code == 404
    assert (await auditor.asks(f"/api/audit/aggregates/{uuid4()}")).status_code == 404


async def test_what_changed_between_two_moments(lone_api: Api) -> None:
    auditor = await an_auditor(lone_api)
    area = await auditor.api.area()
    created = (await auditor.log(aggregate_id=area))[0]
    await auditor.api.http.patch(f"/api/events/areas/{area}", json={"name": "Annex"})
    path = f"/api/audit/aggregates/{area}/changes"
    answer = (await auditor.asks(path, **{"from": created["position"]})).json()["data"]
    assert answer["changes"] == [{"field": "name", "old": "Great Hall", "new": "Annex"}]
    assert [event["type"] for event in answer["events"]] == ["Area.Renamed"]
    assert (answer["from_version"], answer["to_version"]) == (1, 2)
    early = await auditor.asks(path, to=created["position"])
    assert early.json()["data"]["from_version"] == 0
    backwards = await auditor.asks(path, **{"from": "2999-01-01", "to": created["position"]})
    assert backwards.status_code == 422
    assert [error["field"] for error in backwards.json()["errors"]] == ["from"]


async def test_reading_personal_data_is_an_event(lone_api: Api) -> None:
    auditor = await an_auditor(lone_api)
    await auditor.api.register(await auditor.api.event())
    (sealed,) = await auditor.log(type="Visitor")
    assert (sealed["personal"], sealed["data"]["person"]) == ("sealed", None)
    assert await auditor.log(type="Disclosure") == []
    answer = await auditor.asks(LOG, type="Visitor", personal=True)
    assert answer.headers["Cache-Control"] == "no-store"
    (opened,) = answer.json()["data"]
    assert (opened["personal"], opened["data"]["person"]) == ("open", ADA)
    (disclosure,) = await auditor.log(type="Disclosure")
    assert disclosure["type"] == "Disclosure.PersonalDataRead"
    assert disclosure["actor"] == auditor.account.id
    assert disclosure["data"] == {
        "criteria": {"type": "Visitor"},
        "first_position": sealed["position"],
        "last_position": sealed["position"],
        "count": 1,
    }
    assert len(await auditor.log(type="Area", personal=True)) == 0
    assert len(await auditor.log(type="Disclosure")) == 1


async def test_no_personal_data_is_shown_if_the_disclosure_cannot_be_recorded(
    lone_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor = await an_auditor(lone_api)
    await auditor.api.register(await auditor.api.event())

    async def refuse(*_: object) -> None:
        raise Overloaded

    monkeypatch.setattr(group_commit.Writer, "execute", refuse)
    answer = await auditor.asks(LOG, personal=True)
    assert answer.status_code == 503
    assert "Lovelace" not in answer.text


SENSELESS: list[tuple[str, dict[str, Any], str]] = [
    (LOG, {"aggregate_id": "nope"}, "aggregate_id"),
    (LOG, {"aggregate_id": "null"}, "aggregate_id"),
    (LOG, {"after": "null"}, "after"),
    (LOG, {"after": 2**63}, "after"),
    (LOG, {"after": -1}, "after"),
    (LOG, {"after": "x"}, "after"),
    (LOG, {"limit": 0}, "limit"),
    (LOG, {"limit": 1001}, "limit"),
    (LOG, {"order": "sideways"}, "order"),
    (LOG, {"type": "a\x00"}, "type"),
    (LOG, {"actor": "a\x00"}, "actor"),
    (LOG, {"actor": "ada@example.com"}, "actor"),
    (LOG, {"from": "2030-05-01T09:00:00"}, "from"),
    (LOG, {"until": "\x00"}, "until"),
    (LOG, {"personal": "perhaps"}, "personal"),
    (f"/api/audit/aggregates/{uuid4()}", {"at": 2**63}, "at"),
    (f"/api/audit/aggregates/{uuid4()}", {"at": " "}, "at"),
    (f"/api/audit/aggregates/{uuid4()}", {"at": "2030-05-01T09:00:00"}, "at"),
    (f"/api/audit/aggregates/{uuid4()}/changes", {"from": "\x00"}, "from"),
    (f"/api/audit/aggregates/{uuid4()}/changes", {"to": "1.5"}, "to"),
]
"""Path, query, and the parameter that is wrong."""


async def test_invalid_parameters_are_named(lone_api: Api) -> None:
    auditor = await an_auditor(lone_api)
    for path, query, field in SENSELESS:
        answer = await auditor.asks(path, **query)
        assert answer.status_code == 422, (query, answer.text)
        assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_an_unreadable_event_is_not_an_error_of_the_api(lone_api: Api) -> None:
    auditor = await an_auditor(lone_api)
    id = uuid4()
    async with auditor.api.connections.readers.connection() as connection:
        await connection.execute(
            """
            INSERT INTO history_events (originator_id, originator_version, topic, state)
            VALUES (%s, 1, 'Event.Teleported', %s)
            """,
            [id, b"\xff\x00"],
        )
    (event,) = await auditor.log(aggregate_id=id, personal=True)
    assert event["unreadable"]
    state = await auditor.asks(f"/api/audit/aggregates/{id}")
    assert (state.status_code, state.json()["data"]["state"]) == (200, None)
    assert (await auditor.asks(f"/api/audit/aggregates/{id}/changes")).status_code == 200


async def test_no_call_of_the_audit_shows_the_code_of_a_registration(lone_api: Api) -> None:
    auditor = await an_auditor(lone_api)
    registered = await auditor.api.register(await auditor.api.event())
    visitor = registered.json()["data"]["id"]
    async with auditor.api.connections.readers.connection() as connection:
        events = await read_events(connection, after=0, limit=100)
    (code,) = [e.event.code for e in events if isinstance(e.event, Registered)]
    path = f"/api/audit/aggregates/{visitor}"
    for asked, query in (
        (LOG, {"type": "Visitor.Registered"}),
        (LOG, {"type": "Visitor.Registered", "personal": True}),
        (LOG, {"aggregate_id": visitor, "order": "desc"}),
        (path, {}),
        (path, {"at": registered.headers["Event-Position"]}),
        (f"{path}/changes", {}),
    ):
        answer = await auditor.asks(asked, **query)
        assert answer.status_code == 200
        assert '"code"' not in answer.text
        assert f'"{code}"' not in answer.text
