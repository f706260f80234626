"""The local sink accepts each notification once, stores it, and shows it."""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from runtime.ports import free_port
from runtime.settings import Settings
from tests.support.installation import Installation
from tests.support.processes import environment, role
from tests.support.sending import a_webhook, sending
from tests.support.waiting import until, until_async
from workers.sink.access import Access, page_url, token
from workers.sink.announcement import running_at

UNREADABLE = (b'{"id": "\xff"}', b"[" * 30_000)


@contextmanager
def sink(settings: Settings, host: str = "127.0.0.1") -> Iterator[httpx.Client]:
    port = free_port()
    with (
        role(environment(settings, None), "sink", "--host", host, "--port", str(port)) as process,
        httpx.Client(base_url=f"http://{host}:{port}", trust_env=False, timeout=30) as client,
    ):
        until(lambda: answers(client))
        client.headers["Authorization"] = f"Bearer {token(settings)}"
        yield client
        process.terminate()
        assert process.wait(30) == 0


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health").is_success
    except httpx.TransportError:
        return False


def notify(client: httpx.Client, id: str, **changes: object) -> httpx.Response:
    body = {"id": id, "owner_id": "o", "email": "ada@example.org", "message": "1234", **changes}
    return client.post("/notifications", json=body, headers={"Idempotency-Key": id})


def test_a_repeated_notification_is_kept_once(own_settings: Settings) -> None:
    with sink(own_settings) as client:
        assert [notify(client, "a").status_code for _ in range(3)] == [201, 200, 200]
        assert notify(client, "b", email="bob@example.org").status_code == 201
        listing = client.get("/notifications").json()
        assert (listing["total"], listing["repeats"]) == (2, 2)
        assert [n["id"] for n in listing["notifications"]] == ["b", "a"]
        only = client.get("/notifications", params={"email": "ada@example.org"}).json()
        assert [n["id"] for n in only["notifications"]] == ["a"]
        assert len(client.get("/notifications?limit=1").json()["notifications"]) == 1


def test_everything_is_still_there_after_a_restart(own_settings: Settings) -> None:
    with sink(own_settings) as client:
        notify(client, "a")
    file = own_settings.data_dir / "sink" / "notifications.jsonl"
    with file.open("ab") as lines:
        lines.write(b'{"key": "half a li')
    with sink(own_settings) as client:
        assert notify(client, "a").status_code == 200
        assert notify(client, "b").status_code == 201
    with sink(own_settings) as client:
        assert client.get("/notifications").json()["total"] == 2


def test_the_page_shows_and_escapes_received_notifications(own_settings: Settings) -> None:
    with sink(own_settings) as client:
        notify(client, "a", message="<script>alert(1)</script>")
        page = client.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "<script" not in page.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
        assert re.search(r"ada@example\.org", page.text)


ITEM = {
    "position": 42,
    "type": "visitor.registered",
    "version": 1,
    "occurred_at": "2030-01-01T00:00:00Z",
    "event_id": "0197a3f2-6c1e-7d4a-8b55-3e9f0c2a7d11",
    "visitor_id": None,
    "data": {"name": "<script>"},
    "previous": 41,
}


def test_items_of_webhooks_are_kept_once_and_shown(own_settings: Settings) -> None:
    with sink(own_settings) as client:
        page = client.get("/").text
        address = re.search(r"<code>(http://[^<]+/webhooks/[^<]+)</code>", page)
        assert address is not None
        del client.headers["Authorization"]  # a webhook has none
        for id in ("msg_1_42", "msg_1_42", "msg_2_42"):
            answer = client.post(address[1], json=ITEM, headers={"webhook-id": id})
            assert answer.status_code == 204
        for wrong in (f"{address[1]}x", "/webhooks/", "/webhooks/wrong"):
            refused = client.post(wrong, json=ITEM, headers={"webhook-id": "msg_3_42"})
            assert refused.status_code == 401
        assert client.post(address[1], json=ITEM).status_code == 400
        assert client.get("/webhooks").status_code == 401
        client.headers["Authorization"] = f"Bearer {token(own_settings)}"
        listing = client.get("/webhooks").json()
        assert (listing["total"], listing["repeats"]) == (2, 1)
        assert [each["id"] for each in listing["items"]] == ["msg_2_42", "msg_1_42"]
        assert listing["items"][0]["item"] == ITEM
        page = client.get("/").text
        assert "msg_2_42" in page
        assert "<script" not in page


@pytest.mark.anyio
async def test_a_webhook_can_send_to_it(own_settings: Settings, installation: Installation) -> None:
    with sink(own_settings) as client:
        path = Access(token(own_settings), ()).webhook_path
        await a_webhook(installation, str(client.base_url.join(path)))
        await installation.event("Fair")

        async def has_items() -> bool:
            return bool(client.get("/webhooks").json()["items"])

        async with sending(installation):
            await until_async(has_items)
        (received,) = client.get("/webhooks").json()["items"]
    assert (received["item"]["type"], received["item"]["previous"]) == ("event.created", None)


def test_a_body_that_is_not_a_notification_is_refused(own_settings: Settings) -> None:
    with sink(own_settings) as client:
        for body in [b"", b"{", b"[]", b'{"id": 5}', b'{"id": "a"}', b"\xff", *UNREADABLE]:
            assert client.post("/", content=body).status_code == 400


def test_other_requests_are_refused_politely(own_settings: Settings) -> None:
    with sink(own_settings) as client:
        assert client.get("/nothing").status_code == 404
        assert client.delete("/notifications").status_code == 405
        assert client.get("/notifications?limit=x").status_code == 400
        assert client.post("/", content=b"x" * 100_000).status_code == 413
        assert client.head("/").status_code == 200


def test_without_the_token_nothing_can_be_read_or_posted(own_settings: Settings) -> None:
    with sink(own_settings) as client:
        assert notify(client, "a").status_code == 201
        for given in ["", "Bearer", "Bearer wrong", f"Basic {token(own_settings)}"]:
            client.headers["Authorization"] = given
            for path in ("/", "/notifications", "/notifications?token=wrong", "/nothing"):
                answer = client.get(path)
                assert answer.status_code == 401
                assert answer.headers["WWW-Authenticate"] == "Bearer"
                assert "ada" not in answer.text
            assert notify(client, "b").status_code == 401
        del client.headers["Authorization"]
        in_the_address = f"/notifications?token={token(own_settings)}"
        assert client.post(in_the_address, json={}).status_code == 401
        for made_up in ("%ff", "%C3%A9", "%00%ff", "%", "a%zz"):
            assert client.get(f"/?token={made_up}").status_code == 401
        assert client.get(in_the_address).json()["total"] == 1


def test_its_page_opens_from_the_address_that_is_printed(own_settings: Settings) -> None:
    with sink(own_settings) as client:
        notify(client, "a")
        page = httpx.get(page_url(client.base_url.port or 0, token(own_settings)), trust_env=False)
        assert page.status_code == 200
        assert "ada@example.org" in page.text
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert page.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8001", 200),
        ("localhost:8001", 200),
        ("LocalHost", 200),
        ("[::1]:8001", 200),
        ("sink.example:8001", 200),  # as the workers call it
        ("evil.example", 421),
        ("localhost.evil.example:8001", 421),
        ("evil.example:80@localhost", 421),
        ("[evil", 421),
        ("", 421),
    ],
)
def test_only_its_own_names_are_answered(host: str, status: int) -> None:
    access = Access("the-token", {"sink.example"})
    headers = {b"host": host.encode(), b"authorization": b"Bearer the-token"}
    refusal = access.refusal("GET", headers, b"")
    assert (refusal.status if refusal else 200) == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Origin": "own"}, 201),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_pages_of_other_origins_post_nothing(
    own_settings: Settings, headers: dict[str, str], status: int
) -> None:
    with sink(own_settings) as client:
        origin = str(client.base_url).rstrip("/")
        client.headers.update({name: v.replace("own", origin) for name, v in headers.items()})
        assert notify(client, "a").status_code == status


def test_its_files_are_readable_for_its_own_account_only(own_settings: Settings) -> None:
    folder = own_settings.data_dir / "sink"
    folder.mkdir(mode=0o755)
    (folder / "notifications.jsonl").touch(mode=0o644)
    with sink(own_settings) as client:
        notify(client, "a")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
        assert modes == dict.fromkeys(
            ("notifications.jsonl", "mails.jsonl", "webhooks.jsonl", "token", "url"), 0o600
        )


def test_a_running_sink_can_be_found_by_its_data_dir(own_settings: Settings) -> None:
    assert running_at(own_settings.data_dir) is None
    with sink(own_settings) as client:
        assert running_at(own_settings.data_dir) == str(client.base_url.join("/notifications"))
    assert running_at(own_settings.data_dir) is None


@pytest.mark.skipif(sys.platform != "linux", reason="has one loopback address")
def test_it_listens_at_the_given_address(own_settings: Settings) -> None:
    with sink(own_settings, "127.0.0.2") as client:
        assert notify(client, "1").status_code == 201
