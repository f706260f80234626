"""The headers of every answer: what browsers may do with it, and who may read it."""

from __future__ import annotations

from ipaddress import ip_network

import httpx
import pytest

from tests.api.serving import Api, Serving

pytestmark = pytest.mark.anyio

LIST = "/api/events/list"
SITE = "https://site.example"


def policy(answer: httpx.Response) -> dict[str, str]:
    """The content security policy, by directive."""
    (line,) = answer.headers.get_list("Content-Security-Policy")
    return {name: value for name, _, value in (part.partition(" ") for part in line.split("; "))}


def headers_of_cors(answer: httpx.Response) -> set[str]:
    return {name for name in answer.headers if name.startswith("access-control-")}


async def test_answers_of_every_status_have_the_security_headers(lone_api: Api) -> None:
    answers = {
        200: await lone_api.http.get(LIST),
        204: await lone_api.http.options(LIST),
        400: await lone_api.http.post(
            "/api/events/areas", content=b"{", headers={"Content-Type": "application/json"}
        ),
        404: await lone_api.http.get("/nowhere"),
        405: await lone_api.http.put(LIST),
        422: await lone_api.http.get(LIST, params={"limit": 0}),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert policy(answer) == {"default-src": "'none'", "frame-ancestors": "'none'"}
        assert answer.headers.get_list("Server") == ["Events-Face"]
        assert headers_of_cors(answer) == set()
        assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize("page", ["/api/swagger/", "/api/redoc/"])
async def test_a_page_may_load_only_files_that_are_served_here(lone_api: Api, page: str) -> None:
    answer = await lone_api.http.get(page)
    assert answer.headers["Content-Type"].startswith("text/html")
    allowed = policy(answer)
    assert allowed["default-src"] == "'none'"
    assert allowed["script-src"] == "'self'"
    assert allowed["frame-ancestors"] == "'none'"
    assert "http" not in answer.headers["Content-Security-Policy"]


async def test_a_304_does_not_repeat_the_content_security_policy(lone_api: Api) -> None:
    page = await lone_api.http.get("/api/redoc/")
    known = {"If-None-Match": page.headers["ETag"]}
    again = await lone_api.http.get("/api/redoc/", headers=known)
    assert again.status_code == 304
    assert "Content-Security-Policy" not in again.headers


async def test_hsts_is_sent_when_a_trusted_proxy_reports_https(
    serving: Serving,
) -> None:
    by_https = {"X-Forwarded-Proto": "https"}
    async with serving(trusted_proxies=(ip_network("127.0.0.1"),)) as api:
        answer = await api.http.get(LIST, headers=by_https)
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert "Strict-Transport-Security" not in (await api.http.get(LIST)).headers
    async with serving() as api:
        answer = await api.http.get(LIST, headers=by_https)
        assert "Strict-Transport-Security" not in answer.headers


async def test_sites_that_are_not_configured_get_no_cors_headers(lone_api: Api) -> None:
    answer = await lone_api.http.get(LIST, headers={"Origin": SITE})
    assert headers_of_cors(answer) == set()
    asked_first = {"Origin": SITE, "Access-Control-Request-Method": "PATCH"}
    answer = await lone_api.http.options(LIST, headers=asked_first)
    assert headers_of_cors(answer) == set()


async def test_a_configured_site_may_read_answers_and_problems(serving: Serving) -> None:
    async with serving(cors_origins=(SITE,)) as api:
        for path in (LIST, "/nowhere"):
            answer = await api.http.get(path, headers={"Origin": SITE})
            assert answer.headers["Access-Control-Allow-Origin"] == SITE
            assert "Event-Position" in answer.headers["Access-Control-Expose-Headers"]
            assert "Idempotent-Replayed" in answer.headers["Access-Control-Expose-Headers"]
            assert "Access-Control-Allow-Credentials" not in answer.headers
            assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize("origin", ["https://other.example", f"{SITE}.evil.example", "null", ""])
async def test_no_other_site_is_granted_anything(serving: Serving, origin: str) -> None:
    async with serving(cors_origins=(SITE,)) as api:
        answer = await api.http.get(LIST, headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Vary"] == "Origin"


async def test_a_configured_site_may_ask_before_it_changes_something(serving: Serving) -> None:
    async with serving(cors_origins=(SITE,)) as api:
        asked_first = {
            "Origin": SITE,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization, content-type, idempotency-key",
        }
        answer = await api.http.options("/api/events/areas/1", headers=asked_first)
        assert answer.status_code == 204
        assert answer.headers["Access-Control-Allow-Origin"] == SITE
        assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
        assert "Idempotency-Key" in answer.headers["Access-Control-Allow-Headers"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_any_site_may_read_when_all_are_configured(serving: Serving) -> None:
    async with serving(cors_origins=("*",)) as api:
        answer = await api.http.get(LIST, headers={"Origin": "https://other.example"})
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Vary" not in answer.headers
