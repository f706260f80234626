"""The mail server of `MAIL_URL`, and the mailbox of `MAIL_FROM`."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

Encryption = Literal["from_start", "required", "offered", "off"]
"""`required` and `offered` encrypt by STARTTLS, `offered` only where the server has it, and without
checking its certificate: who could forge one could as well remove the offer."""

MAX_CONNECTIONS = 100

PORTS = {"smtps": 465, "smtp": 25}
SUBMISSION_PORT = 587
"""Of `smtp` with a password."""

LOOPBACK = {"localhost", "127.0.0.1", "::1"}

_WANTED = "must look like smtps://user:password@host:465, smtp://host:25 or smtp://...?starttls=off"

_MAILBOX = re.compile(r'"?(?P<name>[^<>"]*?)"?\s*<(?P<inside>[^<>]+)>|(?P<bare>[^<>]+)')

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class MailServer(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    port: int
    encryption: Encryption
    username: str | None = None
    password: str = ""
    connections: int = 8
    """How many mails one worker sends at once."""

    @property
    def address(self) -> str:
        """Without the password."""
        return f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"MailServer({self.address})"


class Mailbox(msgspec.Struct, frozen=True):
    name: str
    address: str
    """Its domain in A-labels."""

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


class MailSettings(msgspec.Struct, frozen=True):
    server: MailServer
    sender: Mailbox


def mail_server(text: str) -> MailServer:
    """Raises ValueError, as each parser of `runtime.variables`: its text has nothing of the URL."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(_WANTED) from None
    if (
        parts.scheme not in PORTS
        or not host
        or port == 0
        or parts.path.strip("/")
        or parts.fragment
        or re.search(r"\s", text)
    ):
        raise ValueError(_WANTED)
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password or "")
    if _CONTROL.search(f"{username}{password}"):
        raise ValueError("must have no control characters in its user and password")
    if password and username is None:
        raise ValueError("must have a user beside the password")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if given.keys() - {"starttls", "connections"}:
        raise ValueError("must have no parameters but starttls and connections")
    default_port = SUBMISSION_PORT if username and parts.scheme == "smtp" else PORTS[parts.scheme]
    return MailServer(
        host=host,
        port=port or default_port,
        encryption=_encryption(
            parts.scheme, given.get("starttls"), trusted=username is None or host in LOOPBACK
        ),
        username=username,
        password=password,
        connections=_connections(given.get("connections", "8")),
    )


def _encryption(scheme: str, asked: str | None, *, trusted: bool) -> Encryption:
    """`trusted`: whether the connection may be unencrypted. A password is sent in plain text only
    inside this machine."""
    if scheme == "smtps":
        if asked is not None:
            raise ValueError("must be smtp:// with starttls: smtps:// is encrypted from the start")
        return "from_start"
    match asked:
        case None:
            return "offered" if trusted else "required"
        case "required":
            return asked
        case "offered" | "off" if trusted:
            return asked
        case "offered" | "off":
            raise ValueError("must be encrypted, as it has a password: use starttls=required")
        case _:
            raise ValueError("must have starttls=required, starttls=offered or starttls=off")


def _connections(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= MAX_CONNECTIONS:
        raise ValueError(f"must have connections=1 to connections={MAX_CONNECTIONS}")
    return int(text)


def mail_from(text: str) -> Mailbox:
    """Such as `Town Hall <events@example.org>`. Raises ValueError."""
    from domain.core.values import Email, Invalid  # imported late: most settings have no address

    match = _MAILBOX.fullmatch(text)
    if match is None or _CONTROL.search(text):
        raise ValueError("must look like events@example.org or Town Hall <events@example.org>")
    address = (match["inside"] or match["bare"]).strip()
    local, _, domain = address.rpartition("@")
    try:
        Email.parse(address)
    except Invalid as error:
        raise ValueError(str(error)) from None
    if not local.isascii():
        raise ValueError("must have only ASCII characters before the @")
    return Mailbox((match["name"] or "").strip(), f"{local}@{ascii_domain(domain)}")


def ascii_domain(domain: str) -> str:
    """In A-labels, as mail servers know it. Raises ValueError."""
    if domain.isascii():
        return domain.lower()
    import idna  # only here: it costs each process memory, and few domains need it

    return idna.encode(domain, uts46=True).decode()
