"""Who may call what: the contract's table, asked of every call that OpenAPI knows."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from litestar import Litestar, get

from api.admin.panel import panel
from api.app import ROUTES
from api.http.access import Permission, Who
from api.http.authorization import UndeclaredAccess, require_declarations
from api.http.bodies import JsonBody
from api.http.hosts import in_turn
from api.http.requests import Request
from domain.history.store import read_events
from tests.api.keyed import Keyed
from tests.api.serving import Api, problem

pytestmark = pytest.mark.anyio

WHO = {
    "POST /api/events/areas": Who.ORGANIZER,
    "GET /api/events/areas": Who.STAFF,
    "GET /api/events/areas/{area_id}": Who.STAFF,
    "PATCH /api/events/areas/{area_id}": Who.ORGANIZER,
    "DELETE /api/events/areas/{area_id}": Who.ORGANIZER,
    "POST /api/events": Who.ORGANIZER,
    "GET /api/events": Who.ANYONE,
    "GET /api/events/list": Who.ANYONE,
    "GET /api/events/{event_id}": Who.ANYONE,
    "GET /api/events/{event_id}/calendar.ics": Who.ANYONE,
    "GET /api/calendar.ics": Who.ANYONE,
    "PATCH /api/events/{event_id}": Who.ORGANIZER,
    "DELETE /api/events/{event_id}": Who.ORGANIZER,
    "GET /api/events/{event_id}/questions": Who.ANYONE,
    "PUT /api/events/{event_id}/questions": Who.ORGANIZER,
    "POST /api/events/{event_id}/cancel": Who.ORGANIZER,
    "POST /api/events/{event_id}/reinstate": Who.ORGANIZER,
    "GET /api/events/{event_id}/seats": Who.ORGANIZER,
    "POST /api/events/{event_id}/register": Who.ANYONE,
    "GET /api/events/{event_id}/visitors": Who.ORGANIZER,
    "POST /api/events/{event_id}/visitors": Who.ORGANIZER,
    "GET /api/events/{event_id}/visitors.csv": Who.ORGANIZER,
    "POST /api/events/{event_id}/visitors/import": Who.ORGANIZER,
    "GET /api/events/{event_id}/waiting-list": Who.ORGANIZER,
    "GET /api/visitors/{visitor_id}": Who.ORGANIZER,
    "PATCH /api/visitors/{visitor_id}": Who.ORGANIZER,
    "POST /api/visitors/{visitor_id}/cancel": Who.ORGANIZER,
    "POST /api/visitors/{visitor_id}/promote": Who.ORGANIZER,
    "POST /api/events/{event_id}/check-ins": Who.ORGANIZER,
    "POST /api/events/{event_id}/check-ins/batch": Who.ORGANIZER,
    "DELETE /api/events/{event_id}/check-ins/{nonce}": Who.ORGANIZER,
    "GET /api/events/{event_id}/door": Who.ORGANIZER,
    "POST /api/visitors/{visitor_id}/resend": Who.ORGANIZER,
    "POST /api/visitors/{visitor_id}/reissue": Who.ORGANIZER,
    "GET /api/manage/{token}": Who.ANYONE,
    "POST /api/manage/{token}/cancel": Who.ANYONE,
    "POST /api/manage/{token}/confirm": Who.ANYONE,
    "POST /api/visitors/erase": Who.ADMIN,
    "GET /api/visitors/export": Who.ADMIN,
    "POST /api/auth/register": Who.ANYONE,
    "POST /api/auth/login": Who.ANYONE,
    "POST /api/auth/refresh": Who.ANYONE,
    "POST /api/auth/logout": Who.SIGNED_IN,
    "GET /api/auth/me": Who.SIGNED_IN,
    "POST /api/auth/password": Who.SIGNED_IN,
    "GET /api/accounts": Who.ADMIN,
    "POST /api/accounts/{account_id}/roles/{role}": Who.ADMIN,
    "DELETE /api/accounts/{account_id}/roles/{role}": Who.ADMIN,
    "POST /api/accounts/{account_id}/disable": Who.ADMIN,
    "POST /api/accounts/{account_id}/enable": Who.ADMIN,
    "GET /api/accounts/{account_id}": Who.ADMIN,
    "POST /api/accounts": Who.ADMIN,
    "POST /api/accounts/{account_id}/password-link": Who.ADMIN,
    "GET /api/feed": Who.STAFF,
    "POST /api/keys": Who.ADMIN,
    "GET /api/keys": Who.ADMIN,
    "GET /api/keys/{key_id}": Who.ADMIN,
    "DELETE /api/keys/{key_id}": Who.ADMIN,
    "POST /api/keys/{key_id}/roll": Who.ADMIN,
    "POST /api/webhooks": Who.ORGANIZER,
    "GET /api/webhooks": Who.ORGANIZER,
    "GET /api/webhooks/{webhook_id}": Who.ORGANIZER,
    "PATCH /api/webhooks/{webhook_id}": Who.ORGANIZER,
    "DELETE /api/webhooks/{webhook_id}": Who.ORGANIZER,
    "POST /api/webhooks/{webhook_id}/test": Who.ORGANIZER,
    "POST /api/webhooks/{webhook_id}/roll": Who.ORGANIZER,
    "POST /api/webhooks/{webhook_id}/resend": Who.ORGANIZER,
    "GET /api/webhooks/{webhook_id}/attempts": Who.ORGANIZER,
    "GET /api/audit/events": Who.AUDITOR,
    "GET /api/audit/aggregates/{aggregate_id}": Who.AUDITOR,
    "GET /api/audit/aggregates/{aggregate_id}/changes": Who.AUDITOR,
    "GET /health/live": Who.ANYONE,
    "GET /health/ready": Who.ANYONE,
    "GET /metrics": Who.ANYONE,
}

REFUSALS: dict[Who, dict[str, int]] = {
    Who.ANYONE: {},
    Who.SIGNED_IN: {"anonymous": 401},
    Who.STAFF: {"anonymous": 401, "no role": 403},
    Who.ORGANIZER: {"anonymous": 401, "no role": 403, "auditor": 403},
    Who.AUDITOR: {"anonymous": 401, "no role": 403, "organizer": 403},
    Who.ADMIN: {"anonymous": 401, "no role": 403, "organizer": 403, "auditor": 403},
}


async def test_each_operation_answers_the_permitted_roles_and_refuses_all_others(
    keyed: Keyed,
) -> None:
    """With a projector: an API that is seconds behind is not ready."""
    api, http = keyed.api, keyed.api.http
    callers: dict[str, dict[str, str]] = {
        "anonymous": {},
        "no role": (await api.account("visitor")).bearer,
        "organizer": (await api.account("organizer", "organizer")).bearer,
        "auditor": (await api.account("auditor", "auditor")).bearer,
        "admin": (await api.account("admin", "admin")).bearer,
    }
    paths = (await http.get("/api/schema")).json()["paths"]
    calls = {f"{method.upper()} {path}" for path, item in paths.items() for method in item}
    assert calls == WHO.keys(), "say in WHO whom each call is for"
    for call in sorted(calls):
        method, path = call.split()
        body: dict[str, Any] = {"json": {}} if method in {"POST", "PATCH"} else {}
        for caller, bearer in callers.items():
            answer = await http.request(method, _filled(path), headers=bearer, **body)
            refusal = REFUSALS[WHO[call]].get(caller)
            if refusal is None:
                assert answer.status_code not in {401, 403}, (call, caller)
                assert answer.status_code < 500, (call, caller)
            else:
                assert answer.status_code == refusal, (call, caller)
                slug = {401: "token-invalid", 403: "forbidden"}[refusal]
                assert answer.json()["type"] == f"/problems/{slug}"
                assert ("www-authenticate" in answer.headers) == (refusal == 401)


def _filled(path: str) -> str:
    filled = path.replace("{role}", "organizer")
    kinds = ("area", "event", "visitor", "account", "aggregate", "key", "webhook")
    for name in (f"{kind}_id" for kind in kinds):
        filled = filled.replace(f"{{{name}}}", str(uuid4()))
    return filled


async def test_routes_outside_openapi_must_declare_their_access_too() -> None:
    @get("/undeclared")
    async def undeclared() -> None: ...

    with pytest.raises(UndeclaredAccess, match="GET /undeclared"):
        require_declarations(Litestar([undeclared], openapi_config=None))


async def test_access_is_refused_before_the_body_is_read(guarded_api: Api) -> None:
    answer = await guarded_api.http.post("/api/events/areas/", content=b"{")
    assert answer.status_code == 401


@pytest.mark.parametrize("sent", [{}, {"Authorization": "Basic YTpi"}])
async def test_without_a_token_the_challenge_has_no_error(
    guarded_api: Api, sent: dict[str, str]
) -> None:
    answer = await guarded_api.http.get("/api/auth/me", headers=sent)
    assert problem(answer) == (401, "token-invalid")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="Events-Face"'
    assert "Authorization: Bearer" in answer.json()["detail"]


@pytest.mark.parametrize("token", ["nonsense", "a.b.c"])
async def test_with_a_bad_token_the_challenge_says_so(guarded_api: Api, token: str) -> None:
    sent = {"Authorization": f"Bearer {token}"}
    answer = await guarded_api.http.get("/api/auth/me", headers=sent)
    assert problem(answer) == (401, "token-invalid")
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="Events-Face", error="invalid_token", ')
    assert f'error_description="{answer.json()["detail"]}"' in challenge


async def test_a_role_is_valid_from_the_next_request_until_it_is_revoked(guarded_api: Api) -> None:
    http = guarded_api.http
    admin, ada = await guarded_api.account("root", "admin"), await guarded_api.account("ada")
    role = f"/api/accounts/{ada.id}/roles/organizer"
    area = {"name": "Great Hall"}
    assert (await http.post("/api/events/areas/", json=area, headers=ada.bearer)).status_code == 403
    for _ in range(2):
        assert (await http.post(role, headers=admin.bearer)).status_code == 204
    assert (await http.post("/api/events/areas/", json=area, headers=ada.bearer)).status_code == 201
    me = (await http.get("/api/auth/me", headers=ada.bearer)).json()["data"]
    assert me == {"id": ada.id, "username": "ada", "roles": ["organizer"]}
    for _ in range(2):
        assert (await http.delete(role, headers=admin.bearer)).status_code == 204
    assert (await http.get("/api/events/areas/", headers=ada.bearer)).status_code == 403


async def test_unknown_roles_and_accounts_are_refused(guarded_api: Api) -> None:
    admin = await guarded_api.account("root", "admin")
    for path, status in {
        f"/api/accounts/{admin.id}/roles/emperor": 422,
        f"/api/accounts/{uuid4()}/roles/organizer": 404,
        f"/api/accounts/{uuid4()}/disable": 404,
    }.items():
        answer = await guarded_api.http.post(path, headers=admin.bearer)
        assert (path, answer.status_code) == (path, status)


async def test_the_write_policy_opens_the_organizers_calls_and_no_others(api: Api) -> None:
    await api.event(area_id=await api.area())
    assert (await api.http.get("/api/accounts/")).status_code == 401
    wrong = {"Authorization": "Bearer nonsense"}
    assert (await api.http.get("/api/events/areas/", headers=wrong)).status_code == 401


async def test_history_shows_who_did_it(api: Api) -> None:
    ada = await api.account("ada")
    await api.http.post("/api/events/areas/", json={"name": "Great Hall"}, headers=ada.bearer)
    await api.area("Cellar")
    async with api.connections.readers.connection() as connection:
        events = await read_events(connection, after=0, limit=100)
    actors = [e.metadata.actor for e in events if e.event.topic == "Area.Created"]
    assert actors == [ada.id, "anonymous"]


async def test_admins_list_the_accounts_by_name(api: Api) -> None:
    admin = await api.account("Root", "admin")
    ada = await api.account("ada")
    disabled = await api.http.post(f"/api/accounts/{ada.id}/disable", headers=admin.bearer)
    position = {"Min-Event-Position": disabled.headers["Event-Position"]}
    answer = await api.http.get("/api/accounts/", headers=admin.bearer | position)
    assert answer.status_code == 200
    found = [(a["username"], a["roles"], a["disabled"]) for a in answer.json()["data"]]
    assert found == [("ada", [], True), ("Root", ["admin"], False)]
    assert answer.json()["pagination"]["total"] == 2
    known = {"If-None-Match": answer.headers["ETag"]}
    again = await api.http.get("/api/accounts/", headers=admin.bearer | known)
    assert again.status_code == 304


@pytest.mark.parametrize(("method", "path"), [("DELETE", "roles/admin"), ("POST", "disable")])
async def test_the_last_admin_cannot_be_removed_until_there_is_another(
    guarded_api: Api, method: str, path: str
) -> None:
    http, root = guarded_api.http, await guarded_api.account("root", "admin")
    await guarded_api.account("ada", "organizer", "auditor")
    address = f"/api/accounts/{root.id}/{path}"
    refused = await http.request(method, address, headers=root.bearer)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/last-admin")
    assert "make another account an admin first" in refused.json()["detail"]
    bob = await guarded_api.account("bob", "admin")
    assert (await http.request(method, address, headers=root.bearer)).status_code == 204
    last = f"/api/accounts/{bob.id}/{path}"
    assert (await http.request(method, last, headers=bob.bearer)).status_code == 409


def test_a_route_declares_a_permission_not_a_role() -> None:
    app = Litestar(
        [*ROUTES, panel(in_turn())],
        request_class=Request,
        dto=JsonBody,
        return_dto=None,
        openapi_config=None,
    )
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            access = handler.opt.get("access", Who.ANYONE)  # Litestar's own for OPTIONS have none
            assert isinstance(access, Permission) or access in {Who.ANYONE, Who.SIGNED_IN}, route
