"""Addresses of services without passwords, and whether they are local or private."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from psycopg.conninfo import conninfo_to_dict

PRIVATE_ENDINGS = (".internal", ".local", ".localhost", ".lan", ".home.arpa")


def database_address(url: str) -> str:
    """Each host with its port; for a socket, its folder."""
    parts = conninfo_to_dict(url)
    hosts = str(parts.get("host") or "localhost").split(",")
    ports = str(parts.get("port") or "").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    return ", ".join(
        host if host.startswith("/") else f"{host}:{port or 5432}"
        for host, port in zip(hosts, ports, strict=False)
    )


def broker_address(url: str) -> str:
    parts = urlsplit(url)
    return parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"


def is_database_local(url: str) -> bool:
    hosts = str(conninfo_to_dict(url).get("host") or "localhost").split(",")
    return all(host.startswith("/") or is_loopback(host) for host in hosts)


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_private(host: str) -> bool:
    """Whether the host is in a private network, judged by its name or address."""
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(PRIVATE_ENDINGS)
    return address.is_private
