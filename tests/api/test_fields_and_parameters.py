"""Unknown fields are refused, each by its name; and messages say in words what would be right."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest

from api.http.bodies import MAX_NAMED_FIELDS, UNKNOWN
from tests.api.drawn import drawn
from tests.api.serving import EVENT, Api

pytestmark = pytest.mark.anyio

LIST = "/api/events/list"
LOG = "/api/audit/events"

OF_PYTHON = re.compile(r"Expected|`|got |Invalid|enum|regex|\bint\b|\bstr\b|null")


def wrong(answer: Any) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"] == "/problems/validation"
    return {error["field"]: error["messages"][0] for error in answer.json()["errors"]}


async def test_each_call_refuses_fields_that_it_does_not_know(guarded_api: Api) -> None:
    admin = await guarded_api.account("root", "admin")
    made_up = {"nmae": "x", "self": {"deep": [1]}, "": None, "messages": 1}
    calls = 0
    for path, item in drawn()["paths"].items():
        for method in item.keys() - {"get"}:
            if "text/csv" in item[method].get("requestBody", {}).get("content", {}):
                continue
            address = re.sub(r"\{role\}", "organizer", path)
            address = re.sub(r"\{\w+\}", str(uuid4()), address)
            answer = await guarded_api.http.request(
                method, address, json=made_up, headers=admin.bearer
            )
            assert made_up.keys() <= wrong(answer).keys(), (method, path)
            assert {wrong(answer)[name] for name in made_up} == {UNKNOWN}
            calls += 1
    assert calls >= 15


async def test_unknown_fields_are_reported_together_with_other_errors(lone_api: Api) -> None:
    http = lone_api.http
    event = await lone_api.event()
    path = f"/api/events/{event}"
    assert wrong(await http.patch(path, json={"nmae": "Fair"})) == {"nmae": UNKNOWN}
    assert (await http.patch(path, json={})).status_code == 200
    answer = await http.post("/api/events", json=EVENT | {"status": "up", "place": "x", "x": {}})
    assert list(wrong(answer).items()) == [
        ("status", 'must be "open" or "closed"'),
        ("place", UNKNOWN),
        ("x", UNKNOWN),
    ]
    many = {f"field_{n}": n for n in range(2000)}
    assert len(wrong(await http.patch(path, json=many))) == MAX_NAMED_FIELDS
    assert (await http.request("DELETE", path, json={})).status_code == 204


PARAMETERS: list[tuple[str, dict[str, Any], str, str]] = [
    (LIST, {"limit": 101}, "limit", "must be a whole number from 1 to 100"),
    (LIST, {"limit": "ten"}, "limit", "must be a whole number from 1 to 100"),
    (LIST, {"offset": -1}, "offset", "must be a whole number from 0 to 2147483648"),
    (LIST, {"order_by": "up"}, "order_by", 'must be "asc" or "desc"'),
    (
        LIST,
        {"name": "x" * 256},
        "name",
        "must have at most 255 characters and must be text in UTF-8 without the character U+0000",
    ),
    (LIST, {"cursor": "x"}, "cursor", "must be the next_cursor of a page"),
    (LOG, {"limit": 1001}, "limit", "must be a whole number from 1 to 1000"),
    (LOG, {"order": "up"}, "order", 'must be "asc" or "desc"'),
    (LOG, {"aggregate_id": "x"}, "aggregate_id", "must be a UUID"),
    (LOG, {"personal": "perhaps"}, "personal", 'must be "true" or "false"'),
    (LOG, {"from": "x" * 65}, "from", "must have at most 64 characters"),
    (LOG, {"offset": "-1"}, "offset", "must be 0"),
    (LOG, {"offset": "10"}, "offset", "must be 0"),
    (LOG, {"offset": "x"}, "offset", "must be 0"),
    (LOG, {"from": "2030-06-30T23:59:60Z"}, "from", "must have a time of day from 00:00:00 to"),
    (LOG, {"type": "a b"}, "type", "must be a type of event, such as Event.Closed"),
    (LOG, {"actor": "a b"}, "actor", "must be the id of an account"),
]
"""Path, query, the parameter that is wrong, and how the message begins."""


async def test_a_wrong_parameter_is_explained_in_words(guarded_api: Api) -> None:
    http, admin = guarded_api.http, await guarded_api.account("root", "admin")
    for path, query, name, message in PARAMETERS:
        found = wrong(await http.get(path, params=query, headers=admin.bearer))
        assert list(found) == [name], query
        assert found[name].startswith(message), query
        assert not OF_PYTHON.search(found[name])
    role = await http.post(f"/api/accounts/{admin.id}/roles/emperor", headers=admin.bearer)
    assert wrong(role) == {"role": 'must be "organizer", "auditor" or "admin"'}
    position = await http.get(LIST, headers={"Min-Event-Position": "soon"})
    assert wrong(position) == {
        "Min-Event-Position": "must be a whole number from 0 to 9223372036854775807"
    }


async def test_a_parameter_has_one_value_in_utf_8(guarded_api: Api) -> None:
    http, admin = guarded_api.http, await guarded_api.account("root", "admin")
    for query, names in {
        "limit=1&limit=2": ["limit"],
        "li%6Dit=1&limit=1": ["limit"],
        "name=a&offset=0&name=a&offset=1": ["name", "offset"],
        "name=%FF": ["name"],
        "name=%ED%A0%80": ["name"],
        "limit=1&other=1&other=2&offset=0": ["other"],
    }.items():
        answer = await http.get(f"{LIST}?{query}")
        found = sorted(wrong(answer)) if answer.status_code == 422 else []
        assert (query, found) == (query, names)
    twice = await http.get(f"{LOG}?actor=a&from=2030-05-17&from=2031-05-17", headers=admin.bearer)
    assert wrong(twice) == {"from": "is there more than once"}


REPEATED = {
    b'{"full_name": "Ada", "email": "a@example.com", "email": "b@example.com"}': "email",
    b'{"full_name": "Ada", "email": "a@example.com", "\\u0065mail": "a@example.com"}': "email",
    b'{"full_name": "Ada", "full_name" : 5, "email": "a@example.com"}': "full_name",
    b'{"full_name": "Ada", "email": "a@example.com", "x": 1, "x": 1}': "x",
    b'{"full_name": "Ada", "email": {"a": {"b:": 1, "b:": 2}}}': "b:",
    b'{"email": "a@example.com", "email": "b@example.com"}': "email",
}
"""Body -> the name that it has twice."""


async def test_a_name_may_not_be_repeated_in_a_body(lone_api: Api) -> None:
    http, event = lone_api.http, await lone_api.event()
    admin = await lone_api.account("root", "admin")
    sent = {"Content-Type": "application/json"}
    for body, name in REPEATED.items():
        answer = await http.post(f"/api/events/{event}/register", content=body, headers=sent)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/malformed-body")
        assert answer.json()["errors"] == [{"field": name, "messages": ["is there more than once"]}]
    for path, body in {
        "/api/visitors/erase": b'{"email": "a@example.com", "email": "b@example.com"}',
        "/api/events": b'{"name": "a", "event_datetime": "2099-05-17", "name": "b"}',
        "/api/auth/login": b'{"username": "root", "password": "x", "password": "y"}',
    }.items():
        answer = await http.post(path, content=body, headers=sent | admin.bearer)
        assert (path, answer.status_code) == (path, 400)


async def test_colons_in_names_and_values_are_not_taken_for_repeated_names(lone_api: Api) -> None:
    http, event = lone_api.http, await lone_api.event(name=':::"a": 1, "a": 2')
    body = {"full_name": '"a": ":", "a": ":"', "email": "ada@example.com"}
    answer = await http.post(f"/api/events/{event}/register", json=body)
    assert answer.status_code == 201
    assert list(wrong(await http.patch(f"/api/events/{event}", json={"a:b:c": ":"}))) == ["a:b:c"]


async def test_the_location_of_a_created_resource_can_be_read(api: Api) -> None:
    organizer = await api.account("ada", "organizer")
    event = await api.created_event(name="Fair")
    area = await api.http.post("/api/events/areas/", json={"name": "Great Hall"})
    visitor = await api.register(event.json()["data"]["id"])
    for made in (event, area, visitor):
        position = {"Min-Event-Position": made.headers["Event-Position"]}
        found = await api.http.get(made.headers["Location"], headers=organizer.bearer | position)
        assert found.status_code == 200
        assert found.json()["data"]["id"] == made.json()["data"]["id"]
        known = {"If-None-Match": found.headers["ETag"]}
        again = await api.http.get(made.headers["Location"], headers=organizer.bearer | known)
        assert again.status_code == 304
    assert found.json()["data"] | {
        "id": "",
        "event_id": "",
        "registered_at": "",
        "ticket": "",
    } == {
        "id": "",
        "event_id": "",
        "full_name": "Ada Lovelace",
        "email": "ada@example.com",
        "status": "registered",
        "registered_at": "",
        "queue_position": None,
        "checked_in_at": None,
        "answers": {},
        "ticket": "",
    }
    body = {"username": "bob", "password": "correct horse battery"}
    account = await api.http.post("/api/auth/register", json=body)
    bearer = {"Authorization": f"Bearer {account.json()['meta']['access_token']}"}
    me = await api.http.get(account.headers["Location"], headers=bearer)
    assert me.json()["data"]["id"] == account.json()["data"]["id"]


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        (LIST + "?name=" + "x" * 33_000, {}, (414, "uri-too-long")),
        ("/" + "x" * 33_000, {}, (414, "uri-too-long")),
        (LIST, {"X-Large": "x" * 33_000}, (431, "headers-too-large")),
        (LIST, {f"X-{n}": "x" * 1_000 for n in range(40)}, (431, "headers-too-large")),
    ],
)
async def test_a_head_that_is_too_large_is_a_problem(
    lone_api: Api, path: str, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    answer = await lone_api.http.get(path, headers=headers)
    assert answer.headers["Content-Type"] == "application/problem+json"
    slug = answer.json()["type"].removeprefix("/problems/")
    assert (answer.status_code, slug) == expected
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]


async def test_the_tags_of_several_lines_count_as_one_list(api: Api) -> None:
    http = api.http
    created = await api.created_event(name="Fair")
    path, tag = created.headers["Location"], created.headers["ETag"]
    await api.settled()

    def lines(name: str, *values: str) -> list[tuple[str, str]]:
        return [(name, value) for value in values]

    async def read(*values: str) -> int:
        return (await http.get(path, headers=lines("If-None-Match", *values))).status_code

    async def close(*values: str) -> int:
        body = {"status": "closed"}
        answer = await http.patch(path, json=body, headers=lines("If-Match", *values))
        return answer.status_code

    known = (await http.get(path)).headers["ETag"]
    assert await read('"other"', f"W/{known}") == 304
    assert await read(f'"other", {known}', '"last"') == 304
    assert await read('"other"', "*") == 200
    assert await read("*") == 304
    assert await read('"other"', '"last"') == 200
    assert await close('"7"', '"8-0"') == 412
    assert await close('"other"', f"W/{tag}") == 412
    assert await close("") == 412
    assert await close('"other"', f'"99-0", {tag}', '"last"') == 200
    assert await close('"other"', "*") == 412
    assert await close("*") == 200


TIMES = {
    "9999-12-31T23:59:59.9999999Z": "9999-12-31T23:59:59.999999Z",
    "2099-05-17T08:59:59.9999996+02:00": "2099-05-17T06:59:59.999999Z",
    "2099-05-17T09:00:00.1234567890123Z": "2099-05-17T09:00:00.123456Z",
    "9999-12-31": "9999-12-31T00:00:00Z",
    "2099-06-30T23:59:60Z": None,
    "9999-12-31T23:59:59-00:01": None,
    "9999-12-31T24:00:00Z": None,
    "0000-01-01T00:00:00Z": None,
    "0001-01-01T00:00:00+00:01": None,
    "10000-01-01T00:00:00Z": None,
    "2099-05-17T09:00:00+24:00": None,
}
"""As it is sent -> as it is answered; None when there is no such time."""


async def test_extreme_times_are_accepted_or_refused(api: Api) -> None:
    auditor = await api.account("ada", "auditor")
    for sent, answered in TIMES.items():
        body = EVENT | {"event_datetime": sent}
        answer = await api.http.post("/api/events", json=body)
        if answered is None:
            assert "event_datetime" in wrong(answer), sent
        else:
            assert answer.status_code == 201, answer.text
            assert answer.json()["data"]["event_datetime"] == answered
            await api.settled()
            read = await api.http.get(answer.headers["Location"])
            assert read.json()["data"]["event_datetime"] == answered
        for name in ("from", "until"):
            log = await api.http.get(LOG, params={name: sent}, headers=auditor.bearer)
            assert log.status_code == (422 if answered is None else 200), (name, sent)


async def test_parameters_that_begin_with_an_underscore_are_ignored(lone_api: Api) -> None:
    assert (await lone_api.http.get("/api/events/list?_=1&_=2")).status_code == 200
    refused = await lone_api.http.get("/api/events/list?never=1")
    assert wrong(refused) == {"never": "is not a parameter of this call"}
