"""Who a request comes from, and how. What a proxy says counts only when `TRUSTED_PROXIES` names it.

Each proxy appends the address it was called from to `X-Forwarded-For`, so the list is read from its
end, for as long as the addresses are of trusted proxies: what is left of them anyone can make up.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from litestar.types import Scope

from runtime.variables import Network

_WITH_PORT = re.compile(r"^(?:([\d.]+):\d+|\[([^\[\]]+)\](?::\d+)?)$", re.ASCII)
"""How some proxies write an address: `192.0.2.7:4711`, `[2001:db8::7]`, `[2001:db8::7]:4711`."""

KNOWN = 4096
"""Addresses that a process remembers the reading of."""

SUBSCRIBER = 64
"""Bits of an IPv6 address that tell one subscriber from another: the rest is theirs to change."""


class Clients:
    """Tells clients from the proxies before them."""

    def __init__(self, trusted_proxies: tuple[Network, ...]) -> None:
        self._trusted = trusted_proxies

    def address_of(self, scope: Scope) -> str:
        """The address that one client is counted by: of IPv6, its subscriber's network."""
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
        """Whom a connection from there is counted for; None for a proxy's, which carries those of
        many."""
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
    """Empty for a unix socket's."""
    client = scope["client"]
    return client[0] if client else ""


def _listed(scope: Scope, wanted: bytes) -> list[str]:
    """The members of a header that is a list, from all its lines."""
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]
    members = [member.strip() for line in lines for member in line.split(",")]
    return [member for member in members if member]


@lru_cache(KNOWN)
def _read(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(KNOWN)
def _counted_as(text: str) -> str:
    address = _read(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), SUBSCRIBER), strict=False))
    return str(address or text)
