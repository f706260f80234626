"""Which network addresses are public: those that a webhook may be sent to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_NAT64 = ip_network("64:ff9b::/96")

_NOT_PUBLIC = [
    ip_network(network)
    for network in (
        "64:ff9b:1::/48",  # NAT64 of a private network
        "::/96",  # IPv4 inside IPv6, as it was at first
        "192.0.0.0/24",  # IETF protocols, and metadata of Oracle's machines
        "192.88.99.0/24",  # relays of 6to4
        "168.63.129.16/32",  # metadata of Azure's machines
    )
]
"""Besides those of `ipaddress`, whose list differs between versions of Python."""


def is_public(address: str) -> bool:
    """Whether a host of the internet has this numeric address. An address that contains an IPv4
    address is judged by that one, too."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        if ip.is_site_local or ip.teredo:
            return False
        embedded = ip.ipv4_mapped or ip.sixtofour or _after_nat64(ip)
        if embedded is not None:
            return _is_global(embedded)
    return _is_global(ip)


def is_known_to_be_private(host: str) -> bool:
    """Whether the host is a numeric address that is not public, or a name of this machine. Other
    names are known when they are looked up."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return not is_public(host)


def _after_nat64(ip: IPv6Address) -> IPv4Address | None:
    return IPv4Address(ip.packed[-4:]) if ip in _NAT64 else None


def _is_global(ip: IPv4Address | IPv6Address) -> bool:
    return (
        ip.is_global
        and not ip.is_multicast
        and not ip.is_reserved
        and not any(ip in network for network in _NOT_PUBLIC)
    )
