"""The client address and scheme of a request. A proxy's headers count only if `TRUSTED_PROXIES`
names the proxy.

Each proxy appends the address of its caller to `X-Forwarded-For`. So the list is read from its end
for as long as the addresses belong to trusted proxies; anyone can forge the entries further left.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from litestar.types import Scope

from runtime.variables import Network

_WITH_PORT = re.compile(r"^(?:([\d.]+):\d+|\[([^\[\]]+)\](?::\d+)?)$", re.ASCII)
"""Addresses as some proxies write them: `192.0.2.7:4711`, `[2001:db8::7]`, `[2001:db8::7]:4711`."""

CACHED_ADDRESSES = 4096
"""Parsed addresses that a process caches."""

SUBSCRIBER_BITS = 64
"""Prefix of an IPv6 address that identifies a subscriber, who can choose the rest freely."""


class Clients:
    """Finds the client behind trusted proxies."""

    def __init__(self, trusted_proxies: tuple[Network, ...]) -> None:
        self._trusted = trusted_proxies

    def address_of(self, scope: Scope) -> str:
        """The address that limits are counted by; for IPv6, the subscriber's network."""
        address = _peer(scope)
        if self._trusts(address):
            for entry in reversed(_listed(scope, b"x-forwarded-for")):
                claimed = _WITH_PORT.sub(r"\1\2", entry)
                if _read(claimed) is None:
                    break
                address = claimed
                if not self._trusts(address):
                    break
        return _counted_as(address)

    def of_peer(self, address: str) -> str | None:
        """The address that a connection from this peer is counted by; None for a trusted proxy,
        whose connections carry requests of many clients."""
        return None if self._trusts(address) else _counted_as(address)

    def came_by_https(self, scope: Scope) -> bool:
        if self._trusts(_peer(scope)) and (schemes := _listed(scope, b"x-forwarded-proto")):
            return schemes[-1].lower() == "https"
        return scope["scheme"] == "https"

    def _trusts(self, text: str) -> bool:
        if not self._trusted:
            return False
        address = _read(text)
        return address is not None and any(address in network for network in self._trusted)


def _peer(scope: Scope) -> str:
    """The peer's address; empty for a Unix socket."""
    client = scope["client"]
    return client[0] if client else ""


def _listed(scope: Scope, wanted: bytes) -> list[str]:
    """The members of a list header, from all its lines."""
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]
    members = [member.strip() for line in lines for member in line.split(",")]
    return [member for member in members if member]


@lru_cache(CACHED_ADDRESSES)
def _read(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(CACHED_ADDRESSES)
def _counted_as(text: str) -> str:
    address = _read(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), SUBSCRIBER_BITS), strict=False))
    return str(address or text)
