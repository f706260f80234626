"""Every failure is a problem that explains its cause, and none is a 500."""

from __future__ import annotations

from itertools import chain
from typing import Any
from uuid import UUID

import psycopg
import pytest
from litestar.exceptions import LitestarException
from psycopg_pool import PoolTimeout

from api.http.problems import problem_types
from domain.core.errors import ProblemError
from domain.history.batch import OutcomeUnknown
from domain.history.group_commit import HistoryUnavailable, Overloaded
from tests.api.serving import Api, problem

pytestmark = pytest.mark.anyio

NOBODY = UUID(int=0)
AREAS = "/api/events/areas"


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nothing", (404, "not-found")),
        ("GET", "/api/events/list/more", (404, "not-found")),
        ("GET", f"/api/events/{NOBODY}", (404, "not-found")),
        ("GET", "/api/events/no-uuid", (404, "not-found")),
        ("POST", "/api/events/no-uuid/register", (404, "not-found")),
        ("GET", "/%ff%00", (404, "not-found")),
        ("DELETE", "/api/events/list", (405, "method-not-allowed")),
        ("BREW", AREAS, (405, "method-not-allowed")),
    ],
)
async def test_an_unknown_path_is_answered_with_a_problem(
    lone_api: Api, method: str, path: str, expected: tuple[int, str]
) -> None:
    assert problem(await lone_api.http.request(method, path)) == expected


async def test_a_405_names_the_allowed_methods(lone_api: Api) -> None:
    path = f"/api/events/{NOBODY}/"
    methods = "DELETE, GET, HEAD, OPTIONS, PATCH"
    assert (await lone_api.http.put(path)).headers["Allow"] == methods
    options = await lone_api.http.options(path)
    assert (options.status_code, options.headers["Allow"]) == (204, methods)
    assert (await lone_api.http.options("/nowhere")).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1,",
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b'{"name": NaN}',
        b'{"name": 1e999}',
        b'{"name": ' + b"9" * 5000 + b"}",
        b'{"name": ' + b"[" * 100_000 + b"}",
        b'\xef\xbb\xbf{"name": "a"}',
        b'{"name": "a"} trailing',
    ],
)
async def test_a_body_that_is_not_json_is_malformed(lone_api: Api, body: bytes) -> None:
    answer = await lone_api.http.post(
        AREAS, content=body, headers={"Content-Type": "application/json"}
    )
    assert problem(answer) == (400, "malformed-body")


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"1"])
async def test_a_json_body_that_is_not_an_object_is_invalid(lone_api: Api, body: bytes) -> None:
    answer = await lone_api.http.post(
        AREAS, content=body, headers={"Content-Type": "application/json"}
    )
    assert problem(answer) == (422, "validation")
    assert answer.json()["errors"] == [{"field": "body", "messages": ["must be a JSON object"]}]


@pytest.mark.parametrize(
    "name", ["", "  ", "a\x00b", "a\nb", "x" * 256, None, 1, 1.5, True, [], {}, ["a"]]
)
async def test_an_invalid_name_is_reported_for_its_field(lone_api: Api, name: Any) -> None:
    answer = await lone_api.http.post(AREAS, json={"name": name})
    assert problem(answer) == (422, "validation")
    ((only),) = answer.json()["errors"]
    assert only["field"] == "name"
    assert all(only["messages"])


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_without_the_media_type_of_json_is_not_read(
    lone_api: Api, media_type: str | None
) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    answer = await lone_api.http.post(AREAS, content=b'{"name": "a"}', headers=headers)
    assert problem(answer) == (415, "unsupported-media-type")


async def test_the_charset_of_json_may_be_named(lone_api: Api) -> None:
    headers = {"Content-Type": "Application/JSON; charset=UTF-8"}
    answer = await lone_api.http.post(AREAS, content=b'{"name": "a"}', headers=headers)
    assert answer.status_code == 201


async def test_a_body_beyond_the_limit_is_refused_in_every_transfer_form(lone_api: Api) -> None:
    async def chunks() -> Any:
        for _ in range(20):
            yield b" " * 100_000

    headers = {"Content-Type": "application/json"}
    for body in (b" " * 2_000_000, chunks()):
        answer = await lone_api.http.post(AREAS, content=body, headers=headers)
        assert problem(answer) == (413, "payload-too-large")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"offset": "-1"}, "offset"),
        ({"offset": "99999999999999999999999"}, "offset"),
        ({"order_by": "up"}, "order_by"),
        ({"name": "a\x00"}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "ä" * 3000}, "cursor"),
    ],
)
async def test_an_invalid_parameter_is_named(
    lone_api: Api, query: dict[str, str], field: str
) -> None:
    answer = await lone_api.http.get("/api/events/list", params=query)
    assert problem(answer) == (422, "validation")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("name", ["nme", "request", "event_id", "x" * 200, "\u00e4"])
async def test_a_parameter_that_a_call_does_not_know_is_named(lone_api: Api, name: str) -> None:
    for path in ("/api/events/list", f"/api/events/{NOBODY}"):
        answer = await lone_api.http.get(path, params={name: "x"})
        assert problem(answer) == (422, "validation")
        message = "is not a parameter of this call"
        assert answer.json()["errors"] == [{"field": name, "messages": [message]}]
    posted = await lone_api.http.post(f"{AREAS}?{name}=x", json={"name": "Hall"})
    assert problem(posted) == (422, "validation")


@pytest.mark.parametrize(
    "path", ["/", "/problems/not-found", "/api/schema", "/health/live", "/metrics"]
)
async def test_pages_and_probes_ignore_parameters_that_they_do_not_know(
    lone_api: Api, path: str
) -> None:
    assert (await lone_api.http.get(path, params={"utm_source": "mail"})).status_code == 200


@pytest.mark.parametrize("position", ["-1", "soon", "", "1.5", "9" * 30])
async def test_an_invalid_position_is_named(lone_api: Api, position: str) -> None:
    answer = await lone_api.http.get(
        "/api/events/list?limit=x", headers={"Min-Event-Position": position}
    )
    assert problem(answer) == (422, "validation")
    fields = [error["field"] for error in answer.json()["errors"]]
    assert sorted(fields) == ["Min-Event-Position", "limit"]


@pytest.mark.parametrize("id", ["", "a b", "x" * 129, "naïve"])
async def test_an_unusable_request_id_is_replaced_by_a_new_one(lone_api: Api, id: str) -> None:
    headers = {b"X-Request-ID": id.encode()}
    answer = await lone_api.http.get("/health/live", headers=headers)
    assert answer.headers["X-Request-ID"] not in {"", id}


async def test_the_id_of_a_request_is_in_the_answer_and_in_history(lone_api: Api) -> None:
    headers = {"X-Request-ID": "trace-1.of_2"}
    answer = await lone_api.http.post(AREAS, json={"name": "Hall"}, headers=headers)
    assert answer.headers["X-Request-ID"] == "trace-1.of_2"
    async with lone_api.connections.readers.connection() as connection:
        cursor = await connection.execute("SELECT state FROM history_events")
        states = [bytes(state) for (state,) in await cursor.fetchall()]
    assert states
    assert all(b'"correlation_id":"trace-1.of_2"' in state for state in states)


@pytest.mark.parametrize(
    "error",
    [
        Overloaded(),
        HistoryUnavailable(),
        OutcomeUnknown(),
        PoolTimeout("no connection"),
        psycopg.OperationalError("server closed the connection"),
        psycopg.errors.ReadOnlySqlTransaction("cannot execute INSERT"),
        psycopg.errors.IdleInTransactionSessionTimeout("terminating connection"),
    ],
)
async def test_temporary_failures_are_answered_with_retry_after(
    lone_api: Api, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.history.group_commit.Writer.execute", raising(error))
    answer = await lone_api.http.post(AREAS, json={"name": "Hall"})
    assert problem(answer) == (503, "overloaded")
    assert int(answer.headers["Retry-After"]) > 0
    assert isinstance(error, ProblemError) or str(error) not in answer.json()["detail"]


@pytest.mark.parametrize(
    "bug", [KeyError("secret"), LitestarException("secret"), OSError("secret")]
)
async def test_a_bug_is_answered_without_its_details(
    lone_api: Api, bug: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.history.group_commit.Writer.execute", raising(bug))
    answer = await lone_api.http.post(AREAS, json={"name": "Hall"})
    assert problem(answer) == (500, "internal-error")
    assert "secret" not in answer.text
    assert (await lone_api.http.get("/health/live")).status_code == 200


PUBLISHED = {
    "malformed-body": (400, "Malformed body"),
    "bad-request": (400, "Bad request"),
    "invalid-credentials": (401, "Invalid credentials"),
    "token-invalid": (401, "Token invalid"),
    "forbidden": (403, "Forbidden"),
    "not-found": (404, "Not found"),
    "method-not-allowed": (405, "Method not allowed"),
    "request-timeout": (408, "Request timeout"),
    "area-name-taken": (409, "Area name taken"),
    "area-in-use": (409, "Area in use"),
    "username-taken": (409, "Username taken"),
    "last-admin": (409, "Last admin"),
    "event-closed": (409, "Event closed"),
    "registration-deadline-passed": (409, "Registration deadline passed"),
    "duplicate-registration": (409, "Duplicate registration"),
    "changed-meanwhile": (412, "Changed meanwhile"),
    "payload-too-large": (413, "Payload too large"),
    "uri-too-long": (414, "URI too long"),
    "unsupported-media-type": (415, "Unsupported media type"),
    "validation": (422, "Validation failed"),
    "rate-limited": (429, "Too many requests"),
    "headers-too-large": (431, "Header fields too large"),
    "internal-error": (500, "Internal error"),
    "overloaded": (503, "Overloaded"),
    "projection-lagging": (503, "Projection lagging"),
}
"""Problems that clients know. A new error need not be added."""


def test_a_published_problem_stays_as_it_is() -> None:
    now = {(k.slug, k.status, k.title) for kinds in problem_types().values() for k in kinds}
    assert {(slug, *shown) for slug, shown in PUBLISHED.items()} <= now
    assert len({slug for slug, *_ in now}) == len(now), "errors of one slug differ"


@pytest.mark.parametrize("kind", [*chain.from_iterable(problem_types().values())])
def test_the_docstring_of_every_error_is_the_text_for_the_caller(kind: type[ProblemError]) -> None:
    sentence = (kind.__doc__ or "").partition("\n")[0]
    assert sentence, f"give {kind.__qualname__} a docstring: its first line is the problem's detail"
    assert not sentence.endswith("."), f"{kind.__qualname__}: one sentence, without its full stop"


def raising(error: Exception) -> Any:
    async def execute(*_: Any) -> Any:
        raise error

    return execute
