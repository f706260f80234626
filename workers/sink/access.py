"""Who may read the sink and post to it: who knows its token.

Other users of the machine reach its port, and so does every page that is open in a browser here.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from runtime.data_dir import prepare_data_dir
from runtime.secret_key import stored_secret
from runtime.settings import Settings

HEADERS = (
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
"""Of every answer: the page's address holds the token."""

FRAMED = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none';"
    " style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)
"""The policy of a mail's HTML: it may show its own pictures, and load and run nothing."""


WEBHOOKS = "/webhooks/"
"""Before the token, in the address for webhooks: they send no other."""


class Refusal(msgspec.Struct, frozen=True):
    status: int
    detail: str


def token(settings: Settings) -> str:
    """`NOTIFICATION_TOKEN`; where none is set, one that is kept in the data dir."""
    if settings.notification_token:
        return settings.notification_token
    folder = prepare_data_dir(settings.data_dir) / "sink"
    folder.mkdir(mode=0o700, exist_ok=True)
    return stored_secret(folder / "token")


def page_url(port: int, token: str) -> str:
    return f"http://127.0.0.1:{port}/?token={quote(token, safe='')}"


class Access:
    """Of one sink. `hosts` are the names that it is called by, besides addresses and localhost."""

    def __init__(self, token: str, hosts: Collection[str]) -> None:
        self._token = token.encode()
        self._hosts = {"localhost", *(host.lower() for host in hosts)}

    @property
    def webhook_path(self) -> str:
        return f"{WEBHOOKS}{quote(self._token, safe='')}"

    def refusal(
        self, method: str, headers: Mapping[bytes, bytes], query: bytes, path: str = "/"
    ) -> Refusal | None:
        """Why a request is not answered, if it is not."""
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._is_ours(host):
            return Refusal(421, "the sink does not have this name")
        reads = method in {"GET", "HEAD"}
        if not reads and _is_from_elsewhere(headers, host):
            return Refusal(403, "a page of another origin may not post here")
        given = headers.get(b"authorization", b"")
        if reads and not given:
            asked = parse_qs(query.decode("latin-1"), encoding="latin-1")  # takes every byte
            given = b"Bearer " + asked.get("token", [""])[0].encode("latin-1")
        elif not given and path.startswith(WEBHOOKS):
            given = b"Bearer " + path.removeprefix(WEBHOOKS).encode()
        if not hmac.compare_digest(given, b"Bearer " + self._token):
            return Refusal(
                401,
                "the token is missing or wrong: open the page that the sink named when it began",
            )
        return None

    def _is_ours(self, host: str) -> bool:
        """Accepts no host name, because foreign DNS names may point to this machine."""
        if "@" in host:
            return False
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._hosts or _is_address(name)


def _is_from_elsewhere(headers: Mapping[bytes, bytes], host: str) -> bool:
    if headers.get(b"sec-fetch-site", b"none") not in {b"none", b"same-origin"}:
        return True
    origin = headers.get(b"origin")
    return origin is not None and origin.lower() != f"http://{host}".lower().encode("latin-1")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
