"""`Idempotency-Key`: what is sent again gets the same response, and is done once."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx
import psycopg
import pytest

from api.http import dispatch
from domain.history.batch import OutcomeUnknown
from domain.history.group_commit import Writer
from domain.privacy.keys import InstallationKeys
from projections.rebuild.rebuild import rebuild_tables
from projections.registry import ALL
from runtime.embedded.services import Services
from runtime.settings import Settings
from runtime.variables import Rate
from tests.api.retrying import AT_ONCE, check, retry_all
from tests.api.serving import EVENT, PASSWORD, Api, Serving, problem

pytestmark = pytest.mark.anyio

ADA = {"full_name": "Ada Lovelace", "email": "ada@example.com"}

ABOUT_THE_CALL = {"date", "x-request-id", "x-ratelimit-remaining", "x-ratelimit-reset"}


def keyed(key: str, **more: str) -> dict[str, str]:
    return {"Idempotency-Key": key} | more


def same(first: httpx.Response, again: httpx.Response) -> bool:
    """Whether `again` is the first response, sent again."""
    assert "Idempotent-Replayed" not in first.headers
    replayed = dict(again.headers)
    assert replayed.pop("idempotent-replayed") == "true"
    return (again.status_code, again.content, _of_content(replayed)) == (
        first.status_code,
        first.content,
        _of_content(dict(first.headers)),
    )


def _of_content(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in ABOUT_THE_CALL}


async def topics(api: Api) -> Counter[str]:
    """Number of domain events in history, by topic."""
    async with api.connections.primary.connection() as connection:
        cursor = await connection.execute(
            "SELECT topic, count(*) FROM history_events GROUP BY topic"
        )
        return Counter(dict(await cursor.fetchall()))


async def test_a_registration_that_is_sent_again_is_answered_again(lone_api: Api) -> None:
    path = f"/api/events/{await lone_api.event()}/register"
    first = await lone_api.http.post(path, json=ADA, headers=keyed("a-key"))
    assert first.status_code == 201
    again = await lone_api.http.post(f"{path}/", json=ADA, headers=keyed('"a-key"'))
    assert same(first, again)
    assert again.headers["Location"] == first.headers["Location"]
    assert (await topics(lone_api))["Visitor.Registered"] == 1
    other = await lone_api.http.post(path, json=ADA, headers=keyed("another-key"))
    assert problem(other) == (409, "duplicate-registration")


async def test_another_call_under_the_same_key_is_refused(lone_api: Api) -> None:
    fair = await lone_api.event()
    path = f"/api/events/{fair}/register"
    await lone_api.http.post(path, json=ADA, headers=keyed("a-key"))
    for other_path, body in [
        (path, ADA | {"full_name": "Ada King"}),
        (f"/api/events/{await lone_api.event()}/register", ADA),
        ("/api/events/areas/", {"name": "Hall"}),
    ]:
        other = await lone_api.http.post(other_path, json=body, headers=keyed("a-key"))
        assert problem(other) == (422, "idempotency-key-reused")
    assert (await topics(lone_api))["Visitor.Registered"] == 1


async def test_a_refusal_is_decided_again(lone_api: Api) -> None:
    fair = await lone_api.event(status="closed")
    path = f"/api/events/{fair}/register"
    refused = await lone_api.http.post(path, json=ADA, headers=keyed("a-key"))
    assert problem(refused) == (409, "event-closed")
    await lone_api.http.patch(f"/api/events/{fair}", json={"status": "open"})
    accepted = await lone_api.http.post(path, json=ADA, headers=keyed("a-key"))
    assert accepted.status_code == 201
    assert same(accepted, await lone_api.http.post(path, json=ADA, headers=keyed("a-key")))


async def test_a_change_is_made_once_though_the_version_has_moved(lone_api: Api) -> None:
    created = await lone_api.created_event()
    path = created.headers["Location"]
    headers = keyed("a-key", **{"If-Match": created.headers["ETag"]})
    first = await lone_api.http.patch(path, json={"name": "Fair"}, headers=headers)
    assert first.status_code == 200
    assert same(first, await lone_api.http.patch(path, json={"name": "Fair"}, headers=headers))
    headers["If-Match"] = first.headers["ETag"]
    other = await lone_api.http.patch(path, json={"name": "Fair"}, headers=headers)
    assert problem(other) == (422, "idempotency-key-reused")


async def test_a_deletion_is_answered_again(lone_api: Api) -> None:
    path = f"/api/events/areas/{await lone_api.area()}"
    first = await lone_api.http.delete(path, headers=keyed("a-key"))
    assert first.status_code == 204
    assert same(first, await lone_api.http.delete(path, headers=keyed("a-key")))
    assert problem(await lone_api.http.delete(path)) == (404, "not-found")


async def test_what_changes_nothing_is_decided_again(lone_api: Api) -> None:
    path = (await lone_api.created_event()).headers["Location"]
    headers = keyed("a-key")
    for _ in range(2):
        nothing = await lone_api.http.post(f"{path}/reinstate", headers=headers)
        assert nothing.status_code == 200
        assert "Idempotent-Replayed" not in nothing.headers
    await lone_api.http.post(f"{path}/cancel")
    assert (await lone_api.http.post(f"{path}/reinstate", headers=headers)).json()["data"][
        "cancelled"
    ] is None


async def test_organizers_corrections_and_cancellations_are_made_once(api: Api) -> None:
    grace = (await api.account("Grace", "organizer")).bearer
    fair = await api.event(capacity=1, waiting_list="manual")
    path = f"/api/events/{fair}/visitors"
    added = await api.http.post(path, json=ADA, headers=keyed("1") | grace)
    assert added.status_code == 201
    assert same(added, await api.http.post(path, json=ADA, headers=keyed("1") | grace))
    visitor = added.headers["Location"]
    new = {"email": "countess@example.com"}
    corrected = await api.http.patch(visitor, json=new, headers=keyed("2") | grace)
    assert corrected.json()["data"]["email"] == "countess@example.com"
    assert same(corrected, await api.http.patch(visitor, json=new, headers=keyed("2") | grace))
    visitor = f"/api/visitors/{corrected.json()['data']['id']}"
    resent = await api.http.post(f"{visitor}/resend", headers=keyed("3") | grace)
    assert resent.status_code == 202
    assert same(resent, await api.http.post(f"{visitor}/resend", headers=keyed("3") | grace))
    waits = {"full_name": "Mary", "email": "mary@example.com", "join_waiting_list": True}
    mary = await api.http.post(path, json=waits, headers=keyed("4") | grace)
    assert mary.json()["data"]["queue_position"] == 1
    cancelled = await api.http.post(f"{visitor}/cancel", headers=keyed("5") | grace)
    assert cancelled.json()["data"]["status"] == "cancelled"
    promoted = await api.http.post(
        f"{mary.headers['Location']}/promote", headers=keyed("6") | grace
    )
    assert promoted.json()["data"]["status"] == "registered"
    assert same(mary, await api.http.post(path, json=waits, headers=keyed("4") | grace))
    assert same(cancelled, await api.http.post(f"{visitor}/cancel", headers=keyed("5") | grace))
    counts = await topics(api)
    assert counts["Visitor.MessageResent"] == 1
    assert counts["Visitor.Promoted"] == 1


async def test_an_account_is_registered_and_signed_in_once(lone_api: Api) -> None:
    body = {"username": "ada", "password": PASSWORD}
    first = await lone_api.http.post("/api/auth/register", json=body, headers=keyed("a-key"))
    again = await lone_api.http.post("/api/auth/register", json=body, headers=keyed("a-key"))
    assert same(first, again)
    bearer = {"Authorization": f"Bearer {again.json()['meta']['access_token']}"}
    me = await lone_api.http.get("/api/auth/me", headers=bearer)
    assert me.json()["data"]["username"] == "ada"
    guessed = body | {"password": "another password"}
    other = await lone_api.http.post("/api/auth/register", json=guessed, headers=keyed("a-key"))
    assert problem(other) == (422, "idempotency-key-reused")


async def test_a_sign_in_that_is_sent_again_begins_no_second_session(lone_api: Api) -> None:
    await lone_api.account("ada")
    body = {"username": "ada", "password": PASSWORD}
    calls = [
        lone_api.http.post("/api/auth/login", json=body, headers=keyed("a-key")) for _ in range(4)
    ]
    responses = await asyncio.gather(*calls)
    assert len({response.content for response in responses}) == 1
    async with lone_api.connections.primary.connection() as connection:
        cursor = await connection.execute("SELECT count(*) FROM sessions")
        assert await cursor.fetchone() == (2,)  # with the one of the registration


async def test_refreshing_again_with_the_same_key_does_not_end_the_session(lone_api: Api) -> None:
    account = await lone_api.account("ada")
    path, body = "/api/auth/refresh", {"refresh": account.refresh_token}
    calls = [lone_api.http.post(path, json=body, headers=keyed("a-key")) for _ in range(4)]
    responses = await asyncio.gather(*calls)
    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1
    newest = responses[0].json()["data"]["refresh_token"]
    following = await lone_api.http.post(path, json={"refresh": newest}, headers=keyed("next"))
    assert following.status_code == 200
    bearer = {"Authorization": f"Bearer {following.json()['data']['access_token']}"}
    assert (await lone_api.http.get("/api/auth/me", headers=bearer)).status_code == 200
    spent = await lone_api.http.post(path, json=body, headers=keyed("another-key"))
    assert problem(spent) == (401, "token-invalid")
    ended = await lone_api.http.post(path, json=body, headers=keyed("a-key"))
    assert problem(ended) == (401, "token-invalid")


async def test_signing_out_and_a_new_password_need_the_account_before_a_second_answer(
    lone_api: Api,
) -> None:
    """Their tokens are dead after the first call."""
    ada = await lone_api.account("ada")
    body = {"current": PASSWORD, "password": "another password"}
    headers = keyed("a-key") | ada.bearer
    changed = await lone_api.http.post("/api/auth/password", json=body, headers=headers)
    assert changed.status_code == 204
    again = await lone_api.http.post("/api/auth/password", json=body, headers=headers)
    assert problem(again) == (401, "token-invalid")
    login = {"username": "ada", "password": "another password"}
    tokens = (await lone_api.http.post("/api/auth/login", json=login)).json()["data"]
    headers = keyed("b-key", Authorization=f"Bearer {tokens['access_token']}")
    refresh = {"refresh": tokens["refresh_token"]}
    gone = await lone_api.http.post("/api/auth/logout", json=refresh, headers=headers)
    assert gone.status_code == 200
    again = await lone_api.http.post("/api/auth/logout", json=refresh, headers=headers)
    assert problem(again) == (401, "token-invalid")


async def test_a_caller_without_permission_gets_no_stored_answer(guarded_api: Api) -> None:
    root = await guarded_api.account("root", "admin")
    ada = await guarded_api.account("ada", "organizer")
    headers = keyed("a-key") | ada.bearer
    first = await guarded_api.http.post("/api/events/", json=EVENT, headers=headers)
    assert first.status_code == 201
    role = f"/api/accounts/{ada.id}/roles/organizer"
    revoked = await guarded_api.http.delete(role, headers=keyed("r") | root.bearer)
    assert same(revoked, await guarded_api.http.delete(role, headers=keyed("r") | root.bearer))
    again = await guarded_api.http.post("/api/events/", json=EVENT, headers=headers)
    assert problem(again) == (403, "forbidden")


async def test_keys_of_different_callers_never_meet(guarded_api: Api) -> None:
    callers = [await guarded_api.account(name, "organizer") for name in ("ada", "grace")]
    responses = [
        await guarded_api.http.post("/api/events/", json=EVENT, headers=keyed("k") | caller.bearer)
        for caller in callers
    ]
    assert [response.status_code for response in responses] == [201, 201]
    assert len({response.headers["Location"] for response in responses}) == 2
    assert not any("Idempotent-Replayed" in response.headers for response in responses)


@pytest.mark.parametrize(
    "key", ["", "a b", "é", "a" * 256, '""', '"a', '"a b"', '"a";q=1', '"\\a"']
)
async def test_what_is_no_key_is_refused(lone_api: Api, key: str) -> None:
    headers = [(b"Idempotency-Key", key.encode())]
    refused = await lone_api.http.post("/api/events/areas/", json={"name": "Hall"}, headers=headers)
    assert problem(refused) == (422, "validation")
    assert [error["field"] for error in refused.json()["errors"]] == ["Idempotency-Key"]
    assert (await topics(lone_api))["Area.Created"] == 0


async def test_two_keys_are_refused(lone_api: Api) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    refused = await lone_api.http.post("/api/events/areas/", json={"name": "Hall"}, headers=headers)
    assert refused.json()["errors"] == [
        {"field": "Idempotency-Key", "messages": ["is there more than once"]}
    ]


@pytest.mark.parametrize(
    "key", ["!", "~" * 255, "4b21f0a6-07c8-4b2f-b4e8-6a980edc33cf", 'a"b', '"\\"\\\\"']
)
async def test_any_visible_ascii_is_a_key(lone_api: Api, key: str) -> None:
    body = {"name": "Hall"}
    first = await lone_api.http.post("/api/events/areas/", json=body, headers=keyed(key))
    again = await lone_api.http.post("/api/events/areas/", json=body, headers=keyed(key))
    assert same(first, again)


async def test_an_answer_that_is_a_day_old_counts_as_absent(lone_api: Api) -> None:
    path = f"/api/events/{await lone_api.event()}/register"
    created = await lone_api.http.post("/api/events/", json=EVENT, headers=keyed("e"))
    await lone_api.http.post(path, json=ADA, headers=keyed("a-key"))
    async with lone_api.connections.primary.connection() as connection:
        await connection.execute(
            "UPDATE idempotency_keys SET expires_at = expires_at - interval '24 hours'"
        )
    again = await lone_api.http.post(path, json=ADA, headers=keyed("a-key"))
    assert problem(again) == (409, "duplicate-registration")
    second = await lone_api.http.post("/api/events/", json=EVENT, headers=keyed("e"))
    assert second.status_code == 201
    assert second.headers["Location"] != created.headers["Location"]
    assert same(second, await lone_api.http.post("/api/events/", json=EVENT, headers=keyed("e")))


async def test_a_rebuild_of_all_read_tables_keeps_the_answers(
    lone_api: Api, services: Services, keys: InstallationKeys
) -> None:
    first = await lone_api.http.post("/api/events/", json=EVENT, headers=keyed("a-key"))
    await rebuild_tables(services.database_url, keys, ALL)
    assert same(first, await lone_api.http.post("/api/events/", json=EVENT, headers=keyed("a-key")))


async def test_a_repeated_call_counts_for_rate_limits(serving: Serving) -> None:
    async with serving(rate_limits=True, rate_limit_register=Rate(2, 60)) as api:
        path = f"/api/events/{await api.event()}/register"
        statuses = [
            (await api.http.post(path, json=ADA, headers=keyed("a-key"))).status_code
            for _ in range(3)
        ]
    assert statuses == [201, 201, 429]


async def test_an_unknown_outcome_says_that_the_call_can_be_sent_again(
    lone_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event was created, and the answer got lost."""
    execute = Writer.execute

    async def lost(*given: Any, **more: Any) -> None:
        await execute(*given, **more)
        raise OutcomeUnknown

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "execute", lost)
        unknown = await lone_api.http.post("/api/events/", json=EVENT, headers=keyed("a-key"))
    assert problem(unknown) == (503, "overloaded")
    assert "With an Idempotency-Key it is safe to send the same call again" in unknown.text
    again = await lone_api.http.post("/api/events/", json=EVENT, headers=keyed("a-key"))
    assert again.status_code == 201
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await topics(lone_api))["Event.Created"] == 1


async def test_a_database_that_is_lost_after_the_change_does_not_answer_that_nothing_was_done(
    lone_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: Any) -> None:
        raise psycopg.OperationalError("the connection is lost")

    account = {"username": "ada", "password": "a long enough password"}
    with monkeypatch.context() as patched:
        patched.setattr(dispatch, "run_query", lost)
        answer = await lone_api.http.post("/api/auth/register", json=account)
    assert problem(answer) == (503, "overloaded")
    assert "look first whether it was made" in answer.json()["detail"]
    assert (await lone_api.http.post("/api/auth/login", json=account)).status_code == 200


async def test_an_erasure_is_answered_again_and_deletes_the_answers_about_the_person(
    lone_api: Api,
) -> None:
    root = (await lone_api.account("root", "admin")).bearer
    fair = await lone_api.event()
    path, body = f"/api/events/{fair}/visitors", {"email": "ada@example.com"}
    added = await lone_api.http.post(path, json=ADA, headers=keyed("add") | root)
    register = f"/api/events/{fair}/register"
    mary = {"full_name": "Mary", "email": "mary@example.com"}
    marys = await lone_api.http.post(register, json=mary, headers=keyed("mary"))
    erased = await lone_api.http.post("/api/visitors/erase", json=body, headers=keyed("x") | root)
    assert erased.json()["data"]["registrations"] == 1
    again = await lone_api.http.post("/api/visitors/erase", json=body, headers=keyed("x") | root)
    assert same(erased, again)
    anew = await lone_api.http.post(path, json=ADA, headers=keyed("add") | root)
    assert "Idempotent-Replayed" not in anew.headers
    assert anew.headers["Event-Position"] > added.headers["Event-Position"]
    assert same(marys, await lone_api.http.post(register, json=mary, headers=keyed("mary")))


async def test_eight_at_once_have_one_effect_and_one_answer(
    two_apis: list[httpx.AsyncClient],
) -> None:
    created = await two_apis[0].post("/api/events/", json=EVENT)
    path = f"/api/events/{created.json()['data']['id']}/register"

    async def eight(number: int) -> list[httpx.Response]:
        body = ADA | {"email": f"ada{number}@example.com"}
        return await asyncio.gather(
            *(
                two_apis[n % 2].post(path, json=body, headers=keyed(f"key-{number}"))
                for n in range(8)
            )
        )

    for responses in await asyncio.gather(*(eight(number) for number in range(20))):
        assert {response.status_code for response in responses} == {201}
        assert len({response.content for response in responses}) == 1
        assert sum("Idempotent-Replayed" not in response.headers for response in responses) == 1


def test_each_key_has_one_effect_though_a_process_is_killed_on_the_way(
    settings: Settings, services: Services
) -> None:
    outcome = retry_all(settings, services, keys=100)
    check(outcome)
    assert outcome.replayed >= outcome.keys * (AT_ONCE - 1)
    assert outcome.unknown > 0, "nobody noticed that a process was killed"
