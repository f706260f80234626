"""Which addresses a fetch may ask, and what it tells each: the provider names the next one."""

from __future__ import annotations

import re
from collections.abc import Collection

import httpx

Address = httpx.URL

LONGEST_ADDRESS = 2_000  # characters

LAST_PORT = 65_535

_HOST = re.compile(rb"[a-z0-9._:-]{1,253}")
"""Names in ASCII, and addresses."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


class BadAddress(Exception):
    """An address cannot be asked; the message says why."""


class Addresses:
    """Those that may be asked: on the provider's own host, and on hosts configured besides.

    Credentials in the provider's address go to its own origin only, and to the same by https.
    """

    def __init__(self, url: str, other_hosts: Collection[str]) -> None:
        """Raises `BadAddress`."""
        given = _parsed(httpx.URL("http://unknown/"), url, "the provider's address")
        self.first = given.copy_with(userinfo=b"")
        hosts = [_host(self.first), *other_hosts]
        self._allowed = {place for host in hosts for place in _places(host)}
        self._trusted = {("https", *place) for place in _places(_host(self.first))}
        self._trusted.add((self.first.scheme, *_place(self.first)))
        self._auth = httpx.BasicAuth(given.username, given.password) if given.userinfo else None

    def auth(self, address: Address) -> httpx.Auth | None:
        return self._auth if (address.scheme, *_place(address)) in self._trusted else None

    def following(self, link: str, found_at: Address) -> Address:
        """What a link or a redirect leads to. Raises `BadAddress`."""
        what = "the address that the provider leads to"
        address = _parsed(found_at, link, what).copy_with(userinfo=b"")
        if _place(address) not in self._allowed:
            host = _host(address)
            raise BadAddress(
                f"{what} is at another host: to allow it, add {host} to EVENTS_PROVIDER_HOSTS"
            )
        return address


def _parsed(base: Address, link: str, what: str) -> Address:
    """`what` is what the message calls it: the link itself is not for messages."""
    if len(link) > LONGEST_ADDRESS:
        raise BadAddress(f"{what} has more than {LONGEST_ADDRESS:,} characters")
    try:
        address = base.join(link)
        # Whether a name in ASCII stands for one in Unicode is seen only when that is read.
        is_valid = bool(address.host and _HOST.fullmatch(address.raw_host)) and (
            address.port is None or 0 < address.port <= LAST_PORT
        )
    except (httpx.InvalidURL, ValueError):
        is_valid = False
    if not is_valid or address.scheme not in _DEFAULT_PORTS:
        raise BadAddress(f"{what} is not a valid http or https address")
    return address


def _host(address: Address) -> str:
    """With its port, where that is not the scheme's own."""
    return address.netloc.decode("ascii")


def _place(address: Address) -> tuple[bytes, int]:
    return address.raw_host, address.port or _DEFAULT_PORTS[address.scheme]


def _places(host: str) -> set[tuple[bytes, int]]:
    """Those of a host that is written with its port, or at the ports of both schemes."""
    address = httpx.URL(f"http://{host}")
    ports = [address.port] if address.port else _DEFAULT_PORTS.values()
    return {(address.raw_host, port) for port in ports}
