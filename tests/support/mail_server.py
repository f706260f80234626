"""A local mail server (aiosmtpd) whose replies are scripted and whose mails are kept."""

from __future__ import annotations

import ssl
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

import msgspec
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from runtime.mail import MailSettings, mail_from
from runtime.mail import mail_server as parse_url
from runtime.ports import free_port
from runtime.settings import Settings

OK = "250 OK"


class ReceivedMail(msgspec.Struct, frozen=True):
    sender: str
    recipient: str
    content: bytes
    options: list[str]
    """Of the sender."""

    @property
    def mail(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=default)

    @property
    def id(self) -> str:
        return str(self.mail["Message-ID"])


class MailServer:
    """Accepts everything by default."""

    def __init__(
        self,
        *,
        password: str | None = None,
        certificate: ssl.SSLContext | None = None,
        **options: Any,
    ) -> None:
        """With a password it takes nobody else; with a certificate it offers STARTTLS."""
        self.received: list[ReceivedMail] = []
        self.refused: list[str] = []
        """Addresses that were not accepted, in the order of the refusals."""
        self.connections = 0
        self.password = password
        self.greeting_replies = deque[str]()
        self.mail_replies = deque[str]()
        self.recipient_replies: dict[str, str] = {}
        self.content_replies = deque[str]()
        self.usual_content_reply = OK
        settings: dict[str, Any] = {"enable_SMTPUTF8": True, "hostname": "127.0.0.1"} | options
        if password is not None:
            settings |= {"authenticator": self._login, "auth_required": True}
            settings.setdefault("auth_require_tls", certificate is not None)
        if certificate is not None:
            settings["tls_context"] = certificate
        self._controller = Controller(self, port=free_port(), **settings)

    @property
    def url(self) -> str:
        login = "" if self.password is None else f"events:{self.password}@"
        return f"smtp://{login}127.0.0.1:{self._controller.port}"

    @property
    def recipients(self) -> list[str]:
        return [received.recipient for received in self.received]

    @property
    def ids(self) -> Counter[str]:
        return Counter(received.id for received in self.received)

    def _login(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object
    ) -> AuthResult:
        expected = (self.password or "").encode()
        right = isinstance(given, LoginPassword) and given.password == expected
        return AuthResult(success=right, handled=False)

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, lines: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return lines

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = self.mail_replies.popleft() if self.mail_replies else OK
        if reply == OK:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return reply

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = self.recipient_replies.get(address, OK)
        if reply == OK:
            envelope.rcpt_tos.append(address)
        else:
            self.refused.append(address)
        return reply

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        reply = self.content_replies.popleft() if self.content_replies else self.usual_content_reply
        (recipient,) = envelope.rcpt_tos
        if reply == OK:
            content = cast(bytes, envelope.original_content)
            self.received.append(
                ReceivedMail(
                    str(envelope.mail_from), recipient, content, list(envelope.mail_options)
                )
            )
        else:
            self.refused.append(recipient)
        return reply


def by_mail(settings: Settings, url: str) -> Settings:
    """Messages go to the mail server at `url`."""
    mail = MailSettings(parse_url(url), mail_from("Town Hall <events@example.org>"))
    return msgspec.structs.replace(settings, mail=mail, public_url="https://events.example.com")


@contextmanager
def mail_server(**options: Any) -> Iterator[MailServer]:
    server = MailServer(**options)
    server._controller.start()
    try:
        yield server
    finally:
        server._controller.stop(no_assert=True)
