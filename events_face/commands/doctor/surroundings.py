"""Checks of the surroundings: the disk of the data dir, external services, the read replica."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg

from runtime.checks.addresses import database_address
from runtime.checks.finding import Finding, error, in_one_line, ok, warning
from runtime.mail import MailSettings
from runtime.settings import Settings
from workers.delivery.mail.trial import trouble_with

CONNECT_TIMEOUT = 5.0
"""Seconds until each must answer."""

DISK_WARNING, DISK_ERROR = 2048, 256
"""MB of free disk space. PostgreSQL stops when none is left."""

_PORTS = {"http": 80, "https": 443}


def examine(settings: Settings) -> list[Finding]:
    found = [disk(settings.data_dir)]
    if settings.mail is not None:
        found.append(mail_server(settings.mail))
    elif settings.notification_service_url is not None:
        found.append(reachable("notifications", settings.notification_service_url))
    if settings.events_provider_url is not None:
        found.append(reachable("events provider", settings.events_provider_url))
    if settings.read_database_url is not None:
        found.append(replica(settings.read_database_url))
    return found


def disk(data_dir: Path) -> Finding:
    folder = next(folder for folder in (data_dir, *data_dir.parents) if folder.exists())
    free = shutil.disk_usage(folder).free // 2**20
    message = f"{free} MB free at {folder}"
    if free >= DISK_WARNING:
        return ok("disk", message)
    finding = error if free < DISK_ERROR else warning
    return finding("disk", message, "free disk space, or move DATA_DIR")


def reachable(check: str, url: str) -> Finding:
    """Whether the service accepts connections, with a trusted certificate. Sends no request."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    try:
        with socket.create_connection((host, port), timeout=CONNECT_TIMEOUT) as connection:
            if parts.scheme == "https":
                encryption = httpx.create_ssl_context()
                encryption.wrap_socket(connection, server_hostname=host).close()
    except ssl.SSLCertVerificationError as failure:
        reason = f"{host}:{port} has no trusted certificate: {failure.verify_message}"
        return error(check, reason, "renew it, or add its authority to SSL_CERT_FILE")
    except OSError as failure:
        reason = f"{host}:{port} cannot be reached: {in_one_line(failure)}"
        return error(check, reason, "check its host, the network and the address")
    return ok(check, f"{host}:{port} can be reached")


def mail_server(mail: MailSettings) -> Finding:
    """Whether it lets us in, with the password and the encryption of MAIL_URL. Sends no mail."""
    where = mail.server.address
    trouble = asyncio.run(trouble_with(mail, within=CONNECT_TIMEOUT))
    if trouble is not None:
        reason = f"{where} does not let us in: {trouble}"
        return error("mail", reason, "correct MAIL_URL, or check the server and the network")
    return ok("mail", f"{where} lets us in")


def replica(url: str) -> Finding:
    where = database_address(url)
    try:
        with psycopg.connect(url, connect_timeout=int(CONNECT_TIMEOUT)) as connection:
            connection.execute("SELECT FROM projections")
    except psycopg.Error as failure:
        reason = f"{where} does not answer queries: {in_one_line(failure)}"
        return error("replica", reason, "repair it, or unset READ_DATABASE_URL")
    return ok("replica", f"{where} answers queries")
