"""The OpenAPI document describes requests and answers of the API, and pages show it."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate

from api.app import ROUTES
from api.http.examples import EVENT_ID
from api.http.problems import problem_types
from api.openapi.document import document
from runtime.release import release
from tests.api.drawn import drawn
from tests.api.serving import Api
from tests.support.processes import run

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

DRAWN = drawn()


def operations() -> Iterator[tuple[str, Json]]:
    """With each response in full."""
    shared = DRAWN["components"]["responses"]
    for path, item in DRAWN["paths"].items():
        for method, operation in item.items():
            responses = {
                status: shared.get(response.get("$ref", "").rpartition("/")[2], response)
                for status, response in operation["responses"].items()
            }
            yield f"{method.upper()} {path}", operation | {"responses": responses}


CALLS = dict(operations())


def slugs(response: Json) -> set[str]:
    """What the problems of a response are."""
    schema = response["content"]["application/problem+json"]["schema"]
    return {type.removeprefix("/problems/") for type in schema["properties"]["type"]["enum"]}


def test_rendering_the_document_does_not_change_logging() -> None:
    names = [None, *logging.root.manager.loggerDict]
    before = [_configured(name) for name in names]
    document(ROUTES, "organizer")
    assert [_configured(name) for name in names] == before


def _configured(name: str | None) -> tuple[list[logging.Handler], int, bool]:
    logger = logging.getLogger(name)
    return list(logger.handlers), logger.level, logger.propagate


async def test_the_document_is_valid_and_served(lone_api: Api) -> None:
    answer = await lone_api.http.get("/api/schema/")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["openapi"].startswith("3.1")
    validate(answer.json())
    known = {"If-None-Match": answer.headers["ETag"]}
    assert (await lone_api.http.get("/api/schema", headers=known)).status_code == 304


@pytest.mark.parametrize("call", CALLS)
def test_every_operation_is_described_completely(call: str) -> None:
    operation = CALLS[call]
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"][0] in {tag["name"] for tag in DRAWN["tags"]}
    for parameter in operation.get("parameters", []):
        assert "$ref" in parameter or parameter["in"] == "path" or parameter["description"]
    success = min(operation["responses"])
    assert success.startswith("2")
    for status, response in operation["responses"].items():
        if status in {"204", "304"}:
            assert "content" not in response
        elif status == success:
            (media,) = response["content"].values()
            assert "example" in media


@pytest.mark.parametrize("call", CALLS)
def test_every_example_matches_its_schema(call: str) -> None:
    operation = CALLS[call]
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for body in [*bodies, *operation["responses"].values()]:
        for media in body.get("content", {}).values():
            schema = media["schema"] | {"components": DRAWN["components"]}
            named = [example["value"] for example in media.get("examples", {}).values()]
            for example in [media["example"]] if "example" in media else named:
                jsonschema.validate(example, schema, jsonschema.Draft202012Validator)


def test_every_body_and_every_enum_has_a_name() -> None:
    for call, operation in CALLS.items():
        for kind, media in operation.get("requestBody", {}).get("content", {}).items():
            assert "$ref" in media["schema"] or kind == "text/csv", call
    named = {id(schema) for schema in DRAWN["components"]["schemas"].values()}
    unnamed = [
        (place, schema["enum"])
        for place, schema in schemas(DRAWN)
        if len(schema.get("enum", ())) > 1 and id(schema) not in named and place != "type"
    ]
    assert not unnamed, "name these in api/openapi/names.py"


def schemas(node: Any, place: str = "") -> Iterator[tuple[str, Json]]:
    """Every object of the document, with the key that it is below."""
    if isinstance(node, dict):
        yield place, node
        for key, value in node.items():
            yield from schemas(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from schemas(value, place)


def test_every_field_says_what_it_is() -> None:
    silent = [
        f"{name}.{field}"
        for name, schema in DRAWN["components"]["schemas"].items()
        for field, of_field in schema.get("properties", {}).items()
        if not of_field.get("description")
    ]
    assert not silent, "write a docstring below the field, or name it in field_descriptions.py"


def test_each_operation_has_an_id_of_its_own() -> None:
    ids = [operation["operationId"] for operation in CALLS.values()]
    assert len(set(ids)) == len(ids)
    assert CALLS["GET /api/events"]["operationId"] == "list_events"
    assert CALLS["GET /api/events/list"]["deprecated"]


def test_the_document_is_the_same_in_every_process() -> None:
    program = (
        "import msgspec, sys\nfrom api.app import ROUTES\n"
        "from api.openapi.document import document\n"
        "sys.stdout.buffer.write(msgspec.json.encode(document(ROUTES, 'organizer')))"
    )
    drawn = {
        run([sys.executable, "-c", program], env=os.environ | {"PYTHONHASHSEED": seed}).stdout
        for seed in ("1", "2", "3")
    }
    assert len(drawn) == 1
    assert json.loads(drawn.pop())["info"]["version"] == release()


async def test_the_example_of_a_problem_is_what_the_call_answers(lone_api: Api) -> None:
    call = "POST /api/events/{event_id}/register"
    path = f"/api/events/{EVENT_ID}/register"
    body = CALLS[call]["requestBody"]["content"]["application/json"]["example"]
    answers = {
        ("404", "NotFound"): await lone_api.http.post(path, json=body),
        ("422", "InvalidFields"): await lone_api.http.post(
            path, json={"full_name": {}, "unknown": True}
        ),
        ("415", "UnsupportedMediaType"): await lone_api.http.post(path, content=b"{}"),
        ("400", "MalformedBody"): await lone_api.http.post(
            path, content=b"{", headers={"Content-Type": "application/json"}
        ),
    }
    for (status, name), answer in answers.items():
        content = CALLS[call]["responses"][status]["content"]["application/problem+json"]
        example = content["examples"][name]["value"]
        assert answer.json() | {"request_id": ""} == example | {"request_id": ""}


def test_the_problems_of_an_operation_are_those_it_can_answer() -> None:
    documented = {
        status: slugs(response)
        for status, response in CALLS["POST /api/events/{event_id}/register"]["responses"].items()
        if status != "201"
    }
    assert documented == {
        "400": {"bad-request", "malformed-body"},
        "404": {"not-found"},
        "408": {"request-timeout"},
        "409": {
            "already-waiting",
            "duplicate-registration",
            "event-cancelled",
            "event-closed",
            "event-full",
            "registration-deadline-passed",
        },
        "413": {"payload-too-large"},
        "414": {"uri-too-long"},
        "415": {"unsupported-media-type"},
        "422": {"idempotency-key-reused", "validation"},
        "429": {"rate-limited"},
        "431": {"headers-too-large"},
        "500": {"internal-error"},
        "503": {"overloaded"},
    }
    guarded = CALLS["PATCH /api/events/{event_id}"]
    assert slugs(guarded["responses"]["401"]) == {"token-invalid"}
    assert slugs(guarded["responses"]["403"]) == {"forbidden"}
    assert slugs(guarded["responses"]["412"]) == {"changed-meanwhile"}


def test_every_error_is_named_by_some_route() -> None:
    named = {
        slug
        for operation in CALLS.values()
        for response in operation["responses"].values()
        if "application/problem+json" in response.get("content", {})
        for slug in slugs(response)
    }
    answered_by_no_call = {"method-not-allowed", "csrf-token-missing"}
    answered_by_pages = {"event-removed", "not-from-here"}
    unnamed = set(problem_types()) - named - answered_by_no_call - answered_by_pages
    assert not unnamed, f"name these in `opt={{'problems': [...]}}` of their routes: {unnamed}"


@pytest.mark.parametrize("write_policy", ["organizer", "anyone"])
def test_operations_that_need_a_token_say_so(write_policy: Any) -> None:
    paths = document(ROUTES, write_policy)["paths"]
    bearer: Json = {"bearer": []}
    assert paths["/api/events/list"]["get"]["security"] == []
    assert paths["/api/auth/me"]["get"]["security"] == [bearer]
    assert paths["/api/accounts"]["get"]["security"] == [bearer]
    organizers = [bearer] if write_policy == "organizer" else [{}, bearer]
    key: Json = {"apiKey": ["events:write"]}
    assert paths["/api/events"]["post"]["security"] == [*organizers, key]


def test_operations_name_the_scope_that_a_key_needs() -> None:
    scopes = {
        call: alternative["apiKey"]
        for call, operation in CALLS.items()
        for alternative in operation["security"]
        if "apiKey" in alternative
    }
    assert scopes["GET /api/events/areas"] == ["events:read"]
    assert scopes["GET /api/visitors/{visitor_id}"] == ["visitors:read"]
    assert scopes["PATCH /api/visitors/{visitor_id}"] == ["visitors:write"]
    for call in ("POST /api/visitors/erase", "GET /api/audit/events", "GET /api/auth/me"):
        assert call not in scopes


def test_parameters_and_headers_are_described() -> None:
    def parameters(call: str) -> set[str]:
        given = CALLS[call]["parameters"]
        return {
            parameter.get("name") or parameter["$ref"].rpartition("/")[2] for parameter in given
        }

    assert parameters("GET /api/events/list") == {
        "name", "from", "until", "area_id", "status", "registrable",
        "order_by", "limit", "offset", "cursor", "Min-Event-Position", "If-None-Match",
    }  # fmt: skip
    assert parameters("DELETE /api/events/{event_id}") == {
        "event_id", "If-Match", "Idempotency-Key",
    }  # fmt: skip
    assert parameters("POST /api/events/{event_id}/cancel") == {
        "event_id", "If-Match", "Idempotency-Key",
    }  # fmt: skip
    changed = CALLS["PATCH /api/events/{event_id}"]["responses"]
    assert {"Event-Position", "ETag", "X-Request-ID"} <= changed["200"]["headers"].keys()
    assert "Retry-After" in changed["429"]["headers"]
    assert "Retry-After" in changed["503"]["headers"]
    assert "WWW-Authenticate" in changed["401"]["headers"]


def test_the_schema_of_a_text_has_its_limits() -> None:
    body = CALLS["POST /api/events/{event_id}/register"]["requestBody"]["content"]
    assert body["application/json"]["schema"] == {"$ref": "#/components/schemas/Registration"}
    schema = DRAWN["components"]["schemas"]["Registration"]
    assert schema["required"] == ["full_name", "email"]
    name = schema["properties"]["full_name"]
    assert (name["type"], name["minLength"], name["maxLength"]) == ("string", 1, 128)


@pytest.mark.parametrize("page", ["/api/swagger/", "/api/redoc/"])
async def test_a_page_loads_only_files_that_are_served_here(lone_api: Api, page: str) -> None:
    answer = await lone_api.http.get(page)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<style" not in answer.text
    assert not re.search(r"<script[^>]*>[^<]", answer.text)
    loaded = re.findall(r'(?:src|href)="([^"]*)"', answer.text)
    assert len(loaded) >= 3
    for address in set(loaded) - {"data:,"}:
        assert address.startswith("/api/assets/")
        part = await lone_api.http.get(address)
        assert part.status_code == 200
        assert part.headers["Content-Type"].startswith(("text/javascript", "text/css"))


@pytest.mark.parametrize("name", ["nothing.js", "README.md", "redoc/LICENSE", "..%2fapp.py", "%00"])
async def test_only_files_that_pages_need_are_served(lone_api: Api, name: str) -> None:
    assert (await lone_api.http.get(f"/api/assets/{name}")).status_code == 404
