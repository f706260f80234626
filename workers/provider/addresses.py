"""The addresses that a fetch may request: the provider's answers name the next ones."""

from __future__ import annotations

import re
from collections.abc import Collection

import httpx

Address = httpx.URL

MAX_ADDRESS_LENGTH = 2_000  # characters

MAX_PORT = 65_535

_HOST = re.compile(rb"[a-z0-9._:-]{1,253}")
"""Host names in ASCII, and IP addresses."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


class BadAddress(Exception):
    """An address must not be requested; the message says why."""


class Addresses:
    """The allowed addresses: on the provider's own host, and on other configured hosts.

    Credentials in the provider's address are sent to its own origin only, and to the same host and
    port over https.
    """

    def __init__(self, url: str, other_hosts: Collection[str]) -> None:
        """Raises `BadAddress`."""
        given = _parsed(httpx.URL("http://unknown/"), url, "the provider's address")
        self.first = given.copy_with(userinfo=b"")
        hosts = [_host(self.first), *other_hosts]
        self._allowed = {place for host in hosts for place in _endpoints(host)}
        self._trusted = {("https", *place) for place in _endpoints(_host(self.first))}
        self._trusted.add((self.first.scheme, *_endpoint(self.first)))
        self._auth = httpx.BasicAuth(given.username, given.password) if given.userinfo else None

    def auth(self, address: Address) -> httpx.Auth | None:
        return self._auth if (address.scheme, *_endpoint(address)) in self._trusted else None

    def following(self, link: str, found_at: Address) -> Address:
        """The target of a link or a redirect. Raises `BadAddress`."""
        what = "the address in the provider's answer"
        address = _parsed(found_at, link, what).copy_with(userinfo=b"")
        if _endpoint(address) not in self._allowed:
            host = _host(address)
            raise BadAddress(
                f"{what} is on another host: to allow it, add {host} to EVENTS_PROVIDER_HOSTS"
            )
        return address


def _parsed(base: Address, link: str, what: str) -> Address:
    """`what` names the address in error messages, which must not contain the link itself."""
    if len(link) > MAX_ADDRESS_LENGTH:
        raise BadAddress(f"{what} has more than {MAX_ADDRESS_LENGTH:,} characters")
    try:
        address = base.join(link)
        # Reading `host` decodes a punycode name, and fails if that is invalid.
        is_valid = bool(address.host and _HOST.fullmatch(address.raw_host)) and (
            address.port is None or 0 < address.port <= MAX_PORT
        )
    except (httpx.InvalidURL, ValueError):
        is_valid = False
    if not is_valid or address.scheme not in _DEFAULT_PORTS:
        raise BadAddress(f"{what} is not a valid http or https address")
    return address


def _host(address: Address) -> str:
    """The host, with its port unless that is the default of the scheme."""
    return address.netloc.decode("ascii")


def _endpoint(address: Address) -> tuple[bytes, int]:
    return address.raw_host, address.port or _DEFAULT_PORTS[address.scheme]


def _endpoints(host: str) -> set[tuple[bytes, int]]:
    """Host and port of `host` or `host:port`; without a port, the default ports of both schemes."""
    address = httpx.URL(f"http://{host}")
    ports = [address.port] if address.port else _DEFAULT_PORTS.values()
    return {(address.raw_host, port) for port in ports}
