"""What is around the installation: the disk of its data dir, the services that it calls, and the
replica that its queries use."""

from __future__ import annotations

import shutil
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg

from runtime.checks.addresses import database_address
from runtime.checks.finding import Finding, error, in_one_line, ok, warning
from runtime.settings import Settings

PATIENCE = 5.0
"""Seconds that each has to answer in."""

LITTLE, TOO_LITTLE = 2048, 256
"""MB of disk space. PostgreSQL stops when none is left."""

_PORTS = {"http": 80, "https": 443}


def examine(settings: Settings) -> list[Finding]:
    found = [disk(settings.data_dir)]
    if settings.notification_service_url is not None:
        found.append(reachable("notifications", settings.notification_service_url))
    if settings.events_provider_url is not None:
        found.append(reachable("events provider", settings.events_provider_url))
    if settings.read_database_url is not None:
        found.append(replica(settings.read_database_url))
    return found


def disk(data_dir: Path) -> Finding:
    place = next(folder for folder in (data_dir, *data_dir.parents) if folder.exists())
    free = shutil.disk_usage(place).free // 2**20
    told = f"{free} MB free at {place}"
    if free >= LITTLE:
        return ok("disk", told)
    tell = error if free < TOO_LITTLE else warning
    return tell(
        "disk", told, "make room, or move DATA_DIR; a database elsewhere is looked at there"
    )


def reachable(check: str, url: str) -> Finding:
    """Whether somebody listens there, with a certificate that is trusted. Nothing is sent."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    try:
        with socket.create_connection((host, port), timeout=PATIENCE) as connection:
            if parts.scheme == "https":
                encryption = httpx.create_ssl_context()
                encryption.wrap_socket(connection, server_hostname=host).close()
    except ssl.SSLCertVerificationError as failure:
        reason = f"{host}:{port} has no certificate to trust: {failure.verify_message}"
        return error(check, reason, "have it renewed, or add its authority to SSL_CERT_FILE")
    except OSError as failure:
        reason = f"{host}:{port} cannot be reached: {in_one_line(failure)}"
        return error(check, reason, "look at its host, the network and the address; we try again")
    return ok(check, f"{host}:{port} can be reached")


def replica(url: str) -> Finding:
    where = database_address(url)
    try:
        with psycopg.connect(url, connect_timeout=int(PATIENCE)) as connection:
            connection.execute("SELECT FROM projections")
    except psycopg.Error as failure:
        reason = f"{where} does not answer queries: {in_one_line(failure)}"
        return error("replica", reason, "mend it, or unset READ_DATABASE_URL")
    return ok("replica", f"{where} answers queries")
